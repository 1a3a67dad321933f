/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/test_hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/log.h"
#include "vmm/cli/keys.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/value.h"

#define FIRST_ID_MAX 0xf0000000u /* no id wraps */

static int hide_disk(struct settings *s, const char *value, struct err *err)
{
	unsigned n;
	int r = value_count(value, 0, MACH_DISKS_MAX - 1, &n, err);

	if (r == 0)
		s->machine.test.hidden_disks |= UINT32_C(1) << n;
	return r;
}

static int set_hook(struct settings *s, const struct keys_item *item,
		    struct err *err)
{
	if (item->key && strcmp(item->key, "topology") == 0) {
		s->machine.test.topology = item->value;
		return 0;
	}
	if (item->key && strcmp(item->key, "hide") == 0)
		return hide_disk(s, item->value, err);
	if (item->key && strcmp(item->key, "ids") == 0)
		return value_count(item->value, 0, FIRST_ID_MAX,
				   &s->machine.test.first_id, err);
	if (item->key && strcmp(item->key, "boot") == 0)
		return value_time(item->value, &s->test_boot_ms, err);
	return err_set(err, EINVAL, "'%.40s' is unknown",
		       item->key ? item->key : item->value);
}

int test_hooks_apply(struct settings *s, struct err *err)
{
	const char *list = getenv("MOAT_TEST");
	struct keys_item item;
	char *cursor;
	int r;

	if (!list)
		return 0;
	log_warn("MOAT_TEST is set: this machine is for tests");
	cursor = strdup(list);
	r = settings_keep(s, cursor, err);
	while (r == 0 && keys_next(&cursor, &item))
		r = set_hook(s, &item, err);
	if (r < 0)
		err_prefix(err, "MOAT_TEST");
	return r;
}
