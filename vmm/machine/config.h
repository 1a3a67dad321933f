/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * config.h - what a machine is made of; filled in by the command line, a
 * configuration file or an embedder.
 *
 * Plain data; strings are owned by whoever filled them in and outlive the
 * machine.  mach_config_init() gives the defaults.
 */
#ifndef MOAT_VMM_MACHINE_CONFIG_H
#define MOAT_VMM_MACHINE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bits.h"

struct err;

#define MACH_CPUS_MAX	     64
#define MACH_DISKS_MAX	     24
#define MACH_DISK_ID_MAX     20 /* bytes */
#define MACH_TAG_MAX	     36 /* bytes */
#define MACH_DISK_QUEUES_MAX 64
#define MACH_DISK_BPS_MAX    (UINT64_C(1) << 40)
#define MACH_DISK_IOPS_MAX   UINT64_C(1000000000)
#define MACH_MMIO_MAX	     8 /* devices that are no PCI functions */
#define MACH_PORTS_MAX	     8
#define MACH_SHARES_MAX	     8
#define MACH_NETS_MAX	     4
#define MACH_NET_QUEUES_MAX  8
#define MACH_NET_MTU_MIN     1280
#define MACH_NET_MTU_MAX     65520
#define MACH_FORWARDS_MAX    16 /* ports of one network */
#define MACH_VSOCK_CID	     3	/* the default, and the smallest */
#define MACH_VSOCK_PATH_MAX  96 /* bytes */
#define MACH_RESERVED_MAX    20 /* ranges of one endpoint */
#define MACH_MEMORY_MIN	     MIB(16)
#define MACH_MEMORY_MAX	     GIB(1024)
#define MACH_TABLES_MIN	     MIB(1)
#define MACH_TABLES_MAX	     GIB(4)
#define MACH_POLL_MIN_US     10
#define MACH_POLL_MAX_US     1000000

enum mach_switch { MACH_OFF, MACH_ON, MACH_AUTO };
enum mach_topology {
	MACH_TOPOLOGY_AUTO,
	MACH_TOPOLOGY_V2,
	MACH_TOPOLOGY_NATIVE,
	MACH_TOPOLOGY_NONE,
};
enum mach_requests {
	MACH_REQUESTS_EXIT, /* served by the vCPU that rings */
	MACH_REQUESTS_POLL, /* and by a thread, for as long as they come */
};
enum mach_describe {
	MACH_DESCRIBE_ACPI,
	MACH_DESCRIBE_MPTABLE,
	MACH_DESCRIBE_NONE,
};
enum mach_console {
	MACH_CONSOLE_SERIAL,
	MACH_CONSOLE_VIRTIO,
	MACH_CONSOLE_BOTH,
};

/* What happens when a guest stops feeding its watchdog. */
enum mach_watchdog {
	MACH_WATCHDOG_OFF,  /* it has none */
	MACH_WATCHDOG_STOP, /* the run ends, as after a crash */
	MACH_WATCHDOG_REBOOT,
	MACH_WATCHDOG_NONE, /* a line in the log */
};

/* Addresses that a device has no memory at; a list, in the owner's memory. */
struct mach_reserved {
	const struct mach_reserved *next;
	uint64_t first, last;
	bool msi; /* where interrupts go; in the place of the machine's own */
};

enum mach_transport { MACH_PCI, MACH_MMIO };

/* How long a vhost-user server that went away is waited for. */
#define MACH_SERVER_WAIT_MS	60000u
#define MACH_SERVER_WAIT_MS_MAX (24u * 60 * 60 * 1000)

/* A disk is an image, or what a vhost-user server has. */
struct mach_disk {
	const char *path;
	const char *socket; /* of the server, in the place of @path */
	/* As qemu-storage-daemon calls it, which then serves the image; NULL:
	 * raw, as "raw" is, but nobody has said so. */
	const char *format;
	const char *server; /* qemu-storage-daemon; NULL: the one installed */
	/* With @socket: how long requests wait for a server that went away,
	 * up to MACH_SERVER_WAIT_MS_MAX; 0: not at all. */
	unsigned wait_ms;
	bool readonly;
	bool no_indirect;	/* requests without indirect descriptors */
	const char *id;		/* at most MACH_DISK_ID_MAX; NULL: default */
	enum mach_switch iommu; /* AUTO: behind it when there is one */
	const struct mach_reserved *reserved; /* besides those of all */
	enum mach_transport transport;
	unsigned queues; /* 0: one for each vCPU */
	bool own_loops;	 /* a thread for each queue; else the machine's */
	bool direct;	 /* past the host's page cache */
	/* Limits a second, up to the maxima above; 0: none */
	uint64_t bps, iops;
};

/* A directory of the host, by virtiofs, or what a vhost-user server has. */
struct mach_share {
	const char *path;
	const char *socket; /* of the server, in the place of @path */
	const char *tag;    /* what the guest mounts; 1 to MACH_TAG_MAX bytes */
	bool readonly;	    /* with @path */
	enum mach_switch iommu; /* AUTO: behind it when there is one */
	const struct mach_reserved *reserved; /* besides those of all */
	bool own_loop;	    /* a thread for it; else the machine's */
	const char *server; /* virtiofsd; NULL: the one installed; with @path */
};

enum mach_net_kind { MACH_NET_USER, MACH_NET_TAP, MACH_NET_SERVED };

/* A port of the host that leads to one of the guest's. */
struct mach_forward {
	bool udp;
	char host[16]; /* IPv4 address to listen at */
	uint16_t host_port, guest_port;
};

/* A network card; mach_net_init() gives the defaults. */
struct mach_net {
	enum mach_net_kind kind;
	const char *tap;    /* its name, with MACH_NET_TAP */
	const char *socket; /* of a vhost-user server, with MACH_NET_SERVED */
	/* With @socket: how long a server that went away is looked for, up to
	 * MACH_SERVER_WAIT_MS_MAX; 0: not at all. */
	unsigned wait_ms;
	/* With @socket: the server has the guest's memory, and serves the
	 * driver's rings itself; @wait_ms is 0. */
	bool guest_memory;
	uint8_t mac[6];		/* all 0: one is chosen */
	unsigned queues;	/* pairs, 1 to MACH_NET_QUEUES_MAX */
	unsigned mtu;		/* 0: the tap's own; the largest */
	enum mach_switch vhost; /* tap: the host's kernel moves the frames */
	/* IPv4 of the guest; "": the guest has its own ways to find out. */
	char address[16];
	unsigned prefix; /* bits of the network */
	char gateway[16], dns[16];
	bool host; /* user: the host's own services are at the gateway */
	struct mach_forward forwards[MACH_FORWARDS_MAX]; /* user */
	unsigned nforwards;
	enum mach_switch iommu; /* AUTO: behind it when there is one */
	const struct mach_reserved *reserved; /* besides those of all */
	bool own_loop;	     /* a thread for it; else the machine's */
	const char *program; /* passt; NULL: the one installed */
};

/* Sockets between guest and host: devices/vsock.h. */
struct mach_vsock {
	const char *path; /* NULL: none */
	uint32_t cid;
	enum mach_switch iommu; /* AUTO: behind it when there is one */
	const struct mach_reserved *reserved; /* besides those of all */
	bool own_loop; /* a thread for it; else the machine's */
};

struct mach_config {
	const char *kernel;    /* required to run */
	const char *initrd;    /* NULL: none */
	const void *archive;   /* more initrd behind that, in memory */
	size_t archive_len;    /* 0: none */
	const char *cmdline;   /* the user's words; NULL: none */
	const char *cache_dir; /* unpacked kernels; NULL: no cache */
	unsigned cpus;	       /* 1 to MACH_CPUS_MAX */
	uint64_t memory;       /* bytes, whole MiB */
	bool shared_memory;    /* in a memfd, for servers in other processes */
	struct mach_disk disks[MACH_DISKS_MAX];
	unsigned ndisks;
	struct mach_share shares[MACH_SHARES_MAX];
	unsigned nshares;
	struct mach_net nets[MACH_NETS_MAX];
	unsigned nnets;
	struct mach_vsock vsock;
	struct {
		enum mach_switch on;
		enum mach_topology topology;
		bool bypass;
		enum mach_switch console; /* put it behind the IOMMU, too */
		const struct mach_reserved *reserved; /* for all devices */
		uint64_t max_memory; /* of its tables; 0: the default */
		enum mach_requests requests;
		/* With MACH_REQUESTS_POLL, microseconds; 0: the default. */
		unsigned poll_window_us; /* looked for, beyond the last one */
		unsigned poll_late_us;	 /* a gap that makes it leave */
	} iommu;
	enum mach_describe describe;
	bool viot; /* with ACPI: emit the VIOT table */
	bool pvh;  /* enter by PVH */
	bool pvpanic;
	enum mach_console console;
	/* Byte streams for programs, beside the console: mach_port(). */
	const char *ports[MACH_PORTS_MAX]; /* their names in the guest */
	unsigned terse_ports; /* a bit for each, see devices/console.h */
	unsigned nports;
	bool rng;
	enum mach_watchdog watchdog;
	bool balloon; /* outside the IOMMU: see devices/balloon.h */
	bool reboot;  /* a guest's reboot restarts the machine */
	/* For the tests of guests, see CONTRIBUTING.md. */
	struct {
		const char *topology;  /* how it is wrong; NULL: it is right */
		uint32_t hidden_disks; /* not described; a bit for each */
		unsigned first_id;     /* added to all endpoint ids */
	} test;
};

void mach_config_init(struct mach_config *c);
/* Does another process serve it? */
bool mach_disk_is_served(const struct mach_disk *d);
/* What people call it. */
const char *mach_disk_name(const struct mach_disk *d);
const char *mach_share_name(const struct mach_share *s);
void mach_net_init(struct mach_net *n, enum mach_net_kind kind);
/* The address of network @index, chosen or given. */
void mach_net_mac(const struct mach_net *n, unsigned index, uint8_t *ret_mac);

/*
 * mach_config_check - what is wrong without a look at the host or at any
 * file: numbers out of range, options that contradict each other.  mach_new()
 * checks it, too; a caller that has to tell wrong usage from a host's fault
 * asks first.
 *
 * Return: 0; -EINVAL with a sentence that names the option.
 */
int mach_config_check(const struct mach_config *c, struct err *err);

#endif
