/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "core/tests/fake_doorbell.h"

#include <assert.h>
#include <errno.h>

#include "core/bits.h"
#include "core/fd.h"

static struct fake_doorbell *to_fake(struct doorbell_sink *s)
{
	return container_of(s, struct fake_doorbell, sink);
}

/* Index of the bell at @addr; f->n if there is none. */
static unsigned find_locked(const struct fake_doorbell *f, uint64_t addr)
{
	unsigned i = 0;

	while (i < f->n && f->bells[i].addr != addr)
		i++;
	return i;
}

static int attach_locked(struct fake_doorbell *f, uint64_t addr, int fd)
{
	if (f->attach_error)
		return f->attach_error;
	if (find_locked(f, addr) < f->n)
		return -EEXIST; /* as KVM: one wildcard for each address */
	if (f->n == FAKE_DOORBELLS_MAX)
		return -ENOSPC;
	f->bells[f->n].addr = addr;
	f->bells[f->n].fd = fd;
	f->n++;
	f->attaches++;
	return 0;
}

static int bell_attach(struct doorbell_sink *s, uint64_t addr, int fd)
{
	struct fake_doorbell *f = to_fake(s);
	int r;

	pthread_mutex_lock(&f->lock);
	r = attach_locked(f, addr, fd);
	pthread_mutex_unlock(&f->lock);
	return r;
}

static void bell_detach(struct doorbell_sink *s, uint64_t addr, int fd)
{
	struct fake_doorbell *f = to_fake(s);
	unsigned i;

	pthread_mutex_lock(&f->lock);
	i = find_locked(f, addr);
	assert(i < f->n && f->bells[i].fd == fd);
	f->bells[i] = f->bells[--f->n];
	f->detaches++;
	pthread_mutex_unlock(&f->lock);
}

static const struct doorbell_ops bell_ops = {
	.attach = bell_attach,
	.detach = bell_detach,
};

void fake_doorbell_init(struct fake_doorbell *f)
{
	*f = (struct fake_doorbell){.sink.ops = &bell_ops};
	pthread_mutex_init(&f->lock, NULL);
}

void fake_doorbell_fini(struct fake_doorbell *f)
{
	assert(f->n == 0);
	pthread_mutex_destroy(&f->lock);
}

unsigned fake_doorbell_count(struct fake_doorbell *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->n;
	pthread_mutex_unlock(&f->lock);
	return n;
}

int fake_doorbell_fd(struct fake_doorbell *f, uint64_t addr)
{
	unsigned i;
	int fd;

	pthread_mutex_lock(&f->lock);
	i = find_locked(f, addr);
	fd = i < f->n ? f->bells[i].fd : -1;
	pthread_mutex_unlock(&f->lock);
	return fd;
}

bool fake_doorbell_ring(struct fake_doorbell *f, uint64_t addr)
{
	unsigned i;
	bool hit;

	/* Under the lock: after a detach the descriptor may be closed. */
	pthread_mutex_lock(&f->lock);
	i = find_locked(f, addr);
	hit = i < f->n;
	if (hit)
		eventfd_signal(f->bells[i].fd);
	pthread_mutex_unlock(&f->lock);
	return hit;
}

bool fake_doorbell_write(struct fake_doorbell *f, struct bus *bus,
			 uint64_t addr, unsigned size, uint64_t val)
{
	return fake_doorbell_ring(f, addr) || bus_write(bus, addr, size, val);
}
