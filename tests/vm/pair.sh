#!/usr/bin/env bash
# pair.sh PACKAGE SHARE: two nodes get one directory of manifests, and each runs its share of it. NODE1 and NODE2 are
# what stands before a command to run it as root on a node; SYNC is the command that brings the files of SHARE to
# both. PATIENCE is how many seconds anything may take.
set -euo pipefail
package=$1 share=$2
: "${NODE1:?the command that reaches the first node}" "${NODE2:?the command that reaches the second node}"
: "${SYNC:?the command that distributes the files}" "${PATIENCE:=60}"
began=$SECONDS

tell() { printf '%4ds  %s\n' $((SECONDS - began)) "$*"; }
quote() { sed 's/^/         | /'; }
on() {
	local node=NODE$1
	${!node} sh -s <<<"$2"
}
fail() {
	local n
	tell "FAILED: $*"
	for n in 1 2; do on $n 'kubelet-lite get pods -A -o wide; journalctl --no-pager -u kubelet-lite -n 60; docker ps -a' >&2 || true; done
	exit 1
}
# eventually WHAT NODE SCRIPT
eventually() {
	local until=$((SECONDS + PATIENCE))
	while ! on "$2" "$3" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || fail "not so in $PATIENCE s: $1"
		sleep 1
	done
	tell "$1"
}
sync_all() { $SYNC >/dev/null || fail "the files can not be distributed"; }
# What runs on a node: the pods of its app containers, sorted.
runs='docker ps --filter label=io.kubelet-lite.kind=app --format "{{.Label \"io.kubernetes.pod.name\"}}" | sort | tr "\n" " "'
are() { echo "[ \"\$($runs)\" = \"$1 \" ]"; }
id() { on "$1" "docker ps -q --no-trunc --filter label=io.kubelet-lite.kind=app --filter label=io.kubernetes.pod.name=$2"; }

for n in 1 2; do
	on $n 'set -e; d=$(mktemp -d); mkdir $d/bin; cp /bin/busybox $d/bin/; ln -s busybox $d/bin/sleep
		tar -C $d -c . | docker import --change "ENV PATH=/bin" - demo:1 >/dev/null; rm -r $d'
	node=NODE$n
	on $n 'systemctl is-active kubelet-lite' >/dev/null || {
		${!node} dd of=/root/kubelet-lite.deb status=none <"$package"
		on $n 'DEBIAN_FRONTEND=noninteractive apt-get install -y /root/kubelet-lite.deb' >/dev/null || fail "installation on node $n"
	}
done
on 1 'echo "KUBELET_LITE_OPTS=--node-labels=disk=fast" >/etc/default/kubelet-lite; systemctl restart kubelet-lite'
on 2 'echo "KUBELET_LITE_OPTS=--node-labels=disk=slow" >/etc/default/kubelet-lite; systemctl restart kubelet-lite'
first=$(on 1 hostname) second=$(on 2 hostname)
tell "two nodes: $first with fast disks, $second with slow ones"

mkdir -p "$share"
cat >"$share/agent.yaml" <<'END_'
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 2
      containers: [{name: c, image: 'demo:1', command: [sleep, infinity], env: [{name: EDITION, value: one}]}]
END_
cat >"$share/sweeper.yaml" <<'END_'
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: sweeper}
spec:
  selector: {matchLabels: {app: sweeper}}
  template:
    metadata: {labels: {app: sweeper}}
    spec:
      terminationGracePeriodSeconds: 2
      nodeSelector: {disk: slow}
      containers: [{name: c, image: 'demo:1', command: [sleep, infinity]}]
END_
cat >"$share/cache.yaml" <<'END_'
apiVersion: v1
kind: Pod
metadata: {name: cache}
spec:
  terminationGracePeriodSeconds: 2
  nodeSelector: {disk: fast}
  containers: [{name: c, image: 'demo:1', command: [sleep, infinity]}]
END_
cat >"$share/second.yaml" <<END_
apiVersion: v1
kind: Pod
metadata: {name: second}
spec:
  terminationGracePeriodSeconds: 2
  nodeSelector: {kubernetes.io/hostname: $second}
  containers: [{name: c, image: 'demo:1', command: [sleep, infinity]}]
END_
sync_all
eventually "the first node runs the DaemonSet and what wants fast disks" 1 "$(are "agent-$first cache-$first")"
eventually "the second runs the DaemonSets and what names it" 2 "$(are "agent-$second second-$second sweeper-$second")"
# What has just not started yet is not what does not fit.
sleep 5
on 1 "$(are "agent-$first cache-$first")" && on 2 "$(are "agent-$second second-$second sweeper-$second")" || fail "a node runs what is not its share"
for n in 1 2; do on $n 'kubelet-lite get pods -A -o wide' | quote; done

cache=$(id 1 "cache-$first") second_id=$(id 2 "second-$second")
sed -i 's/value: one/value: two/' "$share/agent.yaml"
sync_all
for n in 1 2; do
	eventually "an edit of the DaemonSet reaches node $n" $n 'docker inspect --format "{{.Config.Env}}" $(docker ps -q --filter label=io.kubelet-lite.kind=app --filter name=k8s_c_agent) | grep EDITION=two'
done
rm "$share/agent.yaml"
sync_all
eventually "without its file the DaemonSet is gone from the first node" 1 "$(are "cache-$first") && test -z \"\$(docker ps -aq --filter name=k8s_.*_agent)\""
eventually "and from the second" 2 "$(are "second-$second sweeper-$second") && test -z \"\$(docker ps -aq --filter name=k8s_.*_agent)\""
[ "$(id 1 "cache-$first") $(id 2 "second-$second")" = "$cache $second_id" ] || fail "other pods have changed"
tell "the other pods have not changed"
rm "$share"/*.yaml
sync_all
for n in 1 2; do eventually "an empty directory ends all pods of node $n" $n 'test -z "$(docker ps -aq --filter label=io.kubelet-lite.managed-by)"'; done
