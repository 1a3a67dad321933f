/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * sys.h - /dev/kvm itself.
 *
 * Threads: set-up, from one thread.
 */
#ifndef MOAT_VMM_KVM_SYS_H
#define MOAT_VMM_KVM_SYS_H

struct err;

/*
 * kvm_sys_open - open /dev/kvm and check its API version.
 *
 * Return: the descriptor; -ENOENT without the module, -EACCES without the
 * permission, other -errno, each with a sentence that says what to do;
 * -ENOTSUP for another API version.
 */
int kvm_sys_open(struct err *err);

/* Return: the extension's value, 0 if it is not there. */
int kvm_sys_extension(int fd, unsigned cap);

/*
 * kvm_sys_missing - names of what moat needs and @fd (of /dev/kvm or a VM)
 * lacks; static text.
 *
 * Return: how many there are, of which up to @max are written.
 */
unsigned kvm_sys_missing(int fd, const char **ret_names, unsigned max);

/*
 * kvm_sys_require - check @fd (of /dev/kvm or a VM) for all that moat cannot
 * do without.
 *
 * Return: 0, or -ENOTSUP with a sentence that names the first one missing.
 */
int kvm_sys_require(int fd, struct err *err);

#endif
