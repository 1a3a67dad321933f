# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# moat is killed (kill -9) under load: what the guest had flushed is on the disk.

guest() {
	disk=$(disk data)
	while :; do
		dd if=/dev/zero of="/dev/$disk" bs=64k seek=64 count=32 2>/dev/null
	done &
	for n in $(seq 0 999); do
		printf 'block %d\n' "$n" |
			dd of="/dev/$disk" bs=4k seek="$n" conv=sync,fsync,notrunc 2>/dev/null
		say "flushed $n"
	done
	sleep 1000
}

cat >kill-it.sh <<'END'
"$@" &
until grep -qsx '#guest flushed 2[0-9]' "$OUT"; do sleep 0.1; done
pkill -KILL -P $!
wait $!
END
export OUT=console-1
wrapper=(bash kill-it.sh)
make_blank_disk data 8M
run_moat --cpus 2 --iommu on --disk path=data.img,id=data
ended_with 137
last=$(sed -n 's/^flushed //p' <<<"$said" | tail -n 1)
((last >= 20)) || fail "only $last blocks were flushed"
for ((n = 0; n <= last; n++)); do
	block=$(dd if=data.img bs=4k skip="$n" count=1 status=none | tr -d '\0')
	[ "$block" = "block $n" ] || fail "block $n of $last is '${block:0:20}'"
done
