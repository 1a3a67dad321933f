/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/tests/dev_fixture.h"

#include <assert.h>
#include <check.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/fd.h"

/* Memory from 1 MiB on is the drivers'. */
#define SPACE_GPA  MIB(1)
#define SPACE_IOVA UINT64_C(0xfffffff000000000)
#define MEM_SIZE   (SPACE_GPA + FIX_SPACE)

#define PATIENCE_MS 10000

static void quiet(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static void *loop_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

static bool scattered(const struct dev_fixture *f)
{
	return f->ways & FIX_SCATTERED;
}

static void map(struct fake_dma *v, struct gmem *mem)
{
	fake_dma_init(v, mem);
	fake_dma_scatter(v, SPACE_IOVA, SPACE_GPA, FIX_SPACE,
			 DMA_READ | DMA_WRITE);
}

void fix_init(struct dev_fixture *f, unsigned ways)
{
	const struct gmem_slot slot = {.base = 0, .size = MEM_SIZE};

	memset(f, 0, sizeof(*f));
	f->ways = ways;
	log_set_sink(quiet);
	ck_assert_int_eq(gmem_init_shared(&f->mem, &slot, 1, NULL), 0);
	dma_init(&f->plain, &f->mem);
	map(&f->view, &f->mem);
	map(&f->cpu, &f->mem);
	if (ways & FIX_LOOPED) {
		ck_assert_int_eq(loop_new(&f->loop, NULL), 0);
		ck_assert_int_eq(pthread_create(&f->loop_thread, NULL,
						loop_main, f->loop),
				 0);
	}
	f->env = (struct virtio_dev_env){
		.name = "dev0",
		.dma = scattered(f) ? &f->view.dma : &f->plain,
		.loop = f->loop,
		.access_platform = scattered(f),
	};
}

void fix_adopt(struct dev_fixture *f, struct virtio_dev *d)
{
	f->d = d;
	fake_transport_init(&f->transport, d);
	f->transport.irq_fd = eventfd_new();
	ck_assert_int_ge(f->transport.irq_fd, 0);
}

static void make_drivers(struct dev_fixture *f)
{
	struct dma *cpu = scattered(f) ? &f->cpu.dma : &f->plain;
	iova_t base = scattered(f) ? SPACE_IOVA : SPACE_GPA;
	const uint64_t each = align_down(FIX_SPACE / f->d->nvqs, KIB(4));

	for (unsigned i = 0; i < f->d->nvqs; i++) {
		vqd_init(&f->drv[i], cpu, base + i * each, each,
			 f->d->vqs[i].size_max);
		vqd_connect(&f->drv[i], f->d, i);
	}
}

void fix_start(struct dev_fixture *f, uint64_t features)
{
	bool ok;

	assert(f->d->nvqs <= FIX_QUEUES);
	if (scattered(f))
		features |= BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	fix_lock(f);
	ok = vqd_negotiate(f->d, features);
	ck_assert(ok);
	make_drivers(f);
	ok = vqd_driver_ok(f->d);
	fix_unlock(f);
	ck_assert(ok);
}

void fix_fini(struct dev_fixture *f)
{
	if (f->d) {
		fix_lock(f);
		virtio_reset(f->d);
		fix_unlock(f);
	}
	if (f->loop) {
		loop_stop(f->loop);
		ck_assert_int_eq(pthread_join(f->loop_thread, NULL), 0);
	}
	if (f->d)
		close(f->transport.irq_fd);
	virtio_dev_free(f->d);
	loop_free(f->loop);
	fake_dma_fini(&f->view);
	fake_dma_fini(&f->cpu);
	gmem_fini(&f->mem);
	log_set_sink(NULL);
}

void fix_lock(struct dev_fixture *f)
{
	pthread_mutex_lock(&f->d->lock);
}

void fix_unlock(struct dev_fixture *f)
{
	pthread_mutex_unlock(&f->d->lock);
}

void fix_force_kick(struct dev_fixture *f, unsigned qi)
{
	if (f->loop) {
		eventfd_signal(f->d->vqs[qi].kick_fd);
		return;
	}
	fix_lock(f);
	virtio_notify(f->d, qi);
	fix_unlock(f);
}

void fix_kick(struct dev_fixture *f, unsigned qi)
{
	if (vqd_wants_kick(&f->drv[qi]))
		fix_force_kick(f, qi);
}

void fix_wait(struct dev_fixture *f, unsigned qi, uint32_t *ret_head,
	      uint32_t *ret_len)
{
	struct pollfd p = {.fd = f->transport.irq_fd, .events = POLLIN};

	while (!vqd_get_used(&f->drv[qi], ret_head, ret_len)) {
		if (vqd_interrupts_on(&f->drv[qi]))
			continue;
		ck_assert_msg(poll(&p, 1, PATIENCE_MS) > 0,
			      "no interrupt for queue %u", qi);
		(void)eventfd_clear(p.fd);
	}
}

uint32_t fix_run(struct dev_fixture *f, unsigned qi, const struct vqd_buf *bufs,
		 unsigned n)
{
	uint16_t head = vqd_add(&f->drv[qi], bufs, n);
	uint32_t used_head, len;

	fix_kick(f, qi);
	fix_wait(f, qi, &used_head, &len);
	ck_assert_uint_eq(used_head, head);
	return len;
}

void fix_until(struct dev_fixture *f, bool (*done)(void *arg), void *arg)
{
	const struct timespec ms = {.tv_nsec = 1000000};
	bool is = false;

	for (unsigned i = 0; i < PATIENCE_MS && !is; i++) {
		fix_lock(f);
		is = done(arg);
		fix_unlock(f);
		if (!is)
			nanosleep(&ms, NULL);
	}
	ck_assert_msg(is, "it did not happen");
}

bool fix_is_broken(struct dev_fixture *f)
{
	bool broken;

	fix_lock(f);
	broken = f->d->status & VIRTIO_STATUS_NEEDS_RESET;
	fix_unlock(f);
	return broken;
}

unsigned fix_holds(struct dev_fixture *f)
{
	return scattered(f) ? fake_dma_holds(&f->view) : 0;
}
