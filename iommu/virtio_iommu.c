/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/virtio_iommu.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "iommu/run.h"
#include "iommu/viommu_config.h"
#include "iommu/viommu_faults.h"

enum { REQUESTQ, EVENTQ, QUEUES };

/* Linux keeps a 256-entry flush queue per CPU and sends it in one go. */
static const uint16_t queue_sizes[QUEUES] = {256, 64};

/* Requests that one vCPU serves before another that rings takes over. */
#define SHARE 256

struct viommu {
	struct virtio_dev dev;
	struct iommu *iommu;		/* borrowed */
	struct viommu_watcher *watcher; /* NULL: nobody */
	bool has_bypass;		/* the configuration has the field */
	/*
	 * One thread at a time runs operations, without d->lock; the others
	 * see this and leave, or wait for d->idle.
	 */
	bool busy;
	bool successor;	 /* somebody waits to go on serving */
	unsigned served; /* requests that are done, by who serves now */
	/* MAPs and UNMAPs that are to be carried out in one pass. */
	unsigned nrun;
	struct iommu_request run[IOMMU_RUN_MAX];
	struct vq_chain *run_chains[IOMMU_RUN_MAX];
	struct viommu_poll poll;
	struct viommu_faults faults;
	uint64_t faults_sent, faults_undelivered; /* under d->lock */
};

static struct viommu *to_viommu(struct virtio_dev *d)
{
	return container_of(d, struct viommu, dev);
}

/* Caller holds d->lock; another thread may run operations. */
static void wait_free(struct viommu *v)
{
	while (v->busy)
		(void)pthread_cond_wait(&v->dev.idle, &v->dev.lock);
}

static void set_free(struct viommu *v)
{
	v->busy = false;
	(void)pthread_cond_broadcast(&v->dev.idle);
}

/*
 * Requests.
 */

static enum iommu_status execute(struct iommu *i, const struct iommu_request *r)
{
	switch (r->type) {
	case IOMMU_REQUEST_ATTACH:
		return iommu_attach(i, r->domain, r->endpoint, r->bypass);
	case IOMMU_REQUEST_DETACH:
		return iommu_detach(i, r->domain, r->endpoint);
	case IOMMU_REQUEST_MAP:
		return iommu_map(i, r->domain, r->first, r->last, r->phys,
				 r->flags);
	case IOMMU_REQUEST_UNMAP: /* serve_run() */
	case IOMMU_REQUEST_PROBE: /* write_properties() */
		break;
	}
	return IOMMU_OK;
}

static enum iommu_status write_properties(struct viommu *v, struct vq_chain *c,
					  uint32_t endpoint)
{
	const struct iommu_resv_region *resv;
	unsigned n;
	enum iommu_status status =
		iommu_resv_regions(v->iommu, endpoint, &resv, &n);

	if (status != IOMMU_OK)
		return status;
	for (unsigned k = 0; k < n; k++) {
		uint8_t property[IOMMU_PROPERTY_RESV];

		iommu_property_resv(property, &resv[k]);
		if (vq_write(c, property, sizeof(property)))
			return IOMMU_FAULT;
	}
	return IOMMU_OK;
}

/*
 * Every request that is recognised completes with all of its reply, errors
 * included: Linux takes a shorter one for success.
 */
static void complete(struct viommu *v, struct vq_chain *c,
		     const struct iommu_request *r, enum iommu_status status)
{
	uint8_t tail[IOMMU_REQUEST_TAIL];

	if (v->watcher)
		v->watcher->request(v->watcher, r, status);
	iommu_request_tail(tail, status);
	if (vq_write_zero(c, r->reply - sizeof(tail) - c->written) == 0)
		(void)vq_write(c, tail, sizeof(tail));
}

/*
 * Caller holds d->lock, which is dropped while requests run.  The replies are
 * still to be written, so whoever stops the device or takes bus mastering away
 * meanwhile waits for them.
 */
static void serve_request(struct viommu *v, struct vq *q, struct vq_chain *c,
			  const struct iommu_request *r)
{
	enum iommu_status status;

	if (r->type == IOMMU_REQUEST_PROBE) {
		complete(v, c, r, write_properties(v, c, r->endpoint));
		return;
	}
	/* What is done already shall not wait for this one. */
	if (r->type != IOMMU_REQUEST_MAP)
		vq_signal(q);
	virtio_inflight_begin(&v->dev);
	pthread_mutex_unlock(&v->dev.lock);
	status = execute(v->iommu, r);
	pthread_mutex_lock(&v->dev.lock);
	complete(v, c, r, status);
	virtio_inflight_end(&v->dev);
}

static void serve_run(struct viommu *v, struct vq *q)
{
	unsigned n = v->nrun;

	if (n == 0)
		return;
	vq_signal(q);
	virtio_inflight_begin(&v->dev);
	pthread_mutex_unlock(&v->dev.lock);
	iommu_run(v->iommu, v->run, n);
	pthread_mutex_lock(&v->dev.lock);
	for (unsigned k = 0; k < n; k++) {
		complete(v, v->run_chains[k], &v->run[k], v->run[k].status);
		vq_push(q, v->run_chains[k]);
	}
	v->nrun = 0;
	v->served += n;
	virtio_inflight_end(&v->dev);
}

/*
 * An UNMAP begins a run, and goes on one; so does a MAP that stands behind an
 * UNMAP.  A MAP waits for nothing, so none is kept waiting by what follows it.
 */
static bool joins_run(const struct viommu *v, const struct iommu_request *r)
{
	return r->type == IOMMU_REQUEST_UNMAP ||
	       (r->type == IOMMU_REQUEST_MAP && v->nrun > 0);
}

static void run_add(struct viommu *v, struct vq *q, struct vq_chain *c,
		    const struct iommu_request *r)
{
	v->run[v->nrun] = *r;
	v->run_chains[v->nrun] = c;
	if (++v->nrun == IOMMU_RUN_MAX)
		serve_run(v, q);
}

static void serve_chain(struct viommu *v, struct vq *q, struct vq_chain *c)
{
	const struct iommu_request_rules rules = {
		.probe_size = VIOMMU_PROBE_SIZE,
		.mmio = virtio_has(&v->dev, VIOMMU_F_MMIO),
	};
	uint8_t buf[IOMMU_REQUEST_READABLE_MAX];
	size_t len = (size_t)min_u64(c->in.left, sizeof(buf));
	enum iommu_verdict verdict = IOMMU_VERDICT_IGNORE;
	struct iommu_request r;

	/* What cannot be read is not recognised either. */
	if (vq_read(c, buf, len) == 0)
		verdict =
			iommu_request_parse(buf, len, c->out.left, &rules, &r);
	if (verdict == IOMMU_VERDICT_RUN && joins_run(v, &r)) {
		run_add(v, q, c, &r);
		return;
	}
	serve_run(v, q);
	switch (verdict) {
	case IOMMU_VERDICT_IGNORE:
		break;
	case IOMMU_VERDICT_REJECT:
		complete(v, c, &r, r.status);
		break;
	case IOMMU_VERDICT_RUN:
		serve_request(v, q, c, &r);
		break;
	}
	vq_push(q, c);
	v->served++;
}

/* As vq_pop().  Other vCPUs may fill the ring for ever: a machine that stops
 * does not wait until they have stopped. */
static int next_request(struct viommu *v, struct vq *q, struct vq_chain **ret_c)
{
	return iommu_stopping(v->iommu) ? -ECANCELED : vq_pop(q, ret_c);
}

/* Is there more, after the ring was empty?  If not, who sends the next request
 * rings, or the thread sees it. */
static bool more(struct viommu *v, struct vq *q)
{
	if (!viommu_poll_owns(&v->poll))
		return vq_kicks_on(q);
	/* A share that was done has switched them on. */
	vq_kicks_off(q);
	vq_disarm(q);
	return false;
}

/*
 * Serve until the ring is empty, or until this thread has done its share and
 * a vCPU has rung: then that one goes on, so that nobody works for the others
 * for ever.  While the share lasts, nobody needs to ring.
 */
static void serve(struct viommu *v)
{
	struct vq *q = &v->dev.vqs[REQUESTQ];
	struct vq_chain *c;
	int r;

	v->busy = true;
	v->served = 0;
	vq_kicks_off(q);
	do {
		while ((r = next_request(v, q, &c)) > 0) {
			serve_chain(v, q, c);
			if (v->served >= SHARE)
				(void)vq_kicks_on(q);
			if (v->successor)
				break;
		}
		serve_run(v, q);
	} while (r == 0 && more(v, q));
	vq_signal(q);
	set_free(v);
	if (r == 0 && v->served > 0)
		viommu_poll_call(&v->poll);
}

static int poll_serve(struct virtio_dev *d)
{
	struct viommu *v = to_viommu(d);

	/* Whoever is at it asks for kicks when he has done. */
	if (v->busy && !viommu_poll_owns(&v->poll))
		return 0;
	wait_free(v);
	if (v->successor)
		return -EAGAIN;
	serve(v);
	return v->successor ? -EAGAIN : (int)v->served;
}

static bool poll_ended(struct virtio_dev *d)
{
	return iommu_stopping(to_viommu(d)->iommu);
}

static const struct viommu_poll_ops poll_ops = {
	.serve = poll_serve,
	.ended = poll_ended,
};

static void viommu_kick(struct virtio_dev *d, unsigned qi)
{
	struct viommu *v = to_viommu(d);

	if (qi != REQUESTQ)
		return; /* event buffers are taken when a fault happens */
	if (v->busy) {
		if (v->served < SHARE || v->successor)
			return;
		v->successor = true;
		wait_free(v);
		v->successor = false;
	}
	serve(v);
}

/*
 * Run @op, which may wait for I/O, in the place of requests.  Caller holds
 * d->lock, which is dropped.
 */
static void run_alone(struct viommu *v, void (*op)(struct viommu *v))
{
	wait_free(v);
	v->busy = true;
	v->served = 0;
	pthread_mutex_unlock(&v->dev.lock);
	op(v);
	pthread_mutex_lock(&v->dev.lock);
	set_free(v);
}

/*
 * Faults.  A device's thread reports with its own lock held, so the report is
 * kept and the loop sends it.
 */

static void send_fault(struct viommu *v, const struct iommu_fault *f)
{
	struct vq *q = &v->dev.vqs[EVENTQ];
	uint8_t record[IOMMU_FAULT_RECORD];
	struct vq_chain *c;

	iommu_fault_record(record, f);
	if (vq_pop(q, &c) <= 0) {
		v->faults_undelivered++;
		return;
	}
	/* Too small a buffer goes back empty: a record is not cut in two.
	 * [virtio 1.2, 5.13.6.9.2] */
	if (vq_write(c, record, sizeof(record)))
		v->faults_undelivered++;
	else
		v->faults_sent++;
	vq_push(q, c);
}

static void log_fault(struct viommu *v, const struct iommu_fault *f)
{
	guest_warn(&v->dev.log,
		   "endpoint %" PRIu32 " may not %s at %#" PRIx64 "%s",
		   f->endpoint, f->access == DMA_WRITE ? "write" : "read",
		   f->at,
		   f->reason == IOMMU_FAULT_DOMAIN ? ": not attached" : "");
}

static void on_faults(struct loop_watch *w, uint32_t events)
{
	struct viommu *v = container_of(w, struct viommu, faults.watch);
	struct iommu_fault f;

	(void)events;
	/* Before looking: a fault kept from now on signals again. */
	(void)eventfd_clear(v->faults.fd);
	while (viommu_faults_take(&v->faults, &f)) {
		if (v->watcher)
			v->watcher->fault(v->watcher, &f);
		log_fault(v, &f);
		send_fault(v, &f);
	}
	vq_signal(&v->dev.vqs[EVENTQ]);
}

/*
 * The device.
 */

static int viommu_start(struct virtio_dev *d)
{
	/* Linux fills the event queue without a kick, and need not give any. */
	vq_kicks_off(&d->vqs[EVENTQ]);
	return 0;
}

static void op_reset(struct viommu *v)
{
	iommu_reset(v->iommu);
}

static void op_power_on_reset(struct viommu *v)
{
	iommu_power_on_reset(v->iommu);
}

static void op_bypass_on(struct viommu *v)
{
	iommu_set_bypass(v->iommu, true);
}

static void op_bypass_off(struct viommu *v)
{
	iommu_set_bypass(v->iommu, false);
}

static void show_bypass(struct viommu *v)
{
	if (v->has_bypass)
		v->dev.config[VIOMMU_CONFIG_BYPASS] = iommu_bypass(v->iommu);
}

static unsigned viommu_stats(struct virtio_dev *d, struct virtio_stat *stats)
{
	const struct viommu_poll *p = &to_viommu(d)->poll;

	if (!p->started)
		return 0;
	stats[0] = (struct virtio_stat){"polled", p->stats.requests};
	stats[1] = (struct virtio_stat){"turns", p->stats.turns};
	stats[2] = (struct virtio_stat){"late", p->stats.lates};
	return 3;
}

static void viommu_pausing(struct virtio_dev *d)
{
	viommu_poll_leave(&to_viommu(d)->poll);
}

static void viommu_stop(struct virtio_dev *d)
{
	struct viommu *v = to_viommu(d);

	viommu_poll_leave(&v->poll);
	run_alone(v, op_reset);
	viommu_faults_clear(&v->faults);
}

static void viommu_config_written(struct virtio_dev *d, size_t off, size_t len)
{
	struct viommu *v = to_viommu(d);
	uint8_t val = d->config[VIOMMU_CONFIG_BYPASS];

	(void)off; /* `bypass` is the only byte the driver may write */
	(void)len;
	/* Nothing but 0 and 1 is ever shown.   [virtio 1.2, 5.13.4.2] */
	show_bypass(v);
	/* A driver may write it if it has accepted the feature. */
	if (!(d->status & VIRTIO_STATUS_FEATURES_OK) ||
	    !virtio_has(d, VIOMMU_F_BYPASS_CONFIG))
		return;
	if (val > 1 || val == d->config[VIOMMU_CONFIG_BYPASS])
		return;
	run_alone(v, val ? op_bypass_on : op_bypass_off);
	show_bypass(v);
	/* Whoever rang meanwhile left the work to us. */
	serve(v);
}

static void viommu_free(struct virtio_dev *d)
{
	struct viommu *v = to_viommu(d);

	viommu_poll_fini(&v->poll);
	iommu_set_fault_sink(v->iommu, NULL);
	viommu_faults_fini(&v->faults);
	virtio_dev_fini(d);
	free(v);
}

static const struct virtio_dev_ops viommu_ops = {
	.id = VIRTIO_ID_IOMMU,
	.name = "virtio-iommu",
	.start = viommu_start,
	.stop = viommu_stop,
	.kick = viommu_kick,
	.config_written = viommu_config_written,
	.pausing = viommu_pausing,
	.stats = viommu_stats,
	.free = viommu_free,
};

static int fill(struct viommu *v, const struct viommu_config *config,
		struct err *err)
{
	struct virtio_dev *d = &v->dev;
	int r;

	viommu_config_fill(d->config, config);
	if (v->has_bypass)
		d->config_wmask[VIOMMU_CONFIG_BYPASS] = 0xff;
	d->vqs[REQUESTQ].inline_kick = true;
	r = viommu_faults_init(&v->faults, d->loop, on_faults, &d->lock);
	if (r)
		return err_errno(err, -r, "%s: cannot watch for faults",
				 d->name);
	r = viommu_poll_init(&v->poll, d, &d->vqs[REQUESTQ], &poll_ops,
			     &config->poll, err);
	if (r) {
		viommu_faults_fini(&v->faults);
		return r;
	}
	iommu_set_fault_sink(v->iommu, &v->faults.sink);
	return 0;
}

int viommu_new(struct virtio_dev **ret_d, const struct virtio_dev_env *env,
	       const struct viommu_config *config, struct err *err)
{
	struct viommu *v;
	int r = viommu_config_check(config, err);

	if (r) {
		err_prefix(err, "%s", env->name);
		return r;
	}
	v = calloc(1, sizeof(*v));
	if (!v)
		return err_set(err, ENOMEM, "%s: no memory", env->name);
	v->iommu = config->iommu;
	v->watcher = config->watcher;
	v->has_bypass = config->form != IOMMU_TOPOLOGY_V2;
	r = virtio_dev_init(&v->dev, &viommu_ops, env,
			    viommu_config_features(config), queue_sizes, QUEUES,
			    viommu_config_size(config), err);
	if (r) {
		free(v);
		return r;
	}
	r = fill(v, config, err);
	if (r) {
		virtio_dev_fini(&v->dev);
		free(v);
		return r;
	}
	*ret_d = &v->dev;
	return 0;
}

void viommu_power_on_reset(struct virtio_dev *d)
{
	struct viommu *v = to_viommu(d);
	uint8_t shown = d->config[VIOMMU_CONFIG_BYPASS];

	virtio_reset(d);
	run_alone(v, op_power_on_reset);
	show_bypass(v);
	if (d->config[VIOMMU_CONFIG_BYPASS] != shown)
		virtio_config_changed(d);
}

void viommu_end(struct virtio_dev *d)
{
	viommu_poll_fini(&to_viommu(d)->poll);
}

void viommu_get_stats(struct virtio_dev *d, struct viommu_stats *ret_s)
{
	struct viommu *v = to_viommu(d);

	pthread_mutex_lock(&d->lock);
	ret_s->faults_sent = v->faults_sent;
	ret_s->faults_dropped =
		v->faults_undelivered + viommu_faults_dropped(&v->faults);
	ret_s->poll = v->poll.stats;
	pthread_mutex_unlock(&d->lock);
}
