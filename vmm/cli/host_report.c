/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/cli/host_report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/bits.h"
#include "vmm/machine/config.h"

/* Less than this is little for a guest and the host besides. */
#define LITTLE_MEMORY MIB(256)
/* A disk, its interrupts and doorbells: a few dozen for each device. */
#define FEW_FILES 256

static const char ok[] = "ok       ";
static const char note[] = "note     ";
static const char missing[] = "MISSING  ";

/* The one cause that /proc/cpuinfo can tell more about. */
static void report_no_device(const struct mach_host *h, FILE *out)
{
	fprintf(out, "%s/dev/kvm does not exist\n", missing);
	if (h->cpu_flag)
		fprintf(out,
			"         The processor has virtualization: 'modprobe "
			"kvm-amd' or 'modprobe kvm-intel'.\n");
	else if (h->in_vm)
		fprintf(out,
			"         This is a virtual machine without nested "
			"virtualization: its host has to allow it.\n"
			"         'tools/kvm-host COMMAND' runs a command in "
			"an emulated host, slowly.\n");
	else
		fprintf(out,
			"         The processor shows neither svm nor vmx: "
			"enable virtualization in the firmware.\n");
}

static bool report_kvm(const struct mach_host *h, FILE *out)
{
	const struct vm_probe *p = &h->kvm;

	if (p->error == -ENOENT) {
		report_no_device(h, out);
		return false;
	}
	if (p->error) {
		fprintf(out, "%s%s\n", missing, p->why.msg);
		return false;
	}
	if (p->nmissing) {
		fprintf(out, "%s/dev/kvm lacks", missing);
		for (unsigned i = 0; i < p->nmissing; i++)
			fprintf(out, "%s %s", i ? "," : "", p->missing[i]);
		fprintf(out, ": the host's kernel is too old\n");
		return false;
	}
	fprintf(out, "%s/dev/kvm opens and has all that moat needs", ok);
	if (p->max_vcpus)
		fprintf(out, " (up to %u virtual processors)", p->max_vcpus);
	fputc('\n', out);
	return true;
}

static bool report_cpu(const struct mach_host *h, FILE *out)
{
	switch (h->kvm.cpu) {
	case VM_PROBE_CPU_REAL:
		fprintf(out, "%sguests run on the processor\n", ok);
		return true;
	case VM_PROBE_CPU_EMULATED:
		fprintf(out,
			"%sa processor that runs guests: KVM here emulates "
			"the commonest instructions alone.\n"
			"         Stock Linux will not boot; 'tools/kvm-host "
			"COMMAND' runs a command where it does.\n",
			missing);
		return false;
	case VM_PROBE_CPU_UNKNOWN:
		break;
	}
	return true;
}

static void report_memory(const struct mach_host *h, FILE *out)
{
	if (h->memory == 0)
		return;
	fprintf(out, "%smemory: %" PRIu64 " MiB of %" PRIu64 " available\n",
		h->memory_available < LITTLE_MEMORY ? note : ok,
		h->memory_available >> 20, h->memory >> 20);
	if (h->address_space != UINT64_MAX)
		fprintf(out,
			"%slimit of address space (ulimit -v): %" PRIu64
			" MiB, guest memory included\n",
			note, h->address_space >> 20);
	if (h->hugepages_free)
		fprintf(out,
			"%shuge pages: %" PRIu64 " of %" PRIu64
			" KiB free in the pool\n",
			ok, h->hugepages_free, h->hugepage_size >> 10);
}

static void report_io(const struct mach_host *h, FILE *out)
{
	if (h->io_uring == 0)
		fprintf(out, "%sio_uring\n", ok);
	else
		fprintf(out, "%sno io_uring (%s): disks are slower without\n",
			note, strerror(-h->io_uring));
	if (h->open_files < FEW_FILES)
		fprintf(out,
			"%sonly %" PRIu64 " open files allowed (ulimit -Hn): "
			"few devices fit\n",
			note, h->open_files);
}

bool host_report(const struct mach_host *h, FILE *out)
{
	bool good = report_kvm(h, out);

	if (good)
		good = report_cpu(h, out);
	report_memory(h, out);
	report_io(h, out);
	if (good)
		fputs("This host can run guests.\n", out);
	else if (h->kvm.cpu == VM_PROBE_CPU_EMULATED)
		fputs("This host cannot run guests, except small ones made "
		      "for it.\n",
		      out);
	else
		fputs("This host cannot run guests.\n", out);
	return good;
}
