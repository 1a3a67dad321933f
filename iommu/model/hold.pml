/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * hold.pml - readers, writer and holds, for Spin.   (iommu/hold.c, notice.c)
 *
 * One user translates two addresses, A and B, again and again, by the short
 * way when it remembers a node.  One writer maps A in a table node of its own,
 * unmaps it, waits as hold.c says, frees the node and then owns A's memory;
 * ROUNDS times.  B is not mapped, but its way leads into the same node.
 *
 * The user's stores go through a buffer, as on x86 and worse processors: the
 * writer sees them later, in order.  So do the writer's stores that the user
 * looks at.  barrier() is a full barrier of the user's, fence() one of the
 * writer's; barrier_all() is membarrier(), called by the writer.
 *
 * With -DRUN each UNMAP is followed by a MAP of A to the other memory, in a new
 * node, before anybody is told: a run (run.h).
 *
 * Checked: no access to memory the writer owns, no touch of a node that is
 * freed, nobody waits for ever.  Each -DBREAK_... leaves out a step that is
 * needed, to see that the model notices.
 */

#ifndef ROUNDS
#define ROUNDS 2
#endif

#define FREE    0
#define WALKING 1
#define SETTLED 2

#define A 0
#define B 1

/* Shared memory. */
byte state = FREE;		/* of the only hold: phase, address, use */
byte posted = 1, answered = 0;
bool quick = false;
bool mapped = false;		/* the leaf of A, */
byte leaf_node = 0;		/* the node that it is in, */
bit behind = 0;			/* and the memory that it leads to */
byte root = 0;			/* the node in the table; 0: none */
byte gen = 1;
bool care = false;

/* What is checked. */
bool owned[2] = true;		/* memory is the writer's */
bool freed[ROUNDS + 2];
bool finished = false;

/* Sleep and wake-up, by the gate's lock. */
bool asleep = false;

/* The user's store buffer. */
#define V_STATE    0
#define V_ANSWERED 1
#define V_QUICK    2
chan buffer = [3] of { byte, byte };

/* The writer's. */
#define W_MAP	0
#define W_UNMAP 1
#define W_ROOT	2
#define W_GEN	3
#define W_POST	4
#define W_SLOW	5
chan written = [4] of { byte, byte, bit };

#define HOLD(phase, at, use) ((phase) | (at) << 2 | (use) << 3)
#define PHASE(s) ((s) & 3)
#define AT(s)    (((s) >> 2) & 1)
/* The hold that was seen in @s is over. */
#define OVER(s)  (PHASE(state) == FREE || state >> 2 != (s) >> 2)

inline apply(var, val)
{
	if
	:: var == V_STATE -> state = val
	:: var == V_ANSWERED -> answered = val
	:: var == V_QUICK -> quick = val
	fi
}

/* Stores become visible at any time. */
active proctype processor()
{
	byte var, val;

end:	do
	:: atomic { buffer?var, val -> apply(var, val) }
	od
}

active proctype writers_processor()
{
	byte what, node;
	bit memory;

end:	do
	:: atomic {
		written?what, node, memory ->
		if
		:: what == W_MAP ->
			mapped = true;
			leaf_node = node;
			behind = memory
		:: what == W_UNMAP -> mapped = false
		:: what == W_ROOT -> root = node
		:: what == W_GEN -> gen++
		:: what == W_POST -> posted++
		:: what == W_SLOW -> quick = false
		fi;
		node = 0;
		memory = 0
	}
	od
}

inline fence()
{
	(len(written) == 0)
}

inline store(var, val)
{
	buffer!var, val
}

inline barrier()
{
	(len(buffer) == 0)
}

inline barrier_all()
{
	fence();
	atomic {
		do
		:: buffer?v, w -> apply(v, w)
		:: empty(buffer) -> break
		od
	}
}

/* The entry for @at in @node. */
inline look()
{
	assert(!freed[node]);
	atomic {
		found = (at == A && mapped && leaf_node == node);
		if
		:: found -> memory = behind
		:: else
		fi
	};
	assert(!freed[node])
}

active proctype user()
{
	byte heard = 0, acted = 1, now, g;
	bit use = 0;	/* the count of uses, modulo 2 */
	byte node = 0, node_gen = 1;	/* what it remembers */
	bit memory = 0;
	byte at;
	bool found, just = false;

	do
	:: true -> break	/* silent from now on */
	:: !finished ->
		if
		:: at = A
		:: at = B
		fi;
		use = 1 - use;
		found = false;
		if
		:: node != 0 && heard != 0 ->
			/* the short way */
#ifndef BREAK_SHORT_WALK
			store(V_STATE, HOLD(WALKING, at, use));
#else
			store(V_STATE, HOLD(SETTLED, at, use));
#endif
			now = posted;
			if
			:: now == heard ->
				look();
				if
				:: found ->
					store(V_STATE, HOLD(SETTLED, at, use));
					assert(!owned[memory])
				:: else
				fi
			:: else
			fi;
			store(V_STATE, FREE);
			goto ended
		:: true
		fi;
		/* the long way */
		use = 1 - use;
		store(V_STATE, HOLD(WALKING, at, use));
		if
#ifndef BREAK_USER_BARRIER
		:: heard == 0 -> barrier()
#endif
		:: else
		fi;
		now = posted;
		if
		:: now == heard -> skip
		:: else ->
			/* notice_hear() */
			if
			:: heard == 0 ->	/* patience is over */
				store(V_QUICK, true);
#ifndef BREAK_QUICK_BARRIER
				barrier()
#else
				just = true	/* seen by itself already */
#endif
			:: true
			fi;
			now = posted;
#ifdef BREAK_QUICK_AGAIN
			if
			:: heard == 0 -> heard = now; goto heard_it
			:: else
			fi;
#endif
			if
			:: quick || just -> heard = now
			:: else ->
				if
				:: heard != 0 ->
					heard = 0;
					barrier();
					now = posted
				:: else
				fi
			fi;
			just = false;
heard_it:
			store(V_ANSWERED, now);
			if
			:: now != acted ->
				acted = now;
				g = gen;
				if
#ifndef BREAK_FORGET
				:: g != node_gen -> node = 0; node_gen = g
#endif
				:: else
				fi
			:: else
			fi
		fi;
		/* walk */
		if
		:: node == 0 -> node = root
		:: else
		fi;
		if
		:: node != 0 ->
			look()
		:: else
		fi;
		if
		:: found ->
			store(V_STATE, HOLD(SETTLED, at, use));
			assert(!owned[memory])
		:: else
		fi;
		store(V_STATE, FREE);
ended:		/* the end of a hold looks for waiters */
		now = 0;
		g = 0;
		found = false;
		if
		:: care -> barrier(); asleep = false
		:: else
		fi
	od
}

/* wait_for_end(): until the hold that is seen now is over. */
inline wait_end()
{
	if
	:: true -> OVER(s)	/* it spins */
	:: true ->
		care = true;
#ifndef BREAK_WAITER_BARRIER
		barrier_all();
#endif
		do
		:: atomic { OVER(s) -> break }
		:: atomic { !OVER(s) -> asleep = true };
			!asleep
		od;
		care = false
	fi
}

inline map(memory, node)
{
	owned[memory] = false;
	written!W_MAP, node, memory;
	written!W_ROOT, node, 0
}

active proctype writer()
{
	byte round = 1, s, v, w;
	bit m = 0;
	bool is_mapped = false;

	do
	:: round > ROUNDS -> break
	:: else ->
		if
		:: !is_mapped ->	/* MAP, a new node */
			map(m, round)
		:: else
		fi;
		/* UNMAP: W1 */
		written!W_UNMAP, 0, 0;
		written!W_ROOT, 0, 0;
		written!W_GEN, 0, 0;
#ifdef RUN
		map(1 - m, round + 1);
		is_mapped = true;
#endif
		/* W2 */
		written!W_POST, 0, 0;
#ifndef BREAK_FENCE
		fence();
#endif
		if
		:: quick ->
			if
			:: len(written) == 0 && answered == posted
			:: true ->	/* silent for too long */
				written!W_SLOW, 0, 0;
#ifndef BREAK_SECOND_NOTICE
				written!W_POST, 0, 0;
#endif
#ifndef BREAK_BARRIER_ALL
				barrier_all()
#endif
			fi
		:: else
		fi;
		/* W3 to W5 */
		s = state;
		if
		:: PHASE(s) != FREE && AT(s) == A -> wait_end()
		:: else
		fi;
		owned[m] = true;
#ifdef RUN
		m = 1 - m;
#endif
#ifndef BREAK_WALKS
		/* W6 */
		s = state;
		if
		:: PHASE(s) == WALKING -> (state != s)
		:: else
		fi;
#endif
		s = 0;
		/* W7 */
		freed[round] = true;
		round++
	od;
	finished = true
}
