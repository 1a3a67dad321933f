# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Too little memory, of the host's or of the guest's, is told, hangs nothing, leaves nothing.

cat >with-limit.sh <<'END'
limit=$1
shift
case $limit in
address-space) ulimit -v 300000 ;;
memory)
	mkdir -p limited
	mount -t cgroup2 none limited
	echo +memory >limited/cgroup.subtree_control
	mkdir limited/run
	echo 200M >limited/run/memory.max
	(echo $BASHPID >limited/run/cgroup.procs && exec "$@")
	status=$?
	"$MOAT" list >&2	# which removes what the killed one could not
	exit "$status"
	;;
esac
exec "$@"
END

with_limit() {
	wrapper=("$GUEST_FILES/../left-behind.sh" bash with-limit.sh "$1")
}

mkdir work
with_limit address-space
launch --share work -- true
ended_with 125
moat_says '^moat: --memory: cannot reserve 512 MiB of RAM: Cannot allocate memory$'
nothing_was_left

with_limit none
launch --memory 16M -- true
ended_with 125
moat_says '^moat: kernel .*memory'
nothing_was_left

# The guest's own: its kernel ends who takes it.
launch --memory 128M --share work -- sh -c 'tail /dev/zero; echo $?; echo still here'
ended_with 0
out_is "137
still here"
nothing_was_left

# The host has less than it has promised, and its kernel ends moat.
with_limit memory
launch --memory 512M --share work -- sh -c 'tail /dev/zero; echo $?'
ended_with 137
nothing_was_left
