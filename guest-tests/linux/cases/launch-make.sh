# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A project of the host is built and tested in the guest, and only shared folders change.

command -v cc make >/dev/null || skip "there is no compiler"
mkdir -p project other readonly
echo from-host >readonly/input
cat >project/Makefile <<'END'
test: prime
	./prime 7 && ! ./prime 9 && ! ./prime 1
	./prime 104729
	@echo all tests passed
prime: prime.c
	$(CC) -O1 -Wall -o $@ $<
END
cat >project/prime.c <<'END'
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	const long n = argc > 1 ? atol(argv[1]) : 0;
	int prime = n > 1;

	for (long i = 2; i * i <= n; i++)
		prime &= n % i != 0;
	printf("%ld is %sprime\n", n, prime ? "" : "not ");
	return !prime;
}
END
# shellcheck disable=SC2016 # for make
cat >project/local.mk <<'END'
include Makefile
check: test
	pwd
	echo too >../other/file
	echo gone >../dropped && cat ../dropped
	! echo x 2>/dev/null >../readonly/input
	cat ../readonly/input
END
root=/
launch --share readonly,ro=on --rw other --share project -- make -s -f local.mk check
ended_with 0
out_is "7 is prime
9 is not prime
1 is not prime
104729 is prime
all tests passed
$PWD/project
gone
from-host"
[ -x project/prime ] || fail "what was built in --share is not here"
[ "$(cat other/file)" = too ] || fail "what the command wrote to --rw is not here"
[ ! -e dropped ] || fail "the command has changed what is not shared"
[ "$(cat readonly/input)" = from-host ] || fail "a read-only folder has changed"
