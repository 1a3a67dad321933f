/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "iommu/bench/pin.h"

#include <pthread.h>
#include <sched.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static cpu_set_t allowed; /* empty: not known */

static void learn(void)
{
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		CPU_ZERO(&allowed);
}

void pin(unsigned n)
{
	cpu_set_t one;
	unsigned count, cpu;

	pthread_once(&once, learn);
	count = (unsigned)CPU_COUNT(&allowed);
	if (!count)
		return;
	n %= count;
	for (cpu = 0; !CPU_ISSET(cpu, &allowed) || n--; cpu++)
		;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}
