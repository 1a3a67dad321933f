/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/machine/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/err.h"
#include "pci/host.h"
#include "vmm/machine/slot.h"

void mach_config_init(struct mach_config *c)
{
	*c = (struct mach_config){
		.cpus = 1,
		.memory = MIB(512),
		.iommu.on = MACH_AUTO,
		.iommu.topology = MACH_TOPOLOGY_AUTO,
		.iommu.console = MACH_AUTO,
		.describe = MACH_DESCRIBE_ACPI,
		.viot = true,
		.pvpanic = true,
		.console = MACH_CONSOLE_SERIAL,
		.rng = true,
		.reboot = true,
	};
}

bool mach_disk_is_served(const struct mach_disk *d)
{
	return d->socket || (d->format && strcmp(d->format, "raw") != 0);
}

const char *mach_disk_name(const struct mach_disk *d)
{
	return d->socket ? d->socket : d->path;
}

const char *mach_share_name(const struct mach_share *s)
{
	return s->socket ? s->socket : s->path;
}

static bool overlap(const struct mach_reserved *a,
		    const struct mach_reserved *b)
{
	return a->first <= b->last && b->first <= a->last;
}

static int overlaps(const char *who, const struct mach_reserved *a,
		    const struct mach_reserved *b, struct err *err)
{
	return err_set(err, EINVAL, "%s: reserved ranges overlap at %#" PRIx64,
		       who, max_u64(a->first, b->first));
}

/*
 * The lists @own and @base, either of which may be NULL, as one endpoint's: no
 * overlap, one MSI range in each at most, and not too many.  An MSI range in
 * @own takes the place of the one in @base.
 * @who: "--iommu" or the device
 */
static int check_reserved(const char *who, const struct mach_reserved *own,
			  const struct mach_reserved *base, struct err *err)
{
	unsigned n = 0, msi = 0;

	for (const struct mach_reserved *a = own; a; a = a->next) {
		n++;
		msi += a->msi;
		if (a->first > a->last)
			return err_set(err, EINVAL,
				       "%s: reserved range %#" PRIx64
				       " ends before it begins",
				       who, a->first);
		if (msi > 1)
			return err_set(err, EINVAL,
				       "%s: more than one reserved range for "
				       "msi",
				       who);
		for (const struct mach_reserved *b = own; b != a; b = b->next)
			if (overlap(a, b))
				return overlaps(who, a, b, err);
	}
	for (; base; base = base->next) {
		if (base->msi && msi)
			continue;
		n++;
		for (const struct mach_reserved *a = own; a; a = a->next)
			if (overlap(a, base))
				return overlaps(who, a, base, err);
	}
	if (n > MACH_RESERVED_MAX)
		return err_set(err, EINVAL,
			       "%s: %u reserved ranges, at most %d", who, n,
			       MACH_RESERVED_MAX);
	return 0;
}

/* Of one device, @who; @iommu: its wish. */
static int check_own_reserved(const struct mach_config *c, const char *who,
			      enum mach_switch iommu,
			      const struct mach_reserved *own, struct err *err)
{
	if (!own)
		return 0;
	if (iommu == MACH_OFF || c->iommu.on == MACH_OFF)
		return err_set(err, EINVAL,
			       "%s: reserved ranges, but the device is outside "
			       "the IOMMU",
			       who);
	return check_reserved(who, own, c->iommu.reserved, err);
}

static int check_served(const struct mach_disk *d, struct err *err)
{
	const char *name = mach_disk_name(d);

	if (d->path && d->socket)
		return err_set(err, EINVAL,
			       "--disk '%s': a path and vhost-user=%s are two "
			       "disks",
			       d->path, d->socket);
	if (d->socket && (d->format || d->direct))
		return err_set(err, EINVAL,
			       "--disk '%s': %s is for its server to know",
			       name, d->format ? "format=" : "direct=");
	if (d->bps || d->iops)
		return err_set(err, EINVAL,
			       "--disk '%s': bps= and iops= are for disks that "
			       "are raw and moat's own",
			       name);
	return 0;
}

static int check_disk(const struct mach_config *c, const struct mach_disk *d,
		      struct err *err)
{
	char who[128];

	if (d->iommu == MACH_ON && c->iommu.on == MACH_OFF)
		return err_set(err, EINVAL,
			       "--disk '%s': iommu=on, but --iommu is off",
			       mach_disk_name(d));
	if (d->id && strlen(d->id) > MACH_DISK_ID_MAX)
		return err_set(err, EINVAL,
			       "--disk '%s': id '%.40s' has more than %d bytes",
			       mach_disk_name(d), d->id, MACH_DISK_ID_MAX);
	if (d->queues > MACH_DISK_QUEUES_MAX)
		return err_set(err, EINVAL,
			       "--disk '%s': %u queues, at most %d fit",
			       mach_disk_name(d), d->queues,
			       MACH_DISK_QUEUES_MAX);
	if (d->bps > MACH_DISK_BPS_MAX || d->iops > MACH_DISK_IOPS_MAX)
		return err_set(err, EINVAL,
			       "--disk '%s': a limit is out of range",
			       mach_disk_name(d));
	if (mach_disk_is_served(d)) {
		int r = check_served(d, err);

		if (r < 0)
			return r;
	}
	(void)snprintf(who, sizeof(who), "--disk '%.100s'", mach_disk_name(d));
	return check_own_reserved(c, who, d->iommu, d->reserved, err);
}

static int check_poll_time(const struct mach_config *c, const char *name,
			   unsigned us, struct err *err)
{
	if (us == 0)
		return 0;
	if (c->iommu.requests != MACH_REQUESTS_POLL)
		return err_set(err, EINVAL,
			       "--iommu: %s is for requests=poll alone", name);
	if (us < MACH_POLL_MIN_US || us > MACH_POLL_MAX_US)
		return err_set(err, EINVAL,
			       "--iommu: %s of %u us is not within %d us to "
			       "%d us",
			       name, us, MACH_POLL_MIN_US, MACH_POLL_MAX_US);
	return 0;
}

static int check_iommu(const struct mach_config *c, struct err *err)
{
	const uint64_t max = c->iommu.max_memory;
	int r;

	if (max && (max < MACH_TABLES_MIN || max > MACH_TABLES_MAX))
		return err_set(err, EINVAL,
			       "--iommu: max-memory of %" PRIu64
			       " bytes is not within %llu MiB to %llu MiB",
			       max, (unsigned long long)(MACH_TABLES_MIN >> 20),
			       (unsigned long long)(MACH_TABLES_MAX >> 20));
	r = check_poll_time(c, "poll-window", c->iommu.poll_window_us, err);
	if (r == 0)
		r = check_poll_time(c, "poll-late", c->iommu.poll_late_us, err);
	if (r < 0)
		return r;
	return check_reserved("--iommu", c->iommu.reserved, NULL, err);
}

static unsigned count_mmio(const struct mach_config *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->ndisks; i++)
		n += c->disks[i].transport == MACH_MMIO;
	return n;
}

static int check_share(const struct mach_config *c, unsigned index,
		       struct err *err)
{
	const struct mach_share *s = &c->shares[index];
	char who[128];

	if (!s->path == !s->socket || !s->tag || (s->socket && s->readonly))
		return err_set(err, EINVAL,
			       "--fs: a share has a tag, and a path or the "
			       "socket of a server, which knows what is "
			       "read-only");
	(void)snprintf(who, sizeof(who), "--fs '%.100s'", mach_share_name(s));
	if (!s->tag[0] || strlen(s->tag) > MACH_TAG_MAX)
		return err_set(err, EINVAL,
			       "%s: tag '%.40s': not 1 to %d bytes", who,
			       s->tag, MACH_TAG_MAX);
	if (s->iommu == MACH_ON && c->iommu.on == MACH_OFF)
		return err_set(err, EINVAL, "%s: iommu=on, but --iommu is off",
			       who);
	for (unsigned i = 0; i < index; i++) {
		if (strcmp(c->shares[i].tag, s->tag) == 0)
			return err_set(err, EINVAL,
				       "%s: there is a tag '%.40s' already",
				       who, s->tag);
	}
	return check_own_reserved(c, who, s->iommu, s->reserved, err);
}

static int check_shares(const struct mach_config *c, struct err *err)
{
	int r = 0;

	if (c->nshares > MACH_SHARES_MAX)
		return err_set(err, EINVAL, "--fs: %u shares, at most %d fit",
			       c->nshares, MACH_SHARES_MAX);
	for (unsigned i = 0; r == 0 && i < c->nshares; i++)
		r = check_share(c, i, err);
	return r;
}

static int check_net(const struct mach_config *c, const struct mach_net *n,
		     struct err *err)
{
	const bool user = n->kind == MACH_NET_USER;

	if (n->iommu == MACH_ON && c->iommu.on == MACH_OFF)
		return err_set(err, EINVAL,
			       "--net: iommu=on, but --iommu is off");
	if (user && n->queues > 1)
		return err_set(err, EINVAL,
			       "--net 'user': it has one queue, not %u",
			       n->queues);
	if (n->kind != MACH_NET_TAP && n->vhost != MACH_OFF)
		return err_set(err, EINVAL, "--net '%s': vhost is for a tap",
			       user ? "user" : "vhost-user");
	if (!user && n->nforwards > 0)
		return err_set(err, EINVAL,
			       "--net '%s=%s': hostfwd is for 'user'",
			       n->tap ? "tap" : "vhost-user",
			       n->tap ? n->tap : n->socket);
	if (!user && (!n->host || n->program))
		return err_set(err, EINVAL, "--net '%s=%s': %s is for 'user'",
			       n->tap ? "tap" : "vhost-user",
			       n->tap ? n->tap : n->socket,
			       n->program ? "passt" : "host");
	if (n->mac[0] & 1)
		return err_set(err, EINVAL,
			       "--net: a mac whose first byte is odd is that "
			       "of a group");
	return check_own_reserved(c, "--net", n->iommu, n->reserved, err);
}

static int check_nets(const struct mach_config *c, struct err *err)
{
	int r = 0;

	if (c->nnets > MACH_NETS_MAX)
		return err_set(err, EINVAL,
			       "--net: %u networks, at most %d fit", c->nnets,
			       MACH_NETS_MAX);
	for (unsigned i = 0; r == 0 && i < c->nnets; i++)
		r = check_net(c, &c->nets[i], err);
	return r;
}

static int check_vsock(const struct mach_config *c, struct err *err)
{
	const struct mach_vsock *v = &c->vsock;

	if (!v->path)
		return 0;
	if (v->cid < MACH_VSOCK_CID || v->cid == UINT32_MAX)
		return err_set(err, EINVAL,
			       "--vsock: cid %" PRIu32
			       " is reserved: from %d to %" PRIu32,
			       v->cid, MACH_VSOCK_CID, UINT32_MAX - 1);
	if (strlen(v->path) > MACH_VSOCK_PATH_MAX)
		return err_set(err, EINVAL,
			       "--vsock: the path has more than %d bytes: a "
			       "port's number has to fit behind it",
			       MACH_VSOCK_PATH_MAX);
	if (v->iommu == MACH_ON && c->iommu.on == MACH_OFF)
		return err_set(err, EINVAL,
			       "--vsock: iommu=on, but --iommu is off");
	return check_own_reserved(c, "--vsock", v->iommu, v->reserved, err);
}

/* Disks come from below, the others from above. */
static int check_slots(const struct mach_config *c, struct err *err)
{
	unsigned end = PCI_SLOTS_MAX;

	if (c->nnets > 0)
		end = SLOT_NETS;
	if (c->watchdog != MACH_WATCHDOG_OFF)
		end = SLOT_WATCHDOG;
	if (c->balloon)
		end = SLOT_BALLOON;
	if (c->vsock.path)
		end = SLOT_VSOCK;
	if (c->nshares > 0)
		end = SLOT_SHARES + 1 - c->nshares;
	if (SLOT_DISKS + c->ndisks > end)
		return err_set(err, EINVAL,
			       "--disk: %u disks do not fit beside the other "
			       "devices, %u would",
			       c->ndisks, end - SLOT_DISKS);
	return 0;
}

int mach_config_check(const struct mach_config *c, struct err *err)
{
	int r;

	if (c->cpus < 1 || c->cpus > MACH_CPUS_MAX)
		return err_set(err, EINVAL, "--cpus %u: not within 1 to %u",
			       c->cpus, MACH_CPUS_MAX);
	if (c->memory < MACH_MEMORY_MIN || c->memory > MACH_MEMORY_MAX ||
	    !is_aligned(c->memory, MIB(1)))
		return err_set(err, EINVAL,
			       "--memory: %llu bytes are not whole MiB within "
			       "%llu to %llu MiB",
			       (unsigned long long)c->memory,
			       (unsigned long long)(MACH_MEMORY_MIN >> 20),
			       (unsigned long long)(MACH_MEMORY_MAX >> 20));
	if (c->ndisks > MACH_DISKS_MAX)
		return err_set(err, EINVAL, "--disk: %u disks, at most %u fit",
			       c->ndisks, MACH_DISKS_MAX);
	if (count_mmio(c) > MACH_MMIO_MAX)
		return err_set(err, EINVAL,
			       "--disk: %u disks with transport=mmio, at most "
			       "%d fit",
			       count_mmio(c), MACH_MMIO_MAX);
	if (c->nports > MACH_PORTS_MAX)
		return err_set(err, EINVAL, "%u ports, at most %u fit",
			       c->nports, MACH_PORTS_MAX);
	if (c->describe == MACH_DESCRIBE_NONE && c->cpus > 1)
		return err_set(err, EINVAL,
			       "--cpus %u: without a description "
			       "(--describe none) a guest finds one CPU only",
			       c->cpus);
	r = check_iommu(c, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < c->ndisks; i++) {
		r = check_disk(c, &c->disks[i], err);

		if (r < 0)
			return r;
	}
	r = check_shares(c, err);
	if (r == 0)
		r = check_nets(c, err);
	if (r == 0)
		r = check_vsock(c, err);
	return r < 0 ? r : check_slots(c, err);
}
