/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/tests/echo_dev.h"

#include <assert.h>
#include <string.h>

#include "core/bits.h"

#define DEV_ID 63

static struct echo_dev *to_echo(struct virtio_dev *d)
{
	return container_of(d, struct echo_dev, vdev);
}

static int on_start(struct virtio_dev *d)
{
	(void)d;
	return 0;
}

static void on_stop(struct virtio_dev *d)
{
	(void)d;
}

static void on_queue_stop(struct virtio_dev *d, unsigned qi)
{
	(void)d, (void)qi;
}

static void on_kick(struct virtio_dev *d, unsigned qi)
{
	struct echo_queue *e = &to_echo(d)->queues[qi];
	struct vq *q = &d->vqs[qi];
	struct vq_chain *c;

	do {
		vq_kicks_off(q);
		while (vq_pop(q, &c) == 1) {
			if (e->hold) {
				list_append(&e->held, &c->node);
				e->nheld++;
				vq_flight_begin(q);
				continue;
			}
			(void)vq_write_zero(c, c->out.left);
			vq_push_more(q, c);
			e->done++;
		}
	} while (vq_kicks_on(q));
	vq_signal(q);
}

static void on_free(struct virtio_dev *d)
{
	virtio_dev_fini(d);
}

static const struct virtio_dev_ops ops = {
	.id = DEV_ID,
	.name = "echo",
	.queue_locks = true,
	.start = on_start,
	.stop = on_stop,
	.kick = on_kick,
	.queue_stop = on_queue_stop,
	.free = on_free,
};

void echo_dev_complete(struct echo_dev *e, unsigned qi)
{
	struct echo_queue *mine = &e->queues[qi];
	struct vq *q = &e->vdev.vqs[qi];
	struct list *node;

	pthread_mutex_lock(q->lock);
	assert(!list_empty(&mine->held));
	node = mine->held.next;
	list_remove(node);
	mine->nheld--;
	vq_push(q, container_of(node, struct vq_chain, node));
	vq_signal(q);
	vq_flight_end(q);
	pthread_mutex_unlock(q->lock);
}

unsigned echo_dev_held(struct echo_dev *e, unsigned qi)
{
	pthread_mutex_t *lock = e->vdev.vqs[qi].lock;
	unsigned n;

	pthread_mutex_lock(lock);
	n = e->queues[qi].nheld;
	pthread_mutex_unlock(lock);
	return n;
}

void echo_dev_hold(struct echo_dev *e, unsigned qi, bool hold)
{
	pthread_mutex_t *lock = e->vdev.vqs[qi].lock;

	pthread_mutex_lock(lock);
	e->queues[qi].hold = hold;
	pthread_mutex_unlock(lock);
}

void echo_dev_init(struct echo_dev *e, struct dma *dma, uint16_t size)
{
	struct virtio_queue_env queues[ECHO_QUEUES];
	uint16_t sizes[ECHO_QUEUES];
	struct virtio_dev_env env = {
		.name = "echo0", .dma = dma, .queues = queues};
	int r;

	memset(e, 0, sizeof(*e));
	r = loop_new(&e->loop, NULL);
	assert(r == 0);
	env.loop = e->loop;
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		list_init(&e->queues[i].held);
		r = loop_new(&e->queues[i].loop, NULL);
		assert(r == 0);
		queues[i] = (struct virtio_queue_env){e->queues[i].loop, dma};
		sizes[i] = size;
	}
	r = virtio_dev_init(&e->vdev, &ops, &env, 0, sizes, ECHO_QUEUES,
			    ECHO_CONFIG, NULL);
	assert(r == 0 && e->vdev.queue_locks);
	memset(e->vdev.config_wmask, 0xff, ECHO_CONFIG);
	(void)r;
}

static void *loop_thread(void *arg)
{
	loop_run(arg);
	return NULL;
}

static void start(pthread_t *thread, struct loop *loop)
{
	int r = pthread_create(thread, NULL, loop_thread, loop);

	assert(r == 0);
	(void)r;
}

void echo_dev_run(struct echo_dev *e)
{
	start(&e->thread, e->loop);
	for (unsigned i = 0; i < ECHO_QUEUES; i++)
		start(&e->queues[i].thread, e->queues[i].loop);
	e->running = true;
}

static void stop(pthread_t thread, struct loop *loop)
{
	loop_stop(loop);
	(void)pthread_join(thread, NULL);
}

/* The device goes first, while its loops run. */
void echo_dev_fini(struct echo_dev *e)
{
	virtio_dev_free(&e->vdev);
	if (e->running)
		stop(e->thread, e->loop);
	loop_free(e->loop);
	for (unsigned i = 0; i < ECHO_QUEUES; i++) {
		if (e->running)
			stop(e->queues[i].thread, e->queues[i].loop);
		loop_free(e->queues[i].loop);
	}
}
