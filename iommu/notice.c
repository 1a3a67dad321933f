/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * A user first stores that it holds a range (hold.c) and then loads the number
 * of the last notice.  The writer first posts and then loads holds.  If both
 * put a barrier between the two (the writer's is notice_fence(), one for all
 * users), either the user hears the notice or the writer sees the hold.
 *
 * The user's barrier costs more than all the rest of a translation, so a busy
 * user leaves it out (@quick), and the writer makes up for it:
 *
 * - The user answers.  Its answer becomes visible after the holds that it
 *   stored before, and what it looks up under the next ones is new.
 * - The user is silent.  The writer takes @quick back, posts once more and has
 *   the kernel put a barrier into every thread.  A hold stored before that
 *   barrier is visible after it.  A user that stores one later loads the
 *   number after the barrier, so it hears the second notice; and then finds
 *   @quick gone, which was stored before that notice.  From here on it uses
 *   barriers itself.
 *
 * A user that has used barriers for a while stores @quick, with one more, and
 * then looks for notices again: either the writer sees @quick when it settles,
 * or the user hears what it has posted.  After the number it loads @quick once
 * more: the writer may have taken it back already.
 */
#include "iommu/notice.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long a busy user may take to answer.  What follows is a system call and
 * an interrupt on each of the other processors. */
#define ANSWER_SPINS 64

bool notice_able(void)
{
	return syscall(SYS_membarrier,
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

void notice_barrier(void)
{
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

void notice_init(struct notice *n, struct recall *r, bool able)
{
	*n = (struct notice){.recall = r, .acted = 1, .able = able};
	atomic_init(&r->posted, 1);
}

static uint64_t last_number(const struct notice *n)
{
	return atomic_load_explicit(&n->recall->posted, memory_order_seq_cst);
}

enum notice_news notice_hear(struct notice *n)
{
	struct recall *r = n->recall;
	uint64_t before = n->acted, now;

	if (r->heard == 0 && n->able && ++n->barriers >= NOTICE_PATIENCE)
		atomic_store_explicit(&n->quick, true, memory_order_seq_cst);
	now = last_number(n);
	/* After the number, also if it has just been set: see above. */
	if (atomic_load_explicit(&n->quick, memory_order_acquire)) {
		r->heard = now;
	} else if (r->heard != 0) { /* the hold was stored without barrier */
		r->heard = 0;
		n->barriers = 0;
		atomic_thread_fence(memory_order_seq_cst);
		now = last_number(n);
	}
	n->acted = now;
	/* Pairs with notice_settle(). */
	atomic_store_explicit(&n->answered, now, memory_order_release);
	if (now == before)
		return NOTICE_NONE;
	/* The number of an upheaval is there before its notice. */
	return atomic_load_explicit(&n->upheaval, memory_order_acquire) > before
		       ? NOTICE_UPHEAVAL
		       : NOTICE_CHANGE;
}

static bool answered(const struct notice *n)
{
	return atomic_load_explicit(&n->answered, memory_order_acquire) ==
	       atomic_load_explicit(&n->recall->posted, memory_order_relaxed);
}

void notice_press(struct notice *n)
{
	for (unsigned i = 0; i < ANSWER_SPINS; i++) {
		if (answered(n))
			return;
		cpu_relax();
	}
	atomic_store_explicit(&n->quick, false, memory_order_relaxed);
	notice_post(n, false);
	notice_barrier();
}
