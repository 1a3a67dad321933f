/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * chain.h - where chains come from: the pool and the walk.  For queue.c only.
 */
#ifndef MOAT_VIRTIO_CHAIN_H
#define MOAT_VIRTIO_CHAIN_H

#include <stdint.h>

#include "virtio/queue.h"

/* A chain from the pool, made if there is none; NULL without memory. */
struct vq_chain *vq_chain_get(struct vq *q);
/* Ends its holds. */
void vq_chain_put(struct vq_chain *c);
/* Frees every chain of the queue, those the device has included. */
void vq_chain_free_all(struct vq *q);

/*
 * vq_chain_walk - fill @c from the descriptors that start at @head.
 * @ret_why: on failure, what is wrong, for the log
 *
 * Return: 0; -EPROTO if the format is broken; -EFAULT if a descriptor cannot
 * be read; -ENOMEM.
 */
int vq_chain_walk(struct vq_chain *c, uint16_t head, const char **ret_why);

#endif
