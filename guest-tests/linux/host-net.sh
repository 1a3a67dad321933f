#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# host-net.sh FILE COMMAND... - run COMMAND where FILE is served.
#
# In a network namespace of its own: HTTP at port 8000 has FILE as /data,
# repeated $HOST_REPEATS times (1); port 8001 says "go", and of what is sent to
# it FILE.back gets the number of bytes and the checksum; and iperf3 is at port
# 5201.  There is a way out that leads nowhere, which passt wants to see.  The
# tap "moat0", 192.168.77.1/24, is there for guests.
#
# "go", because passt of 2023 resets a connection 24 seconds after its start if
# the host has sent nothing by then, however much the guest has.
#
# With HOST_FETCHES=URL it fetches that meanwhile, into FILE.fetched, as soon
# as somebody answers.

set -euo pipefail
file=$(readlink -f "$1")
shift

[ "${HOST_NET_INSIDE-}" ] || HOST_NET_INSIDE=1 exec unshare -n "$0" "$file" "$@"

ip link set lo up
ip tuntap add out0 mode tap
ip address add 198.51.100.2/24 dev out0
ip link set out0 up
ip route add default via 198.51.100.1
ip tuntap add moat0 mode tap multi_queue
ip address add 192.168.77.1/24 dev moat0
ip link set moat0 up

python3 - "$file" "${HOST_REPEATS:-1}" <<'END' &
import hashlib, http.server, os, socket, sys, threading

path, repeats = sys.argv[1], int(sys.argv[2])

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(path, "rb") as f:
            data = f.read()
        self.send_response(200)
        self.send_header("Content-Length", str(repeats * len(data)))
        self.end_headers()
        for _ in range(repeats):
            self.wfile.write(data)

    def log_message(self, *args):
        pass

def sink():
    s = socket.create_server(("", 8001))
    while True:
        c, _ = s.accept()
        c.sendall(b"go\n")
        length, digest, end = 0, hashlib.md5(), ""
        try:
            while data := c.recv(1 << 18):
                length += len(data)
                digest.update(data)
        except OSError as e:
            end = f" {e.strerror}"
        c.close()
        with open(path + ".part", "w") as f:
            print(f"{length} {digest.hexdigest()}{end}", file=f)
        os.rename(path + ".part", path + ".back")

threading.Thread(target=sink, daemon=True).start()
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
END
server=$!
iperf3 -s --forceflush >iperf3.log 2>&1 &
iperf=$!
fetch=
if [ "${HOST_FETCHES-}" ]; then
	curl -s --retry 1000 --retry-delay 1 --retry-all-errors -o "$file.fetched" "$HOST_FETCHES" &
	fetch=$!
fi
status=0
"$@" || status=$?
kill "$server" "$iperf" $fetch 2>/dev/null || true
pgrep -a passt >&2 && { echo "passt is still there" >&2; status=99; }
exit "$status"
