#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
#
# host-net.sh FILE COMMAND... - run COMMAND where FILE is served.
#
# In a network namespace of its own: HTTP at port 8000 has FILE as /data,
# what is sent to port 8001 ends up in FILE.back, and iperf3 is at port 5201.
# There is a way out that leads nowhere, which passt wants to see.  The tap
# "moat0", 192.168.77.1/24, is there for guests.
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

python3 - "$file" <<'END' &
import http.server, os, socket, sys, threading

path = sys.argv[1]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(path, "rb") as f:
            data = f.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass

def sink():
    s = socket.create_server(("", 8001))
    while True:
        c, _ = s.accept()
        with open(path + ".part", "wb") as f:
            while data := c.recv(1 << 16):
                f.write(data)
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
