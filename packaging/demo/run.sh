#!/usr/bin/env bash
# run.sh [auto]: the daemon on a copy of manifests/, to play with until Ctrl-C. "auto" plays a story
# through by itself, checks every step and exits 0 or 1.
#
# Leaves nothing behind: not the pods, nor its directory, nor the engine if it had to start one.
# Every wait below polls for a value and has a limit; none is there to be long enough.
set -euo pipefail
cd "$(dirname "$0")/../.."
. packaging/demo/engine.sh

mode=${1:-interactive}
binary=${KUBELET_LITE:-target/debug/kubelet-lite}
image=kubelet-lite/demo:1
node=demo
work=
manifests=
root=
log=
daemon=
tail=
lock=
images_before=

bold() { if [ -t 1 ]; then printf '\n\033[1m== %s\033[0m\n' "$*"; else printf '\n== %s\n' "$*"; fi; }
fail() {
	printf '\nFAILED: %s\n' "$*" >&2
	exit 1
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		[ $SECONDS -lt $deadline ] || fail "not within its time: $what"
		[ -z "$daemon" ] || kill -0 "$daemon" 2>/dev/null || fail "the daemon ended while waiting for: $what"
		sleep 0.1
	done
	echo "   ok: $what"
}

# All containers of this daemon, as the engine lists them.
ours() { api GET /containers/json --get --data all=1 --data-urlencode "filters={\"label\":[\"io.kubelet-lite.managed-by=$root\"]}"; }
ids() { ours | jq -r '.[].Id' | sort; }
running() { ours | jq -r '.[] | select(.State == "running") | .Id' | sort; }
nothing_left() { [ -z "$(ids)" ]; }
# container POD NAME: "id state restarts" of its newest container.
container() {
	ours | jq -r --arg pod "$1-$node" --arg name "$2" 'map(select(.Labels["io.kubernetes.pod.name"] == $pod
		and .Labels["io.kubernetes.container.name"] == $name)) | sort_by(.Created, (.Labels["annotation.io.kubernetes.container.restartCount"] // "0" | tonumber)) | last // empty
		| "\(.Id) \(.State) \(.Labels["annotation.io.kubernetes.container.restartCount"] // "0")"'
}
# Images that the demo or its daemon may have made: theirs to remove, if they were not there before.
images() {
	api GET /images/json --get --data-urlencode 'filters={"reference":["kubelet-lite/*"]}' | jq -r '.[].RepoTags[]' | sort
}
show_pods() {
	echo
	{
		echo $'NAMESPACE\tPOD\tCONTAINER\tSTATUS\tRESTARTS\tID'
		ours | jq -r 'map({l: .Labels} + .) | sort_by(.l["io.kubernetes.pod.name"], .Created) | .[] | [
			.l["io.kubernetes.pod.namespace"], .l["io.kubernetes.pod.name"], .l["io.kubernetes.container.name"],
			.Status, .l["annotation.io.kubernetes.container.restartCount"] // "-", .Id[:12]] | @tsv'
	} | column -t -s $'\t' | sed 's/^/   /'
}
page() { curl -sS --max-time 2 "http://127.0.0.1:$1" 2>/dev/null; }
page_has() { page "$1" | grep -q "$2"; }
log_has() { tail -n "+$1" "$log" | grep -q "$2"; }
log_line() { echo $(($(wc -l <"$log") + 1)); }

start_daemon() {
	# A session of its own, so that Ctrl-C reaches this script alone.
	setsid "$binary" --pod-manifest-path="$manifests" --root-dir="$root" \
		--docker-endpoint="unix://$ENGINE_SOCKET" --hostname-override="$node" 2>>"$log" </dev/null &
	daemon=$!
}
stop_daemon() {
	[ -n "$daemon" ] || return 0
	local pid=$daemon
	daemon=
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid"
}
# put FILE: standard input becomes this manifest, whole, as a careful operator's editor does it.
put() { cat >"$work/new" && mv "$work/new" "$manifests/$1"; }

finish() {
	local status=$? id
	trap '' INT TERM HUP
	set +e
	if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
		[ -z "$(ids)" ] || bold "removing the pods: $manifests is emptied"
		rm -rf "${manifests:?}"/*
		local deadline=$((SECONDS + 60))
		# A pod has its directory before it has containers.
		until { nothing_left && no_pod_directory; } || [ $SECONDS -ge $deadline ]; do sleep 0.1; done
		stop_daemon || status=1
	fi
	[ -z "$tail" ] || kill "$tail" 2>/dev/null
	if [ -n "$root" ]; then
		for id in $(ids); do
			echo "left over, removed by force: $id" >&2
			[ $status != 0 ] || status=1
			api DELETE "/containers/$id?force=1&v=1" >/dev/null
		done
	fi
	if [ -n "$ENGINE_DIR" ]; then
		echo "   ending the Docker Engine of this demo"
		engine_stop
	else
		comm -13 <(echo "$images_before") <(images) | while read -r id; do api DELETE "/images/$id" >/dev/null; done
	fi
	if [ -n "$work" ]; then
		awk -v dir="$work/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
		rm -rf "$work"
	fi
	[ -z "$lock" ] || rm -f "$lock"
	if [ $status = 0 ]; then bold "all gone; the end"; fi
	exit $status
}

prepare() {
	[ "$(id -u)" = 0 ] || fail "this needs root (for the Docker Engine and the pods' directories); say: sudo make run"
	[ -x "$binary" ] || fail "$binary is not there: cargo build"
	trap finish EXIT
	# Ctrl-C is how the demo ends, and how a story that plays by itself fails.
	if [ "$mode" = auto ]; then
		trap 'exit 129' HUP
		trap 'exit 130' INT
		trap 'exit 143' TERM
	else
		trap 'exit 0' INT TERM HUP
	fi
	if engine_answers; then
		bold "using the Docker Engine at $ENGINE_SOCKET"
	else
		bold "no Docker Engine answers at $ENGINE_SOCKET: starting a private one"
		packaging/deps.sh dockerd=docker.io ip=iproute2
		engine_start
	fi
	api GET /version | jq -r '"   Docker Engine \(.Version), API \(.ApiVersion), \(.Os)/\(.Arch)"'
	images_before=$(images)
	DOCKER_HOST=unix://$ENGINE_SOCKET packaging/demo/image.sh "$image" | sed 's/^/   /'

	work=$(mktemp -d /tmp/kubelet-lite-demo.XXXXXX)
	manifests=$work/manifests root=$work/root log=$work/log
	cp -r manifests "$manifests"
	: >"$log"
	pick_ports
	# The daemon's log as it comes, without what makes its lines long.
	setsid tail -n +1 -F --pid=$$ "$log" 2>/dev/null > >(exec setsid sed -uE "s#$work/##g
		s/^[0-9-]+T([0-9:]+)[.0-9]*Z/\1/
		s/ (uid|config_hash)=\"?[0-9a-f]{32}\"?//g
		s/(container_id=)\"?([0-9a-f]{12})[0-9a-f]*\"?/\1\2/g
		s/^/   | /") &
	tail=$!
}

# The examples use ports 18080 to 18084; in the copy, others if one of these is taken or another demo
# is about to take them. That one also has another node name, and so other container names.
pick_ports() {
	local prefix port free hold
	for prefix in 1808 1818 1828 1838 1848 1858; do
		exec {hold}>"/tmp/kubelet-lite-demo.$prefix.lock"
		flock -n "$hold" || continue
		lock=/tmp/kubelet-lite-demo.$prefix.lock
		hello=${prefix}0 shared=${prefix}1 info=${prefix}2 sidecar=${prefix}3 config=${prefix}4 free=yes
		for port in $hello $shared $info $sidecar $config; do
			if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then free=; fi
		done
		if [ -n "$free" ]; then
			[ $prefix = 1808 ] || node=demo-$prefix
			[ $prefix = 1808 ] || sed -i "s/\b1808\([0-4]\)\b/$prefix\1/" "$manifests"/*
			return 0
		fi
		rm -f "$lock"
		exec {hold}>&-
	done
	lock=
	fail "ports 18080 to 18084 and their like are all taken on this node"
}

all_answer() {
	wait_for 60 "http://127.0.0.1:$hello/ answers: a web server" page_has "$hello/" "from kubelet-lite"
	wait_for 60 "http://127.0.0.1:$shared/ answers: two containers, one volume" page_has "$shared/" :
	wait_for 60 "http://127.0.0.1:$info/os-release answers: the node's network and a file of it" \
		page_has "$info/os-release" ID=
	wait_for 60 "http://127.0.0.1:$sidecar/ answers: an init container, a sidecar, an app" page_has "$sidecar/" prepared
	wait_for 60 "http://127.0.0.1:$config/ answers: a page from a ConfigMap" page_has "$config/" "from a ConfigMap"
	wait_for 60 "its script knows the ConfigMap's greeting and the Secret's file" \
		page_has "$config/cgi-bin/door" "welcome: the password has 11 characters"
}

interactive() {
	bold "the daemon starts over a copy of manifests/"
	start_daemon
	all_answer
	show_pods
	bold "ready to play: add, edit and remove files and watch the log below"
	cat <<-END
		   manifests   $manifests
		   pages       curl http://127.0.0.1:$hello/  http://127.0.0.1:$shared/  http://127.0.0.1:$sidecar/
		               curl http://127.0.0.1:$info/os-release
		   containers  docker -H unix://$ENGINE_SOCKET ps
		   Ctrl-C ends the demo and everything in it.

	END
	wait "$daemon" || true
	daemon=
	fail "the daemon ended by itself"
}

sandboxes_stopped() {
	local pod
	for pod in "$@"; do pod_is "$pod" POD exited 0 || return 1; done
}
# pod_is POD CONTAINER STATE RESTARTS
pod_is() { [[ $(container "$1" "$2") == *" $3 $4" ]]; }

auto() {
	bold "1. start: every pod of the directory runs"
	start_daemon
	all_answer
	wait_for 60 "pod once, restartPolicy Never, has run" pod_is once work exited 0
	wait_for 60 "pod retry, restartPolicy OnFailure, ended well at its third try" pod_is retry work exited 2
	wait_for 30 "the sandboxes of both are stopped" sandboxes_stopped once retry
	show_pods

	bold "2. edit a manifest: the smallest restart"
	local before sandbox web clock
	before=$(running) sandbox=$(container hello POD) web=$(container hello web)
	sed 's/value: hello$/value: good morning/' "$manifests/hello.yaml" | put hello.yaml
	wait_for 30 "http://127.0.0.1:$hello/ says good morning" page_has "$hello/" "good morning"
	[ "$(container hello POD)" = "$sandbox" ] || fail "the sandbox of hello was replaced"
	wait_for 10 "of all that runs, only container web of pod hello is another one" only_replaced "$before" "${web%% *}"

	before=$(running)
	sed 's/a page from a ConfigMap$/another page from a ConfigMap/' "$manifests/config.yaml" | put config.yaml
	wait_for 30 "http://127.0.0.1:$config/ shows the other page" page_has "$config/" "another page"
	[ "$(running)" = "$before" ] || fail "an edited page restarted something"

	bold "3. break a manifest: what runs goes on"
	local from
	from=$(log_line) before=$(running)
	sed 's/containers:/contianers:/' "$manifests/hello.yaml" | put hello.yaml
	wait_for 30 "the log names the file, the field and the right name" \
		log_has "$from" 'ERROR.*hello\.yaml.*contianers.*did you mean .containers'
	wait_for 10 "hello answers as before" page_has "$hello/" "good morning"
	sed 's/contianers:/containers:/' "$manifests/hello.yaml" | put hello.yaml
	[ "$(running)" = "$before" ] || fail "other containers run than before the mistake"

	bold "4. kill a container: it is restarted, its neighbour is not"
	web=$(container shared-volume web) clock=$(container shared-volume clock)
	api POST "/containers/${web%% *}/kill"
	wait_for 30 "container web of pod shared-volume runs, restarted once" pod_is shared-volume web running 1
	wait_for 30 "http://127.0.0.1:$shared/ answers" page_has "$shared/" :
	[ "$(container shared-volume clock)" = "$clock" ] || fail "container clock was replaced"

	bold "5. kill -9 the daemon and start it again: nobody notices"
	before=$(running)
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null || true
	daemon=
	wait_for 10 "hello answers without the daemon" page_has "$hello/" "good morning"
	start_daemon
	# It takes part again: it acts on the removal of one file, and on nothing else.
	rm "$manifests/batch.yaml"
	wait_for 30 "the pods of batch.yaml are gone" gone once retry
	[ "$(running)" = "$before" ] || fail "other containers run than before: $(diff <(echo "$before") <(running))"
	echo "   ok: what runs are the same containers as before"
	show_pods

	bold "6. remove all manifests: nothing is left"
	rm "$manifests"/*
	wait_for 60 "no container is left" nothing_left
	wait_for 10 "no directory of a pod is left" no_pod_directory
	stop_daemon || fail "the daemon exits with $? on SIGTERM"
	echo "   ok: the daemon exits with 0 on SIGTERM"
}
# only_replaced IDS ID: of the running containers IDS just ID does not run any more, and one new one does.
only_replaced() {
	[ "$(comm -23 <(echo "$1") <(running))" = "$2" ] && [ "$(comm -13 <(echo "$1") <(running) | wc -l)" = 1 ]
}
gone() {
	local pod
	for pod in "$@"; do
		[ -z "$(container "$pod" POD)$(container "$pod" work)" ] || return 1
	done
}
no_pod_directory() { [ -z "$(ls -A "$root/pods" 2>/dev/null)" ]; }

prepare
case $mode in
auto) auto ;;
*) interactive ;;
esac
