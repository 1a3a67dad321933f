# SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause
# Eight guests at once, each with its own output.

cat >eight.sh <<'END'
for i in 1 2 3 4 5 6 7 8; do
	"$@" --name "n$i" --memory 96M -- sh -c "echo guest $i; exit $i" >"out-$i" 2>"err-$i" &
	pids[i]=$!
done
for i in 1 2 3 4 5 6 7 8; do
	wait "${pids[i]}"
	echo "$i: $? $(cat "out-$i")"
done
END
wrapper=(bash eight.sh)
timeout=280s
launch
out_is "$(for i in 1 2 3 4 5 6 7 8; do echo "$i: $i guest $i"; done)"
