/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * setters.h - what each option does with its value.
 *
 * Return of all: 0; -EINVAL or -ENOMEM with a sentence that names neither
 * the option nor the whole value (option_apply() puts them in front).
 */
#ifndef MOAT_VMM_CLI_SETTERS_H
#define MOAT_VMM_CLI_SETTERS_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct mach_reserved;
struct settings;

/* @value outlives the settings; NULL only for flags: there was none. */
typedef int (*option_set_fn)(struct settings *s, const char *value,
			     struct err *err);

/* A key in an option's list of keys. */
struct option_key {
	const char *name;
	const char *arg; /* its value in --help */
	option_set_fn set;
};

/* Plain values. */
int set_kernel(struct settings *s, const char *value, struct err *err);
int set_initrd(struct settings *s, const char *value, struct err *err);
int set_cmdline(struct settings *s, const char *value, struct err *err);
int set_cpus(struct settings *s, const char *value, struct err *err);
int set_memory(struct settings *s, const char *value, struct err *err);
int set_describe(struct settings *s, const char *value, struct err *err);
int set_viot(struct settings *s, const char *value, struct err *err);
int set_console(struct settings *s, const char *value, struct err *err);
int set_rng(struct settings *s, const char *value, struct err *err);
int set_balloon(struct settings *s, const char *value, struct err *err);
int set_watchdog(struct settings *s, const char *value, struct err *err);
int set_pvpanic(struct settings *s, const char *value, struct err *err);
int set_pvh(struct settings *s, const char *value, struct err *err);
int set_cache(struct settings *s, const char *value, struct err *err);
int set_output(struct settings *s, const char *value, struct err *err);
int set_timeout(struct settings *s, const char *value, struct err *err);
int set_trace(struct settings *s, const char *value, struct err *err);
int set_control(struct settings *s, const char *value, struct err *err);
int set_map(struct settings *s, const char *value, struct err *err);
int set_config(struct settings *s, const char *value, struct err *err);

/* Of a command in the guest (setters_launch.c). */
int set_rw(struct settings *s, const char *value, struct err *err);
int set_root(struct settings *s, const char *value, struct err *err);
int set_modules(struct settings *s, const char *value, struct err *err);
int set_env(struct settings *s, const char *value, struct err *err);
int set_pwd(struct settings *s, const char *value, struct err *err);
int set_user(struct settings *s, const char *value, struct err *err);
int set_junit(struct settings *s, const char *value, struct err *err);
int set_name(struct settings *s, const char *value, struct err *err);
int set_log(struct settings *s, const char *value, struct err *err);

/* Flags. */
int set_watch(struct settings *s, const char *value, struct err *err);
int set_json(struct settings *s, const char *value, struct err *err);
int set_no_reboot(struct settings *s, const char *value, struct err *err);
int set_verbose(struct settings *s, const char *value, struct err *err);
int set_help(struct settings *s, const char *value, struct err *err);

/*
 * setters_read_list - set every key in @list.
 * @first: takes the first item if it is a bare word
 */
int setters_read_list(struct settings *s, const char *list, option_set_fn first,
		      const struct option_key *keys, size_t n, struct err *err);

/* "shared" or "own". */
int setters_read_loop(const char *value, bool *ret_own, struct err *err);

/* "START-END:msi" or "START-END:reserved", in front of what @list has; @s keeps
 * it. */
int setters_add_reserved(struct settings *s, const char *value,
			 const struct mach_reserved **list, struct err *err);

/* Lists of keys (setters_list.c). */
#define DISK_KEYS  15
#define IOMMU_KEYS 8
#define FS_KEYS	   7
#define VSOCK_KEYS 5
extern const struct option_key disk_keys[DISK_KEYS];
extern const struct option_key iommu_keys[IOMMU_KEYS];
extern const struct option_key fs_keys[FS_KEYS];
extern const struct option_key vsock_keys[VSOCK_KEYS];
#define SHARE_KEYS 2
extern const struct option_key share_keys[SHARE_KEYS];
int set_share(struct settings *s, const char *value, struct err *err);
int set_disk(struct settings *s, const char *value, struct err *err);
int set_iommu(struct settings *s, const char *value, struct err *err);
int set_vsock(struct settings *s, const char *value, struct err *err);
int set_fs(struct settings *s, const char *value, struct err *err);
/* setters_net.c */
#define NET_KEYS 17
extern const struct option_key net_keys[NET_KEYS];
int set_net(struct settings *s, const char *value, struct err *err);

#endif
