# shellcheck shell=bash
# Sourced: a Docker Engine to work with. The one that answers, else a private one that shares nothing
# with the host but the kernel: own directory, bridge and control group, no firewall rules (published
# ports are served by docker-proxy), ended by its process id.

PATH=$PATH:/usr/sbin:/sbin
ENGINE_SOCKET=${DOCKER_HOST:-unix:///var/run/docker.sock}
ENGINE_SOCKET=${ENGINE_SOCKET#unix://}
ENGINE_DIR=
ENGINE_PID=
ENGINE_BRIDGE=

# api METHOD PATH [curl options]: one call of the Engine API. Prints the body; fails on HTTP errors.
api() {
	local method=$1 path=$2
	shift 2
	curl -sS --fail-with-body --max-time 60 --unix-socket "$ENGINE_SOCKET" -X "$method" "$@" "http://engine$path"
}

engine_answers() {
	[ -S "$ENGINE_SOCKET" ] && api GET /_ping >/dev/null 2>&1
}

# A /24 that no route of this host knows, on a new bridge.
engine_bridge() {
	local subnet attempt
	ENGINE_BRIDGE=kld$$
	for attempt in $(seq 50); do
		subnet=172.31.$((($$ + attempt * 7) % 250))
		ip -4 route show | grep -qF "$subnet." || break
	done
	ip link add "$ENGINE_BRIDGE" type bridge
	ip address add "$subnet.1/24" dev "$ENGINE_BRIDGE"
	ip link set "$ENGINE_BRIDGE" up
}

# Starts a private engine and waits until it answers.
engine_start() {
	ENGINE_DIR=$(mktemp -d /tmp/kubelet-lite-engine.XXXXXX)
	ENGINE_SOCKET=$ENGINE_DIR/docker.sock
	engine_bridge
	echo '{}' >"$ENGINE_DIR/daemon.json"
	# A session of its own: Ctrl-C must end the demo first and the engine last.
	setsid dockerd --host "unix://$ENGINE_SOCKET" --config-file "$ENGINE_DIR/daemon.json" \
		--data-root "$ENGINE_DIR/data" --exec-root "$ENGINE_DIR/exec" --pidfile "$ENGINE_DIR/pid" \
		--bridge "$ENGINE_BRIDGE" --iptables=false --ip-masq=false --ip-forward=false \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "/$ENGINE_BRIDGE" \
		>"$ENGINE_DIR/log" 2>&1 </dev/null &
	ENGINE_PID=$!
	local deadline=$((SECONDS + 60))
	until engine_answers; do
		if ! kill -0 "$ENGINE_PID" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
			echo "the private Docker Engine did not start; its last words:" >&2
			tail -n 20 "$ENGINE_DIR/log" >&2
			return 1
		fi
		sleep 0.1
	done
}

# Processes of the private engine: those in its control group (containers), and those that name its
# directory (dockerd, containerd and its shims).
engine_processes() {
	find /sys/fs/cgroup -path "*/$ENGINE_BRIDGE/*/cgroup.procs" -exec cat {} + 2>/dev/null || true
	grep -slF "$ENGINE_DIR/" /proc/[0-9]*/cmdline | cut -d/ -f3 | while read -r pid; do
		[ ! -d "/proc/$pid" ] || echo "$pid"
	done
}

# Ends the private engine, if there is one, with everything it held, even if it was killed meanwhile.
engine_stop() {
	[ -n "$ENGINE_DIR" ] || return 0
	local deadline id signal=
	for id in $(api GET '/containers/json?all=1' 2>/dev/null | jq -r '.[].Id' 2>/dev/null); do
		api DELETE "/containers/$id?force=1&v=1" >/dev/null || true
	done
	[ -z "$ENGINE_PID" ] || kill "$ENGINE_PID" 2>/dev/null || true
	deadline=$((SECONDS + 30))
	until [ -z "$ENGINE_PID" ] || ! kill -0 "$ENGINE_PID" 2>/dev/null || [ $SECONDS -ge $deadline ]; do sleep 0.1; done
	# An engine that ended well leaves none of these.
	deadline=$((SECONDS + 10))
	while [ $SECONDS -lt $deadline ] && engine_processes | sort -u | grep -q .; do
		engine_processes | sort -u | xargs -r kill ${signal:+"$signal"} 2>/dev/null || true
		signal=-KILL
		sleep 0.2
	done
	if [ -n "$ENGINE_BRIDGE" ]; then
		ip link delete "$ENGINE_BRIDGE" 2>/dev/null || true
		find /sys/fs/cgroup -depth -type d -path "*/$ENGINE_BRIDGE*" -exec rmdir {} + 2>/dev/null || true
	fi
	awk -v dir="$ENGINE_DIR/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l || true
	rm -rf "$ENGINE_DIR"
	ENGINE_DIR='' ENGINE_PID='' ENGINE_BRIDGE=''
}
