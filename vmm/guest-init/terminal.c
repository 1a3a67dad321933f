/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <asm/ioctls.h>
#include <asm/termios.h>

#include "vmm/guest-init/init.h"
#include "vmm/guest-init/sys.h"
#include "vmm/guest-init/text.h"

void terminal_resize(int fd, const char *size)
{
	uint32_t cols, rows;
	struct winsize w;

	if (!text_number(&size, &cols) || *size++ != ' ' ||
	    !text_number(&size, &rows))
		return;
	w = (struct winsize){.ws_col = (unsigned short)cols,
			     .ws_row = (unsigned short)rows};
	(void)sys_ioctl(fd, TIOCSWINSZ, &w);
}
