/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * link.h - one command's connection between kvm-host and the nested host.
 *
 * A link carries frames, each a header and up to FRAME_MAX bytes.  A stream
 * (0 stdin, 1 stdout, 2 stderr) flows from a source, which reads a file
 * descriptor, to a sink on the other side, which writes one.  At most
 * STREAM_WINDOW bytes of a stream are under way: the sink acknowledges what
 * it has written.  So both sides can always read the link, whatever stream is
 * stuck, and notice at once when the other side has gone.
 *
 * Both sides run on the same machine, so integers are in host order.
 *
 * Threads: none; each process serves one link.
 */
#ifndef MOAT_NESTED_LINK_H
#define MOAT_NESTED_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX     (1u << 20)
#define STREAM_WINDOW (256u << 10)
#define AGENT_PORT    7

enum frame_type {
	/* client to agent */
	FRAME_START = 1, /* strings, see client.c */
	FRAME_SIGNAL,	 /* a signal number for the command */
	FRAME_PING,
	/* agent to client */
	FRAME_PONG,
	FRAME_STARTED, /* the command runs */
	FRAME_FAILED,  /* exit status for the client, then a sentence */
	FRAME_EXIT,    /* wait status; all output was sent before */
	/* both */
	FRAME_DATA,  /* source to sink: bytes of a stream */
	FRAME_EOF,   /* source to sink: the stream's end */
	FRAME_ACK,   /* sink to source: number of bytes written */
	FRAME_CLOSE, /* sink to source: nobody reads this stream any more */
};

struct frame {
	uint16_t type;
	uint16_t stream;
	uint32_t len;
};

struct buf {
	uint8_t *data;
	size_t head, tail, size; /* bytes from head to tail are in use */
};

struct link {
	int fd;
	struct buf in, out;
};

struct source {
	int fd; /* -1: ended */
	uint16_t stream;
	int64_t window; /* bytes that may still be sent */
};

struct sink {
	int fd; /* -1: closed */
	uint16_t stream;
	bool ended; /* close fd once all is written */
	int error;  /* errno of a failed write; 0 also if the reader left */
	struct buf buf;
};

void buf_append(struct buf *b, const void *data, size_t len);
void buf_free(struct buf *b);

void link_init(struct link *l, int fd);
void link_send(struct link *l, enum frame_type type, uint16_t stream,
	       const void *data, size_t len);
void link_send_u32(struct link *l, enum frame_type type, uint16_t stream,
		   uint32_t value);

/*
 * link_io - read and write what is possible without blocking.
 * @revents: what poll() said about l->fd
 *
 * Return: 0; -1 if the other side has gone.
 */
int link_io(struct link *l, short revents);

/* link_events - what to poll l->fd for. */
short link_events(const struct link *l);

/*
 * link_next - take the next complete frame.
 * @ret_data: its payload, valid until the next call of link_io()
 *
 * Return: 1 with a frame, 0 without, -1 if the other side talks nonsense.
 */
int link_next(struct link *l, struct frame *ret_frame,
	      const uint8_t **ret_data);

/* frame_u32 - the payload of a frame sent by link_send_u32(), 0 if malformed. */
uint32_t frame_u32(const struct frame *f, const uint8_t *data);

void source_init(struct source *s, uint16_t stream, int fd);
/* source_wants - is it time to poll s->fd for reading? */
bool source_wants(const struct source *s);
/* source_read - send what s->fd has; call it when poll() says it has something. */
void source_read(struct source *s, struct link *l);
void source_close(struct source *s);

void sink_init(struct sink *s, uint16_t stream, int fd);
void sink_take(struct sink *s, const void *data, size_t len);
void sink_end(struct sink *s);
bool sink_wants(const struct sink *s);
/* sink_write - call it when poll() says that s->fd can take something. */
void sink_write(struct sink *s, struct link *l);
/* sink_lost - whoever read s->fd has gone: drop the rest, tell the source. */
void sink_lost(struct sink *s, struct link *l);

#endif
