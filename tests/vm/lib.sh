# What run.sh and vagrant.sh have in common. To be sourced.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LC_ALL=C
# Emulated, a container takes 5 to 10 seconds to start; more on a busy host.
PATIENCE=60
[ "$("$here/power-on.sh" --accel)" = kvm ] || PATIENCE=900
export PATIENCE

# ended_by CLEANUP: the function is called once when the script ends, also by a signal, and no signal interrupts it.
ended_by() {
	cleanup=$1
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'status=$?; trap "" HUP INT TERM; trap - EXIT; set +e; end_child; $cleanup; exit $status' EXIT
}

# with_child COMMAND...: what takes long, so that a signal to the script is acted on at once, and ends the command. Job
# control is off: the command does not see Ctrl-C itself.
child=
with_child() {
	local status=0
	"$@" &
	child=$!
	wait "$child" || status=$?
	child=
	return $status
}
end_child() {
	[ -n "$child" ] || return 0
	kill "$child" 2>/dev/null
	wait "$child" 2>/dev/null
}

# newer PACKAGE FILE: the same under a higher version, to upgrade to.
newer() {
	local tree=$2.tree
	dpkg-deb --raw-extract "$1" "$tree"
	sed -i 's/^Version: .*/&+1/' "$tree/DEBIAN/control"
	dpkg-deb --root-owner-group -Zgzip --build "$tree" "$2" >/dev/null
	rm -r "$tree"
}

# ssh_host BOX NAME PORT: an entry of an ssh configuration for root on a machine of box.sh.
ssh_host() {
	printf '%s\n' "Host $2" "HostName 127.0.0.1" "Port $3" "User root" "IdentityFile $1/key" "IdentitiesOnly yes" \
		"ConnectTimeout 20" "ServerAliveInterval 10" "ServerAliveCountMax 6" \
		"StrictHostKeyChecking no" "UserKnownHostsFile /dev/null" "LogLevel ERROR"
}

# await DIRECTORY REACH: the machine of DIRECTORY, reached by the command, is up and has an engine.
await() {
	until $2 sh -s <<<'systemctl is-system-running --wait; systemctl is-active docker' >/dev/null 2>&1; do
		if [ $SECONDS -gt "$PATIENCE" ] || ! kill -0 "$(cat "$1/pid")" 2>/dev/null; then
			tail -20 "$1/console" "$1/qemu" >&2
			echo "the machine does not come up" >&2
			return 1
		fi
		sleep 2
	done
}

# power_off DIRECTORY...: as pulling the plug.
power_off() {
	local directory
	for directory; do
		[ ! -f "$directory/pid" ] || kill "$(cat "$directory/pid")" 2>/dev/null || true
	done
}
