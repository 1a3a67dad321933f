/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/cmdline.h"

#include <errno.h>
#include <string.h>

#include "boot/layout.h"
#include "core/bits.h"
#include "core/err.h"

int cmdline_write(struct gmem *mem, const char *text, uint32_t max,
		  struct err *err)
{
	size_t len = strlen(text);
	size_t room = (size_t)min_u64(max, BOOT_CMDLINE_SIZE - 1);
	int r;

	if (len > room)
		return err_set(err, E2BIG,
			       "command line of %zu bytes, the kernel takes "
			       "%zu",
			       len, room);
	r = gmem_write(mem, BOOT_CMDLINE, text, len + 1);
	if (r < 0)
		return err_errno(err, -r, "cannot write the command line");
	return 0;
}
