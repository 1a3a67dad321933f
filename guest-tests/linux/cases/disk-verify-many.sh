# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A million writes, discards and reads of fio, which verifies them, on a raw and a qcow2 disk; --long.

# job NAME OFFSET OPTION... - for either disk, 8 MiB from OFFSET on
job() {
	local name=$1 offset=$2 disk
	shift 2

	for disk in raw qcow2; do
		printf '%s\n' "[$name-$disk]" "filename=/dev/$disk" "offset=${offset}m" "$@" ''
	done
}

jobs() {
	cat <<-END
	[global]
	ioengine=libaio
	direct=1
	iodepth=16
	size=8m
	loops=${MOAT_FIO_LOOPS:-20}
	verify_fatal=1
	verify_state_save=0
	thread=1
	gtod_reduce=1

	END
	# What was discarded reads as zeroes where it is whole clusters; and fio 3.33
	# does not write what it has discarded unless it begins at the start.
	for disk in raw/4k qcow2/64k; do
		printf '%s\n' "[discards-${disk%/*}]" "filename=/dev/${disk%/*}" rw=randtrimwrite "bs=${disk#*/}" \
			verify=crc32c trim_percentage=30 trim_backlog=16 trim_verify_zero=1 ''
	done
	job sectors 8 rw=randwrite bssplit=512/40:1k/20:2k/10:4k/30 verify=crc32c
	job mixed 16 rw=randwrite bsrange=4k-64k blockalign=4k verify=md5 verify_backlog=256
	job pages 24 rw=randwrite bs=4k verify=xxhash numjobs=2 offset_increment=8m
}

# sum_up - print operations and jobs that ended well, of fio's report
sum_up() {
	python3 - fio.json <<-'END'
	import json, sys

	text = open(sys.argv[1]).read()
	jobs = json.loads(text[text.index("{"):])["jobs"]
	ways = ("read", "write", "trim")
	for disk in ("raw", "qcow2"):
	    mine = [j for j in jobs if j["jobname"].endswith("-" + disk)]
	    print(disk, *(sum(j[w]["total_ios"] for j in mine) for w in ways))
	print("all", sum(j[w]["total_ios"] for j in jobs for w in ways), len(jobs), sum(j["error"] == 0 for j in jobs))
	END
}

for program in fio qemu-img qemu-storage-daemon python3; do
	command -v "$program" >/dev/null || skip "there is no '$program'"
done
jobs >jobs.fio
# Not every file system of a nested host can punch holes; its memory can.
cat >around <<'END'
truncate -s 40M /tmp/moat-raw.img
qemu-img create -q -f qcow2 /tmp/moat-disk.qcow2 40M
"$@"
status=$?
qemu-img check -q /tmp/moat-disk.qcow2 || status=99
rm -f /tmp/moat-raw.img /tmp/moat-disk.qcow2
exit $status
END
wrapper=(sh around)
root=/
# shellcheck disable=SC2016 # for the guest's shell
in_guest='for disk in /sys/block/vd*; do
		ln -s "/dev/${disk##*/}" "/dev/$(cat "$disk/serial")"
	done
	exec fio --output-format=json --output="$1/fio.json" "$1/jobs.fio"'
timeout=14400s
launch -v --cpus 1 --rw . --iommu on --disk path=/tmp/moat-raw.img,id=raw \
	--disk path=/tmp/moat-disk.qcow2,format=qcow2,id=qcow2 -- sh -ec "$in_guest" sh "$PWD"
ended_with 0
figures=$(sum_up)
echo "$figures" >>"$errors"
read -r _ operations all good <<<"$(tail -n 1 <<<"$figures")"
[ "$good" = "$all" ] || fail "$good of $all jobs ended without an error"
((all == 10)) || fail "there were $all jobs"
((operations >= ${MOAT_FIO_LOOPS:-20} * 50000)) || fail "fio did $operations operations"
iommu_was_used
