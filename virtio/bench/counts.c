/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "virtio/bench/counts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

static _Thread_local struct counts *mine;

void counts_mine(struct counts *c)
{
	mine = c;
}

/* One writer: no need for an atomic addition. */
static void add(_Atomic uint64_t *count)
{
	uint64_t n = atomic_load_explicit(count, memory_order_relaxed);

	atomic_store_explicit(count, n + 1, memory_order_relaxed);
}

static void add_allocation(void)
{
	if (mine)
		add(&mine->allocations);
}

static void add_lock(void)
{
	if (mine)
		add(&mine->locks);
}

/*
 * The linker calls __wrap_f() for f(), and f() for __real_f().
 */

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void *__real_reallocarray(void *p, size_t n, size_t len);
void __real_free(void *p);
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_trylock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);

void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);
void *__wrap_reallocarray(void *p, size_t n, size_t len);
void __wrap_free(void *p);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);

void *__wrap_malloc(size_t len)
{
	add_allocation();
	return __real_malloc(len);
}

void *__wrap_calloc(size_t n, size_t len)
{
	add_allocation();
	return __real_calloc(n, len);
}

void *__wrap_realloc(void *p, size_t len)
{
	add_allocation();
	return __real_realloc(p, len);
}

void *__wrap_reallocarray(void *p, size_t n, size_t len)
{
	add_allocation();
	return __real_reallocarray(p, n, len);
}

void __wrap_free(void *p)
{
	add_allocation();
	__real_free(p);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
	add_lock();
	return __real_pthread_mutex_lock(m);
}

int __wrap_pthread_mutex_trylock(pthread_mutex_t *m)
{
	add_lock();
	return __real_pthread_mutex_trylock(m);
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	add_lock();
	return __real_pthread_cond_wait(c, m);
}
