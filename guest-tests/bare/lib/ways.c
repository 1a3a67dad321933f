/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "ways.h"

#include "bare.h"
#include "pci.h"

enum { WINDOW_BAR = 4, WINDOW_OFFSET = 8, WINDOW_LENGTH = 12, WINDOW = 16 };

static const struct way {
	const char *name;
	bool window;
	unsigned width;
} ways[WAYS] = {
	{"memory, 1 byte", false, 1},	  {"memory, 2 bytes", false, 2},
	{"memory, 4 bytes", false, 4},	  {"memory, 8 bytes", false, 8},
	{"the window, 1 byte", true, 1},  {"the window, 2 bytes", true, 2},
	{"the window, 4 bytes", true, 4},
};

const char *way_name(unsigned way)
{
	return ways[way].name;
}

void ways_find(struct ways *w, const struct vdev *v)
{
	uint8_t config[256];

	w->v = v;
	pci_snapshot(v->devfn, config);
	CHECK_EQ(topo_find_structure(config, TOPO_CFG_DEVICE, &w->structure),
		 TOPO_OK);
	CHECK_EQ(topo_find_structure(config, TOPO_CFG_PCI, &w->window),
		 TOPO_OK);
	/* No structure of ours ends inside a word. */
	CHECK_EQ(v->device_len % 8, 0);
}

static uint64_t read_by_window(const struct ways *w, uint32_t off,
			       unsigned width)
{
	uint8_t devfn = w->v->devfn, cap = w->window.cap;

	pci_write(devfn, cap + WINDOW_BAR, 1, w->structure.bar);
	pci_write(devfn, cap + WINDOW_OFFSET, 4, w->structure.offset + off);
	pci_write(devfn, cap + WINDOW_LENGTH, 4, width);
	return pci_read(devfn, cap + WINDOW, width);
}

void way_read(const struct ways *w, unsigned way, uint8_t *dst)
{
	unsigned width = ways[way].width;

	for (uint32_t n = 0; n < w->v->device_len; n += width) {
		uint64_t val = ways[way].window
				       ? read_by_window(w, n, width)
				       : mmio_read(w->v->device + n, width);

		memcpy(dst + n, &val, width);
	}
}
