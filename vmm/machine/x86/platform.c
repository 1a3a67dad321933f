/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/platform.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "boot/acpi.h"
#include "boot/linux.h"
#include "boot/mptable.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "devices/serial16550.h"
#include "vmm/machine/mach.h"
#include "vmm/machine/x86/memory_map.h"

const struct iommu_resv_region platform_msi_region = {
	.kind = IOMMU_RESV_MSI,
	.first = MAP_MSI_FIRST,
	.last = MAP_MSI_LAST,
};

unsigned platform_memory_layout(uint64_t memory, struct gmem_slot *slots)
{
	slots[0] = (struct gmem_slot){.size = min_u64(memory, MAP_HOLE)};
	if (memory <= MAP_HOLE)
		return 1;
	slots[1] = (struct gmem_slot){
		.base = MAP_HIGH_RAM,
		.size = memory - MAP_HOLE,
	};
	return 2;
}

static struct range mmio64_window(const struct mach *m)
{
	uint64_t ram_end = MAP_HIGH_RAM + m->config.memory;
	uint64_t first = max_u64(MAP_MMIO64, align_up(ram_end, GIB(64)));

	return (struct range){first, first + MAP_MMIO64_SIZE - 1};
}

static const struct range mmio32_window = {MAP_MMIO32, MAP_MMIO32_END - 1};

/* No BAR may answer over RAM or what the kernel emulates. */
static unsigned close_ranges(struct mach *m)
{
	struct range *r = m->platform.closed;
	unsigned n = 0;

	for (unsigned i = 0; i < m->mem.nslots; i++) {
		const struct gmem_slot *s = &m->mem.slots[i];

		r[n++] = (struct range){s->base, s->base + s->size - 1};
	}
	r[n++] = (struct range){MAP_FIXED, MAP_FIXED_LAST};
	return n;
}

/*
 * With ACPI, MCFG tells of ECAM.  Linux prefers the ports wherever it finds
 * them, and pays two exits for each access instead of one.
 */
static bool has_pci_ports(const struct mach *m)
{
	return m->config.describe != MACH_DESCRIBE_ACPI;
}

void platform_pci_config(struct mach *m, struct pci_host_config *c)
{
	*c = (struct pci_host_config){
		.ecam_base = MAP_ECAM,
		.ports = has_pci_ports(m),
		.reset = &m->platform.reset.region,
		.mmio32 = mmio32_window,
		.mmio64 = mmio64_window(m),
		.closed = m->platform.closed,
		.nclosed = close_ranges(m),
	};
}

/* Wires that nothing else has on a PC, and that the 8259s have, too: guests
 * without any description know no others. */
void platform_mmio_place(unsigned n, uint64_t *ret_at, uint32_t *ret_gsi)
{
	static const uint32_t gsis[MACH_MMIO_MAX] = {5,	 6,  7,	 9,
						     10, 11, 14, 15};

	*ret_at = MAP_VIRTIO + (uint64_t)n * VMMIO_SIZE;
	*ret_gsi = gsis[n];
}

static int attach(struct mach *m, struct bus_region *r, uint64_t port,
		  struct err *err)
{
	int ret;

	r->base = port;
	ret = bus_attach(&m->pio, r);
	if (ret < 0)
		return err_errno(err, -ret, "port %#llx",
				 (unsigned long long)port);
	return 0;
}

static int add_serial(struct mach *m, struct err *err)
{
	struct mach_platform *p = &m->platform;
	struct irq_line *irq = NULL;
	int r;

	if (!(m->flags & MACH_PLAN_ONLY)) {
		irqchip_line_init(&p->serial_irq, &m->vm.irqchip, GSI_SERIAL);
		irq = &p->serial_irq.line;
	}
	r = serial_new(&p->serial, irq);
	if (r < 0)
		return err_set(err, -r, "out of memory");
	return attach(m, serial_region(p->serial), PORT_SERIAL, err);
}

/* ACPI names the port; guests without it find the PCI function. */
bool platform_has_pvpanic(const struct mach *m)
{
	return m->config.pvpanic && m->config.describe == MACH_DESCRIBE_ACPI;
}

int platform_init(struct mach *m, struct err *err)
{
	struct mach_platform *p = &m->platform;
	int r = 0;

	cmos_init(&p->cmos);
	acpi_power_init(&p->power, &m->events);
	i8042_reset_init(&p->i8042, &m->events);
	reset_port_init(&p->reset, &m->events);
	pvpanic_init(&p->pvpanic, &m->events);
	if (m->config.console != MACH_CONSOLE_VIRTIO)
		r = add_serial(m, err);
	if (r == 0)
		r = attach(m, &p->cmos.region, PORT_CMOS, err);
	if (r == 0)
		r = attach(m, &p->power.region, PORT_POWER, err);
	if (r == 0)
		r = attach(m, &p->i8042.region, PORT_I8042, err);
	/* Else it is inside the address port, and the host bridge passes on
	 * what is meant for it. */
	if (r == 0 && !has_pci_ports(m))
		r = attach(m, &p->reset.region, PORT_RESET, err);
	if (r == 0 && platform_has_pvpanic(m))
		r = attach(m, &p->pvpanic.region, PORT_PVPANIC, err);
	return r;
}

void platform_fini(struct mach *m)
{
	serial_free(m->platform.serial);
	if (m->platform.cmos.region.ops)
		cmos_fini(&m->platform.cmos);
}

void platform_reset(struct mach *m)
{
	if (m->platform.serial)
		serial_reset(m->platform.serial);
}

static int fill_viot(struct mach *m, struct acpi_config *a,
		     struct acpi_viot_item **ret_items, struct err *err)
{
	size_t n = m->topology.n;
	struct acpi_viot_item *items = calloc(n ? n : 1, sizeof(*items));

	if (!items)
		return err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		const struct iommu_item *t = &m->topology.items[i];

		items[i].endpoint = t->endpoint;
		items[i].mmio = t->place == IOMMU_PLACE_MMIO;
		if (items[i].mmio) {
			items[i].address = t->mmio.address;
			continue;
		}
		items[i].segment = t->pci.segment;
		items[i].first = t->pci.first;
		items[i].last = t->pci.last;
	}
	a->iommu = m->iommu != NULL;
	a->viot = m->iommu && m->config.viot;
	a->iommu_requester = PCI_DEVFN(SLOT_IOMMU, 0);
	a->items = items;
	a->nitems = n;
	*ret_items = items;
	return 0;
}

static unsigned fill_mmio(const struct mach *m, struct acpi_mmio *dst)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->nfuncs; i++) {
		const struct mach_func *f = &m->funcs[i];

		if (!f->pci)
			dst[n++] = (struct acpi_mmio){
				.base = (uint32_t)f->mmio.region.base,
				.size = VMMIO_SIZE,
				.irq = f->gsi,
			};
	}
	return n;
}

static int write_acpi(struct mach *m, gpa_t *ret_rsdp, struct err *err)
{
	struct acpi_mmio mmio[MACH_MMIO_MAX];
	struct acpi_config a = {
		.ncpus = m->config.cpus,
		.lapic_base = MAP_LAPIC,
		.ioapic_base = MAP_IOAPIC,
		.ecam_base = MAP_ECAM,
		.mmio32 = mmio32_window,
		.mmio64 = mmio64_window(m),
		.serial_port = m->platform.serial ? PORT_SERIAL : 0,
		.serial_irq = GSI_SERIAL,
		.power_port = PORT_POWER,
		.pvpanic_port = platform_has_pvpanic(m) ? PORT_PVPANIC : 0,
		.cmos = true,
		.mmio = mmio,
		.nmmio = fill_mmio(m, mmio),
	};
	AUTO_FREE struct acpi_viot_item *items = NULL;
	int r = fill_viot(m, &a, &items, err);

	if (r < 0)
		return r;
	return acpi_write(&m->mem, &a, MAP_TABLES, MAP_TABLES_END, ret_rsdp,
			  err);
}

/*
 * Without ACPI the command line tells of devices that are no PCI functions, to
 * kernels with VIRTIO_MMIO_CMDLINE_DEVICES.
 */
static void tell_mmio(const struct mach *m, char *dst, size_t len)
{
	size_t at = 0;

	dst[0] = '\0';
	if (m->config.describe == MACH_DESCRIBE_ACPI)
		return;
	for (unsigned i = 0; i < m->nfuncs && at < len; i++) {
		const struct mach_func *f = &m->funcs[i];

		if (!f->pci)
			at += (size_t)snprintf(
				dst + at, len - at,
				" virtio_mmio.device=4K@%#llx:%u",
				(unsigned long long)f->mmio.region.base,
				f->gsi);
	}
}

/*
 * What the machine has not is not looked for, and algorithms are not tested at
 * each boot, which takes long.  The user's words come last, so that they win.
 */
static char *command_line(const struct mach *m)
{
	char mmio[MACH_MMIO_MAX * 48];
	static const char *const consoles[] = {
		[MACH_CONSOLE_SERIAL] = "console=ttyS0",
		[MACH_CONSOLE_VIRTIO] = "console=hvc0",
		[MACH_CONSOLE_BOTH] = "console=ttyS0 console=hvc0",
	};
	const char *user = m->config.cmdline;
	char *line;

	tell_mmio(m, mmio, sizeof(mmio));
	if (asprintf(&line,
		     "%s panic=-1 cryptomgr.notests 8250.nr_uarts=%d%s%s%s%s",
		     consoles[m->config.console], m->platform.serial != NULL,
		     has_pci_ports(m) ? "" : " pci=noearly", mmio,
		     user ? " " : "", user ? user : "") < 0)
		return NULL;
	return line;
}

static void convert_entry(const struct boot_entry *b, struct vcpu_entry *e)
{
	*e = (struct vcpu_entry){
		.long_mode = b->mode == BOOT_MODE_LONG,
		.rip = b->rip,
		.rsi = b->rsi,
		.rbx = b->rbx,
		.rsp = b->rsp,
		.cr3 = b->cr3,
		.gdt = b->gdt,
		.gdt_limit = b->gdt_limit,
		.idt = b->idt,
		.idt_limit = b->idt_limit,
	};
}

/*
 * A hardware-reduced machine without EFI: Linux then restarts it by a jump
 * to the BIOS, in real mode.
 */
static int write_reset_stub(struct mach *m, struct err *err)
{
	static const uint8_t stub[] = {
		0xb0, 0xfe,	  /* mov al, 0xfe */
		0xe6, 0x64,	  /* out 0x64, al */
		0xf4, 0xeb, 0xfd, /* hlt; jmp back to it */
	};
	int r = gmem_write(&m->mem, MAP_RESET, stub, sizeof(stub));

	return r < 0 ? err_set(err, -r, "no memory at %#llx",
			       (unsigned long long)MAP_RESET)
		     : 0;
}

static int describe(struct mach *m, gpa_t *ret_rsdp, struct err *err)
{
	*ret_rsdp = 0;
	switch (m->config.describe) {
	case MACH_DESCRIBE_ACPI:
		return write_acpi(m, ret_rsdp, err);
	case MACH_DESCRIBE_MPTABLE:
		return mptable_write(&m->mem, m->config.cpus,
				     (uint32_t)MAP_LAPIC, (uint32_t)MAP_IOAPIC,
				     err);
	case MACH_DESCRIBE_NONE:
		break;
	}
	return 0;
}

int platform_load(struct mach *m, struct vcpu_entry *ret_e, struct err *err)
{
	const struct boot_reserved ecam = {MAP_ECAM, MAP_ECAM_SIZE};
	AUTO_FREE char *line = command_line(m);
	struct boot_linux_config config = {
		.kernel = m->config.kernel,
		.initrd = m->config.initrd,
		.archive = {m->config.archive, m->config.archive_len},
		.cmdline = line,
		.protocol = m->config.pvh ? BOOT_PVH : BOOT_AUTO,
		.cache_dir = m->config.cache_dir,
		.reserved = &ecam,
		.nreserved = 1,
	};
	struct boot_entry entry;
	int r;

	if (!line)
		return err_set(err, ENOMEM, "out of memory");
	r = write_reset_stub(m, err);
	if (r == 0)
		r = describe(m, &config.rsdp, err);
	if (r == 0)
		r = boot_linux_load(&m->mem, &config, &entry, err);
	if (r < 0)
		return r;
	log_info("kernel '%s': %s%s%s%s", config.kernel, entry.how,
		 entry.from_cache ? ", from the cache" : "",
		 entry.packed_why.msg[0] ? ": " : "", entry.packed_why.msg);
	convert_entry(&entry, ret_e);
	return 0;
}
