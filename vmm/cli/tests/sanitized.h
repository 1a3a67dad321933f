/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * sanitized.h - SANITIZED: 1 in a build with a sanitizer of addresses or of
 * threads.  It reports faults in its own way, ends with a status of its own,
 * and needs far more address space than a program without.
 */
#ifndef MOAT_VMM_CLI_TESTS_SANITIZED_H
#define MOAT_VMM_CLI_TESTS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
