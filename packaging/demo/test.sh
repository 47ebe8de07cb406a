#!/usr/bin/env bash
# test.sh: two runs of the demo at once, the second on the engine of the first, which DOCKER_HOST names. Ctrl-C ends each,
# and nothing is left of it: no container, directory, engine or bridge. Needs what run.sh needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
. packaging/demo/engine.sh

work=$(mktemp -d)
end() {
	trap '' INT TERM HUP
	for session in $(jobs -p); do kill -TERM -- "-$session" 2>/dev/null && wait "$session"; done || true
	rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM HUP
fail() {
	printf '\nFAILED: %s\n' "$*" >&2
	tail -n 40 "$work"/*.out >&2
	exit 1
}
# Each demo is a process group of its own, as in a terminal: Ctrl-C reaches all of it.
set -m

# play NAME ENGINE: begins a demo on this engine, or on a private one.
play() {
	local deadline=$((SECONDS + 180))
	# Who starts a test in the background may have made all that is below it deaf to Ctrl-C.
	DOCKER_HOST=unix://$2 env --default-signal=INT packaging/demo/run.sh >"$work/$1.out" 2>&1 </dev/null &
	session=$!
	until grep -q 'Ctrl-C ends the demo' "$work/$1.out"; do
		kill -0 "$session" 2>/dev/null || fail "$1: it ends by itself"
		[ $SECONDS -lt $deadline ] || fail "$1: not ready in 180 s"
		sleep 0.2
	done
	socket=$(sed -n 's|.*docker -H unix://\([^ ]*\) ps$|\1|p' "$work/$1.out")
	directory=$(dirname "$(sed -n 's|^   manifests  *||p' "$work/$1.out")")
	[ -S "$socket" ] && [ -d "$directory" ] || fail "$1: does not say where everything is"
	echo "   ok: $1 is ready to play"
}
# interrupt NAME SESSION DIRECTORY
interrupt() {
	local status=0
	kill -INT -- "-$2"
	wait "$2" || status=$?
	[ $status = 0 ] || fail "$1: ends with $status"
	[ ! -e "$3" ] || fail "$1: its directory is left"
	no_process "$3" || fail "$1: a process is left"
	echo "   ok: Ctrl-C ends $1, and its directory is gone"
}
# Waits until no process names a directory: what shows the log ends a moment after the demo.
no_process() {
	local deadline=$((SECONDS + 30))
	while grep -sqF "$1/" /proc/[0-9]*/cmdline; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.2
	done
}
# Whether pod retry of the demo in a directory has ended well, with nothing left of its earlier tries.
settled() {
	ENGINE_SOCKET=$socket api GET /containers/json --get --data all=1 --data-urlencode "filters={\"label\":[
		\"io.kubelet-lite.managed-by=$1/root\", \"io.kubernetes.container.name=work\"]}" | jq -e '
		map(select(.Labels["io.kubernetes.pod.name"] | startswith("retry-"))
			| [.State, .Labels["annotation.io.kubernetes.container.restartCount"]]) == [["exited", "2"]]' >/dev/null
}
# The containers of the demo in a directory.
containers() {
	ENGINE_SOCKET=$socket api GET /containers/json --get --data all=1 \
		--data-urlencode "filters={\"label\":[\"io.kubelet-lite.managed-by=$1/root\"]}" | jq -r '.[].Id' | sort
}

play "the first" "$work/no.sock"
first=$session engine=$socket first_directory=$directory
[ "$engine" != "$work/no.sock" ] || fail "it has no engine of its own"
deadline=$((SECONDS + 120))
until settled "$first_directory"; do
	[ $SECONDS -lt $deadline ] || fail "the first: pod retry has not ended well in 120 s"
	sleep 0.5
done
before=$(containers "$first_directory")
play "the second" "$engine"
[ "$socket" = "$engine" ] || fail "it does not take the engine that DOCKER_HOST names"
[ -n "$(containers "$directory")" ] || fail "it runs nothing"
interrupt "the second" "$session" "$directory"
[ -z "$(containers "$directory")" ] || fail "containers of the second are left"
[ -n "$before" ] && [ "$(containers "$first_directory")" = "$before" ] || fail "the second has touched the first's containers"
echo "   ok: no container of the second is left, and all of the first"
interrupt "the first" "$first" "$first_directory"
[ ! -e "$(dirname "$engine")" ] || fail "the engine's directory is left"
! ip link show "kld$first" >/dev/null 2>&1 || fail "the engine's bridge is left"
no_process "$(dirname "$engine")" || fail "a process of the engine is left"
echo "   ok: nothing is left of its engine"
