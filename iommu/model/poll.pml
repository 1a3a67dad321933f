/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * poll.pml - how the request ring changes hands, for Spin.   (viommu_poll.c,
 * serve() in virtio_iommu.c, vq_kicks_on() in virtio/ring.c)
 *
 * Two vCPUs put requests into a ring, kick if the ring says so, and wait for
 * the answer; a kick is an exit, in which the vCPU serves.  The thread that
 * polls takes the ring when it is called and gives it back when it likes: it
 * has seen nothing for a while, was late, or was told to leave.  The device is
 * paused and goes on once.
 *
 * Stores of the vCPUs' driver and of who serves go through buffers, as on x86
 * and worse processors.  A lock and a barrier wait until the own buffer is
 * empty.  The driver's barrier is where the specification wants it.
 *
 * Checked: every request is answered (a vCPU that waits for ever is an end
 * state that is not valid), one at a time serves, and the ring is not touched
 * while the device is paused.  Each -DBREAK_... leaves out a step that is
 * needed, to see that the model notices.
 */

#ifndef REQUESTS
#define REQUESTS 2	/* of each vCPU */
#endif

/* Shared memory. */
byte avail = 0;		/* the driver's index */
bool wanted = true;	/* kicks are */

/* Under the device's lock; `locked` is the lock. */
bool locked = false;
bool busy = false, successor = false, owns = false, called = false;
bool paused = false;
bool share_done = false;	/* of who serves */
byte popped = 0;		/* next_avail */
byte inflight = 0;
bool leave = false;		/* atomic, read without the lock */

/* Answers; the used ring's barriers are not what is looked at here. */
byte answered = 0;

/* The driver's lock, and its view of the ring. */
bool driver_locked = false;
byte added = 0;

/* What is checked: the device is known to be paused. */
bool still = false;

/* Store buffers: of the driver, who holds its lock, and of who serves.  The
 * latter write `wanted` under the device's lock alone. */
chan driver_buffer = [1] of { byte };
chan device_buffer = [2] of { bool };

active proctype driver_processor()
{
	byte val;

end:	do
	:: atomic { driver_buffer?val -> avail = val }
	od
}

active proctype device_processor()
{
	bool val;

end:	do
	:: atomic { device_buffer?val -> wanted = val }
	od
}

inline driver_barrier()
{
	(len(driver_buffer) == 0)
}

inline device_barrier()
{
	(len(device_buffer) == 0)
}

inline lock()
{
	atomic { !locked -> locked = true }
}

inline unlock()
{
	device_barrier();
	locked = false
}

/* pthread_cond_wait() until @what. */
inline wait_until(what)
{
	do
	:: what -> break
	:: else -> unlock(); atomic { what && !locked -> locked = true }
	od
}

/* Is there a request?  Reads guest memory. */
inline look(ret)
{
	assert(!still);
	ret = (avail != popped)
}

/* Caller holds the lock.  Served: @any. */
inline serve(any)
{
	assert(!busy);
	busy = true;
	share_done = false;
	any = false;
	if
	:: !paused -> device_buffer!false	/* vq_kicks_off() */
	:: else
	fi;
	do
	:: paused -> break
	:: else ->
		look(seen);
		if
		:: seen ->
			popped++;
			any = true;
			if
			:: true		/* MAP in the table, PROBE: at once */
			:: true ->	/* the lock is dropped while it runs */
				inflight++;
				unlock();
				lock();
				inflight--
			fi;
			answered++;
			if
			:: true
			:: true -> share_done = true
			fi;
			if
			:: share_done && !paused -> device_buffer!true
			:: else
			fi;
			if
			:: successor -> break
			:: else
			fi
		:: else ->
			/* more() */
			if
			:: owns ->
				device_buffer!false;
				break
			:: else ->
				device_buffer!true;
#ifndef BREAK_BARRIER
				device_barrier();
#endif
#ifndef BREAK_LOOK_AGAIN
				look(seen);
#else
				seen = false;
#endif
				if
				:: seen
				:: else -> break
				fi
			fi
		fi
	od;
	busy = false;
	if
	:: any && !successor && !owns -> called = true
	:: true		/* it has reasons to stay away */
	fi
}

/* viommu_kick(), in the exit. */
inline kick()
{
	if
	:: paused
	:: else ->
		if
		:: busy ->
			if
			:: !share_done || successor
			:: else ->
				successor = true;
				wait_until(!busy);
				successor = false;
				serve(any)
			fi
		:: else -> serve(any)
		fi
	fi
}

proctype vcpu()
{
	byte n = 0, mine;
	bool seen, any, ring;

	do
	:: n == REQUESTS -> break
	:: else ->
		atomic { !driver_locked -> driver_locked = true };
		added++;
		mine = added;
		driver_buffer!added;
		driver_barrier();
		ring = wanted;
		driver_locked = false;
		if
		:: ring -> lock(); kick(); unlock()
		:: else
		fi;
		/* Interrupts are off: nothing else happens here. */
		(answered >= mine);
		n++
	od
}

active proctype thread()
{
	bool seen, any, mine;

	lock();
	do
	:: !called ->
		unlock();
end:		atomic { called && !locked -> locked = true }
	:: called && paused -> called = false
	:: called && !paused ->
		called = false;
		owns = true;
		leave = false;
#ifndef BREAK_INFLIGHT
		inflight++;
#endif
		device_buffer!false;
		mine = true;
		do
		:: paused -> break
		:: else ->
			/* own_ring(): looks without the lock */
			unlock();
			if
			:: leave -> lock(); break
			:: true -> lock(); break	/* for a while; late */
			:: look(seen);
				if
				:: seen
				:: else -> lock(); break
				fi;
				lock();
				if
				:: leave -> break
				:: else
				fi;
				/* poll_serve() */
				wait_until(!busy);
				if
				:: successor -> mine = false; break
				:: else
				fi;
				serve(any);
				if
				:: successor -> mine = false; break
				:: else
				fi
			fi
		od;
#ifdef BREAK_ONE_LOCK
		if
		:: !mine -> unlock(); lock()
		:: else
		fi;
#endif
#ifndef BREAK_AWAY_FIRST
		owns = false;
#endif
#ifndef BREAK_GIVE_BACK
		if
		:: mine && !busy -> serve(any)
		:: else
		fi;
#endif
#ifndef BREAK_INFLIGHT
		inflight--;
#endif
		owns = false
	od
}

/* Bus mastering is cleared and comes back. */
active proctype other_vcpu()
{
	bool seen, any;

	lock();
	paused = true;
	leave = true;
	wait_until(inflight == 0);
	still = true;
	unlock();
	lock();
	still = false;
	paused = false;
	kick();
	unlock()
}

init
{
	atomic { run vcpu(); run vcpu() }
}
