/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * The wrapper against the kernel's own KVM, with guests of a few bytes that
 * any KVM runs, also one that only emulates instructions.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/bus.h"
#include "core/err.h"
#include "core/fd.h"
#include "core/gmem.h"
#include "core/le.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"

#define CODE_AT	 0x1000
#define PORT	 0x123
#define MMIO_AT	 0xd0000000u
#define DOORBELL 0xd0001000u

struct rig {
	struct gmem mem;
	struct vm vm;
	struct bus mmio, pio;
	struct vcpu vcpu;
	struct bus_region port, reg;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t port_val, reg_val; /* last written */
	unsigned port_writes, reg_writes;
	int ended; /* enum vcpu_end, -1: not yet */
};

static struct rig rig;

static void note(void)
{
	pthread_cond_broadcast(&rig.changed);
}

static uint64_t port_read(struct bus_region *r, uint64_t off, unsigned size)
{
	(void)r;
	(void)off;
	(void)size;
	return 0x5a;
}

static void port_write(struct bus_region *r, uint64_t off, unsigned size,
		       uint64_t val)
{
	(void)r;
	(void)off;
	(void)size;
	rig.port_val = val;
	rig.port_writes++;
	note();
}

static uint64_t reg_read(struct bus_region *r, uint64_t off, unsigned size)
{
	(void)r;
	(void)off;
	(void)size;
	return 0x11223344;
}

static void reg_write(struct bus_region *r, uint64_t off, unsigned size,
		      uint64_t val)
{
	(void)r;
	(void)off;
	(void)size;
	rig.reg_val = val;
	rig.reg_writes++;
	note();
}

static const struct bus_ops port_ops = {.read = port_read, .write = port_write};
static const struct bus_ops reg_ops = {.read = reg_read, .write = reg_write};

static void ended(struct vcpu *v, enum vcpu_end why, const char *what)
{
	(void)v;
	(void)what;
	pthread_mutex_lock(&rig.lock);
	rig.ended = why;
	note();
	pthread_mutex_unlock(&rig.lock);
}

static const struct vcpu_ops vcpu_ops = {.ended = ended};

/* @code: 32-bit, flat segments, no paging. */
static void start_guest(const uint8_t *code, size_t len)
{
	const struct vcpu_entry entry = {.rip = CODE_AT, .rsp = 0x8000};

	ck_assert_int_eq(gmem_write(&rig.mem, CODE_AT, code, len), 0);
	ck_assert_int_eq(vcpu_init(&rig.vcpu, &vcpu_ops, &rig.vm, 0, 1,
				   &rig.mmio, &rig.pio, &entry, NULL),
			 0);
	ck_assert_int_eq(vcpu_start(&rig.vcpu), 0);
}

static void stop_guest(void)
{
	vcpu_stop(&rig.vcpu);
	vcpu_join(&rig.vcpu);
	vcpu_fini(&rig.vcpu);
}

static void wait_until(bool (*done)(void))
{
	pthread_mutex_lock(&rig.lock);
	while (!done())
		pthread_cond_wait(&rig.changed, &rig.lock);
	pthread_mutex_unlock(&rig.lock);
}

static void setup(void)
{
	const struct gmem_slot ram = {.size = MIB(2)};
	struct err err = {""};
	int r;

	memset(&rig, 0, sizeof(rig));
	rig.ended = -1;
	pthread_mutex_init(&rig.lock, NULL);
	pthread_cond_init(&rig.changed, NULL);
	bus_init(&rig.mmio);
	bus_init(&rig.pio);
	rig.port = (struct bus_region){
		.ops = &port_ops, .base = PORT, .size = 4, .lock = &rig.lock};
	rig.reg = (struct bus_region){.ops = &reg_ops,
				      .base = MMIO_AT,
				      .size = 0x2000,
				      .lock = &rig.lock};
	ck_assert_int_eq(bus_attach(&rig.pio, &rig.port), 0);
	ck_assert_int_eq(bus_attach(&rig.mmio, &rig.reg), 0);
	ck_assert_int_eq(gmem_init(&rig.mem, &ram, 1, NULL), 0);
	r = vm_init(&rig.vm, &rig.mem, &err);
	ck_assert_msg(r == 0, "%s", err.msg);
}

static void teardown(void)
{
	vm_fini(&rig.vm);
	gmem_fini(&rig.mem);
	bus_fini(&rig.mmio);
	bus_fini(&rig.pio);
	pthread_cond_destroy(&rig.changed);
	pthread_mutex_destroy(&rig.lock);
}

static bool port_written(void)
{
	return rig.port_writes > 0;
}

static bool reg_written(void)
{
	return rig.reg_writes > 0;
}

static bool has_ended(void)
{
	return rig.ended >= 0;
}

/* mov dx, PORT; in al, dx; inc al; out dx, al; jmp . */
static const uint8_t port_guest[] = {0x66, 0xba, 0x23, 0x01, 0xec,
				     0xfe, 0xc0, 0xee, 0xeb, 0xfe};

START_TEST(port_access_reaches_the_bus_and_its_answer_the_guest)
{
	start_guest(port_guest, sizeof(port_guest));
	wait_until(port_written);
	stop_guest();
	ck_assert_uint_eq(rig.port_val, 0x5b);
}
END_TEST

START_TEST(memory_access_reaches_the_bus_and_its_answer_the_guest)
{
	/* mov eax, [MMIO_AT]; inc eax; mov [MMIO_AT], eax; jmp . */
	static const uint8_t code[] = {0xa1, 0x00, 0x00, 0x00, 0xd0, 0x40, 0xa3,
				       0x00, 0x00, 0x00, 0xd0, 0xeb, 0xfe};

	start_guest(code, sizeof(code));
	wait_until(reg_written);
	stop_guest();
	ck_assert_uint_eq(rig.reg_val, 0x11223345);
}
END_TEST

START_TEST(spinning_guest_stops_when_asked)
{
	static const uint8_t code[] = {0xeb, 0xfe};

	start_guest(code, sizeof(code));
	stop_guest();
	ck_assert_int_eq(rig.ended, -1);
}
END_TEST

START_TEST(halted_guest_stops_when_asked)
{
	static const uint8_t code[] = {0xfa, 0xf4}; /* cli; hlt */

	start_guest(code, sizeof(code));
	stop_guest();
	ck_assert_int_eq(rig.ended, -1);
}
END_TEST

START_TEST(stop_before_the_first_entry_counts)
{
	for (int i = 0; i < 50; i++) {
		static const uint8_t code[] = {0xeb, 0xfe};

		if (i > 0)
			ck_assert_int_eq(vm_restart(&rig.vm, NULL), 0);
		start_guest(code, sizeof(code));
		stop_guest();
	}
}
END_TEST

START_TEST(triple_fault_ends_the_vcpu)
{
	/* Paging on, no page present, no interrupt table:
	 * mov eax, cr0; or eax, 1 << 31; mov cr0, eax */
	static const uint8_t code[] = {0x0f, 0x20, 0xc0, 0x0d, 0x00, 0x00,
				       0x00, 0x80, 0x0f, 0x22, 0xc0};

	start_guest(code, sizeof(code));
	wait_until(has_ended);
	stop_guest();
	ck_assert_int_eq(rig.ended, VCPU_TRIPLE_FAULT);
}
END_TEST

/* mov [DOORBELL], eax; mov dx, PORT; out dx, al; jmp . */
static const uint8_t doorbell_guest[] = {0xa3, 0x00, 0x10, 0x00, 0xd0, 0x66,
					 0xba, 0x23, 0x01, 0xee, 0xeb, 0xfe};

START_TEST(doorbell_signals_without_an_exit)
{
	AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct doorbell_sink *s = &rig.vm.doorbells;

	ck_assert_int_eq(s->ops->attach(s, DOORBELL, fd), 0);
	start_guest(doorbell_guest, sizeof(doorbell_guest));
	wait_until(port_written);
	stop_guest();
	ck_assert_int_ne(eventfd_clear(fd), 0);
	ck_assert_uint_eq(rig.reg_writes, 0);
}
END_TEST

START_TEST(doorbell_survives_a_restart)
{
	AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct doorbell_sink *s = &rig.vm.doorbells;

	ck_assert_int_eq(s->ops->attach(s, DOORBELL, fd), 0);
	ck_assert_int_eq(vm_restart(&rig.vm, NULL), 0);
	start_guest(doorbell_guest, sizeof(doorbell_guest));
	wait_until(port_written);
	stop_guest();
	ck_assert_int_ne(eventfd_clear(fd), 0);
}
END_TEST

START_TEST(detached_doorbell_exits_to_the_bus)
{
	AUTO_CLOSE int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct doorbell_sink *s = &rig.vm.doorbells;

	ck_assert_int_eq(s->ops->attach(s, DOORBELL, fd), 0);
	s->ops->detach(s, DOORBELL, fd);
	start_guest(doorbell_guest, sizeof(doorbell_guest));
	wait_until(port_written);
	stop_guest();
	ck_assert_int_eq(eventfd_clear(fd), 0);
	ck_assert_uint_eq(rig.reg_writes, 1);
}
END_TEST

START_TEST(halted_vm_runs_no_further_instruction)
{
	start_guest(port_guest, sizeof(port_guest));
	vm_halt(&rig.vm);
	stop_guest();
	ck_assert_uint_le(rig.port_writes, 1);
}
END_TEST

/*
 * Message-signalled interrupts, seen in the request register of a local APIC
 * whose vCPU does not run.
 */
#define APIC_SVR 0xf0
#define APIC_IRR 0x200
#define MSI_ADDR 0xfee00000u

static void enable_apic(void)
{
	struct kvm_lapic_state l;
	const struct vcpu_entry entry = {.rip = CODE_AT};

	ck_assert_int_eq(vcpu_init(&rig.vcpu, &vcpu_ops, &rig.vm, 0, 1,
				   &rig.mmio, &rig.pio, &entry, NULL),
			 0);
	ck_assert_int_eq(ioctl(rig.vcpu.fd, KVM_GET_LAPIC, &l), 0);
	le32_store(l.regs + APIC_SVR, 0x1ff);
	ck_assert_int_eq(ioctl(rig.vcpu.fd, KVM_SET_LAPIC, &l), 0);
}

static bool requested(uint8_t vector)
{
	struct kvm_lapic_state l;

	ck_assert_int_eq(ioctl(rig.vcpu.fd, KVM_GET_LAPIC, &l), 0);
	return le32_load(l.regs + APIC_IRR + vector / 32 * 16) >>
		       (vector % 32) &
	       1;
}

/* irqfd delivers from the signalling thread, or soon after. */
static bool requested_soon(uint8_t vector)
{
	for (int i = 0; i < 2000; i++) {
		if (requested(vector))
			return true;
		usleep(1000);
	}
	return false;
}

START_TEST(connected_line_delivers_its_message)
{
	struct msi_sink *s = &rig.vm.irqchip.msi;
	struct msi_line l;

	msi_line_init(&l, 0);
	enable_apic();
	ck_assert_int_eq(
		s->ops->connect(s, &l, (struct msi_msg){MSI_ADDR, 0x45}), 0);
	ck_assert(!requested(0x45));
	s->ops->raise(s, &l);
	ck_assert(requested_soon(0x45));
	s->ops->release(s, &l);
	ck_assert_int_eq(l.gsi, -1);
	ck_assert_int_eq(l.fd, -1);
	vcpu_fini(&rig.vcpu);
}
END_TEST

START_TEST(changed_message_is_what_arrives)
{
	struct msi_sink *s = &rig.vm.irqchip.msi;
	struct msi_line l;

	msi_line_init(&l, 0);
	enable_apic();
	ck_assert_int_eq(
		s->ops->connect(s, &l, (struct msi_msg){MSI_ADDR, 0x45}), 0);
	ck_assert_int_eq(
		s->ops->connect(s, &l, (struct msi_msg){MSI_ADDR, 0x46}), 0);
	s->ops->raise(s, &l);
	ck_assert(requested_soon(0x46));
	ck_assert(!requested(0x45));
	s->ops->release(s, &l);
	vcpu_fini(&rig.vcpu);
}
END_TEST

START_TEST(line_keeps_its_route_while_masked)
{
	struct msi_sink *s = &rig.vm.irqchip.msi;
	struct msi_line l;
	int gsi;

	msi_line_init(&l, 0);
	enable_apic();
	ck_assert_int_eq(
		s->ops->connect(s, &l, (struct msi_msg){MSI_ADDR, 0x47}), 0);
	gsi = l.gsi;
	s->ops->disconnect(s, &l);
	ck_assert(!l.live);
	s->ops->raise(s, &l);
	ck_assert(!requested(0x47));
	ck_assert_int_eq(
		s->ops->connect(s, &l, (struct msi_msg){MSI_ADDR, 0x47}), 0);
	ck_assert_int_eq(l.gsi, gsi);
	s->ops->release(s, &l);
	vcpu_fini(&rig.vcpu);
}
END_TEST

START_TEST(a_bound_eventfd_delivers_by_itself)
{
	struct msi_sink *s = &rig.vm.irqchip.msi;
	struct msi_line l;
	const int fd = eventfd_new();

	ck_assert_int_ge(fd, 0);
	msi_line_init(&l, 0);
	enable_apic();
	ck_assert_int_eq(
		s->ops->connect(s, &l, (struct msi_msg){MSI_ADDR, 0x51}), 0);
	/* What is there when it is bound counts. */
	eventfd_signal(fd);
	ck_assert_int_eq(s->ops->bind(s, &l, fd), 0);
	ck_assert(requested_soon(0x51));
	ck_assert_int_eq(
		s->ops->connect(s, &l, (struct msi_msg){MSI_ADDR, 0x52}), 0);
	eventfd_signal(fd);
	ck_assert(requested_soon(0x52));
	ck_assert(!eventfd_clear(fd));
	/* And what comes when it is not bound stays. */
	ck_assert_int_eq(
		s->ops->connect(s, &l, (struct msi_msg){MSI_ADDR, 0x53}), 0);
	s->ops->unbind(s, &l, fd);
	eventfd_signal(fd);
	ck_assert(eventfd_clear(fd));
	ck_assert(!requested(0x53));
	/* Its own way is as before. */
	s->ops->raise(s, &l);
	ck_assert(requested_soon(0x53));
	s->ops->release(s, &l);
	vcpu_fini(&rig.vcpu);
	close(fd);
}
END_TEST

START_TEST(released_gsis_are_used_again)
{
	struct msi_sink *s = &rig.vm.irqchip.msi;

	for (unsigned i = 0; i < 5000; i++) {
		struct msi_line l;

		msi_line_init(&l, 0);
		ck_assert_int_eq(
			s->ops->connect(s, &l,
					(struct msi_msg){MSI_ADDR, 0x30}),
			0);
		s->ops->release(s, &l);
	}
}
END_TEST

START_TEST(lines_past_the_routes_are_refused)
{
	struct msi_sink *s = &rig.vm.irqchip.msi;
	static struct msi_line lines[4096];
	unsigned n = 0;
	int r = 0;

	while (n < ARRAY_SIZE(lines)) {
		msi_line_init(&lines[n], 0);
		r = s->ops->connect(s, &lines[n],
				    (struct msi_msg){MSI_ADDR, n});
		if (r < 0)
			break;
		/* The descriptor limit is not what this is about. */
		s->ops->disconnect(s, &lines[n]);
		close(lines[n].fd);
		lines[n].fd = -1;
		n++;
	}
	ck_assert_int_eq(r, -ENOSPC);
	ck_assert_uint_gt(n, 1024);
	s->ops->release(s, &lines[0]);
	r = s->ops->connect(s, &lines[n], (struct msi_msg){MSI_ADDR, 1});
	ck_assert_int_eq(r, 0);
	for (unsigned i = 1; i <= n; i++)
		s->ops->release(s, &lines[i]);
}
END_TEST

static bool kvm_usable(void)
{
	AUTO_CLOSE int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	return fd >= 0;
}

int main(void)
{
	Suite *s = suite_create("vmm/kvm");
	TCase *guests = tcase_create("guests"), *msi = tcase_create("msi");
	SRunner *runner;
	int failed;

	if (!kvm_usable()) {
		puts("skipped: no usable /dev/kvm");
		return 77;
	}
	tcase_add_checked_fixture(guests, setup, teardown);
	tcase_set_timeout(guests, 30);
	tcase_add_test(guests,
		       port_access_reaches_the_bus_and_its_answer_the_guest);
	tcase_add_test(guests,
		       memory_access_reaches_the_bus_and_its_answer_the_guest);
	tcase_add_test(guests, spinning_guest_stops_when_asked);
	tcase_add_test(guests, halted_guest_stops_when_asked);
	tcase_add_test(guests, stop_before_the_first_entry_counts);
	tcase_add_test(guests, triple_fault_ends_the_vcpu);
	tcase_add_test(guests, doorbell_signals_without_an_exit);
	tcase_add_test(guests, doorbell_survives_a_restart);
	tcase_add_test(guests, detached_doorbell_exits_to_the_bus);
	tcase_add_test(guests, halted_vm_runs_no_further_instruction);
	tcase_add_checked_fixture(msi, setup, teardown);
	tcase_set_timeout(msi, 60);
	tcase_add_test(msi, connected_line_delivers_its_message);
	tcase_add_test(msi, changed_message_is_what_arrives);
	tcase_add_test(msi, line_keeps_its_route_while_masked);
	tcase_add_test(msi, a_bound_eventfd_delivers_by_itself);
	tcase_add_test(msi, released_gsis_are_used_again);
	tcase_add_test(msi, lines_past_the_routes_are_refused);
	suite_add_tcase(s, guests);
	suite_add_tcase(s, msi);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
