/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/tests/viommu_rig.h"

#include <assert.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/le.h"

#define REQ_AT	 MIB(8)
#define EVT_AT	 MIB(12)
#define RING_LEN MIB(4)

static void init(struct vrig *v, enum iommu_topology_form form,
		 const struct iommu_config *config,
		 void (*prepare)(struct rig *r), struct viommu_watcher *watcher,
		 const struct viommu_poll_times *poll)
{
	struct viommu_config c = {.form = form, .watcher = watcher};
	struct virtio_dev_env env = {.name = "iommu0"};
	int r;

	memset(v, 0, sizeof(*v));
	if (poll)
		c.poll = *poll;
	rig_init(&v->rig, config);
	if (prepare)
		prepare(&v->rig);
	iommu_topology_init(&v->topo);
	for (uint16_t id = 1; id <= RIG_ENDPOINTS; id++) {
		r = iommu_topology_add_pci(&v->topo, 0, (uint16_t)(id << 3), id,
					   NULL);
		assert(r == 0);
	}
	r = loop_new(&v->loop, NULL);
	assert(r == 0);
	dma_init(&v->identity, &v->rig.mem);
	env.dma = &v->identity;
	env.loop = v->loop;
	c.iommu = v->rig.i;
	c.topology = &v->topo;
	r = viommu_new(&v->d, &env, &c, NULL);
	assert(r == 0);
	fake_transport_init(&v->transport, v->d);
	vqd_init(&v->req, &v->identity, REQ_AT, RING_LEN, 256);
	vqd_init(&v->evt, &v->identity, EVT_AT, RING_LEN, 64);
}

void vrig_init(struct vrig *v, enum iommu_topology_form form,
	       const struct iommu_config *config)
{
	vrig_init_prepared(v, form, config, NULL);
}

void vrig_init_prepared(struct vrig *v, enum iommu_topology_form form,
			const struct iommu_config *config,
			void (*prepare)(struct rig *r))
{
	init(v, form, config, prepare, NULL, NULL);
}

void vrig_init_watched(struct vrig *v, struct viommu_watcher *watcher)
{
	init(v, IOMMU_TOPOLOGY_NONE, NULL, NULL, watcher, NULL);
}

void vrig_init_polled(struct vrig *v, const struct viommu_poll_times *times)
{
	init(v, IOMMU_TOPOLOGY_NONE, NULL, NULL, NULL, times);
}

void vrig_fini(struct vrig *v)
{
	vrig_reset(v);
	if (v->looping) {
		loop_stop(v->loop);
		pthread_join(v->loop_thread, NULL);
	}
	virtio_dev_free(v->d);
	loop_free(v->loop);
	iommu_topology_fini(&v->topo);
	rig_fini(&v->rig);
}

void vrig_up(struct vrig *v, uint64_t features)
{
	bool ok;

	pthread_mutex_lock(&v->d->lock);
	ok = vqd_negotiate(v->d, features & v->d->offered);
	assert(ok);
	vqd_renew(&v->req);
	vqd_renew(&v->evt);
	vqd_connect(&v->req, v->d, 0);
	vqd_connect(&v->evt, v->d, 1);
	ok = vqd_driver_ok(v->d);
	assert(ok);
	pthread_mutex_unlock(&v->d->lock);
}

static void *loop_main(void *arg)
{
	loop_run(arg);
	return NULL;
}

void vrig_loop_start(struct vrig *v)
{
	int r = pthread_create(&v->loop_thread, NULL, loop_main, v->loop);

	assert(r == 0);
	v->looping = true;
}

void vrig_ring(struct vrig *v)
{
	pthread_mutex_lock(&v->d->lock);
	virtio_notify(v->d, 0);
	pthread_mutex_unlock(&v->d->lock);
}

void vrig_add(struct vrig *v, const void *request, uint32_t readable,
	      uint32_t writable, iova_t *ret_reply)
{
	uint8_t fill[1024];
	struct vqd_buf bufs[2];
	unsigned n = 0;

	assert(writable <= sizeof(fill));
	memset(fill, 0xee, sizeof(fill));
	if (readable)
		bufs[n++] = (struct vqd_buf){
			vqd_put(&v->req, request, readable), readable, false};
	*ret_reply = vqd_put(&v->req, fill, writable ? writable : 1);
	if (writable)
		bufs[n++] = (struct vqd_buf){*ret_reply, writable, true};
	vqd_add(&v->req, bufs, n);
}

uint32_t vrig_send(struct vrig *v, const void *request, uint32_t readable,
		   void *reply, uint32_t writable)
{
	uint32_t head, len;
	iova_t at;
	bool used;

	vrig_add(v, request, readable, writable, &at);
	vrig_ring(v);
	used = vqd_get_used(&v->req, &head, &len);
	assert(used);
	vqd_read(&v->req, at, reply, writable);
	return len;
}

static int send_whole(struct vrig *v, const void *request, uint32_t readable)
{
	uint8_t tail[4];
	uint32_t len = vrig_send(v, request, readable, tail, sizeof(tail));

	if (len == 0) {
		assert(tail[0] == 0xee);
		return -1;
	}
	assert(len == 4 && !tail[1] && !tail[2] && !tail[3]);
	return tail[0];
}

void vrig_put_attach(uint8_t dst[20], uint32_t domain, uint32_t ep,
		     uint32_t flags)
{
	memset(dst, 0, 20);
	dst[0] = 1;
	le32_store(dst + 4, domain);
	le32_store(dst + 8, ep);
	le32_store(dst + 12, flags);
}

void vrig_put_detach(uint8_t dst[20], uint32_t domain, uint32_t ep)
{
	vrig_put_attach(dst, domain, ep, 0);
	dst[0] = 2;
}

void vrig_put_map(uint8_t dst[36], uint32_t domain, iova_t first, iova_t last,
		  gpa_t phys, uint32_t flags)
{
	memset(dst, 0, 36);
	dst[0] = 3;
	le32_store(dst + 4, domain);
	le64_store(dst + 8, first);
	le64_store(dst + 16, last);
	le64_store(dst + 24, phys);
	le32_store(dst + 32, flags);
}

void vrig_put_unmap(uint8_t dst[28], uint32_t domain, iova_t first, iova_t last)
{
	memset(dst, 0, 28);
	dst[0] = 4;
	le32_store(dst + 4, domain);
	le64_store(dst + 8, first);
	le64_store(dst + 16, last);
}

void vrig_put_probe(uint8_t dst[72], uint32_t ep)
{
	memset(dst, 0, 72);
	dst[0] = 5;
	le32_store(dst + 4, ep);
}

int vrig_attach(struct vrig *v, uint32_t domain, uint32_t ep, uint32_t flags)
{
	uint8_t b[20];

	vrig_put_attach(b, domain, ep, flags);
	return send_whole(v, b, sizeof(b));
}

int vrig_detach(struct vrig *v, uint32_t domain, uint32_t ep)
{
	uint8_t b[20];

	vrig_put_detach(b, domain, ep);
	return send_whole(v, b, sizeof(b));
}

int vrig_map(struct vrig *v, uint32_t domain, iova_t first, iova_t last,
	     gpa_t phys, uint32_t flags)
{
	uint8_t b[36];

	vrig_put_map(b, domain, first, last, phys, flags);
	return send_whole(v, b, sizeof(b));
}

int vrig_unmap(struct vrig *v, uint32_t domain, iova_t first, iova_t last)
{
	uint8_t b[28];

	vrig_put_unmap(b, domain, first, last);
	return send_whole(v, b, sizeof(b));
}

int vrig_probe(struct vrig *v, uint32_t ep,
	       uint8_t ret_properties[VIOMMU_PROBE_SIZE])
{
	uint8_t b[72], reply[VIOMMU_PROBE_SIZE + 4];
	uint32_t len;

	vrig_put_probe(b, ep);
	len = vrig_send(v, b, sizeof(b), reply, sizeof(reply));
	assert(len == sizeof(reply));
	memcpy(ret_properties, reply, VIOMMU_PROBE_SIZE);
	return reply[VIOMMU_PROBE_SIZE];
}

void vrig_add_events(struct vrig *v, unsigned n, uint32_t len)
{
	for (unsigned k = 0; k < n; k++) {
		struct vqd_buf buf = {vqd_alloc(&v->evt, len), len, true};

		vqd_add(&v->evt, &buf, 1);
	}
}

uint32_t vrig_event(struct vrig *v, uint8_t record[24])
{
	uint32_t head, len;

	/* Each buffer got the descriptor of its turn, and its place. */
	for (unsigned ms = 0; !vqd_get_used(&v->evt, &head, &len); ms++) {
		assert(ms < 10000);
		usleep(1000);
	}
	if (len) {
		struct vq_desc_wire desc;

		vqd_read(&v->evt, v->evt.desc + head * sizeof(desc), &desc,
			 sizeof(desc));
		vqd_read(&v->evt, le64_get(desc.addr), record, 24);
	}
	return len;
}

uint64_t vrig_config(struct vrig *v, uint64_t off, unsigned size)
{
	uint64_t val;

	pthread_mutex_lock(&v->d->lock);
	val = virtio_config_read(v->d, off, size);
	pthread_mutex_unlock(&v->d->lock);
	return val;
}

void vrig_config_write(struct vrig *v, uint64_t off, unsigned size,
		       uint64_t val)
{
	pthread_mutex_lock(&v->d->lock);
	virtio_config_write(v->d, off, size, val);
	pthread_mutex_unlock(&v->d->lock);
}

void vrig_reset(struct vrig *v)
{
	pthread_mutex_lock(&v->d->lock);
	virtio_set_status(v->d, 0);
	pthread_mutex_unlock(&v->d->lock);
}

uint64_t vrig_mappings(struct vrig *v)
{
	struct iommu_stats s;

	iommu_get_stats(v->rig.i, &s);
	return s.mappings;
}

void vrig_wait_mapped(struct vrig *v, uint64_t n)
{
	while (vrig_mappings(v) != n)
		sched_yield();
}
