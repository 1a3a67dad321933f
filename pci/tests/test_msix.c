/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/bits.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/log.h"
#include "pci/msix.h"
#include "pci/regs.h"
#include "pci/tests/pci_rig.h"

#define ENABLE	 PCI_MSIX_CONTROL_ENABLE
#define MASK_ALL PCI_MSIX_CONTROL_MASK_ALL

static struct rig rig;
static struct msix *m;
static unsigned warnings;

static void count_warning(enum log_level level, const char *line)
{
	(void)line;
	ck_assert_int_eq(level, LOG_WARN);
	warnings++;
}

static void setup(void)
{
	rig_init(&rig, NULL);
	m = rig.funcs[0].func.msix;
	warnings = 0;
	log_set_sink(count_warning);
}

static void teardown(void)
{
	log_set_sink(NULL);
	rig_fini(&rig);
}

static unsigned cap_at(void)
{
	return rig.funcs[0].cap + 20;
}

static uint64_t table_at(unsigned vector)
{
	return pci_bar_address(&rig.funcs[0].func, 0) + RIG_TABLE +
	       (uint64_t)vector * PCI_MSIX_ENTRY_SIZE;
}

static uint64_t pba_at(void)
{
	return pci_bar_address(&rig.funcs[0].func, 0) + RIG_PBA;
}

static uint64_t pending(void)
{
	return bus_read(&rig.mmio, pba_at(), 8);
}

static void control(uint16_t val)
{
	rig_write(&rig, 0, cap_at() + PCI_MSIX_CONTROL, 2, val);
}

static void set_msg(unsigned vector, uint64_t addr, uint32_t data)
{
	bus_write(&rig.mmio, table_at(vector), 8, addr);
	bus_write(&rig.mmio, table_at(vector) + 8, 4, data);
}

static void set_mask(unsigned vector, bool masked)
{
	bus_write(&rig.mmio, table_at(vector) + 12, 4, masked);
}

/* Bus master, enabled, vector 0 unmasked with a message. */
static void go_live(void)
{
	rig_command(&rig, 0, PCI_COMMAND_MASTER, 0);
	set_msg(0, 0xfee00000, 0x41);
	set_mask(0, false);
	control(ENABLE);
}

static unsigned connections(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_MSI_LINES_MAX; i++)
		n += rig.msi.lines[i].line && rig.msi.lines[i].line->live;
	return n;
}

/* The one line that there is. */
static const struct fake_msi_line *line(void)
{
	ck_assert_ptr_nonnull(rig.msi.lines[0].line);
	return &rig.msi.lines[0];
}

/*
 * A source that somebody else signals.
 */

static struct source {
	struct irq_source irq;
	unsigned changes;
} src;

static void on_routed(struct irq_source *s, bool straight)
{
	struct source *x = container_of(s, struct source, irq);

	ck_assert_int_eq(straight, s->straight);
	x->changes++;
}

static void lend(struct source *x, unsigned vector)
{
	*x = (struct source){.irq = {.fd = eventfd_new(), .routed = on_routed}};
	ck_assert_int_ge(x->irq.fd, 0);
	msix_lend(m, vector, &x->irq);
}

static void take_back(struct source *x, unsigned vector)
{
	msix_take_back(m, vector, &x->irq);
	ck_assert(!x->irq.straight);
	close(x->irq.fd);
}

/* How many messages has a signal become? */
static unsigned signalled(struct source *x)
{
	const unsigned before = fake_msi_count(&rig.msi);

	eventfd_signal(x->irq.fd);
	return fake_msi_count(&rig.msi) - before;
}

static void check_power_on_state(void)
{
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at() + 2, 2) & 0xc000, 0);
	for (unsigned i = 0; i < RIG_VECTORS; i++) {
		ck_assert_uint_eq(bus_read(&rig.mmio, table_at(i), 8), 0);
		ck_assert_uint_eq(bus_read(&rig.mmio, table_at(i) + 8, 8),
				  UINT64_C(1) << 32);
	}
	ck_assert_uint_eq(pending(), 0);
}

static void raise_while_masked(void)
{
	go_live();
	set_mask(0, true);
	msix_raise(m, 0);
	msix_raise(m, 0);
}

/*
 * Capability.   [PCI 3.0, 6.8.2]
 */

START_TEST(capability_says_where_table_and_bits_are)
{
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at(), 1), 0x11);
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at() + 2, 2), RIG_VECTORS - 1);
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at() + 4, 4), RIG_TABLE);
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at() + 8, 4), RIG_PBA);
}
END_TEST

START_TEST(only_enable_and_mask_are_writable)
{
	rig_write(&rig, 0, cap_at(), 8, UINT64_MAX);
	rig_write(&rig, 0, cap_at() + 8, 4, UINT32_MAX);
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at() + 2, 2),
			  0xc000 | (RIG_VECTORS - 1));
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at(), 1), 0x11);
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at() + 4, 4), RIG_TABLE);
	ck_assert_uint_eq(rig_read(&rig, 0, cap_at() + 8, 4), RIG_PBA);
}
END_TEST

/* Else Linux masks each vector one by one, which slows each boot down. */
START_TEST(starts_disabled_with_every_vector_masked)
{
	check_power_on_state();
}
END_TEST

/* Else a few large devices use up the kernel's 4096 routes. */
START_TEST(no_route_is_taken_before_the_first_unmask)
{
	static struct rig_func big;
	struct fake_msi *msi = &rig.msi;

	rig_func_init(&big, "big", 1024, &msi->sink);
	ck_assert_int_eq(pci_host_attach(&rig.host, &big.func, 4, NULL), 0);
	pci_func_config_write(&big.func, PCI_COMMAND, 2, 6);
	pci_func_config_write(&big.func, big.cap + 20 + 2, 2, ENABLE);
	ck_assert_uint_eq(msi->route_updates, 0);
	pci_bar_write(&big.func, 0, RIG_TABLE + 1023 * 16 + 12, 4, 0);
	ck_assert_uint_eq(msi->route_updates, 1);
	ck_assert_uint_eq(connections(), 1);
	rig_func_fini(&big);
	ck_assert_uint_eq(connections(), 0);
}
END_TEST

/*
 * When a message goes out.
 */

START_TEST(every_combination_of_masks_delivers_or_pends)
{
	for (unsigned bits = 0; bits < 16; bits++) {
		bool enabled = bits & 1, all = bits & 2, one = bits & 4,
		     master = bits & 8;
		bool live = enabled && !all && !one && master;
		unsigned before;

		control(0);
		rig_command(&rig, 0, master ? PCI_COMMAND_MASTER : 0,
			    master ? 0 : PCI_COMMAND_MASTER);
		set_msg(0, 0xfee00000, 0x41);
		set_mask(0, one);
		control((enabled ? ENABLE : 0) | (all ? MASK_ALL : 0));
		ck_assert_uint_eq(connections(), live);
		before = fake_msi_count(&rig.msi);
		msix_raise(m, 0);
		ck_assert_uint_eq(fake_msi_count(&rig.msi) - before, live);
		ck_assert_uint_eq(pending(), enabled && !live);
	}
}
END_TEST

START_TEST(a_lent_source_goes_straight_in_no_other_case_than_that_of_delivery)
{
	lend(&src, 0);
	for (unsigned bits = 0; bits < 16; bits++) {
		const bool enabled = bits & 1, all = bits & 2, one = bits & 4,
			   master = bits & 8;
		const bool live = enabled && !all && !one && master;

		control(0);
		rig_command(&rig, 0, master ? PCI_COMMAND_MASTER : 0,
			    master ? 0 : PCI_COMMAND_MASTER);
		set_msg(0, 0xfee00000, 0x41);
		set_mask(0, one);
		control((enabled ? ENABLE : 0) | (all ? MASK_ALL : 0));
		ck_assert_int_eq(src.irq.straight, live);
		ck_assert_uint_eq(signalled(&src), live);
		ck_assert_int_eq(eventfd_clear(src.irq.fd), !live);
	}
	take_back(&src, 0);
}
END_TEST

START_TEST(what_a_source_signals_while_masked_is_delivered_on_unmask)
{
	go_live();
	lend(&src, 0);
	set_mask(0, true);
	ck_assert(!src.irq.straight);
	ck_assert_uint_eq(signalled(&src), 0);
	set_mask(0, false);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
	ck_assert(!eventfd_clear(src.irq.fd));
	take_back(&src, 0);
}
END_TEST

/* As its owner does, who hears of it meanwhile. */
START_TEST(what_the_owner_raises_meanwhile_pends)
{
	go_live();
	lend(&src, 0);
	set_mask(0, true);
	(void)signalled(&src);
	ck_assert(eventfd_clear(src.irq.fd));
	msix_raise(m, 0);
	ck_assert_uint_eq(pending(), 1);
	set_mask(0, false);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
	take_back(&src, 0);
}
END_TEST

START_TEST(a_source_follows_the_message)
{
	go_live();
	lend(&src, 0);
	set_msg(0, 0xfee01000, 0x42);
	ck_assert_uint_eq(signalled(&src), 1);
	ck_assert_uint_eq(fake_msi_last(&rig.msi).addr, 0xfee01000);
	ck_assert_uint_eq(fake_msi_last(&rig.msi).data, 0x42);
	ck_assert_uint_eq(src.changes, 1);
	take_back(&src, 0);
}
END_TEST

START_TEST(sources_of_one_vector_come_and_go_one_by_one)
{
	struct source other;

	lend(&src, 0);
	go_live();
	lend(&other, 0);
	ck_assert_uint_eq(signalled(&src), 1);
	ck_assert_uint_eq(signalled(&other), 1);
	take_back(&other, 0);
	set_mask(0, true);
	set_mask(0, false);
	ck_assert_uint_eq(signalled(&src), 1);
	lend(&other, 0);
	msix_take_back(m, 0, &src.irq);
	ck_assert_uint_eq(signalled(&src), 0);
	ck_assert_uint_eq(signalled(&other), 1);
	take_back(&other, 0);
	close(src.irq.fd);
}
END_TEST

START_TEST(a_source_without_a_way_stays_its_owners)
{
	go_live();
	rig.msi.bind_error = -EINVAL;
	lend(&src, 0);
	ck_assert(!src.irq.straight);
	ck_assert_uint_eq(signalled(&src), 0);
	take_back(&src, 0);
	lend(&src, RIG_VECTORS);
	ck_assert(!src.irq.straight);
	take_back(&src, RIG_VECTORS);
}
END_TEST

START_TEST(a_source_does_not_deliver_the_message_before_a_failed_change)
{
	go_live();
	lend(&src, 0);
	rig.msi.connect_error = -ENOSPC;
	set_msg(0, 0xfee01000, 0x41);
	ck_assert(!src.irq.straight);
	ck_assert_uint_eq(signalled(&src), 0);
	rig.msi.connect_error = 0;
	take_back(&src, 0);
}
END_TEST

START_TEST(message_is_the_one_in_the_table)
{
	struct msi_msg msg;

	go_live();
	msix_raise(m, 0);
	msg = fake_msi_last(&rig.msi);
	ck_assert_uint_eq(msg.addr, 0xfee00000);
	ck_assert_uint_eq(msg.data, 0x41);
	ck_assert_uint_eq(line()->line->requester, 8);
}
END_TEST

START_TEST(masked_vector_sets_pending_bit)
{
	raise_while_masked();
	ck_assert_uint_eq(pending(), 1);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
}
END_TEST

START_TEST(unmask_delivers_what_is_pending_once)
{
	raise_while_masked();
	set_mask(0, false);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
	ck_assert_uint_eq(pending(), 0);
	set_mask(0, true);
	set_mask(0, false);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
}
END_TEST

START_TEST(pending_is_delivered_with_the_new_message)
{
	raise_while_masked();
	set_msg(0, 0xfee01000, 0x42);
	set_mask(0, false);
	ck_assert_uint_eq(fake_msi_last(&rig.msi).addr, 0xfee01000);
	ck_assert_uint_eq(fake_msi_last(&rig.msi).data, 0x42);
}
END_TEST

START_TEST(clearing_function_mask_delivers_what_is_pending)
{
	go_live();
	control(ENABLE | MASK_ALL);
	msix_raise(m, 0);
	msix_raise(m, 1);
	ck_assert_uint_eq(pending(), 3);
	control(ENABLE);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
	ck_assert_uint_eq(pending(), 2);
}
END_TEST

START_TEST(bus_master_delivers_what_is_pending)
{
	go_live();
	rig_command(&rig, 0, 0, PCI_COMMAND_MASTER);
	msix_raise(m, 0);
	ck_assert_uint_eq(pending(), 1);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
	rig_command(&rig, 0, PCI_COMMAND_MASTER, 0);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
}
END_TEST

START_TEST(cleared_pending_bit_is_not_delivered)
{
	raise_while_masked();
	msix_clear_pending(m, 0);
	ck_assert_uint_eq(pending(), 0);
	set_mask(0, false);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
}
END_TEST

START_TEST(disabling_forgets_pending_and_gives_routes_back)
{
	raise_while_masked();
	control(0);
	ck_assert_uint_eq(pending(), 0);
	ck_assert_uint_eq(rig.msi.releases, 1);
	ck_assert_ptr_null(rig.msi.lines[0].line);
	set_mask(0, false);
	control(ENABLE);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
	msix_raise(m, 0);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
}
END_TEST

START_TEST(vector_numbers_out_of_range_are_ignored)
{
	static const unsigned bad[] = {RIG_VECTORS, 0xffff, 2047, 2048,
				       UINT32_MAX};

	go_live();
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		msix_raise(m, bad[i]);
		msix_clear_pending(m, bad[i]);
	}
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
	ck_assert_uint_eq(pending(), 0);
	msix_raise(m, RIG_VECTORS - 1);
	ck_assert_uint_eq(pending(), 1 << (RIG_VECTORS - 1));
}
END_TEST

/*
 * Connections.  Hosts have crashed over an irqfd that outlived its route; the
 * fake asserts the order.
 */

START_TEST(masking_keeps_the_route)
{
	go_live();
	for (unsigned i = 0; i < 10; i++) {
		set_mask(0, true);
		ck_assert_uint_eq(connections(), 0);
		set_mask(0, false);
		ck_assert_uint_eq(connections(), 1);
	}
	ck_assert_uint_eq(rig.msi.route_updates, 1);
	ck_assert_uint_eq(rig.msi.releases, 0);
	ck_assert_uint_eq(line()->disconnects, 10);
}
END_TEST

START_TEST(rewriting_the_same_entry_connects_once)
{
	go_live();
	set_msg(0, 0xfee00000, 0x41);
	set_mask(0, false);
	control(ENABLE);
	ck_assert_uint_eq(line()->connects, 1);
	ck_assert_uint_eq(line()->disconnects, 0);
}
END_TEST

START_TEST(message_change_while_unmasked_counts)
{
	struct msi_msg msg;

	go_live();
	bus_write(&rig.mmio, table_at(0) + 8, 4, 0x99);
	ck_assert(fake_msi_connected(&rig.msi, line()->line, &msg));
	ck_assert_uint_eq(msg.data, 0x99);
	msix_raise(m, 0);
	ck_assert_uint_eq(fake_msi_last(&rig.msi).data, 0x99);
}
END_TEST

START_TEST(message_change_while_masked_costs_nothing)
{
	go_live();
	set_mask(0, true);
	for (uint32_t i = 0; i < 100; i++)
		set_msg(0, 0xfee00000, i);
	ck_assert_uint_eq(rig.msi.route_updates, 1);
}
END_TEST

START_TEST(vector_without_route_pends_and_tries_again)
{
	rig.msi.connect_error = -ENOSPC;
	go_live();
	msix_raise(m, 0);
	msix_raise(m, 0);
	ck_assert_uint_eq(pending(), 1);
	ck_assert_uint_eq(warnings, 1);
	rig.msi.connect_error = 0;
	msix_raise(m, 0);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 1);
	ck_assert_uint_eq(pending(), 0);
}
END_TEST

START_TEST(failed_change_does_not_deliver_the_old_message)
{
	go_live();
	rig.msi.connect_error = -ENOSPC;
	bus_write(&rig.mmio, table_at(0) + 8, 4, 0x99);
	ck_assert_uint_eq(connections(), 0);
	msix_raise(m, 0);
	ck_assert_uint_eq(fake_msi_count(&rig.msi), 0);
	ck_assert_uint_eq(pending(), 1);
}
END_TEST

START_TEST(mask_storm_settles)
{
	go_live();
	srand(5);
	for (unsigned i = 0; i < 5000; i++) {
		switch (rand() % 4) {
		case 0:
			set_mask((unsigned)rand() % RIG_VECTORS, rand() % 2);
			break;
		case 1:
			control((uint16_t)(rand() % 4 << 14));
			break;
		case 2:
			msix_raise(m, (unsigned)rand() % RIG_VECTORS);
			break;
		default:
			rig_command(&rig, 0, rand() % 2 ? 4 : 0, 4);
			break;
		}
	}
	rig_command(&rig, 0, PCI_COMMAND_MASTER, 0);
	control(ENABLE);
	for (unsigned i = 0; i < RIG_VECTORS; i++)
		set_mask(i, false);
	ck_assert_uint_eq(connections(), RIG_VECTORS);
	ck_assert_uint_eq(pending(), 0);
}
END_TEST

/*
 * Registers.
 */

START_TEST(every_offset_and_size_of_the_table_works_on_bytes)
{
	uint8_t model[RIG_VECTORS * 16] = {0};
	unsigned end = sizeof(model);

	for (unsigned i = 0; i < RIG_VECTORS; i++)
		model[i * 16 + 12] = 1;
	go_live();
	model[2] = 0xe0;
	model[3] = 0xfe;
	model[8] = 0x41;
	model[12] = 0;
	srand(6);
	for (unsigned round = 0; round < 8 * end; round++) {
		unsigned off = round % end, size = 1u << rand() % 4;
		uint64_t val = (uint64_t)rand() << 32 ^ (uint64_t)rand() << 8;

		bus_write(&rig.mmio, table_at(0) + off, size, val);
		for (unsigned i = off; off + size <= end && i < off + size;
		     i++) {
			uint8_t mask = i % 16 == 0   ? 0xfc
				       : i % 16 < 12 ? 0xff
				       : i % 16 > 12 ? 0
						     : 1;

			model[i] = (uint8_t)(val >> 8 * (i - off)) & mask;
		}
		for (unsigned i = 0; i < end; i++)
			ck_assert_uint_eq(bus_read(&rig.mmio, table_at(0) + i,
						   1),
					  model[i]);
	}
}
END_TEST

START_TEST(every_size_reads_the_table_at_every_offset)
{
	unsigned end = RIG_VECTORS * 16;

	go_live();
	set_msg(1, 0x1122334455667788, 0x99aabbcc);
	for (unsigned off = 0; off < end; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			uint64_t want = 0;

			for (unsigned i = 0; i < size; i++)
				want |= bus_read(&rig.mmio,
						 table_at(0) + off + i, 1)
					<< 8 * i;
			if (off + size > end)
				want = UINT64_MAX >> (64 - 8 * size);
			ck_assert_uint_eq(bus_read(&rig.mmio, table_at(0) + off,
						   size),
					  want);
		}
	}
}
END_TEST

START_TEST(write_across_two_entries_reaches_both)
{
	go_live();
	control(ENABLE | MASK_ALL);
	/* Control of vector 0, address of vector 1. */
	bus_write(&rig.mmio, table_at(0) + 12, 8, UINT64_C(0xfee02000) << 32);
	set_mask(1, false);
	control(ENABLE);
	ck_assert_uint_eq(connections(), 2);
	bus_write(&rig.mmio, table_at(0) + 12, 8,
		  UINT64_C(0xfee03000) << 32 | 1);
	ck_assert_uint_eq(connections(), 1);
	msix_raise(m, 1);
	ck_assert_uint_eq(fake_msi_last(&rig.msi).addr, 0xfee03000);
}
END_TEST

START_TEST(pending_bits_are_read_only_at_every_offset_and_size)
{
	raise_while_masked();
	for (unsigned off = 0; off < 8; off++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			uint64_t want = off == 0 ? 1 : 0;

			if (off + size > 8)
				want = UINT64_MAX >> (64 - 8 * size);
			bus_write(&rig.mmio, pba_at() + off, size, 0);
			bus_write(&rig.mmio, pba_at() + off, size, UINT64_MAX);
			ck_assert_uint_eq(bus_read(&rig.mmio, pba_at() + off,
						   size),
					  want);
		}
	}
}
END_TEST

/*
 * Life.
 */

START_TEST(vector_counts_are_checked)
{
	static const unsigned bad[] = {0, MSIX_VECTORS_MAX + 1, 65535,
				       UINT32_MAX};
	static struct rig_func rf;
	struct err err;

	rig_func_init(&rf, "x", 0, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_int_eq(msix_new(&rf.func, bad[i], 0, RIG_TABLE,
					  RIG_PBA, &rig.msi.sink, &err),
				 -EINVAL);
	ck_assert_str_eq(err.msg, "x: 4294967295 MSI-X vectors, not 1 to 2048");
	ck_assert_int_eq(msix_new(&rf.func, 1, 0, RIG_TABLE, RIG_PBA,
				  &rig.msi.sink, &err),
			 0);
	ck_assert_uint_eq(msix_vectors(rf.func.msix), 1);
	rig_func_fini(&rf);
}
END_TEST

START_TEST(table_of_2048_vectors_fits)
{
	static struct rig_func rf;

	rig_func_init(&rf, "x", 0, NULL);
	pci_bar_init(&rf.func, 4, 0x10000, true, false);
	ck_assert_int_eq(msix_new(&rf.func, MSIX_VECTORS_MAX, 4, 0, 0x8000,
				  &rig.msi.sink, NULL),
			 0);
	ck_assert_uint_eq(pci_func_config_read(&rf.func, 0x54 + 2, 2), 0x07ff);
	ck_assert_uint_eq(pci_func_config_read(&rf.func, 0x54 + 4, 4), 4);
	ck_assert_uint_eq(pci_func_config_read(&rf.func, 0x54 + 8, 4), 0x8004);
	pci_func_config_write(&rf.func, 0x54 + 2, 2, ENABLE);
	msix_raise(rf.func.msix, MSIX_VECTORS_MAX - 1);
	ck_assert_uint_eq(pci_bar_read(&rf.func, 4, 0x8000 + 255, 1), 0x80);
	rig_func_fini(&rf);
}
END_TEST

START_TEST(sizes_of_table_and_bits)
{
	ck_assert_uint_eq(msix_table_size(1), 16);
	ck_assert_uint_eq(msix_table_size(2048), 32768);
	ck_assert_uint_eq(msix_pba_size(1), 8);
	ck_assert_uint_eq(msix_pba_size(64), 8);
	ck_assert_uint_eq(msix_pba_size(65), 16);
	ck_assert_uint_eq(msix_pba_size(2048), 256);
}
END_TEST

START_TEST(no_room_for_the_capability_is_reported)
{
	static struct rig_func rf;
	struct err err;

	rig_func_init(&rf, "x", 0, NULL);
	ck_assert_int_gt(pci_cap_add(&rf.func, 9, 256 - 0x54 - 8), 0);
	ck_assert_int_eq(msix_new(&rf.func, 1, 0, RIG_TABLE, RIG_PBA,
				  &rig.msi.sink, &err),
			 -ENOSPC);
	ck_assert_str_eq(err.msg, "x: no room for MSI-X");
	ck_assert_ptr_null(rf.func.msix);
	rig_func_fini(&rf);
}
END_TEST

START_TEST(reset_masks_and_releases_everything)
{
	go_live();
	set_mask(1, false);
	control(ENABLE | MASK_ALL);
	msix_raise(m, 0);
	pci_host_reset(&rig.host);
	check_power_on_state();
	ck_assert_uint_eq(connections(), 0);
	ck_assert_uint_eq(rig.msi.releases, 2);
	ck_assert(!msix_enabled(m));
}
END_TEST

START_TEST(free_of_nothing_does_nothing)
{
	msix_free(NULL);
}
END_TEST

static TCase *delivery_cases(void)
{
	TCase *tc = tcase_create("delivery");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, starts_disabled_with_every_vector_masked);
	tcase_add_test(tc, no_route_is_taken_before_the_first_unmask);
	tcase_add_test(tc, every_combination_of_masks_delivers_or_pends);
	tcase_add_test(
		tc,
		a_lent_source_goes_straight_in_no_other_case_than_that_of_delivery);
	tcase_add_test(
		tc, what_a_source_signals_while_masked_is_delivered_on_unmask);
	tcase_add_test(tc, what_the_owner_raises_meanwhile_pends);
	tcase_add_test(tc, a_source_follows_the_message);
	tcase_add_test(tc, sources_of_one_vector_come_and_go_one_by_one);
	tcase_add_test(tc, a_source_without_a_way_stays_its_owners);
	tcase_add_test(
		tc,
		a_source_does_not_deliver_the_message_before_a_failed_change);
	tcase_add_test(tc, message_is_the_one_in_the_table);
	tcase_add_test(tc, masked_vector_sets_pending_bit);
	tcase_add_test(tc, unmask_delivers_what_is_pending_once);
	tcase_add_test(tc, pending_is_delivered_with_the_new_message);
	tcase_add_test(tc, clearing_function_mask_delivers_what_is_pending);
	tcase_add_test(tc, bus_master_delivers_what_is_pending);
	tcase_add_test(tc, cleared_pending_bit_is_not_delivered);
	tcase_add_test(tc, disabling_forgets_pending_and_gives_routes_back);
	tcase_add_test(tc, vector_numbers_out_of_range_are_ignored);
	tcase_add_test(tc, masking_keeps_the_route);
	tcase_add_test(tc, rewriting_the_same_entry_connects_once);
	tcase_add_test(tc, message_change_while_unmasked_counts);
	tcase_add_test(tc, message_change_while_masked_costs_nothing);
	tcase_add_test(tc, vector_without_route_pends_and_tries_again);
	tcase_add_test(tc, failed_change_does_not_deliver_the_old_message);
	tcase_add_test(tc, mask_storm_settles);
	return tc;
}

static TCase *register_cases(void)
{
	TCase *tc = tcase_create("registers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, capability_says_where_table_and_bits_are);
	tcase_add_test(tc, only_enable_and_mask_are_writable);
	tcase_add_test(tc, every_offset_and_size_of_the_table_works_on_bytes);
	tcase_add_test(tc, every_size_reads_the_table_at_every_offset);
	tcase_add_test(tc, write_across_two_entries_reaches_both);
	tcase_add_test(tc, pending_bits_are_read_only_at_every_offset_and_size);
	return tc;
}

static TCase *life_cases(void)
{
	TCase *tc = tcase_create("life");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, vector_counts_are_checked);
	tcase_add_test(tc, table_of_2048_vectors_fits);
	tcase_add_test(tc, sizes_of_table_and_bits);
	tcase_add_test(tc, no_room_for_the_capability_is_reported);
	tcase_add_test(tc, reset_masks_and_releases_everything);
	tcase_add_test(tc, free_of_nothing_does_nothing);
	return tc;
}

int main(void)
{
	Suite *s = suite_create("pci/msix");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, delivery_cases());
	suite_add_tcase(s, register_cases());
	suite_add_tcase(s, life_cases());
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
