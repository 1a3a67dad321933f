/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/*
 * test_hooks.h - what the tests of guests ask of moat beyond its options.
 *
 * MOAT_TEST in the environment is a list of keys; CONTRIBUTING.md has them.
 * Without it nothing here happens, with it moat says so.
 */
#ifndef MOAT_VMM_CLI_TEST_HOOKS_H
#define MOAT_VMM_CLI_TEST_HOOKS_H

struct err;
struct settings;

/* Return: 0; -EINVAL or -ENOMEM, with a sentence. */
int test_hooks_apply(struct settings *s, struct err *err);

#endif
