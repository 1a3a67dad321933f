/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * All connections of a device: by their ports, by what they want, by time.
 */
#include <assert.h>
#include <string.h>
#include <sys/random.h>

#include "core/err.h"
#include "devices/vsock/private.h"

/* Of a connection that is not open yet, or not quite closed. */
#define TIMEOUT_MS 5000
/* Of bytes that the host does not take, of a connection that the guest has
 * closed.  They are bounded otherwise; this ends what nobody will ever read. */
#define LINGER_MS 60000
/* How often the clock looks; a busy server of the host is asked again. */
#define TICK_MS	     100
#define DIAL_TICK_MS 10
/* In vain, in one tick: servers that do not accept are no work. */
#define DIALS_MAX 16
#define MS_IN_NS  UINT64_C(1000000)

/* What is promised beyond the least, all connections together; and who comes
 * gets at most such a share of what is left of it. */
#define PROMISES_MAX MIB(32)
#define SHARES	     32

static struct vsock *owner(const struct vsock_conn *c)
{
	return c->owner;
}

/*
 * By ports.  The guest chooses both, so the key is not for it to know.
 */

static struct list *bucket(struct vsock *v, uint32_t host_port,
			   uint32_t guest_port)
{
	const uint64_t ports = (uint64_t)host_port << 32 | guest_port;
	uint64_t h = (ports ^ v->hash_key) * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ h >> 32) * (v->hash_key | 1);
	return &v->buckets[h >> 54];
}

void vsock_conn_enter(struct vsock *v, struct vsock_conn *c)
{
	list_append(bucket(v, c->host_port, c->guest_port), &c->hash_node);
}

struct vsock_conn *vsock_conn_find(struct vsock *v, uint32_t host_port,
				   uint32_t guest_port)
{
	struct list *head = bucket(v, host_port, guest_port);

	list_for_each (pos, head) {
		struct vsock_conn *c =
			container_of(pos, struct vsock_conn, hash_node);

		if (c->host_port == host_port && c->guest_port == guest_port)
			return c;
	}
	return NULL;
}

/*
 * By time.
 */

void vsock_tick_soon(struct vsock *v)
{
	const uint64_t ms = v->ndialling ? DIAL_TICK_MS : TICK_MS;

	if ((list_empty(&v->timed) && !v->ndead && !v->deaf) ||
	    (v->tick_ms && v->tick_ms <= ms))
		return;
	v->tick_ms = ms;
	loop_timer_set(&v->timer, ms * MS_IN_NS);
}

static void remember_deadline(struct vsock_conn *c)
{
	struct vsock *v = owner(c);

	c->deadline_ms = (uint64_t)socket_now_ms() +
			 (c->state == CONN_LINGERING ? LINGER_MS : TIMEOUT_MS);
	list_remove(&c->timed_node);
	list_append(&v->timed, &c->timed_node);
	vsock_tick_soon(v);
}

/* What became of a connection that was not to last. */
static void look_at(struct vsock *v, struct vsock_conn *c, uint64_t now)
{
	const bool late = now >= c->deadline_ms;

	switch (c->state) {
	case CONN_OPEN:
	case CONN_RESETTING:
		list_remove(&c->timed_node);
		break;
	case CONN_GREETING:
	case CONN_LINGERING:
		if (late)
			vsock_conn_drop(c);
		break;
	case CONN_DIALLING:
		if (late)
			vsock_conn_reset(c);
		else if (v->ndialling < DIALS_MAX)
			vsock_host_dial(v, c);
		break;
	case CONN_REQUESTED:
	case CONN_CLOSING:
		if (late)
			vsock_conn_reset(c);
		break;
	}
}

static void bury(struct vsock *v)
{
	list_for_each (pos, &v->dead)
		conn_free(container_of(pos, struct vsock_conn, node));
	v->ndead = 0;
}

static void on_tick(struct loop_timer *t)
{
	struct vsock *v = container_of(t, struct vsock, timer);
	const uint64_t now = (uint64_t)socket_now_ms();

	bury(v);
	v->tick_ms = 0;
	v->ndialling = 0;
	list_for_each (pos, &v->timed)
		look_at(v, container_of(pos, struct vsock_conn, timed_node),
			now);
	if (v->deaf)
		vsock_host_listen(v, v->dev.running);
	vsock_serve(v);
	vsock_tick_soon(v);
}

/*
 * By what they want.
 */

static void wants(struct vsock_conn *c)
{
	if (list_empty(&c->send_node))
		list_append(&owner(c)->sending, &c->send_node);
}

static void serve(struct vsock_conn *c)
{
	bury(owner(c));
	vsock_serve(owner(c));
}

static void greeting(struct vsock_conn *c)
{
	vsock_host_greeting(owner(c), c);
}

static const struct vsock_conn_ops conn_ops = {
	.wants = wants,
	.serve = serve,
	.waits = remember_deadline,
	.greeting = greeting,
	.over = vsock_conn_drop,
};

bool vsock_resets_full(const struct vsock *v)
{
	return v->nresets == VSOCK_RESETS_MAX;
}

void vsock_reset_add(struct vsock *v, const struct vsock_reset *r)
{
	const unsigned i = (v->first_reset + v->nresets) % VSOCK_RESETS_MAX;

	assert(!vsock_resets_full(v));
	v->resets[i] = *r;
	v->nresets++;
}

/*
 * Their life.
 */

/*
 * A promise is kept even if no host reads: then it is memory.  The least is
 * there for all, of the rest each gets a share of what is left.
 */
static uint32_t next_promise(const struct vsock *v)
{
	const uint64_t share = (PROMISES_MAX - v->promised) / SHARES;
	uint32_t n = VSOCK_BUF_ALLOC;

	static_assert(PROMISES_MAX + VSOCK_CONNS_MAX * VSOCK_BUF_LEAST <=
			      VSOCK_WAITING_MAX,
		      "");
	while (n > VSOCK_BUF_LEAST && n > share)
		n /= 2;
	return n;
}

static uint64_t beyond_least(const struct vsock_conn *c)
{
	return c->credit.alloc - VSOCK_BUF_LEAST;
}

struct vsock_conn *vsock_conn_make(struct vsock *v, enum conn_state state)
{
	struct vsock_conn *c;

	if (v->nconns + v->ndead >= VSOCK_CONNS_MAX)
		return NULL;
	c = conn_new(&conn_ops, v, &v->waiting, next_promise(v), state);
	if (!c)
		return NULL;
	v->promised += beyond_least(c);
	v->nconns++;
	list_append(&v->conns, &c->node);
	if (state != CONN_OPEN)
		remember_deadline(c);
	return c;
}

void vsock_conn_drop(struct vsock_conn *c)
{
	struct vsock *v = owner(c);

	conn_close(c);
	list_remove(&c->hash_node);
	list_remove(&c->send_node);
	list_remove(&c->timed_node);
	list_remove(&c->node);
	list_append(&v->dead, &c->node);
	v->promised -= beyond_least(c);
	v->nconns--;
	v->ndead++;
	vsock_tick_soon(v);
}

void vsock_conn_reset(struct vsock_conn *c)
{
	owner(c)->refused++;
	conn_close(c);
	conn_set_state(c, CONN_RESETTING);
	c->due = CONN_DUE_RST;
	wants(c);
}

void vsock_conns_init(struct vsock *v)
{
	/* Fails on kernels that are older than getrandom() only. */
	(void)!getrandom(&v->hash_key, sizeof(v->hash_key), 0);
	list_init(&v->conns);
	list_init(&v->dead);
	list_init(&v->sending);
	list_init(&v->timed);
	for (unsigned i = 0; i < VSOCK_BUCKETS; i++)
		list_init(&v->buckets[i]);
}

int vsock_conns_start(struct vsock *v, struct err *err)
{
	int r;

	v->timer.fn = on_tick;
	v->timer.lock = &v->dev.lock;
	r = loop_timer_add(v->dev.loop, &v->timer);
	return r < 0 ? err_errno(err, -r, "%s: cannot make a timer",
				 v->dev.name)
		     : 0;
}

void vsock_conns_clear(struct vsock *v)
{
	list_for_each (pos, &v->conns)
		vsock_conn_drop(container_of(pos, struct vsock_conn, node));
	v->nresets = 0;
	v->tx_stopped = false;
}

void vsock_conns_stop(struct vsock *v)
{
	vsock_conns_clear(v);
	loop_timer_del(&v->timer);
}

void vsock_conns_fini(struct vsock *v)
{
	bury(v);
}
