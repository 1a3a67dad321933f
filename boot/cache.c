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

struct trailer_wire {
	uint8_t magic[8];
	le64_t elf_len, payload_len;
	le64_t elf_sum;
	le32_t builtin, reserved;
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

static void entry_name(char *name, size_t size, const uint8_t *payload,
		       size_t len)
{
	(void)snprintf(name, size, CACHE_ENTRY_PREFIX "%016" PRIx64,
		       hash64(payload, len, 0));
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

static bool read_trailer(int fd, uint64_t size, size_t payload_len,
			 struct trailer_wire *ret_t)
{
	struct trailer_wire t;
	uint64_t elf_len;

	if (size < sizeof(t) + payload_len ||
	    fd_pread_full(fd, &t, sizeof(t), size - sizeof(t)) < 0)
		return false;
	elf_len = size - sizeof(t) - payload_len;
	if (memcmp(t.magic, trailer_magic, sizeof(t.magic)) != 0 ||
	    le64_get(t.sum) != trailer_sum(&t) ||
	    le64_get(t.payload_len) != payload_len ||
	    le64_get(t.elf_len) != elf_len || elf_len == 0)
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

bool cache_find(const char *dir, const uint8_t *payload, size_t len,
		struct cache_entry *ret_e)
{
	AUTO_CLOSE int dirfd = open_dir(dir);
	AUTO_CLOSE int fd = -1;
	char name[CACHE_NAME_SIZE];
	struct trailer_wire t;
	uint64_t size;

	if (dirfd < 0)
		return false;
	entry_name(name, sizeof(name), payload, len);
	fd = openat(dirfd, name,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || !is_ours(fd, &size) || !read_trailer(fd, size, len, &t) ||
	    !same_payload(fd, le64_get(t.elf_len), payload, len))
		return false;
	(void)futimens(fd, NULL); /* used last: see cache_prune() */
	image_init(&ret_e->elf);
	ret_e->elf.fd = take_fd(&fd);
	ret_e->elf.size = le64_get(t.elf_len);
	ret_e->sum = le64_get(t.elf_sum);
	ret_e->builtin = builtin_decode(le32_get(t.builtin));
	return true;
}

bool cache_verify(const struct cache_entry *e)
{
	AUTO_FREE uint8_t *chunk = malloc(CHUNK);
	uint64_t sum = 0;

	if (!chunk)
		return false;
	for (uint64_t at = 0; at < e->elf.size; at += CHUNK) {
		size_t n = (size_t)min_u64(e->elf.size - at, CHUNK);

		if (image_read(&e->elf, at, chunk, n) < 0)
			return false;
		sum = sum_chunk(chunk, n, sum);
	}
	return sum == e->sum;
}

static uint64_t sum_elf(const uint8_t *elf, size_t len)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < len; at += CHUNK)
		sum = sum_chunk(elf + at, (size_t)min_u64(len - at, CHUNK),
				sum);
	return sum;
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

static int write_entry(int fd, const uint8_t *payload, size_t len,
		       const uint8_t *elf, size_t elf_len, enum builtin builtin)
{
	struct trailer_wire t = {
		.elf_len = le64_put(elf_len),
		.payload_len = le64_put(len),
		.elf_sum = le64_put(sum_elf(elf, elf_len)),
		.builtin = le32_put((uint32_t)builtin),
	};
	int r;

	memcpy(t.magic, trailer_magic, sizeof(t.magic));
	t.sum = le64_put(trailer_sum(&t));
	r = fd_write_full(fd, elf, elf_len);
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

int cache_store(const char *dir, const uint8_t *payload, size_t len,
		const uint8_t *elf, size_t elf_len, enum builtin builtin)
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
	/* No fsync: after a crash the sums tell that it is not whole. */
	r = write_entry(fd, payload, len, elf, elf_len, builtin);
	entry_name(name, sizeof(name), payload, len);
	if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, temporary, 0);
	cache_prune(dirfd);
	return r;
}
