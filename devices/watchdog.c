/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "devices/watchdog.h"

#include "core/bits.h"
#include "core/err.h"
#include "devices/platform.h"

#define REG_PRELOAD1 0x0
#define REG_PRELOAD2 0x4
#define REG_RELOAD   0xc

#define RELOAD_START   0x100
#define RELOAD_TIMEOUT 0x200 /* it has; written: forget it */

#define PRELOAD_MAX 0xfffffu

/* A stage that only begins again, and that nobody sees, lasts this at least. */
#define FREERUN_NS UINT64_C(10000000)

/* What has to come before each write of the others. */
static const uint64_t magic[] = {0x80, 0x86};

/* Drivers count 1024 ticks a second, and as many fast ones a slow one. */
static uint64_t tick_ns(const struct watchdog *w, uint64_t ticks)
{
	const unsigned shift = w->config & WATCHDOG_CONFIG_FAST ? 20 : 10;

	return ticks * 1000000000 >> shift;
}

static void begin(struct watchdog *w, enum watchdog_stage stage)
{
	/* None at all would be none of the guest's time. */
	const uint64_t ticks = max_u64(w->preload[stage == WATCHDOG_SECOND], 1);

	const uint64_t least = w->lock & WATCHDOG_LOCK_FREERUN ? FREERUN_NS : 0;

	w->stage = stage;
	loop_timer_set(&w->timer, max_u64(tick_ns(w, ticks), least));
}

static void rest(struct watchdog *w)
{
	w->stage = WATCHDOG_RESTS;
	loop_timer_cancel(&w->timer);
}

static void on_timer(struct loop_timer *t)
{
	struct watchdog *w = container_of(t, struct watchdog, timer);

	if (w->lock & WATCHDOG_LOCK_FREERUN) {
		begin(w, WATCHDOG_FIRST);
		return;
	}
	if (w->stage == WATCHDOG_FIRST) {
		begin(w, WATCHDOG_SECOND);
		return;
	}
	w->stage = WATCHDOG_RESTS;
	w->timed_out = true;
	if (!(w->config & WATCHDOG_CONFIG_NO_REBOOT))
		w->events->ops->unfed(w->events);
}

/*
 * Registers.
 */

static void reload(struct watchdog *w, uint64_t val)
{
	if (val & RELOAD_TIMEOUT)
		w->timed_out = false;
	if (val & RELOAD_START && w->lock & WATCHDOG_LOCK_ENABLE)
		begin(w, WATCHDOG_FIRST);
}

static uint64_t reg_read(struct bus_region *r, uint64_t off, unsigned size)
{
	const struct watchdog *w = container_of(r, struct watchdog, region);

	(void)size;
	/* The preloads cannot be read. */
	return off == REG_RELOAD && w->timed_out ? RELOAD_TIMEOUT : 0;
}

static void reg_write(struct bus_region *r, uint64_t off, unsigned size,
		      uint64_t val)
{
	struct watchdog *w = container_of(r, struct watchdog, region);
	const bool unlocked = w->unlocked == ARRAY_SIZE(magic);

	(void)size;
	if (!unlocked && off == REG_RELOAD && val == magic[w->unlocked]) {
		w->unlocked++;
		return;
	}
	/* Whatever else comes locks it, with an effect or without. */
	w->unlocked = 0;
	if (!unlocked)
		return;
	switch (off) {
	case REG_PRELOAD1:
	case REG_PRELOAD2:
		w->preload[off == REG_PRELOAD2] = val & PRELOAD_MAX;
		break;
	case REG_RELOAD:
		reload(w, val);
		break;
	default:
		break;
	}
}

static const struct bus_ops reg_ops = {
	.read = reg_read,
	.write = reg_write,
};

void watchdog_set_config(struct watchdog *w, uint16_t val)
{
	w->config = val;
}

void watchdog_set_lock(struct watchdog *w, uint8_t val)
{
	const bool was = w->lock & WATCHDOG_LOCK_ENABLE;
	const bool is = val & WATCHDOG_LOCK_ENABLE;

	if (w->lock & WATCHDOG_LOCK_LOCKED)
		return;
	w->lock = val;
	if (is && !was)
		begin(w, WATCHDOG_FIRST);
	if (!is)
		rest(w);
}

/*
 * Life.
 */

void watchdog_reset(struct watchdog *w)
{
	rest(w);
	w->preload[0] = w->preload[1] = PRELOAD_MAX;
	w->config = 0;
	w->lock = 0;
	w->unlocked = 0;
}

int watchdog_init(struct watchdog *w, struct loop *loop, pthread_mutex_t *lock,
		  struct machine_events *events, struct err *err)
{
	int r;

	*w = (struct watchdog){
		.region = {.ops = &reg_ops,
			   .name = "watchdog",
			   .size = WATCHDOG_SIZE,
			   .lock = lock},
		.events = events,
		.timer = {.fn = on_timer, .lock = lock},
	};
	r = loop_timer_add(loop, &w->timer);
	if (r < 0)
		return err_errno(err, -r, "watchdog: cannot have a timer");
	watchdog_reset(w);
	return 0;
}

void watchdog_fini(struct watchdog *w)
{
	struct loop *loop = w->timer.watch.loop;

	loop_timer_del(&w->timer);
	/* It may wait for the lock. */
	if (loop)
		loop_barrier(loop);
}
