/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The MMIO transport.   [virtio 1.2, 4.2]
 */
#include "virtio/mmio.h"

#include <check.h>
#include <stdlib.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "core/tests/fake_doorbell.h"
#include "core/tests/fake_irq.h"
#include "virtio/tests/fake_dev.h"
#include "virtio/tests/vq_driver.h"

#define BASE   UINT64_C(0xd0000000)
#define SIZE   64
#define CONFIG 12

enum {
	R_MAGIC = 0x00,
	R_VERSION = 0x04,
	R_DEVICE = 0x08,
	R_VENDOR = 0x0c,
	R_DEVICE_FEATURES = 0x10,
	R_DEVICE_SELECT = 0x14,
	R_DRIVER_FEATURES = 0x20,
	R_DRIVER_SELECT = 0x24,
	R_QUEUE_SELECT = 0x30,
	R_QUEUE_MAX = 0x34,
	R_QUEUE_SIZE = 0x38,
	R_READY = 0x44,
	R_NOTIFY = 0x50,
	R_INTERRUPT = 0x60,
	R_ACK = 0x64,
	R_STATUS = 0x70,
	R_DESC = 0x80,
	R_DRIVER = 0x90,
	R_USED = 0xa0,
	R_SHM = 0xb0,
	R_QUEUE_RESET = 0xc0,
	R_GENERATION = 0xfc,
	R_CONFIG = 0x100,
};

static struct {
	struct gmem mem;
	struct dma id;
	struct bus bus;
	struct fake_line line;
	struct fake_doorbell bells;
	struct fake_dev dev;
	struct vmmio v;
	struct vq_driver drv;
} t;

static void quiet(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static void make(unsigned nqueues)
{
	static const uint16_t sizes[2] = {SIZE, SIZE};
	const struct gmem_slot slot = {.base = 0, .size = MIB(1)};
	const struct virtio_dev_env env = {.name = "fake0", .dma = &t.id};

	log_set_sink(quiet);
	ck_assert_int_eq(gmem_init(&t.mem, &slot, 1, NULL), 0);
	dma_init(&t.id, &t.mem);
	bus_init(&t.bus);
	fake_line_init(&t.line);
	fake_doorbell_init(&t.bells);
	ck_assert_int_eq(fake_dev_init(&t.dev, &env, sizes, nqueues, CONFIG),
			 0);
	vmmio_init(&t.v, &t.dev.vdev, BASE, &t.line.line, &t.bells.sink);
	ck_assert_int_eq(bus_attach(&t.bus, &t.v.region), 0);
	vqd_init(&t.drv, &t.id, 0x10000, 0x10000, SIZE);
}

static void drop(void)
{
	vmmio_fini(&t.v);
	fake_dev_fini(&t.dev);
	fake_doorbell_fini(&t.bells);
	fake_line_fini(&t.line);
	bus_fini(&t.bus);
	gmem_fini(&t.mem);
}

static void setup(void)
{
	make(1);
}

static uint32_t get(unsigned reg)
{
	return (uint32_t)bus_read(&t.bus, BASE + reg, 4);
}

static void set(unsigned reg, uint32_t val)
{
	ck_assert(bus_write(&t.bus, BASE + reg, 4, val));
}

static void set_address(unsigned reg, uint64_t val)
{
	set(reg, (uint32_t)val);
	set(reg + 4, (uint32_t)(val >> 32));
}

static void negotiate(void)
{
	set(R_STATUS, 0);
	set(R_STATUS, 1);
	set(R_STATUS, 3);
	set(R_DRIVER_SELECT, 0);
	set(R_DRIVER_FEATURES, 0);
	set(R_DRIVER_SELECT, 1);
	set(R_DRIVER_FEATURES, 1); /* VERSION_1 */
	set(R_STATUS, 11);
	ck_assert_uint_eq(get(R_STATUS), 11);
}

static void start(void)
{
	negotiate();
	set(R_QUEUE_SELECT, 0);
	set(R_QUEUE_SIZE, SIZE);
	set_address(R_DESC, t.drv.desc);
	set_address(R_DRIVER, t.drv.avail);
	set_address(R_USED, t.drv.used);
	set(R_READY, 1);
	set(R_STATUS, 15);
	ck_assert_uint_eq(get(R_STATUS), 15);
}

START_TEST(device_is_recognised)
{
	ck_assert_uint_eq(get(R_MAGIC), 0x74726976);
	ck_assert_uint_eq(get(R_VERSION), 2);
	ck_assert_uint_eq(get(R_DEVICE), FAKE_DEV_ID);
	ck_assert_uint_eq(get(R_VENDOR), 0x1af4);
}
END_TEST

START_TEST(features_come_in_halves)
{
	set(R_DEVICE_SELECT, 0);
	ck_assert_uint_eq(get(R_DEVICE_FEATURES) & 7, FAKE_DEV_FEATURES);
	set(R_DEVICE_SELECT, 1);
	ck_assert_uint_eq(get(R_DEVICE_FEATURES) & 1, 1);
	set(R_DEVICE_SELECT, 2);
	ck_assert_uint_eq(get(R_DEVICE_FEATURES), 0);
	set(R_DEVICE_SELECT, UINT32_MAX);
	ck_assert_uint_eq(get(R_DEVICE_FEATURES), 0);
}
END_TEST

START_TEST(queue_that_is_not_there_has_size_0)
{
	set(R_QUEUE_SELECT, 0);
	ck_assert_uint_eq(get(R_QUEUE_MAX), SIZE);
	set(R_QUEUE_SELECT, 1);
	ck_assert_uint_eq(get(R_QUEUE_MAX), 0);
	set(R_READY, 1);
	ck_assert_uint_eq(get(R_READY), 0);
	set(R_QUEUE_SELECT, UINT32_MAX);
	ck_assert_uint_eq(get(R_QUEUE_MAX), 0);
}
END_TEST

START_TEST(size_past_16_bits_is_not_cut_to_a_good_one)
{
	negotiate();
	set(R_QUEUE_SELECT, 0);
	set(R_QUEUE_SIZE, 0x10000 + SIZE);
	set_address(R_DESC, t.drv.desc);
	set_address(R_DRIVER, t.drv.avail);
	set_address(R_USED, t.drv.used);
	set(R_READY, 1);
	ck_assert_uint_eq(get(R_READY), 0);
}
END_TEST

/* [virtio 1.2, 4.2.2.2] */
START_TEST(queue_can_be_taken_back_before_it_runs)
{
	negotiate();
	set(R_QUEUE_SELECT, 0);
	set(R_QUEUE_SIZE, SIZE);
	set_address(R_DESC, t.drv.desc);
	set_address(R_DRIVER, t.drv.avail);
	set_address(R_USED, t.drv.used);
	set(R_READY, 1);
	ck_assert_uint_eq(get(R_READY), 1);
	set(R_READY, 0);
	ck_assert_uint_eq(get(R_READY), 0);
	set(R_STATUS, 15);
	ck_assert(!t.dev.vdev.vqs[0].running);
}
END_TEST

START_TEST(queue_taken_back_as_it_runs_needs_a_reset)
{
	start();
	set(R_QUEUE_SELECT, 0);
	set(R_READY, 0);
	ck_assert_uint_eq(get(R_STATUS), 15 | 0x40);
	ck_assert(!t.dev.vdev.running);
}
END_TEST

START_TEST(used_buffers_raise_the_wire_until_acknowledged)
{
	start();
	pthread_mutex_lock(&t.dev.vdev.lock);
	t.v.transport.ops->queue_interrupt(&t.v.transport, 0);
	t.v.transport.ops->queue_interrupt(&t.v.transport, 0);
	pthread_mutex_unlock(&t.dev.vdev.lock);
	ck_assert(fake_line_level(&t.line));
	ck_assert_uint_eq(fake_line_edges(&t.line), 1);
	ck_assert_uint_eq(get(R_INTERRUPT), 1);
	set(R_ACK, 2);
	ck_assert(fake_line_level(&t.line));
	set(R_ACK, 1);
	ck_assert(!fake_line_level(&t.line));
	ck_assert_uint_eq(get(R_INTERRUPT), 0);
}
END_TEST

START_TEST(either_reason_keeps_the_wire_high)
{
	start();
	pthread_mutex_lock(&t.dev.vdev.lock);
	t.v.transport.ops->queue_interrupt(&t.v.transport, 0);
	t.v.transport.ops->config_interrupt(&t.v.transport);
	pthread_mutex_unlock(&t.dev.vdev.lock);
	ck_assert_uint_eq(get(R_INTERRUPT), 3);
	set(R_ACK, 1);
	ck_assert(fake_line_level(&t.line));
	set(R_ACK, 2);
	ck_assert(!fake_line_level(&t.line));
}
END_TEST

/* An edge-triggered wire that stays high is silent for good. */
START_TEST(what_came_before_an_acknowledgement_is_an_edge_after_it)
{
	struct virtio_transport *of = &t.v.transport;

	start();
	for (unsigned i = 0; i < 2; i++) {
		const unsigned edges = fake_line_edges(&t.line);

		pthread_mutex_lock(&t.dev.vdev.lock);
		if (i == 0)
			of->ops->queue_interrupt(of, 0);
		else
			of->ops->config_interrupt(of);
		pthread_mutex_unlock(&t.dev.vdev.lock);
		ck_assert_uint_eq(get(R_INTERRUPT), 1u << i);
		/* The driver has looked, and has not acknowledged yet. */
		pthread_mutex_lock(&t.dev.vdev.lock);
		if (i == 0)
			of->ops->config_interrupt(of);
		else
			of->ops->queue_interrupt(of, 0);
		pthread_mutex_unlock(&t.dev.vdev.lock);
		ck_assert_uint_eq(fake_line_edges(&t.line), edges + 1);
		set(R_ACK, 1u << i);
		ck_assert_uint_eq(fake_line_edges(&t.line), edges + 2);
		ck_assert_uint_eq(get(R_INTERRUPT), 2u >> i);
		set(R_ACK, 2u >> i);
		ck_assert(!fake_line_level(&t.line));
		ck_assert_uint_eq(fake_line_edges(&t.line), edges + 2);
	}
}
END_TEST

START_TEST(reset_lowers_the_wire_and_forgets_selections)
{
	start();
	pthread_mutex_lock(&t.dev.vdev.lock);
	t.v.transport.ops->config_interrupt(&t.v.transport);
	pthread_mutex_unlock(&t.dev.vdev.lock);
	set(R_DEVICE_SELECT, 1);
	set(R_STATUS, 0);
	ck_assert(!fake_line_level(&t.line));
	ck_assert_uint_eq(get(R_INTERRUPT), 0);
	ck_assert_uint_eq(get(R_DEVICE_FEATURES) & 7, FAKE_DEV_FEATURES);
	ck_assert_uint_eq(fake_doorbell_count(&t.bells), 0);
}
END_TEST

START_TEST(only_queue_gets_a_doorbell_while_it_runs)
{
	ck_assert_uint_eq(fake_doorbell_count(&t.bells), 0);
	start();
	ck_assert_int_eq(fake_doorbell_fd(&t.bells, BASE + R_NOTIFY),
			 t.dev.vdev.vqs[0].kick_fd);
	set(R_STATUS, 0);
	ck_assert_uint_eq(fake_doorbell_count(&t.bells), 0);
}
END_TEST

START_TEST(one_of_several_queues_gets_none)
{
	drop();
	make(2);
	start();
	ck_assert_uint_eq(fake_doorbell_count(&t.bells), 0);
	set(R_NOTIFY, 0);
	ck_assert_int_ne(eventfd_clear(t.dev.vdev.vqs[0].kick_fd), 0);
	ck_assert_int_eq(eventfd_clear(t.dev.vdev.vqs[1].kick_fd), 0);
}
END_TEST

START_TEST(kick_of_no_queue_does_nothing)
{
	start();
	set(R_NOTIFY, 1);
	set(R_NOTIFY, UINT32_MAX);
	ck_assert_int_eq(eventfd_clear(t.dev.vdev.vqs[0].kick_fd), 0);
}
END_TEST

START_TEST(there_is_no_shared_memory)
{
	for (unsigned n = 0; n < 4; n++)
		ck_assert_uint_eq(get(R_SHM + 4 * n), UINT32_MAX);
}
END_TEST

START_TEST(configuration_takes_any_width)
{
	for (unsigned n = 0; n < CONFIG; n++)
		t.dev.vdev.config[n] = (uint8_t)(n + 1);
	ck_assert_uint_eq(bus_read(&t.bus, BASE + R_CONFIG, 1), 1);
	ck_assert_uint_eq(bus_read(&t.bus, BASE + R_CONFIG + 2, 2), 0x0403);
	ck_assert_uint_eq(bus_read(&t.bus, BASE + R_CONFIG + 4, 8),
			  0x0c0b0a0908070605);
	ck_assert_uint_eq(bus_read(&t.bus, BASE + R_CONFIG + CONFIG, 4), 0);
	ck_assert_uint_eq(bus_read(&t.bus, BASE + VMMIO_SIZE - 8, 8), 0);
}
END_TEST

/* [virtio 1.2, 4.2.2.2]: registers are accessed in 32 bits. */
START_TEST(other_widths_and_holes_read_0_and_write_nothing)
{
	static const unsigned holes[] = {0x18, 0x28, 0x3c, 0x48, 0x54,
					 0x68, 0x74, 0x88, 0xd0, 0xf8};

	for (unsigned n = 0; n < ARRAY_SIZE(holes); n++) {
		set(holes[n], UINT32_MAX);
		ck_assert_uint_eq(get(holes[n]), 0);
	}
	ck_assert_uint_eq(bus_read(&t.bus, BASE + R_MAGIC, 1), 0);
	ck_assert_uint_eq(bus_read(&t.bus, BASE + R_MAGIC, 8), 0);
	ck_assert_uint_eq(bus_read(&t.bus, BASE + R_MAGIC + 2, 4), 0);
	(void)bus_write(&t.bus, BASE + R_STATUS, 1, 1);
	ck_assert_uint_eq(get(R_STATUS), 0);
}
END_TEST

START_TEST(one_queue_alone_can_be_reset)
{
	negotiate();
	set(R_QUEUE_SELECT, 0);
	ck_assert_uint_eq(get(R_QUEUE_RESET), 0);
	set(R_QUEUE_RESET, 1); /* not negotiated, not enabled */
	ck_assert_uint_eq(get(R_QUEUE_RESET), 0);
}
END_TEST

START_TEST(restart_is_power_on)
{
	start();
	vmmio_power_on_reset(&t.v);
	ck_assert_uint_eq(get(R_STATUS), 0);
	ck_assert_uint_eq(fake_doorbell_count(&t.bells), 0);
	start();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("virtio/mmio");
	TCase *c = tcase_create("mmio");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(c, setup, drop);
	tcase_add_test(c, device_is_recognised);
	tcase_add_test(c, features_come_in_halves);
	tcase_add_test(c, queue_that_is_not_there_has_size_0);
	tcase_add_test(c, size_past_16_bits_is_not_cut_to_a_good_one);
	tcase_add_test(c, queue_can_be_taken_back_before_it_runs);
	tcase_add_test(c, queue_taken_back_as_it_runs_needs_a_reset);
	tcase_add_test(c, used_buffers_raise_the_wire_until_acknowledged);
	tcase_add_test(c, either_reason_keeps_the_wire_high);
	tcase_add_test(c,
		       what_came_before_an_acknowledgement_is_an_edge_after_it);
	tcase_add_test(c, reset_lowers_the_wire_and_forgets_selections);
	tcase_add_test(c, only_queue_gets_a_doorbell_while_it_runs);
	tcase_add_test(c, one_of_several_queues_gets_none);
	tcase_add_test(c, kick_of_no_queue_does_nothing);
	tcase_add_test(c, there_is_no_shared_memory);
	tcase_add_test(c, configuration_takes_any_width);
	tcase_add_test(c, other_widths_and_holes_read_0_and_write_nothing);
	tcase_add_test(c, one_queue_alone_can_be_reset);
	tcase_add_test(c, restart_is_power_on);
	suite_add_tcase(s, c);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
