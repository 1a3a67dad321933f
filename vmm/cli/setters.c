/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/setters.h"

#include <errno.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/socket.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/value.h"

/*
 * Plain values.
 */

int set_kernel(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->machine.kernel, err);
}

int set_initrd(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->machine.initrd, err);
}

int set_cmdline(struct settings *s, const char *value, struct err *err)
{
	(void)err;
	s->machine.cmdline = value;
	return 0;
}

int set_cpus(struct settings *s, const char *value, struct err *err)
{
	return value_count(value, 1, MACH_CPUS_MAX, &s->machine.cpus, err);
}

int set_memory(struct settings *s, const char *value, struct err *err)
{
	return value_size(value, MACH_MEMORY_MIN, MACH_MEMORY_MAX,
			  &s->machine.memory, err);
}

int set_describe(struct settings *s, const char *value, struct err *err)
{
	static const char *const words[] = {
		[MACH_DESCRIBE_ACPI] = "acpi",
		[MACH_DESCRIBE_MPTABLE] = "mptable",
		[MACH_DESCRIBE_NONE] = "none",
	};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		s->machine.describe = (enum mach_describe)i;
	return r;
}

int set_console(struct settings *s, const char *value, struct err *err)
{
	static const char *const words[] = {
		[MACH_CONSOLE_SERIAL] = "serial",
		[MACH_CONSOLE_VIRTIO] = "virtio",
		[MACH_CONSOLE_BOTH] = "both",
	};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		s->machine.console = (enum mach_console)i;
	return r;
}

int set_viot(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &s->machine.viot, err);
}

int set_rng(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &s->machine.rng, err);
}

int set_balloon(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &s->machine.balloon, err);
}

int set_watchdog(struct settings *s, const char *value, struct err *err)
{
	static const char *const words[] = {
		[MACH_WATCHDOG_OFF] = "off",
		[MACH_WATCHDOG_STOP] = "stop",
		[MACH_WATCHDOG_REBOOT] = "reboot",
		[MACH_WATCHDOG_NONE] = "none",
	};
	unsigned i;
	int r = value_choice(value, words, ARRAY_SIZE(words), &i, err);

	if (r == 0)
		s->machine.watchdog = (enum mach_watchdog)i;
	return r;
}

int set_pvpanic(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &s->machine.pvpanic, err);
}

int set_pvh(struct settings *s, const char *value, struct err *err)
{
	return value_switch(value, &s->machine.pvh, err);
}

int set_cache(struct settings *s, const char *value, struct err *err)
{
	int r = value_text(value, &s->machine.cache_dir, err);

	if (r == 0 && strcmp(value, "none") == 0)
		s->machine.cache_dir = NULL;
	return r;
}

int set_output(struct settings *s, const char *value, struct err *err)
{
	static const char file[] = "file=";

	if (strcmp(value, "tty") == 0) {
		s->output = OUTPUT_TTY;
	} else if (strcmp(value, "none") == 0) {
		s->output = OUTPUT_NONE;
	} else if (strncmp(value, file, strlen(file)) == 0 &&
		   value[strlen(file)]) {
		s->output = OUTPUT_FILE;
		s->output_path = value + strlen(file);
	} else {
		return err_set(err, EINVAL, "expected tty, none or file=FILE");
	}
	return 0;
}

int set_timeout(struct settings *s, const char *value, struct err *err)
{
	if (strcmp(value, "none") == 0) {
		s->timeout_ms = 0;
		return 0;
	}
	return value_time(value, &s->timeout_ms, err);
}

int set_trace(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->trace_path, err);
}

int set_control(struct settings *s, const char *value, struct err *err)
{
	int r = socket_path_check(value, err);

	if (r == 0)
		s->control_path = value;
	return r;
}

int set_map(struct settings *s, const char *value, struct err *err)
{
	int r = value_count(value, 0, UINT32_MAX, &s->map_endpoint, err);

	if (r == 0)
		s->map = true;
	return r;
}

int set_config(struct settings *s, const char *value, struct err *err)
{
	return value_text(value, &s->config_path, err);
}

/*
 * Flags: no value means "on".
 */

static int set_flag(bool *flag, const char *value, struct err *err)
{
	*flag = true;
	return value ? value_switch(value, flag, err) : 0;
}

int set_watch(struct settings *s, const char *value, struct err *err)
{
	return set_flag(&s->watch, value, err);
}

int set_json(struct settings *s, const char *value, struct err *err)
{
	return set_flag(&s->json, value, err);
}

int set_no_reboot(struct settings *s, const char *value, struct err *err)
{
	bool on = true;
	int r = value ? value_switch(value, &on, err) : 0;

	if (r == 0)
		s->machine.reboot = !on;
	return r;
}

int set_verbose(struct settings *s, const char *value, struct err *err)
{
	if (value)
		return value_count(value, 0, 2, &s->verbosity, err);
	if (s->verbosity < 2)
		s->verbosity++;
	return 0;
}

int set_help(struct settings *s, const char *value, struct err *err)
{
	if (value)
		return err_set(err, EINVAL, "takes no value");
	s->help = true;
	return 0;
}
