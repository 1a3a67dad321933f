/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/bits.h"
#include "core/err.h"
#include "vmm/cli/args.h"
#include "vmm/cli/settings.h"
#include "vmm/cli/test_hooks.h"

#define ARGS_MAX 128

static struct settings s;
static struct err err;

static void setup(void)
{
	ck_assert_int_eq(settings_init(&s, &err), 0);
}

static void teardown(void)
{
	settings_fini(&s);
}

/* Words up to the NULL, for a command about a machine. */
static int args(const char *word, ...)
{
	static char *argv[ARGS_MAX]; /* the settings point into it */
	int argc = 0;
	va_list ap;

	va_start(ap, word);
	for (const char *w = word; w; w = va_arg(ap, const char *))
		argv[argc++] = strdup(w);
	va_end(ap);
	for (int i = 0; i < argc; i++)
		ck_assert_int_eq(settings_keep(&s, argv[i], &err), 0);
	return args_apply(&s, argc, argv, OPTION_MACHINE, &err);
}

#define good(...) ck_assert_int_eq(args(__VA_ARGS__, NULL), 0)
#define bad(sentence, ...)                                          \
	do {                                                        \
		ck_assert_int_eq(args(__VA_ARGS__, NULL), -EINVAL); \
		ck_assert_str_eq(err.msg, sentence);                \
	} while (0)

START_TEST(no_words_leave_the_defaults)
{
	ck_assert_int_eq(args(NULL), 0);
	ck_assert_uint_eq(s.machine.cpus, 1);
	ck_assert_uint_eq(s.machine.memory, MIB(512));
	ck_assert_ptr_null(s.machine.kernel);
	ck_assert_int_eq(s.output, OUTPUT_TTY);
	ck_assert_uint_eq(s.timeout_ms, 0);
	ck_assert(s.machine.reboot);
}
END_TEST

START_TEST(value_comes_behind_a_space_or_an_equals_sign)
{
	good("--kernel", "a", "--initrd=b");
	ck_assert_str_eq(s.machine.kernel, "a");
	ck_assert_str_eq(s.machine.initrd, "b");
	good("--cmdline=x=y z", "--memory", "16");
	ck_assert_str_eq(s.machine.cmdline, "x=y z");
}
END_TEST

START_TEST(every_plain_option_sets_its_field)
{
	good("--kernel", "k", "--initrd", "i", "--cmdline", "c", "--cpus", "64",
	     "--memory", "2G", "--describe", "mptable", "--viot", "off",
	     "--console", "virtio", "--output", "file=a,b=c", "--rng", "off",
	     "--pvpanic", "off", "--watchdog", "stop", "--pvh", "on",
	     "--timeout", "5m", "--no-reboot", "--cache", "d", "-v");
	ck_assert_str_eq(s.machine.kernel, "k");
	ck_assert_str_eq(s.machine.initrd, "i");
	ck_assert_str_eq(s.machine.cmdline, "c");
	ck_assert_uint_eq(s.machine.cpus, 64);
	ck_assert_uint_eq(s.machine.memory, GIB(2));
	ck_assert_int_eq(s.machine.describe, MACH_DESCRIBE_MPTABLE);
	ck_assert(!s.machine.viot);
	ck_assert_int_eq(s.machine.console, MACH_CONSOLE_VIRTIO);
	ck_assert_int_eq(s.output, OUTPUT_FILE);
	ck_assert_str_eq(s.output_path, "a,b=c");
	ck_assert(!s.machine.rng);
	ck_assert(!s.machine.pvpanic);
	ck_assert_int_eq(s.machine.watchdog, MACH_WATCHDOG_STOP);
	ck_assert(s.machine.pvh);
	ck_assert_uint_eq(s.timeout_ms, 300000);
	ck_assert(!s.machine.reboot);
	ck_assert_str_eq(s.machine.cache_dir, "d");
	ck_assert_uint_eq(s.verbosity, 1);
}
END_TEST

START_TEST(every_word_of_a_choice_is_taken)
{
	good("--describe", "acpi");
	ck_assert_int_eq(s.machine.describe, MACH_DESCRIBE_ACPI);
	good("--describe", "none");
	ck_assert_int_eq(s.machine.describe, MACH_DESCRIBE_NONE);
	good("--console", "serial");
	ck_assert_int_eq(s.machine.console, MACH_CONSOLE_SERIAL);
	good("--console", "both");
	ck_assert_int_eq(s.machine.console, MACH_CONSOLE_BOTH);
	good("--output", "none");
	ck_assert_int_eq(s.output, OUTPUT_NONE);
	good("--output", "tty");
	ck_assert_int_eq(s.output, OUTPUT_TTY);
	good("--cache", "none");
	ck_assert_ptr_null(s.machine.cache_dir);
	good("--timeout", "1s", "--timeout", "none");
	ck_assert_uint_eq(s.timeout_ms, 0);
}
END_TEST

START_TEST(empty_command_line_is_one)
{
	good("--cmdline", "");
	ck_assert_str_eq(s.machine.cmdline, "");
}
END_TEST

START_TEST(later_option_wins)
{
	good("--cpus", "2", "--cpus", "3", "--no-reboot", "--no-reboot=off");
	ck_assert_uint_eq(s.machine.cpus, 3);
	ck_assert(s.machine.reboot);
}
END_TEST

START_TEST(disk_is_a_path_or_a_list_of_keys)
{
	good("--disk", "a.img", "--disk", "path=b.img,ro=on,iommu=off,id=root",
	     "--disk", "c.img,iommu=on,ro=off,indirect=off");
	ck_assert_uint_eq(s.machine.ndisks, 3);
	ck_assert_str_eq(s.machine.disks[0].path, "a.img");
	ck_assert(!s.machine.disks[0].readonly);
	ck_assert_ptr_null(s.machine.disks[0].id);
	ck_assert_int_eq(s.machine.disks[0].iommu, MACH_AUTO);
	ck_assert_str_eq(s.machine.disks[1].path, "b.img");
	ck_assert(s.machine.disks[1].readonly);
	ck_assert_str_eq(s.machine.disks[1].id, "root");
	ck_assert_int_eq(s.machine.disks[1].iommu, MACH_OFF);
	ck_assert_int_eq(s.machine.disks[2].iommu, MACH_ON);
	ck_assert(!s.machine.disks[1].no_indirect);
	ck_assert(s.machine.disks[2].no_indirect);
}
END_TEST

START_TEST(doubled_comma_is_a_comma)
{
	good("--disk", "a,,b,ro=on", "--disk", "path=,,,,=,id=x,,");
	ck_assert_str_eq(s.machine.disks[0].path, "a,b");
	ck_assert(s.machine.disks[0].readonly);
	ck_assert_str_eq(s.machine.disks[1].path, ",,=");
	ck_assert_str_eq(s.machine.disks[1].id, "x,");
}
END_TEST

START_TEST(disk_of_a_server_or_in_a_format)
{
	good("--disk", "a.qcow2,format=qcow2,direct=on", "--disk",
	     "vhost-user=/run/s,ro=on,reconnect=5s", "--disk", "b,format=raw",
	     "--disk", "vhost-user=/run/t,reconnect=off", "--disk", "c");
	ck_assert_str_eq(s.machine.disks[0].format, "qcow2");
	ck_assert(mach_disk_is_served(&s.machine.disks[0]));
	ck_assert_str_eq(s.machine.disks[1].socket, "/run/s");
	ck_assert_ptr_null(s.machine.disks[1].path);
	ck_assert(mach_disk_is_served(&s.machine.disks[1]));
	ck_assert_uint_eq(s.machine.disks[1].wait_ms, 5000);
	ck_assert_str_eq(s.machine.disks[2].format, "raw");
	ck_assert(!mach_disk_is_served(&s.machine.disks[2]));
	ck_assert_uint_eq(s.machine.disks[3].wait_ms, 0);
	ck_assert_ptr_null(s.machine.disks[4].format);
	ck_assert(!mach_disk_is_served(&s.machine.disks[4]));
	ck_assert_uint_eq(s.machine.disks[4].wait_ms, MACH_SERVER_WAIT_MS);

	bad("--disk 'a,format=qcow3': format 'qcow3': expected raw, qcow2, "
	    "vmdk, vhdx, vdi or vpc",
	    "--disk", "a,format=qcow3");
	bad("--disk 'vhost-user=': vhost-user '': expected something, not "
	    "nothing",
	    "--disk", "vhost-user=");
	bad("--disk 'vhost-user=s,reconnect=25h': reconnect '25h': expected "
	    "off, or a time from 1ms to 24h",
	    "--disk", "vhost-user=s,reconnect=25h");
	bad("--disk 'vhost-user=s,reconnect=0': reconnect '0': expected "
	    "off, or a time from 1ms to 24h",
	    "--disk", "vhost-user=s,reconnect=0");
	bad("--disk 'a,reconnect=5s': reconnect= is for vhost-user=SOCKET",
	    "--disk", "a,reconnect=5s");
}
END_TEST

START_TEST(comma_of_a_path_is_told_from_a_key)
{
	bad("--share 'a, b=c': unknown key ' b' (a comma inside a value is "
	    "written ',,'): there are path and ro",
	    "--share", "a, b=c");
	good("--share", "path=a,, b=c");
	ck_assert_str_eq(s.folders[0].path, "a, b=c");
}
END_TEST

START_TEST(disk_says_what_is_wrong_with_it)
{
	bad("--disk '': expected something, not nothing", "--disk", "");
	bad("--disk 'ro=on': expected path=FILE or vhost-user=SOCKET", "--disk",
	    "ro=on");
	bad("--disk 'path=': path '': expected something, not nothing",
	    "--disk", "path=");
	bad("--disk 'a,rw=on': unknown key 'rw' (did you mean 'ro'?): there "
	    "are path, format, vhost-user, reconnect, ro, iommu, id, "
	    "indirect, reserved, transport, queues, loop, direct, bps and "
	    "iops",
	    "--disk", "a,rw=on");
	bad("--disk 'a,cache=on': unknown key 'cache': there are path, "
	    "format, vhost-user, reconnect, ro, iommu, id, indirect, "
	    "reserved, transport, queues, loop, direct, bps and iops",
	    "--disk", "a,cache=on");
	bad("--disk 'a,ro=maybe': ro 'maybe': expected on or off", "--disk",
	    "a,ro=maybe");
	bad("--disk 'a,iommu=auto': iommu 'auto': expected on or off", "--disk",
	    "a,iommu=auto");
	bad("--disk 'a,id=': id '': expected something, not nothing", "--disk",
	    "a,id=");
	bad("--disk 'a,b': expected key=value, not 'b' (a comma inside a value "
	    "is written ',,')",
	    "--disk", "a,b");
	bad("--disk 'a,': expected key=value, not '' (a comma inside a value "
	    "is written ',,')",
	    "--disk", "a,");
	ck_assert_uint_eq(s.machine.ndisks, 0);
}
END_TEST

START_TEST(disks_have_a_limit)
{
	for (unsigned i = 0; i < MACH_DISKS_MAX; i++)
		good("--disk", "a");
	bad("--disk 'a': more than 24 disks", "--disk", "a");
	ck_assert_uint_eq(s.machine.ndisks, MACH_DISKS_MAX);
}
END_TEST

START_TEST(iommu_is_a_word_and_keys)
{
	good("--iommu", "on,topology=v2,bypass=on,console=on");
	ck_assert_int_eq(s.machine.iommu.on, MACH_ON);
	ck_assert_int_eq(s.machine.iommu.topology, MACH_TOPOLOGY_V2);
	ck_assert(s.machine.iommu.bypass);
	ck_assert_int_eq(s.machine.iommu.console, MACH_ON);
	good("--iommu", "off");
	ck_assert_int_eq(s.machine.iommu.on, MACH_OFF);
	good("--iommu", "auto,topology=native");
	ck_assert_int_eq(s.machine.iommu.on, MACH_AUTO);
	ck_assert_int_eq(s.machine.iommu.topology, MACH_TOPOLOGY_NATIVE);
	good("--iommu", "topology=none");
	ck_assert_int_eq(s.machine.iommu.topology, MACH_TOPOLOGY_NONE);
	good("--iommu", "topology=auto,console=off,bypass=off");
	ck_assert_int_eq(s.machine.iommu.topology, MACH_TOPOLOGY_AUTO);
	ck_assert_int_eq(s.machine.iommu.console, MACH_OFF);
	ck_assert(!s.machine.iommu.bypass);
	ck_assert_int_eq(s.machine.iommu.on, MACH_AUTO);
}
END_TEST

START_TEST(a_card_has_an_address_of_its_own)
{
	good("--net", "tap=t0,mac=02:00:00:00:00:01");
	ck_assert_uint_eq(s.machine.nets[s.machine.nnets - 1].mac[5], 1);
	bad("--net 'tap=t0,mac=00:00:00:00:00:00': mac '00:00:00:00:00:00': "
	    "all zeros is nobody's address",
	    "--net", "tap=t0,mac=00:00:00:00:00:00");
	bad("--net 'tap=t0,mac=01:00:00:00:00:00': mac '01:00:00:00:00:00': "
	    "an odd first byte is the address of a group",
	    "--net", "tap=t0,mac=01:00:00:00:00:00");
	bad("--net 'tap=t0,mac=2:0:0:0:0:1': mac '2:0:0:0:0:1': expected an "
	    "address like 52:54:00:12:34:56",
	    "--net", "tap=t0,mac=2:0:0:0:0:1");
}
END_TEST

START_TEST(a_taps_frames_may_be_moved_by_the_kernel)
{
	good("--net", "tap=t0");
	ck_assert_int_eq(s.machine.nets[s.machine.nnets - 1].vhost, MACH_OFF);
	good("--net", "tap=t0,vhost=on");
	ck_assert_int_eq(s.machine.nets[s.machine.nnets - 1].vhost, MACH_ON);
	good("--net", "tap=t0,vhost=auto");
	ck_assert_int_eq(s.machine.nets[s.machine.nnets - 1].vhost, MACH_AUTO);
	bad("--net 'tap=t0,vhost=yes': vhost 'yes': expected on, off or auto",
	    "--net", "tap=t0,vhost=yes");
}
END_TEST

START_TEST(a_server_may_have_the_network)
{
	const struct mach_net *n;

	good("--net", "vhost-user=/run/n,queues=4,reconnect=5s", "--net",
	     "vhost-user=/run/m,reconnect=off", "--net", "vhost-user=/run/o");
	n = &s.machine.nets[s.machine.nnets - 3];
	ck_assert_int_eq(n[0].kind, MACH_NET_SERVED);
	ck_assert_str_eq(n[0].socket, "/run/n");
	ck_assert_uint_eq(n[0].queues, 4);
	ck_assert_uint_eq(n[0].wait_ms, 5000);
	ck_assert_uint_eq(n[1].wait_ms, 0);
	ck_assert_uint_eq(n[2].wait_ms, MACH_SERVER_WAIT_MS);
	bad("--net 'vhost-user=s,reconnect=25h': reconnect '25h': expected "
	    "off, or a time from 1ms to 24h",
	    "--net", "vhost-user=s,reconnect=25h");
	bad("--net 'vhost-user=s,reconnect=0': reconnect '0': expected "
	    "off, or a time from 1ms to 24h",
	    "--net", "vhost-user=s,reconnect=0");
	bad("--net 'user,reconnect=5s': reconnect '5s': that is for "
	    "vhost-user=SOCKET",
	    "--net", "user,reconnect=5s");
	bad("--net 'user,vhost-user=s': vhost-user 's': vhost-user=SOCKET "
	    "comes first",
	    "--net", "user,vhost-user=s");
}
END_TEST

START_TEST(a_server_may_have_the_guests_memory)
{
	const struct mach_net *n;

	good("--net", "vhost-user=/run/n,memory=guest", "--net",
	     "vhost-user=/run/m,reconnect=off,memory=guest", "--net",
	     "vhost-user=/run/o,memory=own");
	n = &s.machine.nets[s.machine.nnets - 3];
	ck_assert(n[0].guest_memory && n[1].guest_memory);
	ck_assert(!n[2].guest_memory);
	ck_assert_uint_eq(n[0].wait_ms, 0);
	ck_assert_uint_eq(n[2].wait_ms, MACH_SERVER_WAIT_MS);
	bad("--net 'vhost-user=s,reconnect=60s,memory=guest': reconnect= does "
	    "not go with memory=guest",
	    "--net", "vhost-user=s,reconnect=60s,memory=guest");
	bad("--net 'vhost-user=s,memory=all': memory 'all': expected own or "
	    "guest",
	    "--net", "vhost-user=s,memory=all");
	bad("--net 'user,memory=guest': memory 'guest': that is for "
	    "vhost-user=SOCKET",
	    "--net", "user,memory=guest");
}
END_TEST

START_TEST(folder_is_a_path_or_a_server)
{
	good("--fs", "vhost-user=/run/s,tag=t");
	ck_assert_str_eq(s.machine.shares[0].socket, "/run/s");
	ck_assert_ptr_null(s.machine.shares[0].path);
	bad("--fs 'd,tag=t,vhost-user=s': expected path=DIR or "
	    "vhost-user=SOCKET, and tag=NAME",
	    "--fs", "d,tag=t,vhost-user=s");
	bad("--fs 'vhost-user=s': expected path=DIR or vhost-user=SOCKET, and "
	    "tag=NAME",
	    "--fs", "vhost-user=s");
	bad("--fs 'vhost-user=s,tag=t,ro=on': ro=on is for path=DIR: what a "
	    "server permits is its own matter",
	    "--fs", "vhost-user=s,tag=t,ro=on");
}
END_TEST

START_TEST(devices_have_a_loop_of_their_own_on_request)
{
	good("--disk", "a,loop=own", "--disk", "b", "--fs", "d,tag=t,loop=own",
	     "--net", "user,loop=own", "--net", "tap=t0,loop=shared", "--vsock",
	     "v,loop=own");
	ck_assert(s.machine.disks[0].own_loops);
	ck_assert(!s.machine.disks[1].own_loops);
	ck_assert(s.machine.shares[0].own_loop);
	ck_assert(s.machine.nets[0].own_loop);
	ck_assert(!s.machine.nets[1].own_loop);
	ck_assert(s.machine.vsock.own_loop);
	bad("--vsock 'v,loop=two': loop 'two': expected shared or own",
	    "--vsock", "v,loop=two");
}
END_TEST

START_TEST(last_vsock_counts)
{
	good("--vsock", "/tmp/v");
	ck_assert_str_eq(s.machine.vsock.path, "/tmp/v");
	ck_assert_uint_eq(s.machine.vsock.cid, 3);
	ck_assert_int_eq(s.machine.vsock.iommu, MACH_AUTO);
	good("--vsock", "/tmp/w,cid=9");
	ck_assert_str_eq(s.machine.vsock.path, "/tmp/w");
	ck_assert_uint_eq(s.machine.vsock.cid, 9);
	good("--vsock", "/tmp/v");
	ck_assert_uint_eq(s.machine.vsock.cid, 3);
}
END_TEST

START_TEST(vsock_without_a_path_is_refused)
{
	bad("--vsock 'cid=5': expected path=PATH", "--vsock", "cid=5");
}
END_TEST

START_TEST(vsock_is_a_path_and_a_cid)
{
	bad("--vsock 'cid=2': cid '2': expected a number from 3 to "
	    "4294967294",
	    "--vsock", "cid=2");
	good("--vsock", "cid=4294967294,path=v,iommu=off");
	ck_assert_str_eq(s.machine.vsock.path, "v");
	ck_assert_uint_eq(s.machine.vsock.cid, 4294967294);
	ck_assert_int_eq(s.machine.vsock.iommu, MACH_OFF);
}
END_TEST

START_TEST(reserved_ranges_add_up)
{
	const struct mach_reserved *r;

	good("--iommu", "on,reserved=0x1000-0x1fff:reserved", "--iommu",
	     "reserved=16-31:msi", "--disk", "a,reserved=5-6:reserved", "--fs",
	     "/,tag=a,reserved=7-8:reserved", "--net",
	     "user,reserved=9-10:reserved", "--vsock",
	     "v,reserved=11-12:reserved");
	ck_assert_uint_eq(s.machine.shares[0].reserved->first, 7);
	ck_assert_uint_eq(s.machine.nets[0].reserved->first, 9);
	ck_assert_uint_eq(s.machine.vsock.reserved->first, 11);
	r = s.machine.iommu.reserved;
	ck_assert(r->first == 16 && r->last == 31 && r->msi);
	r = r->next;
	ck_assert(r->first == 0x1000 && r->last == 0x1fff && !r->msi);
	ck_assert_ptr_null(r->next);
	r = s.machine.disks[0].reserved;
	ck_assert(r->first == 5 && r->last == 6 && !r->msi);
	ck_assert_ptr_null(r->next);
	ck_assert_int_eq(mach_config_check(&s.machine, &err), 0);
}
END_TEST

START_TEST(reserved_says_what_is_wrong_with_it)
{
	bad("--iommu 'on,reserved=1-2': reserved '1-2': expected "
	    "START-END:msi or START-END:reserved",
	    "--iommu", "on,reserved=1-2");
	bad("--iommu 'reserved=1-2:ram': reserved '1-2:ram': expected "
	    "reserved or msi",
	    "--iommu", "reserved=1-2:ram");
	bad("--disk 'a,reserved=x:msi': reserved 'x:msi': expected addresses "
	    "like 0x8000000-0x80fffff",
	    "--disk", "a,reserved=x:msi");
	bad("--disk 'a,reserved=2-1:msi': reserved '2-1:msi': expected a range "
	    "that does not end before it begins",
	    "--disk", "a,reserved=2-1:msi");
	ck_assert_ptr_null(s.machine.iommu.reserved);
}
END_TEST

START_TEST(iommu_tables_have_a_limit)
{
	good("--iommu", "on,max-memory=2G");
	ck_assert_uint_eq(s.machine.iommu.max_memory, GIB(2));
	bad("--iommu 'on,max-memory=0': max-memory '0': expected a size from "
	    "1M to 4G",
	    "--iommu", "on,max-memory=0");
	bad("--iommu 'on,max-memory=5G': max-memory '5G': expected a size "
	    "from 1M to 4G",
	    "--iommu", "on,max-memory=5G");
}
END_TEST

START_TEST(iommu_requests_are_served_in_exits_or_polled)
{
	good("--iommu", "on");
	ck_assert_int_eq(s.machine.iommu.requests, MACH_REQUESTS_EXIT);
	good("--iommu", "on,requests=poll");
	ck_assert_int_eq(s.machine.iommu.requests, MACH_REQUESTS_POLL);
	good("--iommu", "on,requests=exit");
	ck_assert_int_eq(s.machine.iommu.requests, MACH_REQUESTS_EXIT);
	bad("--iommu 'on,requests=auto': requests 'auto': expected exit or "
	    "poll",
	    "--iommu", "on,requests=auto");
}
END_TEST

START_TEST(iommu_polls_for_as_long_as_it_is_told)
{
	good("--iommu", "on,requests=poll");
	ck_assert_uint_eq(s.machine.iommu.poll_window_us, 0);
	ck_assert_uint_eq(s.machine.iommu.poll_late_us, 0);
	good("--iommu", "on,requests=poll,poll-window=3ms,poll-late=1s");
	ck_assert_uint_eq(s.machine.iommu.poll_window_us, 3000);
	ck_assert_uint_eq(s.machine.iommu.poll_late_us, 1000000);
	good("--iommu", "on,requests=poll,poll-window=10us");
	ck_assert_uint_eq(s.machine.iommu.poll_window_us, 10);
	bad("--iommu 'on,poll-window=9us': poll-window '9us': expected a time "
	    "from 10us to 1s (us, ms or s)",
	    "--iommu", "on,poll-window=9us");
	bad("--iommu 'on,poll-late=1001ms': poll-late '1001ms': expected a "
	    "time from 10us to 1s (us, ms or s)",
	    "--iommu", "on,poll-late=1001ms");
	/* Seconds would hardly be meant. */
	bad("--iommu 'on,poll-late=1': poll-late '1': expected a time from "
	    "10us to 1s (us, ms or s)",
	    "--iommu", "on,poll-late=1");
}
END_TEST

START_TEST(iommu_says_what_is_wrong_with_it)
{
	bad("--iommu 'yes': expected on, off or auto", "--iommu", "yes");
	bad("--iommu 'on,topology=v3': topology 'v3': expected auto, v2, "
	    "native or none",
	    "--iommu", "on,topology=v3");
	bad("--iommu 'on,by=on': unknown key 'by': there are topology, bypass, "
	    "console, reserved, max-memory, requests, poll-window and "
	    "poll-late",
	    "--iommu", "on,by=on");
	bad("--iommu 'on,bypas=on': unknown key 'bypas' (did you mean "
	    "'bypass'?): there are topology, bypass, console, reserved, "
	    "max-memory, requests, poll-window and poll-late",
	    "--iommu", "on,bypas=on");
	bad("--iommu 'topology=v2,on': expected key=value, not 'on' (a comma "
	    "inside a value is written ',,')",
	    "--iommu", "topology=v2,on");
}
END_TEST

START_TEST(plain_options_say_what_is_wrong_with_them)
{
	bad("--kernel '': expected something, not nothing", "--kernel", "");
	bad("--cpus '65': expected a number from 1 to 64", "--cpus", "65");
	bad("--cpus '0': expected a number from 1 to 64", "--cpus=0");
	bad("--memory '15': expected a size from 16M to 1T", "--memory", "15");
	bad("--memory '2GB': expected a size like 512M or 2G (K, M, G or T; "
	    "MiB without a letter)",
	    "--memory", "2GB");
	bad("--describe 'dt': expected acpi, mptable or none", "--describe",
	    "dt");
	bad("--console 'hvc': expected serial, virtio or both", "--console",
	    "hvc");
	bad("--viot 'no': expected on or off", "--viot", "no");
	bad("--rng '1': expected on or off", "--rng", "1");
	bad("--pvpanic '': expected on or off", "--pvpanic", "");
	bad("--watchdog 'on': expected off, stop, reboot or none", "--watchdog",
	    "on");
	bad("--pvh 'On': expected on or off", "--pvh", "On");
	bad("--output 'file=': expected tty, none or file=FILE", "--output",
	    "file=");
	bad("--output 'guest.log': expected tty, none or file=FILE", "--output",
	    "guest.log");
	bad("--timeout '0': expected a time from 1ms to 365d", "--timeout",
	    "0");
	bad("--timeout 'soon': expected a time like 30s, 5m or 1h (ms, s, m, "
	    "h or d; seconds without a letter)",
	    "--timeout", "soon");
	bad("--no-reboot 'yes': expected on or off", "--no-reboot=yes");
	bad("--verbose '3': expected a number from 0 to 2", "--verbose=3");
	bad("--help 'x': takes no value", "--help=x");
}
END_TEST

START_TEST(long_value_is_cut_before_the_reason_is)
{
	char word[1000];

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	ck_assert_int_eq(args("--cpus", word, NULL), -EINVAL);
	ck_assert_ptr_nonnull(
		strstr(err.msg, "xxx...': expected a number from 1 to 64"));
}
END_TEST

START_TEST(unknown_option_names_the_nearest)
{
	bad("unknown option '--kernal', did you mean '--kernel'?", "--kernal",
	    "x");
	bad("unknown option '--dsik', did you mean '--disk'?", "--dsik=a");
	bad("unknown option '--frobnicate'", "--frobnicate");
	bad("unknown option '-x'", "-x");
	bad("unknown option '-k'", "-vk");
	bad("unknown option '--'", "--=x");
}
END_TEST

START_TEST(other_words_are_unexpected)
{
	bad("unexpected word 'vmlinuz'", "vmlinuz");
	bad("unexpected word '-'", "-");
	bad("unexpected word ''", "");
	good("--cpus", "2", "--");
	ck_assert_ptr_null(s.command);
}
END_TEST

START_TEST(what_stands_behind_two_dashes_is_the_command)
{
	good("--cpus", "2", "--", "true", "--cpus", "3", "--");
	ck_assert_uint_eq(s.machine.cpus, 2);
	ck_assert_str_eq(s.command[0], "true");
	ck_assert_str_eq(s.command[1], "--cpus");
	ck_assert_str_eq(s.command[2], "3");
	ck_assert_str_eq(s.command[3], "--");
	good("--", "--help");
	ck_assert(!s.help);
	ck_assert_str_eq(s.command[0], "--help");
}
END_TEST

START_TEST(variables_add_up)
{
	ck_assert_int_eq(setenv("MOAT_TEST_A", "here", 1), 0);
	ck_assert_int_eq(unsetenv("MOAT_TEST_B"), 0);
	good("--env", "A=1", "--env=B==", "--env", "MOAT_TEST_A", "--env",
	     "MOAT_TEST_B", "--env", "C=");
	ck_assert_uint_eq(s.nenv, 4);
	ck_assert_str_eq(s.env[0], "A=1");
	ck_assert_str_eq(s.env[1], "B==");
	ck_assert_str_eq(s.env[2], "MOAT_TEST_A=here");
	ck_assert_str_eq(s.env[3], "C=");
	ck_assert_ptr_null(s.env[4]);
	good("--env", "AB=x", "--env", "A=2");
	ck_assert_uint_eq(s.nenv, 5);
	ck_assert_str_eq(s.env[0], "A=2");
	ck_assert_str_eq(s.env[4], "AB=x");
	bad("--env '=x': expected KEY=VALUE or KEY", "--env", "=x");
	bad("--env '': expected KEY=VALUE or KEY", "--env", "");
	bad("--pwd 'x': expected an absolute path", "--pwd", "x");
}
END_TEST

START_TEST(missing_value_is_noticed)
{
	bad("--kernel: FILE is missing", "--kernel");
	bad("--kernel: FILE is missing before '--initrd' (or write "
	    "--kernel=--initrd)",
	    "--kernel", "--initrd", "i");
	bad("--kernel: FILE is missing before '--' (or write --kernel=--)",
	    "--kernel", "--", "i");
	good("--cmdline", "--strange", "--kernel=--initrd", "--initrd", "-v");
	ck_assert_str_eq(s.machine.cmdline, "--strange");
	ck_assert_str_eq(s.machine.kernel, "--initrd");
	ck_assert_str_eq(s.machine.initrd, "-v");
}
END_TEST

START_TEST(flag_takes_no_word_behind_it)
{
	bad("unexpected word 'off'", "--no-reboot", "off");
}
END_TEST

START_TEST(verbosity_adds_up_to_two)
{
	good("-v", "--verbose");
	ck_assert_uint_eq(s.verbosity, 2);
	good("-vvvv");
	ck_assert_uint_eq(s.verbosity, 2);
	good("--verbose=0", "-v");
	ck_assert_uint_eq(s.verbosity, 1);
}
END_TEST

START_TEST(help_comes_before_wrong_values)
{
	good("--cpus", "999", "--help", "--nonsense");
	ck_assert(s.help);
	s.help = false;
	good("-h");
	ck_assert(s.help);
	s.help = false;
	bad("unknown option '--nonsense'", "--nonsense", "--help");
	ck_assert(!s.help);
}
END_TEST

START_TEST(commands_without_machine_lack_its_options)
{
	char *kernel[] = {(char[]){"--kernel=x"}};
	char *verbose[] = {(char[]){"-v"}};

	ck_assert_int_eq(args_apply(&s, 1, kernel, OPTION_EVERYWHERE, &err),
			 -EINVAL);
	ck_assert_str_eq(err.msg, "--kernel: this command has no such option");
	ck_assert_int_eq(args_apply(&s, 1, verbose, OPTION_EVERYWHERE, &err),
			 0);
	ck_assert_uint_eq(s.verbosity, 1);
}
END_TEST

START_TEST(cache_follows_the_environment)
{
	settings_fini(&s);
	setenv("HOME", "/h", 1);
	setenv("XDG_CACHE_HOME", "/x", 1);
	setenv("MOAT_CACHE", "/m", 1);
	setup();
	ck_assert_str_eq(s.machine.cache_dir, "/m/kernels");
	settings_fini(&s);
	unsetenv("MOAT_CACHE");
	setup();
	ck_assert_str_eq(s.machine.cache_dir, "/x/moat/kernels");
	settings_fini(&s);
	setenv("XDG_CACHE_HOME", "relative", 1);
	setup();
	ck_assert_str_eq(s.machine.cache_dir, "/h/.cache/moat/kernels");
	settings_fini(&s);
	unsetenv("HOME");
	setup();
	ck_assert_ptr_null(s.machine.cache_dir);
}
END_TEST

START_TEST(disk_may_be_no_pci_function)
{
	good("--disk", "a,transport=mmio", "--disk", "b,transport=pci",
	     "--disk", "c");
	ck_assert_int_eq(s.machine.disks[0].transport, MACH_MMIO);
	ck_assert_int_eq(s.machine.disks[1].transport, MACH_PCI);
	ck_assert_int_eq(s.machine.disks[2].transport, MACH_PCI);
}
END_TEST

START_TEST(hooks_for_tests_come_from_the_environment)
{
	setenv("MOAT_TEST", "topology=item-self,hide=1,hide=23,ids=4000", 1);
	ck_assert_int_eq(test_hooks_apply(&s, &err), 0);
	ck_assert_str_eq(s.machine.test.topology, "item-self");
	ck_assert_uint_eq(s.machine.test.hidden_disks, 1u << 1 | 1u << 23);
	ck_assert_uint_eq(s.machine.test.first_id, 4000);
	unsetenv("MOAT_TEST");
}
END_TEST

START_TEST(without_them_nothing_is_hooked)
{
	unsetenv("MOAT_TEST");
	ck_assert_int_eq(test_hooks_apply(&s, &err), 0);
	ck_assert_ptr_null(s.machine.test.topology);
	ck_assert_uint_eq(s.machine.test.hidden_disks, 0);
}
END_TEST

START_TEST(wrong_hooks_are_refused)
{
	setenv("MOAT_TEST", "hide=24", 1);
	ck_assert_int_eq(test_hooks_apply(&s, &err), -EINVAL);
	setenv("MOAT_TEST", "ids=4294967295", 1);
	ck_assert_int_eq(test_hooks_apply(&s, &err), -EINVAL);
	setenv("MOAT_TEST", "nothing", 1);
	ck_assert_int_eq(test_hooks_apply(&s, &err), -EINVAL);
	ck_assert_str_eq(err.msg, "MOAT_TEST: 'nothing' is unknown");
	unsetenv("MOAT_TEST");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vmm/cli/args");
	TCase *tc = tcase_create("args");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_words_leave_the_defaults);
	tcase_add_test(tc, value_comes_behind_a_space_or_an_equals_sign);
	tcase_add_test(tc, every_plain_option_sets_its_field);
	tcase_add_test(tc, every_word_of_a_choice_is_taken);
	tcase_add_test(tc, empty_command_line_is_one);
	tcase_add_test(tc, later_option_wins);
	tcase_add_test(tc, disk_is_a_path_or_a_list_of_keys);
	tcase_add_test(tc, doubled_comma_is_a_comma);
	tcase_add_test(tc, disk_of_a_server_or_in_a_format);
	tcase_add_test(tc, comma_of_a_path_is_told_from_a_key);
	tcase_add_test(tc, disk_says_what_is_wrong_with_it);
	tcase_add_test(tc, disks_have_a_limit);
	tcase_add_test(tc, iommu_is_a_word_and_keys);
	tcase_add_test(tc, a_card_has_an_address_of_its_own);
	tcase_add_test(tc, a_taps_frames_may_be_moved_by_the_kernel);
	tcase_add_test(tc, a_server_may_have_the_network);
	tcase_add_test(tc, a_server_may_have_the_guests_memory);
	tcase_add_test(tc, folder_is_a_path_or_a_server);
	tcase_add_test(tc, devices_have_a_loop_of_their_own_on_request);
	tcase_add_test(tc, last_vsock_counts);
	tcase_add_test(tc, vsock_without_a_path_is_refused);
	tcase_add_test(tc, vsock_is_a_path_and_a_cid);
	tcase_add_test(tc, reserved_ranges_add_up);
	tcase_add_test(tc, reserved_says_what_is_wrong_with_it);
	tcase_add_test(tc, iommu_tables_have_a_limit);
	tcase_add_test(tc, iommu_requests_are_served_in_exits_or_polled);
	tcase_add_test(tc, iommu_polls_for_as_long_as_it_is_told);
	tcase_add_test(tc, iommu_says_what_is_wrong_with_it);
	tcase_add_test(tc, plain_options_say_what_is_wrong_with_them);
	tcase_add_test(tc, long_value_is_cut_before_the_reason_is);
	tcase_add_test(tc, unknown_option_names_the_nearest);
	tcase_add_test(tc, other_words_are_unexpected);
	tcase_add_test(tc, what_stands_behind_two_dashes_is_the_command);
	tcase_add_test(tc, variables_add_up);
	tcase_add_test(tc, missing_value_is_noticed);
	tcase_add_test(tc, flag_takes_no_word_behind_it);
	tcase_add_test(tc, verbosity_adds_up_to_two);
	tcase_add_test(tc, help_comes_before_wrong_values);
	tcase_add_test(tc, commands_without_machine_lack_its_options);
	tcase_add_test(tc, cache_follows_the_environment);
	tcase_add_test(tc, disk_may_be_no_pci_function);
	tcase_add_test(tc, hooks_for_tests_come_from_the_environment);
	tcase_add_test(tc, without_them_nothing_is_hooked);
	tcase_add_test(tc, wrong_hooks_are_refused);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
