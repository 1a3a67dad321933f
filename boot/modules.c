/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
#include "boot/modules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/codec.h"
#include "boot/image.h"
#include "core/bits.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/fd.h"

#define LIST_MAX   MIB(16) /* of modules.dep */
#define MODULE_MAX MIB(256)
#define PIECE	   KIB(256)

struct modules {
	char *dir;
	char *dep, *builtin; /* whole files, ended by a newline and a NUL */
	char **wanted;
	size_t nwanted;
};

/* A word of a list: a path. */
struct word {
	const char *at;
	size_t len;
};

static char *path_in(const struct modules *m, const char *name, size_t len)
{
	char *path;

	if (asprintf(&path, "%s/%.*s", m->dir, (int)len, name) < 0)
		return NULL;
	return path;
}

static int read_list(const struct modules *m, const char *name, char **ret_text,
		     struct err *err)
{
	AUTO_FREE char *path = path_in(m, name, strlen(name));
	AUTO_FREE char *text = NULL;
	struct image im;
	int r;

	if (!path)
		return err_set(err, ENOMEM, "out of memory");
	r = image_open(&im, path, err);
	if (r == 0) {
		const size_t len = (size_t)min_u64(im.size, LIST_MAX);

		text = malloc(len + 2);
		r = text ? image_read(&im, 0, text, len) : -ENOMEM;
		if (r < 0)
			(void)err_errno(err, -r, "cannot read");
		else
			memcpy(text + len, "\n", 2);
	}
	image_close(&im);
	if (r < 0) {
		err_prefix(err, "'%s'", path);
		return r;
	}
	*ret_text = take_ptr(&text);
	return 0;
}

int modules_open(struct modules **ret_m, const char *dir, struct err *err)
{
	struct modules *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_set(err, ENOMEM, "out of memory");
	m->dir = strdup(dir);
	r = m->dir ? read_list(m, "modules.dep", &m->dep, err)
		   : err_set(err, ENOMEM, "out of memory");
	if (r == 0) /* without it nothing is known to be built in */
		(void)read_list(m, "modules.builtin", &m->builtin, NULL);
	if (r < 0) {
		modules_close(m);
		return r;
	}
	*ret_m = m;
	return 0;
}

void modules_close(struct modules *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->nwanted; i++)
		free(m->wanted[i]);
	free(m->wanted);
	free(m->builtin);
	free(m->dep);
	free(m->dir);
	free(m);
}

/* "kernel/fs/fuse/virtio_fs.ko.xz" is module virtio-fs. */
static bool is_module(struct word path, const char *name)
{
	const char *slash = memrchr(path.at, '/', path.len);
	const char *base = slash ? slash + 1 : path.at;
	const size_t n = path.len - (size_t)(base - path.at);
	size_t i;

	for (i = 0; i < n && name[i]; i++) {
		const char a = base[i] == '-' ? '_' : base[i];
		const char b = name[i] == '-' ? '_' : name[i];

		if (a != b)
			return false;
	}
	return !name[i] && n - i >= 3 && memcmp(base + i, ".ko", 3) == 0 &&
	       (n - i == 3 || base[i + 3] == '.');
}

/*
 * The line whose first word, up to @end, is module @name.
 * Return: what stands behind that word; NULL.
 */
static const char *find_line(const char *list, char end, const char *name,
			     struct word *ret_path)
{
	for (const char *at = list; at && *at;) {
		const char *newline = strchr(at, '\n');
		const char *stop;
		struct word path;

		if (!newline) /* a NUL in the middle of the file */
			break;
		stop = memchr(at, end, (size_t)(newline + 1 - at));
		if (stop) {
			path = (struct word){at, (size_t)(stop - at)};
			if (is_module(path, name)) {
				*ret_path = path;
				return stop;
			}
		}
		at = newline + 1;
	}
	return NULL;
}

enum module_kind modules_find(const struct modules *m, const char *name)
{
	struct word path;

	if (find_line(m->dep, ':', name, &path))
		return MODULE_FILE;
	return find_line(m->builtin, '\n', name, &path) ? MODULE_BUILTIN
							: MODULE_NONE;
}

static bool is_wanted(const struct modules *m, struct word path)
{
	for (size_t i = 0; i < m->nwanted; i++) {
		if (strncmp(m->wanted[i], path.at, path.len) == 0 &&
		    !m->wanted[i][path.len])
			return true;
	}
	return false;
}

static int want_path(struct modules *m, struct word path)
{
	char **list, *copy;

	if (is_wanted(m, path))
		return 0;
	list = reallocarray(m->wanted, m->nwanted + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	m->wanted = list;
	copy = strndup(path.at, path.len);
	if (!copy)
		return -ENOMEM;
	list[m->nwanted++] = copy;
	return 0;
}

/* The last word before @end; false if there is none behind @start. */
static bool last_word(const char *start, const char *end, struct word *ret_w)
{
	const char *from;

	while (end > start && end[-1] == ' ')
		end--;
	for (from = end; from > start && from[-1] != ' '; from--)
		;
	*ret_w = (struct word){from, (size_t)(end - from)};
	return from < end;
}

/* "a.ko: b.ko c.ko": c first, then b, then a. */
int modules_want(struct modules *m, const char *name)
{
	struct word path, need;
	const char *colon = find_line(m->dep, ':', name, &path);
	const char *end;
	int r = 0;

	if (!colon)
		return find_line(m->builtin, '\n', name, &path) ? 0 : -ENOENT;
	end = strchr(colon, '\n');
	while (r == 0 && last_word(colon + 1, end, &need)) {
		r = want_path(m, need);
		end = need.at;
	}
	return r < 0 ? r : want_path(m, path);
}

size_t modules_count(const struct modules *m)
{
	return m->nwanted;
}

const char *modules_path(const struct modules *m, size_t i)
{
	return m->wanted[i];
}

/*
 * Bytes.
 */

static int unpack(const struct codec *c, const uint8_t *src, size_t len,
		  struct buf *b)
{
	AUTO_FREE uint8_t *piece = malloc(PIECE);
	struct codec_io io = {.in = src, .in_len = len};
	struct codec_stream *s = NULL;
	const size_t start = b->len;
	int r = piece ? c->new (&s) : -ENOMEM;

	while (r == 0) {
		io.out = piece;
		io.out_len = PIECE;
		r = c->step(s, &io);
		if (r >= 0 && io.in_len == 0 && io.out_len == PIECE && r == 0)
			r = -EBADMSG; /* cut off */
		if (b->len - start > MODULE_MAX)
			r = -EFBIG;
		buf_put(b, piece, PIECE - io.out_len);
		if (buf_error(b) < 0)
			r = -ENOMEM;
	}
	c->free(s);
	return r < 0 ? r : 0;
}

static const struct codec *codec_of(const uint8_t *data, size_t len)
{
	return len >= CODEC_MAGIC_LEN ? codec_find(data) : NULL;
}

bool modules_packed(const uint8_t *data, size_t len)
{
	return codec_of(data, len);
}

static int append(const uint8_t *data, size_t len, struct buf *b,
		  struct err *err)
{
	const struct codec *c = codec_of(data, len);
	int r;

	if (!c) {
		buf_put(b, data, len);
		r = buf_error(b);
	} else {
		r = codec_load(c, err);
		if (r < 0)
			return r;
		r = unpack(c, data, len, b);
	}
	return r < 0 ? err_errno(err, -r, "cannot unpack") : 0;
}

static int read_image(const struct image *im, struct buf *b, struct err *err)
{
	const size_t start = b->len;
	uint8_t *room;
	int r;

	if (im->size > MODULE_MAX)
		return err_set(err, EFBIG, "too large for a module");
	room = buf_grow(b, im->size);
	r = room ? image_read(im, 0, room, im->size) : -ENOMEM;
	if (r == 0)
		return 0;
	buf_cut(b, start);
	return err_errno(err, -r, "cannot read");
}

static int name_it(const struct modules *m, size_t i, int r, struct err *err)
{
	if (r < 0)
		err_prefix(err, "module '%s/%s'", m->dir, m->wanted[i]);
	return r;
}

int modules_read(const struct modules *m, size_t i, struct buf *b,
		 struct err *err)
{
	const char *name = m->wanted[i];
	AUTO_FREE char *path = path_in(m, name, strlen(name));
	struct image im;
	int r;

	if (!path)
		return err_set(err, ENOMEM, "out of memory");
	r = image_open(&im, path, err);
	if (r == 0)
		r = read_image(&im, b, err);
	image_close(&im);
	return name_it(m, i, r, err);
}

int modules_unpack(const struct modules *m, size_t i, const uint8_t *data,
		   size_t len, struct buf *b, struct err *err)
{
	return name_it(m, i, append(data, len, b, err), err);
}
