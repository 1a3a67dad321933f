/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "vmm/kvm/irqchip.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/sys.h"

/* Enough for 27 functions of 64 vectors; KVM's own limit is 4096. */
#define GSI_MAX 2048

static struct irqchip *to_chip(struct msi_sink *s)
{
	return container_of(s, struct irqchip, msi);
}

static void line_set(struct irq_line *line, bool level)
{
	struct irqchip_line *l = container_of(line, struct irqchip_line, line);
	struct kvm_irq_level kl = {.irq = l->gsi, .level = level};

	(void)ioctl(l->chip->vm_fd, KVM_IRQ_LINE, &kl);
}

static const struct irq_line_ops line_ops = {.set = line_set};

void irqchip_line_init(struct irqchip_line *l, struct irqchip *c, uint32_t gsi)
{
	*l = (struct irqchip_line){
		.line.ops = &line_ops,
		.chip = c,
		.gsi = gsi,
	};
}

static int push_routes(struct irqchip *c)
{
	if (ioctl(c->vm_fd, KVM_SET_GSI_ROUTING, c->table) < 0)
		return -errno;
	return 0;
}

static int gsi_alloc(struct irqchip *c)
{
	for (unsigned gsi = ARCH_WIRED_GSIS; gsi < c->max; gsi++) {
		if (!(c->used[gsi / 64] & BIT_ULL(gsi % 64))) {
			c->used[gsi / 64] |= BIT_ULL(gsi % 64);
			return (int)gsi;
		}
	}
	return -ENOSPC;
}

static void gsi_free(struct irqchip *c, int gsi)
{
	c->used[gsi / 64] &= ~BIT_ULL(gsi % 64);
}

static bool same_message(const struct kvm_irq_routing_entry *e,
			 struct msi_msg msg)
{
	return e->u.msi.address_lo == (uint32_t)msg.addr &&
	       e->u.msi.address_hi == (uint32_t)(msg.addr >> 32) &&
	       e->u.msi.data == msg.data;
}

static int set_route(struct irqchip *c, const struct msi_line *l,
		     struct msi_msg msg)
{
	bool is_new = c->entry[l->gsi] == 0;
	unsigned at = is_new ? c->table->nr : c->entry[l->gsi];
	struct kvm_irq_routing_entry *e = &c->table->entries[at], old = *e;
	int r;

	if (!is_new && same_message(e, msg))
		return 0;
	*e = (struct kvm_irq_routing_entry){
		.gsi = (uint32_t)l->gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi.address_lo = (uint32_t)msg.addr,
		.u.msi.address_hi = (uint32_t)(msg.addr >> 32),
		.u.msi.data = msg.data,
	};
	arch_msi_route(e, l->requester);
	c->table->nr += is_new;
	r = push_routes(c);
	if (r < 0) {
		*e = old;
		c->table->nr -= is_new;
		return r;
	}
	c->entry[l->gsi] = at;
	return 0;
}

/* The last entry takes the free place; KVM learns of it with the next push. */
static void drop_route(struct irqchip *c, int gsi)
{
	unsigned at = c->entry[gsi], last = c->table->nr - 1;

	if (!at)
		return;
	c->table->entries[at] = c->table->entries[last];
	c->entry[c->table->entries[at].gsi] = at;
	c->entry[gsi] = 0;
	c->table->nr--;
}

static int set_irqfd(struct irqchip *c, int fd, int gsi, uint32_t flags)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)fd,
		.gsi = (uint32_t)gsi,
		.flags = flags,
	};

	return ioctl(c->vm_fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

static int connect_locked(struct irqchip *c, struct msi_line *l,
			  struct msi_msg msg)
{
	int r;

	if (l->fd < 0) {
		r = eventfd_new();
		if (r < 0)
			return r;
		l->fd = r;
	}
	if (l->gsi < 0) {
		r = gsi_alloc(c);
		if (r < 0)
			return r;
		l->gsi = r;
	}
	r = set_route(c, l, msg);
	if (r < 0 || l->live)
		return r;
	r = set_irqfd(c, l->fd, l->gsi, 0);
	l->live = r == 0;
	return r;
}

static int msi_connect(struct msi_sink *s, struct msi_line *l,
		       struct msi_msg msg)
{
	struct irqchip *c = to_chip(s);
	int r;

	pthread_mutex_lock(&c->lock);
	r = connect_locked(c, l, msg);
	pthread_mutex_unlock(&c->lock);
	return r;
}

static void msi_disconnect(struct msi_sink *s, struct msi_line *l)
{
	struct irqchip *c = to_chip(s);

	pthread_mutex_lock(&c->lock);
	if (l->live)
		(void)set_irqfd(c, l->fd, l->gsi, KVM_IRQFD_FLAG_DEASSIGN);
	l->live = false;
	pthread_mutex_unlock(&c->lock);
}

static void msi_release(struct msi_sink *s, struct msi_line *l)
{
	struct irqchip *c = to_chip(s);

	msi_disconnect(s, l);
	pthread_mutex_lock(&c->lock);
	if (l->gsi >= 0) {
		drop_route(c, l->gsi);
		gsi_free(c, l->gsi);
	}
	pthread_mutex_unlock(&c->lock);
	if (l->fd >= 0)
		close(l->fd);
	msi_line_init(l, l->requester);
}

static void msi_raise(struct msi_sink *s, struct msi_line *l)
{
	(void)s;
	eventfd_signal(l->fd);
}

/* A GSI takes any number; each has what comes next, and what is there. */
static int msi_bind(struct msi_sink *s, struct msi_line *l, int fd)
{
	struct irqchip *c = to_chip(s);
	int r;

	pthread_mutex_lock(&c->lock);
	r = set_irqfd(c, fd, l->gsi, 0);
	pthread_mutex_unlock(&c->lock);
	return r;
}

/* KVM waits for what it has taken from it. */
static void msi_unbind(struct msi_sink *s, struct msi_line *l, int fd)
{
	struct irqchip *c = to_chip(s);

	pthread_mutex_lock(&c->lock);
	(void)set_irqfd(c, fd, l->gsi, KVM_IRQFD_FLAG_DEASSIGN);
	pthread_mutex_unlock(&c->lock);
}

static const struct msi_sink_ops msi_ops = {
	.connect = msi_connect,
	.disconnect = msi_disconnect,
	.release = msi_release,
	.raise = msi_raise,
	.bind = msi_bind,
	.unbind = msi_unbind,
};

int irqchip_restart(struct irqchip *c, int vm_fd, struct err *err)
{
	int r = arch_irqchip_create(vm_fd, err);

	if (r < 0)
		return r;
	c->vm_fd = vm_fd;
	r = push_routes(c);
	if (r < 0)
		return err_errno(err, -r, "KVM_SET_GSI_ROUTING");
	return 0;
}

int irqchip_init(struct irqchip *c, int vm_fd, struct err *err)
{
	int max = kvm_sys_extension(vm_fd, KVM_CAP_IRQ_ROUTING);

	*c = (struct irqchip){.msi.ops = &msi_ops, .vm_fd = vm_fd};
	pthread_mutex_init(&c->lock, NULL);
	c->max = max < GSI_MAX ? (unsigned)max : GSI_MAX;
	/* Most of it is never touched: an entry is written before it counts. */
	c->table = malloc(sizeof(*c->table) +
			  (c->max + ARCH_WIRED_ROUTES) *
				  sizeof(c->table->entries[0]));
	c->used = calloc(c->max / 64 + 1, sizeof(*c->used));
	c->entry = calloc(c->max, sizeof(*c->entry));
	if (!c->table || !c->used || !c->entry)
		return err_set(err, ENOMEM, "out of memory");
	*c->table = (struct kvm_irq_routing){0};
	arch_wired_routes(c->table);
	return irqchip_restart(c, vm_fd, err);
}

void irqchip_fini(struct irqchip *c)
{
	if (!c->msi.ops)
		return;
	free(c->table);
	free(c->used);
	free(c->entry);
	pthread_mutex_destroy(&c->lock);
	*c = (struct irqchip){.vm_fd = -1};
}
