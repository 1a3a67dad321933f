# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# A shell on a terminal: job control, Ctrl-C, and a window that changes size.

command -v tmux >/dev/null || skip "there is no tmux"
cat >session.sh <<'END'
socket=$(mktemp -d)/tmux	# what is shared with the outer host holds no sockets
t() { tmux -S "$socket" "$@"; }
# until_shown TEXT - wait until the screen has a line like it
until_shown() {
	for _ in {1..600}; do
		! t capture-pane -p -t 0 | tee screen | grep -q "$1" || return 0
		sleep 0.2
	done
	echo "never shown: $1"
	cat screen
	exit 1
}
type_line() { t send-keys -t 0 "$1" Enter; }
export TERM=xterm
printf '%q ' "$@" >command
echo '; echo "status=$?"; sleep 1000' >>command
t -f /dev/null new-session -d -x 90 -y 30 "bash $PWD/command"
until_shown '^~ \?#\|^/ \?#'
type_line 'stty size; test -t 0 && test -t 1 && test -t 2 && echo all-$((1+1))'
until_shown '^30 90'
until_shown '^all-2'
type_line 'echo now-$((4+4)); sleep 1000'
until_shown '^now-8'
t send-keys -t 0 C-z
until_shown 'Stopped'
type_line fg
until_shown '^sleep 1000'
t send-keys -t 0 C-c
type_line 'echo back-$((2+2))'
until_shown '^back-4'
t resize-window -t 0 -x 100 -y 40
type_line 'until stty size | grep "^40 100"; do sleep 0.1; done'
until_shown '^40 100'
type_line 'exit 9'
until_shown '^status=9'
t kill-server
END
wrapper=(bash session.sh)
launch -- sh
ended_with 0
