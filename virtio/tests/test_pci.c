/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The function, its interrupts and its life.   [virtio 1.2, 4.1]
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "pci/regs.h"
#include "virtio/tests/vpci_rig.h"

static struct vrig rig;

static void setup(void)
{
	vrig_init(&rig, NULL);
}

static void teardown(void)
{
	vrig_fini(&rig);
}

static uint64_t bar_size(void)
{
	return rig.f->bars[0].size;
}

/*
 * Identity.   [virtio 1.2, 4.1.2]
 */

START_TEST(ids_are_those_of_a_modern_device)
{
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_VENDOR_ID, 2), 0x1af4);
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_DEVICE_ID, 2),
			  0x1040 + FAKE_DEV_ID);
	ck_assert_uint_ge(vrig_pci_read(&rig, PCI_REVISION_ID, 1), 1);
	ck_assert_uint_ge(vrig_pci_read(&rig, PCI_SUBSYSTEM_ID, 2), 0x40);
}
END_TEST

/*
 * Capabilities.   [virtio 1.2, 4.1.4]
 */

START_TEST(d70_g22_every_structure_lies_once_in_the_bar_on_its_own_pages)
{
	uint64_t end = 0;
	unsigned seen = 0;

	for (unsigned cap = (unsigned)vrig_pci_read(&rig, PCI_CAPABILITIES, 1);
	     cap; cap = (unsigned)vrig_pci_read(&rig, cap + 1, 1)) {
		uint64_t type = vrig_pci_read(&rig, cap + VPCI_CAP_TYPE, 1);
		uint64_t off = vrig_pci_read(&rig, cap + VPCI_CAP_OFFSET, 4);
		uint64_t len = vrig_pci_read(&rig, cap + VPCI_CAP_LENGTH, 4);

		ck_assert_uint_eq(cap % 4, 0);
		ck_assert_uint_ge(cap, 0x40);
		if (vrig_pci_read(&rig, cap, 1) != PCI_CAP_ID_VENDOR)
			continue;
		ck_assert_uint_ge(vrig_pci_read(&rig, cap + VPCI_CAP_LEN, 1),
				  16);
		ck_assert_uint_eq(seen >> type & 1, 0);
		seen |= 1u << type;
		if (type == VPCI_CFG_WINDOW)
			continue;
		ck_assert_uint_eq(vrig_pci_read(&rig, cap + VPCI_CAP_BAR, 1),
				  0);
		ck_assert_uint_eq(off % 0x1000, 0);
		ck_assert_uint_ge(off, end);
		ck_assert_uint_gt(len, 0);
		end = off + len;
		ck_assert_uint_le(end, bar_size());
	}
	ck_assert_uint_eq(seen, 0x3e);
	ck_assert_uint_ge(vrig_pci_read(&rig, rig.msix + PCI_MSIX_TABLE, 4),
			  align_up(end, 0x1000));
}
END_TEST

START_TEST(capabilities_are_read_only_but_for_the_window)
{
	for (unsigned i = 0x40; i < 256; i++) {
		uint64_t old = vrig_pci_read(&rig, i, 1);
		unsigned in_window = i - rig.window;

		if (in_window < VPCI_CAP_WINDOW_LEN &&
		    (in_window == VPCI_CAP_BAR || in_window >= VPCI_CAP_OFFSET))
			continue;
		if (i == rig.msix + PCI_MSIX_CONTROL + 1)
			continue;
		vrig_pci_write(&rig, i, 1, ~old & 0xff);
		ck_assert_uint_eq(vrig_pci_read(&rig, i, 1), old);
	}
}
END_TEST

START_TEST(there_is_a_vector_for_each_queue_and_one_more)
{
	ck_assert_uint_eq(vrig_pci_read(&rig, rig.msix + 2, 2), VRIG_QUEUES);
}
END_TEST

START_TEST(device_without_configuration_has_no_structure_for_it)
{
	vrig_fini(&rig);
	vrig_init(&rig, &(struct vrig_options){.no_config = true});
	ck_assert_uint_eq(rig.config_len, 0);
	ck_assert_uint_ne(rig.notify_len, 0);
	vrig_start(&rig);
}
END_TEST

/* A topology of 250 items in the IOMMU's configuration. */
START_TEST(largest_configuration_is_covered_to_its_last_byte)
{
	static const uint16_t size = 8;
	static struct fake_dev dev;
	struct virtio_dev_env env = {.name = "big", .dma = &rig.id};
	struct vpci *v;
	struct pci_func *f;

	ck_assert_int_eq(fake_dev_init(&dev, &env, &size, 1, 4096), 0);
	dev.vdev.config[4095] = 0x77;
	ck_assert_int_eq(vpci_new(&v, &dev.vdev, &rig.msi.sink, NULL, NULL), 0);
	f = vpci_func(v);
	ck_assert_uint_eq(pci_bar_read(f, 0, 0x2000 + 4095, 1), 0x77);
	/* There the notify addresses begin. */
	ck_assert_uint_eq(pci_bar_read(f, 0, 0x2000 + 4096, 1), 0);
	vpci_free(v);
	fake_dev_fini(&dev);
}
END_TEST

START_TEST(odd_configuration_length_reads_zero_up_to_the_next_dword)
{
	static const uint16_t size = 8;
	static struct fake_dev dev;
	struct virtio_dev_env env = {.name = "odd", .dma = &rig.id};
	struct vpci *v;

	ck_assert_int_eq(fake_dev_init(&dev, &env, &size, 1, 5), 0);
	dev.vdev.config[4] = 0x55;
	ck_assert_int_eq(vpci_new(&v, &dev.vdev, &rig.msi.sink, NULL, NULL), 0);
	ck_assert_uint_eq(pci_bar_read(vpci_func(v), 0, 0x2004, 4), 0x55);
	ck_assert_uint_eq(pci_bar_read(vpci_func(v), 0, 0x2008, 4), 0xffffffff);
	vpci_free(v);
	fake_dev_fini(&dev);
}
END_TEST

/*
 * Device configuration.   [virtio 1.2, 4.1.4.6]
 */

START_TEST(every_offset_and_size_of_device_configuration)
{
	for (unsigned off = 0; off < rig.config_len; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			uint64_t want = 0;

			for (unsigned i = 0; i < size; i++)
				want |= (uint64_t)(0x80 + off + i) << 8 * i;
			if (off + size > rig.config_len)
				want = UINT64_MAX >> (64 - 8 * size);
			ck_assert_uint_eq(
				vrig_read(&rig, rig.config + off, size), want);
		}
	}
}
END_TEST

START_TEST(writable_configuration_reaches_the_device)
{
	vrig_write(&rig, rig.config + VRIG_WRITABLE, 4, 0x11223344);
	ck_assert_uint_eq(vrig_read(&rig, rig.config + VRIG_WRITABLE, 4),
			  0x11223344);
	ck_assert_uint_eq(rig.dev.config_writes, 1);
	ck_assert_uint_eq(rig.dev.config_off, VRIG_WRITABLE);
	vrig_write(&rig, rig.config, 4, 0);
	ck_assert_uint_eq(vrig_read(&rig, rig.config, 1), 0x80);
	ck_assert_uint_eq(rig.dev.config_writes, 1);
}
END_TEST

/*
 * Interrupts.   [virtio 1.2, 4.1.4.5, 4.1.5.3, 4.1.5.4]
 */

static void use_one(unsigned qi)
{
	vrig_add(&rig, qi);
	pthread_mutex_lock(&rig.d->lock);
	virtio_notify(rig.d, qi);
	pthread_mutex_unlock(&rig.d->lock);
}

static void change_config(void)
{
	pthread_mutex_lock(&rig.d->lock);
	virtio_config_changed(rig.d);
	pthread_mutex_unlock(&rig.d->lock);
}

START_TEST(without_msix_used_buffers_set_isr_bit_0)
{
	vrig_start(&rig);
	use_one(0);
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_STATUS, 2) & 8, 8);
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 1), 1);
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 1), 0);
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_STATUS, 2) & 8, 0);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
}
END_TEST

START_TEST(without_msix_configuration_changes_set_isr_bit_1)
{
	vrig_start(&rig);
	change_config();
	use_one(1);
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_STATUS, 2) & 8, 8);
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 1), 3);
}
END_TEST

START_TEST(isr_is_cleared_by_a_read_of_any_size_at_its_byte_alone)
{
	vrig_start(&rig);
	for (unsigned size = 1; size <= 4; size *= 2) {
		use_one(0);
		vrig_write(&rig, rig.isr, size, UINT64_MAX);
		for (unsigned off = 1; off + size <= 4; off++)
			ck_assert_uint_eq(vrig_read(&rig, rig.isr + off, size),
					  0);
		ck_assert_uint_eq(vrig_read(&rig, rig.isr, size), 1);
		ck_assert_uint_eq(vrig_read(&rig, rig.isr, size), 0);
	}
	use_one(0);
	/* Runs past the structure. */
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 8), UINT64_MAX);
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 1), 1);
}
END_TEST

START_TEST(with_msix_each_queue_has_its_vector)
{
	vrig_msix_on(&rig);
	for (unsigned i = 0; i <= VRIG_QUEUES; i++)
		vrig_unmask(&rig, i);
	vrig_start(&rig);
	for (unsigned i = 0; i < VRIG_QUEUES; i++) {
		use_one(i);
		ck_assert_uint_eq(fake_msi_count(&rig.msi), i + 1);
		ck_assert_uint_eq(fake_msi_last(&rig.msi).data, 0x101 + i);
	}
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 1), 0);
}
END_TEST

START_TEST(with_msix_configuration_changes_have_their_vector)
{
	vrig_msix_on(&rig);
	vrig_unmask(&rig, 0);
	vrig_start(&rig);
	change_config();
	ck_assert_uint_eq(fake_msi_last(&rig.msi).data, 0x100);
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_STATUS, 2) & 8, 0);
	/* Polling drivers may look at the ISR all the same. */
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 1), 2);
}
END_TEST

START_TEST(turning_msix_on_and_off_moves_the_status_bit)
{
	vrig_start(&rig);
	use_one(0);
	vrig_msix_on(&rig);
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_STATUS, 2) & 8, 0);
	vrig_pci_write(&rig, rig.msix + PCI_MSIX_CONTROL, 2, 0);
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_STATUS, 2) & 8, 8);
}
END_TEST

START_TEST(queue_without_vector_is_silent)
{
	vrig_msix_on(&rig);
	for (unsigned i = 0; i <= VRIG_QUEUES; i++)
		vrig_unmask(&rig, i);
	vrig_start(&rig);
	vrig_set(&rig, REG_QUEUE_SELECT, 2, 0);
	vrig_set(&rig, REG_QUEUE_VECTOR, 2, 0xffff);
	use_one(0);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 1), 0);
}
END_TEST

START_TEST(masked_vector_delivers_later)
{
	vrig_msix_on(&rig);
	vrig_start(&rig);
	use_one(0);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
	vrig_unmask(&rig, 1);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
}
END_TEST

static void on_routed(struct irq_source *s, bool straight)
{
	ck_assert_int_eq(straight, s->straight);
}

static void set_vector(unsigned qi, uint16_t vector)
{
	vrig_set(&rig, REG_QUEUE_SELECT, 2, qi);
	vrig_set(&rig, REG_QUEUE_VECTOR, 2, vector);
}

/* What does a signal become?  Return: the message's data; 0: nothing. */
static uint32_t signalled(struct irq_source *s)
{
	const unsigned before = fake_msi_count(&rig.msi);

	eventfd_signal(s->fd);
	return fake_msi_count(&rig.msi) > before ? fake_msi_last(&rig.msi).data
						 : 0;
}

START_TEST(a_lent_interrupt_follows_its_queues_vector)
{
	struct irq_source s = {.fd = eventfd_new(), .routed = on_routed};
	struct virtio_transport *t = rig.d->transport;

	vrig_msix_on(&rig);
	for (unsigned i = 0; i <= VRIG_QUEUES; i++)
		vrig_unmask(&rig, i);
	vrig_start(&rig);
	t->ops->queue_lend(t, 1, &s);
	ck_assert_uint_eq(signalled(&s), 0x102);
	set_vector(1, 3);
	ck_assert_uint_eq(signalled(&s), 0x103);
	set_vector(0, 0);
	ck_assert_uint_eq(signalled(&s), 0x103);
	set_vector(1, 0xffff);
	ck_assert_uint_eq(signalled(&s), 0);
	ck_assert(!s.straight && eventfd_clear(s.fd));
	set_vector(1, 2);
	ck_assert_uint_eq(signalled(&s), 0x102);
	/* A driver's reset forgets vectors, whoever has an interrupt. */
	vrig_set(&rig, REG_STATUS, 1, 0);
	ck_assert_uint_eq(signalled(&s), 0);
	t->ops->queue_take_back(t, 1);
	close(s.fd);
}
END_TEST

START_TEST(reset_forgets_vectors_pending_bits_and_isr)
{
	uint64_t pba = vrig_pci_read(&rig, rig.msix + PCI_MSIX_PBA, 4);

	vrig_start(&rig);
	use_one(0);
	vrig_msix_on(&rig);
	use_one(0);
	ck_assert_uint_eq(vrig_read(&rig, pba, 8), 2);
	vrig_set(&rig, REG_STATUS, 1, 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1), 0);
	ck_assert_uint_eq(vrig_read(&rig, pba, 8), 0);
	ck_assert_uint_eq(vrig_read(&rig, rig.isr, 1), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_CONFIG_VECTOR, 2), 0xffff);
	for (unsigned i = 0; i < VRIG_QUEUES; i++) {
		vrig_set(&rig, REG_QUEUE_SELECT, 2, i);
		ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_VECTOR, 2), 0xffff);
	}
	/* MSI-X itself is PCI's and stays on. */
	ck_assert_uint_eq(vrig_pci_read(&rig, rig.msix + 2, 2) & 0x8000,
			  0x8000);
}
END_TEST

/*
 * Bus mastering.
 */

START_TEST(device_is_paused_until_it_is_bus_master)
{
	ck_assert(rig.d->paused);
	vrig_command(&rig, PCI_COMMAND_MASTER, 0);
	ck_assert(!rig.d->paused);
	vrig_command(&rig, 0, PCI_COMMAND_MASTER);
	ck_assert(rig.d->paused);
}
END_TEST

START_TEST(buffers_added_meanwhile_are_used_when_mastering_returns)
{
	uint32_t head, len;

	vrig_msix_on(&rig);
	vrig_unmask(&rig, VRIG_INLINE + 1);
	vrig_start(&rig);
	vrig_command(&rig, 0, PCI_COMMAND_MASTER);
	vrig_add(&rig, VRIG_INLINE);
	ck_assert(vrig_ring(&rig, VRIG_INLINE));
	ck_assert_uint_eq(rig.dev.kicks, 0);
	ck_assert(!vqd_get_used(&rig.drv[VRIG_INLINE], &head, &len));
	vrig_command(&rig, PCI_COMMAND_MASTER, 0);
	ck_assert(vqd_get_used(&rig.drv[VRIG_INLINE], &head, &len));
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
}
END_TEST

START_TEST(reset_without_bus_mastering_keeps_the_pause)
{
	vrig_start(&rig);
	vrig_command(&rig, 0, PCI_COMMAND_MASTER);
	vrig_set(&rig, REG_STATUS, 1, 0);
	ck_assert(rig.d->paused);
	vrig_start(&rig);
	ck_assert(!rig.d->paused);
}
END_TEST

/*
 * Life.
 */

START_TEST(power_on_reset_restores_function_and_device)
{
	uint64_t home = vrig_pci_read(&rig, PCI_BAR0, 8);

	vrig_msix_on(&rig);
	vrig_unmask(&rig, 0);
	vrig_start(&rig);
	vrig_move(&rig, VRIG_FREE);
	vrig_set(&rig, REG_QUEUE_SELECT, 2, 2);
	vrig_set(&rig, REG_DEVICE_FEATURE_SELECT, 4, 1);
	vrig_set(&rig, REG_DRIVER_FEATURE_SELECT, 4, 1);
	vpci_power_on_reset(rig.v);
	pci_host_reset(&rig.host);
	ck_assert_uint_eq(vrig_pci_read(&rig, PCI_BAR0, 8), home);
	ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_SELECT, 2), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_DEVICE_FEATURE_SELECT, 4), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_DRIVER_FEATURE_SELECT, 4), 0);
	ck_assert_uint_eq(vrig_pci_read(&rig, rig.msix + 2, 2), VRIG_QUEUES);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 0);
	ck_assert(rig.d->paused);
	vrig_start(&rig);
}
END_TEST

START_TEST(power_on_reset_of_one_device_needs_no_host)
{
	vrig_msix_on(&rig);
	vrig_start(&rig);
	vpci_power_on_reset(rig.v);
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1), 0);
	ck_assert_uint_eq(vrig_pci_read(&rig, rig.msix + 2, 2), VRIG_QUEUES);
	ck_assert(rig.d->paused);
}
END_TEST

START_TEST(free_while_running_leaves_nothing)
{
	vrig_msix_on(&rig);
	vrig_unmask(&rig, 1);
	vrig_start(&rig);
	ck_assert_uint_gt(fake_doorbell_count(&rig.bells), 0);
	vpci_free(rig.v);
	rig.v = NULL;
	ck_assert_uint_eq(fake_doorbell_count(&rig.bells), 0);
	ck_assert_uint_eq(rig.mmio.n, 1);
	/* The device goes on alone and finds no transport. */
	change_config();
}
END_TEST

START_TEST(free_of_nothing_does_nothing)
{
	vpci_free(NULL);
}
END_TEST

/*
 * Reset while I/O is in flight: the vCPU that wrote 0 waits, others go on.
 */

static atomic_uint resets_done;

static void *write_zero_to_status(void *arg)
{
	(void)arg;
	vrig_set(&rig, REG_STATUS, 1, 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_STATUS, 1), 0);
	atomic_fetch_add(&resets_done, 1);
	return NULL;
}

static void wait_until_stopping(void)
{
	bool stopping = false;

	while (!stopping) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		pthread_mutex_lock(&rig.d->lock);
		stopping = rig.d->stopping;
		pthread_mutex_unlock(&rig.d->lock);
	}
}

static void begin_io(void)
{
	vrig_start(&rig);
	pthread_mutex_lock(&rig.d->lock);
	virtio_inflight_begin(rig.d);
	pthread_mutex_unlock(&rig.d->lock);
}

static void end_io(void)
{
	pthread_mutex_lock(&rig.d->lock);
	virtio_inflight_end(rig.d);
	pthread_mutex_unlock(&rig.d->lock);
}

START_TEST(registers_answer_while_a_reset_waits)
{
	pthread_t vcpu;

	begin_io();
	atomic_store(&resets_done, 0);
	ck_assert_int_eq(
		pthread_create(&vcpu, NULL, write_zero_to_status, NULL), 0);
	wait_until_stopping();
	ck_assert_uint_ne(vrig_get(&rig, REG_STATUS, 1), 0);
	for (unsigned off = 0; off < 60; off++) {
		if (off == REG_STATUS)
			continue;
		vrig_set(&rig, off, 1, 0x5a);
		(void)vrig_get(&rig, off, 1);
	}
	vrig_move(&rig, VRIG_FREE);
	ck_assert_uint_eq(atomic_load(&resets_done), 0);
	end_io();
	pthread_join(vcpu, NULL);
	ck_assert_uint_eq(vrig_get(&rig, REG_QUEUE_SELECT, 2), 0);
	ck_assert_uint_eq(vrig_get(&rig, REG_CONFIG_VECTOR, 2), 0xffff);
	vrig_start(&rig);
}
END_TEST

START_TEST(two_vcpus_reset_at_once)
{
	pthread_t vcpus[2];

	begin_io();
	atomic_store(&resets_done, 0);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&vcpus[i], NULL,
						write_zero_to_status, NULL),
				 0);
	wait_until_stopping();
	end_io();
	for (unsigned i = 0; i < 2; i++)
		pthread_join(vcpus[i], NULL);
	ck_assert_uint_eq(atomic_load(&resets_done), 2);
	vrig_start(&rig);
}
END_TEST

static void *clear_bus_master(void *arg)
{
	(void)arg;
	vrig_command(&rig, 0, PCI_COMMAND_MASTER);
	return NULL;
}

START_TEST(clearing_bus_master_waits_for_io)
{
	pthread_t vcpu;
	bool paused = false;

	begin_io();
	ck_assert_int_eq(pthread_create(&vcpu, NULL, clear_bus_master, NULL),
			 0);
	while (!paused) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		pthread_mutex_lock(&rig.d->lock);
		paused = rig.d->paused;
		pthread_mutex_unlock(&rig.d->lock);
	}
	ck_assert_int_eq(pthread_tryjoin_np(vcpu, NULL), EBUSY);
	end_io();
	pthread_join(vcpu, NULL);
}
END_TEST

static TCase *function_cases(void)
{
	TCase *tc = tcase_create("function");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, ids_are_those_of_a_modern_device);
	tcase_add_test(
		tc,
		d70_g22_every_structure_lies_once_in_the_bar_on_its_own_pages);
	tcase_add_test(tc, capabilities_are_read_only_but_for_the_window);
	tcase_add_test(tc, there_is_a_vector_for_each_queue_and_one_more);
	tcase_add_test(tc,
		       device_without_configuration_has_no_structure_for_it);
	tcase_add_test(tc, largest_configuration_is_covered_to_its_last_byte);
	tcase_add_test(
		tc, odd_configuration_length_reads_zero_up_to_the_next_dword);
	tcase_add_test(tc, every_offset_and_size_of_device_configuration);
	tcase_add_test(tc, writable_configuration_reaches_the_device);
	return tc;
}

static TCase *interrupt_cases(void)
{
	TCase *tc = tcase_create("interrupts");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_msix_used_buffers_set_isr_bit_0);
	tcase_add_test(tc, without_msix_configuration_changes_set_isr_bit_1);
	tcase_add_test(tc,
		       isr_is_cleared_by_a_read_of_any_size_at_its_byte_alone);
	tcase_add_test(tc, with_msix_each_queue_has_its_vector);
	tcase_add_test(tc, with_msix_configuration_changes_have_their_vector);
	tcase_add_test(tc, turning_msix_on_and_off_moves_the_status_bit);
	tcase_add_test(tc, queue_without_vector_is_silent);
	tcase_add_test(tc, masked_vector_delivers_later);
	tcase_add_test(tc, a_lent_interrupt_follows_its_queues_vector);
	tcase_add_test(tc, reset_forgets_vectors_pending_bits_and_isr);
	return tc;
}

static TCase *life_cases(void)
{
	TCase *tc = tcase_create("life");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, device_is_paused_until_it_is_bus_master);
	tcase_add_test(tc,
		       buffers_added_meanwhile_are_used_when_mastering_returns);
	tcase_add_test(tc, reset_without_bus_mastering_keeps_the_pause);
	tcase_add_test(tc, power_on_reset_restores_function_and_device);
	tcase_add_test(tc, power_on_reset_of_one_device_needs_no_host);
	tcase_add_test(tc, free_while_running_leaves_nothing);
	tcase_add_test(tc, free_of_nothing_does_nothing);
	tcase_add_test(tc, registers_answer_while_a_reset_waits);
	tcase_add_test(tc, two_vcpus_reset_at_once);
	tcase_add_test(tc, clearing_bus_master_waits_for_io);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("virtio/pci");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, function_cases());
	suite_add_tcase(s, interrupt_cases());
	suite_add_tcase(s, life_cases());
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
