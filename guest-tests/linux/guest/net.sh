#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# net.sh HOST FILE REPEATS MORE - in a guest: fetch and send what host-net.sh
# serves, FILE repeated REPEATS times, print the checksum of what came, then
# the card's MTU; run MORE.  How fast that was is on standard error.  With
# NET_IOMMU=off it is not behind an IOMMU.

set -euo pipefail
host=$1 file=$2 repeats=$3 more=$4

now() {
	echo "${EPOCHREALTIME/[.,]/}"
}

# rate WORDS SINCE
rate() {
	local us=$(($(now) - $2)) bytes=$((repeats * $(stat -c %s /tmp/data)))

	echo "net: $1 $((bytes >> 20)) MiB in $((us / 1000)) ms, $((bytes / us)).$((bytes * 10 / us % 10)) MB/s" >&2
}

cp "$file" /tmp/data
begin=$(now)
busybox wget -q -O - "http://$host:8000/data" | md5sum | cut -d' ' -f1
rate received "$begin"

exec {sink}<>"/dev/tcp/$host/8001"
read -r -u "$sink"
begin=$(now)
for ((i = 0; i < repeats; i++)); do
	cat /tmp/data
done >&"$sink"
exec {sink}>&-
until [ -e "$file.back" ]; do sleep 0.1; done
rate sent "$begin"

iperf3 -c "$host" -n 4M >/dev/null
iperf3 -c "$host" -n 4M -R >/dev/null
[ "${NET_IOMMU-on}" = off ] || ls -d /sys/class/net/eth0/device/../iommu_group >/dev/null
cat /sys/class/net/eth0/mtu
eval "$more"
