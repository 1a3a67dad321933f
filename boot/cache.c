/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/cache.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "boot/cache_prune.h"
#include "boot/hash.h"
#include "core/bits.h"
#include "core/fd.h"
#include "core/le.h"

/* Stays in the second-level cache between read and use. */
#define CHUNK ((size_t)KIB(128))

/* What tells that a file is the one that was read, and its entry. */
struct alias_wire {
	uint8_t magic[8];
	le64_t dev, ino, size;
	le64_t mtime_s, ctime_s;
	le32_t mtime_ns, ctime_ns;
	le64_t entry, entry_ino, entry_sum, payload_len;
	le64_t sum; /* of all above */
};
static_assert(sizeof(struct alias_wire) == 96, "aliases on disk");

static const uint8_t alias_magic[8] = {'M', 'O', 'A', 'T', 'A', 'L', 'S', '1'};

struct trailer_wire {
	uint8_t magic[8];
	le64_t plain_len, payload_len;
	le64_t plain_sum;
	le32_t builtin, kind;
	le64_t sum; /* of all above */
};
static_assert(sizeof(struct trailer_wire) == 48, "cache entries on disk");

static const uint8_t trailer_magic[8] = {'M', 'O', 'A', 'T',
					 'K', 'R', 'N', '1'};

/* Chunk by chunk, so that a file need not be in memory as a whole. */
static uint64_t sum_chunk(const uint8_t *chunk, size_t len, uint64_t sum)
{
	return hash64(chunk, len, sum);
}

static uint64_t trailer_sum(const struct trailer_wire *t)
{
	return hash64(t, offsetof(struct trailer_wire, sum), 0);
}

static void entry_name(char *name, size_t size, enum cache_kind kind,
		       uint64_t hash)
{
	(void)snprintf(name, size, "%s%016" PRIx64, cache_prefix(kind), hash);
}

static int open_dir(const char *dir)
{
	return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Nobody but us may have written it. */
static bool is_ours(int fd, uint64_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return false;
	*ret_size = (uint64_t)st.st_size;
	return true;
}

static bool read_trailer(int fd, enum cache_kind kind, uint64_t size,
			 uint64_t payload_len, struct trailer_wire *ret_t)
{
	struct trailer_wire t;
	uint64_t plain_len;

	if (size < sizeof(t) || size - sizeof(t) < payload_len ||
	    fd_pread_full(fd, &t, sizeof(t), size - sizeof(t)) < 0)
		return false;
	plain_len = size - sizeof(t) - payload_len;
	if (memcmp(t.magic, trailer_magic, sizeof(t.magic)) != 0 ||
	    le64_get(t.sum) != trailer_sum(&t) ||
	    le32_get(t.kind) != (uint32_t)kind ||
	    le64_get(t.payload_len) != payload_len ||
	    le64_get(t.plain_len) != plain_len || plain_len == 0)
		return false;
	*ret_t = t;
	return true;
}

static bool same_payload(int fd, uint64_t at, const uint8_t *payload,
			 size_t len)
{
	AUTO_FREE uint8_t *chunk = malloc(CHUNK);
	bool same = chunk;

	for (size_t done = 0; same && done < len; done += CHUNK) {
		size_t n = (size_t)min_u64(len - done, CHUNK);

		same = fd_pread_full(fd, chunk, n, at + done) == 0 &&
		       memcmp(chunk, payload + done, n) == 0;
	}
	return same;
}

static int open_ours(int dirfd, const char *name, uint64_t *ret_size)
{
	AUTO_CLOSE int fd = openat(
		dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd >= 0 && is_ours(fd, ret_size) ? take_fd(&fd) : -1;
}

/* What its trailer says is so; whether the rest is shows later. */
static bool open_entry(int dirfd, enum cache_kind kind, uint64_t hash,
		       uint64_t payload_len, struct cache_entry *ret_e)
{
	AUTO_CLOSE int fd = -1;
	char name[CACHE_NAME_SIZE];
	struct trailer_wire t;
	uint64_t size;

	entry_name(name, sizeof(name), kind, hash);
	fd = open_ours(dirfd, name, &size);
	if (fd < 0 || !read_trailer(fd, kind, size, payload_len, &t))
		return false;
	(void)futimens(fd, NULL); /* used last: see cache_prune() */
	image_init(&ret_e->plain);
	ret_e->plain.fd = take_fd(&fd);
	ret_e->plain.size = le64_get(t.plain_len);
	ret_e->name = hash;
	ret_e->payload_len = payload_len;
	ret_e->sum = le64_get(t.plain_sum);
	ret_e->builtin = builtin_decode(le32_get(t.builtin));
	return true;
}

bool cache_find(const char *dir, enum cache_kind kind, const uint8_t *payload,
		size_t len, struct cache_entry *ret_e)
{
	AUTO_CLOSE int dirfd = open_dir(dir);
	struct cache_entry e;

	if (dirfd < 0 ||
	    !open_entry(dirfd, kind, hash64(payload, len, 0), len, &e))
		return false;
	if (!same_payload(e.plain.fd, e.plain.size, payload, len)) {
		image_close(&e.plain);
		return false;
	}
	*ret_e = e;
	return true;
}

static uint64_t sum_plain(const uint8_t *plain, size_t len)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < len; at += CHUNK)
		sum = sum_chunk(plain + at, (size_t)min_u64(len - at, CHUNK),
				sum);
	return sum;
}

bool cache_read(const struct cache_entry *e, uint8_t *dst)
{
	return image_read(&e->plain, 0, dst, e->plain.size) == 0 &&
	       sum_plain(dst, e->plain.size) == e->sum;
}

bool cache_verify(const struct cache_entry *e)
{
	AUTO_FREE uint8_t *chunk = malloc(CHUNK);
	uint64_t sum = 0;

	if (!chunk)
		return false;
	for (uint64_t at = 0; at < e->plain.size; at += CHUNK) {
		size_t n = (size_t)min_u64(e->plain.size - at, CHUNK);

		if (image_read(&e->plain, at, chunk, n) < 0)
			return false;
		sum = sum_chunk(chunk, n, sum);
	}
	return sum == e->sum;
}

/* Like mkdir -p; what cannot be made shows when the directory is opened. */
static void make_dir(const char *dir)
{
	AUTO_FREE char *path = strdup(dir);

	if (!path)
		return;
	for (char *p = path; *p; p++) {
		if (*p != '/' || p == path)
			continue;
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	(void)mkdir(path, 0700);
}

static int write_entry(int fd, enum cache_kind kind, const uint8_t *payload,
		       size_t len, const uint8_t *plain, size_t plain_len,
		       enum builtin builtin)
{
	struct trailer_wire t = {
		.plain_len = le64_put(plain_len),
		.payload_len = le64_put(len),
		.plain_sum = le64_put(sum_plain(plain, plain_len)),
		.builtin = le32_put((uint32_t)builtin),
		.kind = le32_put((uint32_t)kind),
	};
	int r;

	memcpy(t.magic, trailer_magic, sizeof(t.magic));
	t.sum = le64_put(trailer_sum(&t));
	r = fd_write_full(fd, plain, plain_len);
	if (r == 0)
		r = fd_write_full(fd, payload, len);
	if (r == 0)
		r = fd_write_full(fd, &t, sizeof(t));
	return r;
}

static int create_temporary(int dirfd, char *name, size_t size)
{
	uint64_t random;
	int fd;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	(void)snprintf(name, size, CACHE_TEMPORARY_PREFIX "%016" PRIx64,
		       random);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

int cache_store(const char *dir, enum cache_kind kind, const uint8_t *payload,
		size_t len, const uint8_t *plain, size_t plain_len,
		enum builtin builtin)
{
	char name[CACHE_NAME_SIZE], temporary[CACHE_NAME_SIZE];
	AUTO_CLOSE int dirfd = -1;
	AUTO_CLOSE int fd = -1;
	int r;

	make_dir(dir);
	dirfd = open_dir(dir);
	if (dirfd < 0)
		return -errno;
	fd = create_temporary(dirfd, temporary, sizeof(temporary));
	if (fd < 0)
		return fd;
	r = write_entry(fd, kind, payload, len, plain, plain_len, builtin);
	/* One that is recalled is not verified again. */
	if (r == 0 && fdatasync(fd) < 0)
		r = -errno;
	entry_name(name, sizeof(name), kind, hash64(payload, len, 0));
	if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, temporary, 0);
	cache_prune(dirfd);
	return r;
}

/*
 * Aliases.
 */

static bool identify(int fd, struct alias_wire *ret_a, int64_t *ret_changed)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	*ret_a = (struct alias_wire){
		.dev = le64_put(st.st_dev),
		.ino = le64_put(st.st_ino),
		.size = le64_put((uint64_t)st.st_size),
		.mtime_s = le64_put((uint64_t)st.st_mtim.tv_sec),
		.mtime_ns = le32_put((uint32_t)st.st_mtim.tv_nsec),
		.ctime_s = le64_put((uint64_t)st.st_ctim.tv_sec),
		.ctime_ns = le32_put((uint32_t)st.st_ctim.tv_nsec),
	};
	memcpy(ret_a->magic, alias_magic, sizeof(alias_magic));
	*ret_changed = st.st_ctim.tv_sec > st.st_mtim.tv_sec
			       ? st.st_ctim.tv_sec
			       : st.st_mtim.tv_sec;
	return true;
}

/* Of the file; what is known of its entry follows. */
enum { IDENTITY = offsetof(struct alias_wire, entry) };

static void alias_name(char *name, size_t size, const struct alias_wire *a)
{
	(void)snprintf(name, size, CACHE_ALIAS_PREFIX "%016" PRIx64,
		       hash64(a, IDENTITY, 0));
}

static uint64_t alias_sum(const struct alias_wire *a)
{
	return hash64(a, offsetof(struct alias_wire, sum), 0);
}

static int write_alias(int dirfd, const struct alias_wire *a)
{
	char name[CACHE_NAME_SIZE], temporary[CACHE_NAME_SIZE];
	AUTO_CLOSE int fd =
		create_temporary(dirfd, temporary, sizeof(temporary));
	int r;

	if (fd < 0)
		return fd;
	r = fd_write_full(fd, a, sizeof(*a));
	alias_name(name, sizeof(name), a);
	if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, temporary, 0);
	return r;
}

void cache_remember(const char *dir, int kernel_fd, const struct cache_entry *e,
		    int64_t now)
{
	AUTO_CLOSE int dirfd = open_dir(dir);
	struct alias_wire a;
	struct stat st;
	int64_t changed;

	if (dirfd < 0 || !identify(kernel_fd, &a, &changed) ||
	    changed > now - CACHE_SETTLED_S || fstat(e->plain.fd, &st) < 0)
		return;
	a.entry = le64_put(e->name);
	a.entry_ino = le64_put(st.st_ino);
	a.entry_sum = le64_put(e->sum);
	a.payload_len = le64_put(e->payload_len);
	a.sum = le64_put(alias_sum(&a));
	(void)write_alias(dirfd, &a);
}

static bool read_alias(int dirfd, const struct alias_wire *identity,
		       struct alias_wire *ret_a)
{
	AUTO_CLOSE int fd = -1;
	char name[CACHE_NAME_SIZE];
	struct alias_wire a;
	uint64_t size;

	alias_name(name, sizeof(name), identity);
	fd = open_ours(dirfd, name, &size);
	if (fd < 0 || size != sizeof(a) ||
	    fd_pread_full(fd, &a, sizeof(a), 0) < 0 ||
	    memcmp(&a, identity, IDENTITY) != 0 ||
	    le64_get(a.sum) != alias_sum(&a))
		return false;
	*ret_a = a;
	return true;
}

bool cache_recall(const char *dir, int kernel_fd, struct cache_entry *ret_e)
{
	AUTO_CLOSE int dirfd = open_dir(dir);
	struct alias_wire identity, a;
	struct cache_entry e;
	int64_t changed;
	struct stat st;

	if (dirfd < 0 || !identify(kernel_fd, &identity, &changed) ||
	    !read_alias(dirfd, &identity, &a) ||
	    !open_entry(dirfd, CACHE_KERNEL, le64_get(a.entry),
			le64_get(a.payload_len), &e))
		return false;
	if (e.sum != le64_get(a.entry_sum) || fstat(e.plain.fd, &st) < 0 ||
	    st.st_ino != le64_get(a.entry_ino)) {
		image_close(&e.plain);
		return false;
	}
	*ret_e = e;
	return true;
}
