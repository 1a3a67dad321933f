/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * Options whose value is a list of keys: --disk and --iommu.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/keys.h"
#include "vmm/cli/setters.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/value.h"
#include "vmm/cli/words.h"

#define KEYS_MAX 16

static int unknown_key(const char *key, const struct option_key *keys, size_t n,
		       struct err *err)
{
	const char *names[KEYS_MAX], *nearest;
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz-";
	char list[160], meant[64] = "";

	assert(n <= KEYS_MAX);
	for (size_t i = 0; i < n; i++)
		names[i] = keys[i].name;
	words_list(list, sizeof(list), names, n, "and");
	nearest = words_nearest(key, names, n);
	if (nearest)
		(void)snprintf(meant, sizeof(meant), " (did you mean '%s'?)",
			       nearest);
	else if (key[strspn(key, letters)]) /* no key at all, but a path */
		(void)snprintf(meant, sizeof(meant),
			       " (a comma inside a value is written ',,')");
	return err_set(err, EINVAL, "unknown key '%.40s'%s: there are %s", key,
		       meant, list);
}

static int set_key(struct settings *s, const struct keys_item *item,
		   const struct option_key *keys, size_t n, struct err *err)
{
	int r;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].name, item->key) != 0)
			continue;
		r = keys[i].set(s, item->value, err);
		if (r < 0)
			err_prefix(err, "%s '%.40s'", item->key, item->value);
		return r;
	}
	return unknown_key(item->key, keys, n, err);
}

int setters_read_list(struct settings *s, const char *list, option_set_fn first,
		      const struct option_key *keys, size_t n, struct err *err)
{
	char *cursor = strdup(list);
	struct keys_item item;
	bool at_first = true;
	int r = settings_keep(s, cursor, err);

	while (r == 0 && keys_next(&cursor, &item)) {
		if (item.key)
			r = set_key(s, &item, keys, n, err);
		else if (at_first)
			r = first(s, item.value, err);
		else
			r = err_set(err, EINVAL,
				    "expected key=value, not '%.40s' (a comma "
				    "inside a value is written ',,')",
				    item.value);
		at_first = false;
	}
	return r;
}

/* "auto" only where @allow_auto. */
static int read_switch(const char *value, bool allow_auto,
		       enum mach_switch *ret_sw, struct err *err)
{
	static const char *const words[] = {"on", "off", "auto"};
	static const enum mach_switch switches[] = {MACH_ON, MACH_OFF,
						    MACH_AUTO};
	unsigned i;
	int r = value_choice(value, words, allow_auto ? 3 : 2, &i, err);

	if (r == 0)
		*ret_sw = switches[i];
	return r;
}

int setters_read_loop(const char *value, bool *ret_own, struct err *err)
{
	static const char *const words[] = {"shared", "own"};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		*ret_own = i == 1;
	return r;
}

int setters_add_reserved(struct settings *s, const char *value,
			 const struct mach_reserved **list, struct err *err)
{
	static const char *const kinds[] = {"reserved", "msi"};
	const char *colon = strchr(value, ':');
	struct mach_reserved *added;
	char range[64];
	unsigned kind;
	int r;

	if (!colon || (size_t)(colon - value) >= sizeof(range))
		return err_set(err, EINVAL,
			       "expected START-END:msi or START-END:reserved");
	(void)snprintf(range, sizeof(range), "%.*s", (int)(colon - value),
		       value);
	added = calloc(1, sizeof(*added));
	r = settings_keep(s, added, err);
	if (r == 0)
		r = value_range(range, &added->first, &added->last, err);
	if (r == 0)
		r = value_choice(colon + 1, kinds, ARRAY_SIZE(kinds), &kind,
				 err);
	if (r < 0)
		return r;
	added->msi = kind == 1;
	added->next = *list;
	*list = added;
	return 0;
}

/*
 * --disk.  The keys work on the disk behind the last one.
 */

static struct mach_disk *new_disk(struct settings *s)
{
	return &s->machine.disks[s->machine.ndisks];
}

static int set_disk_path(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &new_disk(s)->path, err);
}

static int set_disk_format(struct settings *s, const char *value,
			   struct err *err)
{
	static const char *const words[] = {"raw",  "qcow2", "vmdk",
					    "vhdx", "vdi",   "vpc"};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		new_disk(s)->format = words[i];
	return r;
}

static int set_disk_socket(struct settings *s, const char *value,
			   struct err *err)
{
	return value_text(value, &new_disk(s)->socket, err);
}

static int set_disk_reconnect(struct settings *s, const char *value,
			      struct err *err)
{
	return value_wait(value, &new_disk(s)->wait_ms, err);
}

static int set_disk_ro(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &new_disk(s)->readonly, err);
}

static int set_disk_indirect(struct settings *s, const char *value,
			     struct err *err)
{
	bool indirect = true;
	int r = value_switch(value, &indirect, err);

	new_disk(s)->no_indirect = !indirect;
	return r;
}

static int set_disk_iommu(struct settings *s, const char *value,
			  struct err *err)
{
	return read_switch(value, false, &new_disk(s)->iommu, err);
}

static int set_disk_id(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &new_disk(s)->id, err);
}

static int set_disk_reserved(struct settings *s, const char *value,
			     struct err *err)
{
	return setters_add_reserved(s, value, &new_disk(s)->reserved, err);
}

static int set_disk_transport(struct settings *s, const char *value,
			      struct err *err)
{
	static const char *const words[] = {"pci", "mmio"};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		new_disk(s)->transport = i ? MACH_MMIO : MACH_PCI;
	return r;
}

/* "auto", which is 0, or a number. */
static int set_disk_queues(struct settings *s, const char *value,
			   struct err *err)
{
	if (strcmp(value, "auto") == 0) {
		new_disk(s)->queues = 0;
		return 0;
	}
	return value_count(value, 1, MACH_DISK_QUEUES_MAX, &new_disk(s)->queues,
			   err);
}

static int set_disk_loop(struct settings *s, const char *value, struct err *err)
{
	return setters_read_loop(value, &new_disk(s)->own_loops, err);
}

static int set_disk_direct(struct settings *s, const char *value,
			   struct err *err)
{
	return value_switch(value, &new_disk(s)->direct, err);
}

static int set_disk_bps(struct settings *s, const char *value, struct err *err)
{
	return value_size(value, MIB(1), MACH_DISK_BPS_MAX, &new_disk(s)->bps,
			  err);
}

static int set_disk_iops(struct settings *s, const char *value, struct err *err)
{
	unsigned n;
	int r = value_count(value, 1, (unsigned)MACH_DISK_IOPS_MAX, &n, err);

	if (r == 0)
		new_disk(s)->iops = n;
	return r;
}

const struct option_key disk_keys[DISK_KEYS] = {
	{"path", "FILE", set_disk_path},
	{"format", "raw|qcow2|vmdk|vhdx|vdi|vpc", set_disk_format},
	{"vhost-user", "SOCKET", set_disk_socket},
	{"reconnect", "TIME|off", set_disk_reconnect},
	{"ro", "on|off", set_disk_ro},
	{"iommu", "on|off", set_disk_iommu},
	{"id", "NAME", set_disk_id},
	{"indirect", "on|off", set_disk_indirect},
	{"reserved", "START-END:msi|reserved", set_disk_reserved},
	{"transport", "pci|mmio", set_disk_transport},
	{"queues", "N|auto", set_disk_queues},
	{"loop", "shared|own", set_disk_loop},
	{"direct", "on|off", set_disk_direct},
	{"bps", "SIZE", set_disk_bps},
	{"iops", "N", set_disk_iops},
};

int set_disk(struct settings *s, const char *value, struct err *err)
{
	int r;

	if (s->machine.ndisks == MACH_DISKS_MAX)
		return err_set(err, EINVAL, "more than %d disks",
			       MACH_DISKS_MAX);
	*new_disk(s) = (struct mach_disk){
		.iommu = MACH_AUTO,
		.wait_ms = MACH_SERVER_WAIT_MS,
	};
	r = setters_read_list(s, value, set_disk_path, disk_keys, DISK_KEYS,
			      err);
	if (r < 0)
		return r;
	if (!new_disk(s)->path && !new_disk(s)->socket)
		return err_set(err, EINVAL,
			       "expected path=FILE or vhost-user=SOCKET");
	if (!new_disk(s)->socket && new_disk(s)->wait_ms != MACH_SERVER_WAIT_MS)
		return err_set(err, EINVAL,
			       "reconnect= is for vhost-user=SOCKET");
	s->machine.ndisks++;
	return 0;
}

/*
 * --fs.  The keys work on the share behind the last one.
 */

static struct mach_share *new_share(struct settings *s)
{
	return &s->machine.shares[s->machine.nshares];
}

static int set_fs_path(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &new_share(s)->path, err);
}

static int set_fs_socket(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &new_share(s)->socket, err);
}

static int set_fs_tag(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &new_share(s)->tag, err);
}

static int set_fs_ro(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &new_share(s)->readonly, err);
}

static int set_fs_iommu(struct settings *s, const char *value, struct err *err)
{
	return read_switch(value, false, &new_share(s)->iommu, err);
}

static int set_fs_reserved(struct settings *s, const char *value,
			   struct err *err)
{
	return setters_add_reserved(s, value, &new_share(s)->reserved, err);
}

static int set_fs_loop(struct settings *s, const char *value, struct err *err)
{
	return setters_read_loop(value, &new_share(s)->own_loop, err);
}

const struct option_key fs_keys[FS_KEYS] = {
	{"path", "DIR", set_fs_path},
	{"vhost-user", "SOCKET", set_fs_socket},
	{"tag", "NAME", set_fs_tag},
	{"ro", "on|off", set_fs_ro},
	{"iommu", "on|off", set_fs_iommu},
	{"loop", "shared|own", set_fs_loop},
	{"reserved", "START-END:msi|reserved", set_fs_reserved},
};

int set_fs(struct settings *s, const char *value, struct err *err)
{
	int r;

	if (s->machine.nshares == MACH_SHARES_MAX)
		return err_set(err, EINVAL, "more than %d shares",
			       MACH_SHARES_MAX);
	*new_share(s) = (struct mach_share){.iommu = MACH_AUTO};
	r = setters_read_list(s, value, set_fs_path, fs_keys, FS_KEYS, err);
	if (r < 0)
		return r;
	if (!new_share(s)->path == !new_share(s)->socket || !new_share(s)->tag)
		return err_set(err, EINVAL,
			       "expected path=DIR or vhost-user=SOCKET, and "
			       "tag=NAME");
	if (new_share(s)->socket && new_share(s)->readonly)
		return err_set(err, EINVAL,
			       "ro=on is for path=DIR: what a server permits "
			       "is its own matter");
	s->machine.nshares++;
	return 0;
}

/*
 * --vsock.
 */

static int set_vsock_path(struct settings *s, const char *value,
			  struct err *err)
{
	return value_text(value, &s->machine.vsock.path, err);
}

static int set_vsock_cid(struct settings *s, const char *value, struct err *err)
{
	unsigned cid;
	int r = value_count(value, MACH_VSOCK_CID, UINT32_MAX - 1, &cid, err);

	if (r == 0)
		s->machine.vsock.cid = cid;
	return r;
}

static int set_vsock_iommu(struct settings *s, const char *value,
			   struct err *err)
{
	return read_switch(value, false, &s->machine.vsock.iommu, err);
}

static int set_vsock_reserved(struct settings *s, const char *value,
			      struct err *err)
{
	return setters_add_reserved(s, value, &s->machine.vsock.reserved, err);
}

static int set_vsock_loop(struct settings *s, const char *value,
			  struct err *err)
{
	return setters_read_loop(value, &s->machine.vsock.own_loop, err);
}

const struct option_key vsock_keys[VSOCK_KEYS] = {
	{"path", "PATH", set_vsock_path},
	{"cid", "N", set_vsock_cid},
	{"iommu", "on|off", set_vsock_iommu},
	{"loop", "shared|own", set_vsock_loop},
	{"reserved", "START-END:msi|reserved", set_vsock_reserved},
};

int set_vsock(struct settings *s, const char *value, struct err *err)
{
	int r;

	/* The last one counts: the command line's, after a file's. */
	s->machine.vsock = (struct mach_vsock){
		.cid = MACH_VSOCK_CID,
		.iommu = MACH_AUTO,
	};
	r = setters_read_list(s, value, set_vsock_path, vsock_keys, VSOCK_KEYS,
			      err);
	if (r < 0)
		return r;
	if (!s->machine.vsock.path)
		return err_set(err, EINVAL, "expected path=PATH");
	return 0;
}

/*
 * --iommu.  Keys that are not given keep what they have, so that the command
 * line can change one that a configuration file has set.
 */

static int set_iommu_on(struct settings *s, const char *value, struct err *err)
{
	return read_switch(value, true, &s->machine.iommu.on, err);
}

static int set_iommu_topology(struct settings *s, const char *value,
			      struct err *err)
{
	static const char *const words[] = {
		[MACH_TOPOLOGY_AUTO] = "auto",
		[MACH_TOPOLOGY_V2] = "v2",
		[MACH_TOPOLOGY_NATIVE] = "native",
		[MACH_TOPOLOGY_NONE] = "none",
	};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		s->machine.iommu.topology = (enum mach_topology)i;
	return r;
}

static int set_iommu_bypass(struct settings *s, const char *value,
			    struct err *err)
{
	return value_switch(value, &s->machine.iommu.bypass, err);
}

static int set_iommu_console(struct settings *s, const char *value,
			     struct err *err)
{
	return read_switch(value, false, &s->machine.iommu.console, err);
}

static int set_iommu_reserved(struct settings *s, const char *value,
			      struct err *err)
{
	return setters_add_reserved(s, value, &s->machine.iommu.reserved, err);
}

static int set_iommu_max_memory(struct settings *s, const char *value,
				struct err *err)
{
	return value_size(value, MACH_TABLES_MIN, MACH_TABLES_MAX,
			  &s->machine.iommu.max_memory, err);
}

static int set_iommu_requests(struct settings *s, const char *value,
			      struct err *err)
{
	static const char *const words[] = {
		[MACH_REQUESTS_EXIT] = "exit",
		[MACH_REQUESTS_POLL] = "poll",
	};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		s->machine.iommu.requests = (enum mach_requests)i;
	return r;
}

static int set_iommu_poll_window(struct settings *s, const char *value,
				 struct err *err)
{
	return value_short_time(value, MACH_POLL_MIN_US, MACH_POLL_MAX_US,
				&s->machine.iommu.poll_window_us, err);
}

static int set_iommu_poll_late(struct settings *s, const char *value,
			       struct err *err)
{
	return value_short_time(value, MACH_POLL_MIN_US, MACH_POLL_MAX_US,
				&s->machine.iommu.poll_late_us, err);
}

const struct option_key iommu_keys[IOMMU_KEYS] = {
	{"topology", "auto|v2|native|none", set_iommu_topology},
	{"bypass", "on|off", set_iommu_bypass},
	{"console", "on|off", set_iommu_console},
	{"reserved", "START-END:msi|reserved", set_iommu_reserved},
	{"max-memory", "SIZE", set_iommu_max_memory},
	{"requests", "exit|poll", set_iommu_requests},
	{"poll-window", "TIME", set_iommu_poll_window},
	{"poll-late", "TIME", set_iommu_poll_late},
};

int set_iommu(struct settings *s, const char *value, struct err *err)
{
	return setters_read_list(s, value, set_iommu_on, iommu_keys, IOMMU_KEYS,
				 err);
}

/*
 * --share.  The keys work on the folder behind the last one.
 */

static struct settings_folder *new_folder(struct settings *s)
{
	return &s->folders[s->nfolders];
}

static int set_share_path(struct settings *s, const char *value,
			  struct err *err)
{
	return value_text(value, &new_folder(s)->path, err);
}

static int set_share_ro(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &new_folder(s)->readonly, err);
}

const struct option_key share_keys[SHARE_KEYS] = {
	{"path", "DIR", set_share_path},
	{"ro", "on|off", set_share_ro},
};

int set_share(struct settings *s, const char *value, struct err *err)
{
	int r;

	if (s->nfolders == MACH_SHARES_MAX)
		return err_set(err, EINVAL, "more than %d folders",
			       MACH_SHARES_MAX);
	*new_folder(s) = (struct settings_folder){.cwd = true};
	r = setters_read_list(s, value, set_share_path, share_keys, SHARE_KEYS,
			      err);
	if (r < 0)
		return r;
	if (!new_folder(s)->path)
		return err_set(err, EINVAL, "expected a folder");
	s->nfolders++;
	return 0;
}
