#!/usr/bin/env bash
# story.sh PACKAGE NEWER: plays the life of a node with systemd and Docker, from `apt install` to purge, and fails if
# anything is not as it should be. NODE is what stands before a command to run it as root on the node: "ssh ...
# root@host", or "docker exec -i CONTAINER". POWER_ON is the command that boots the node again when it is off; without
# it what needs a machine of its own (logind, reboot, power-off) is left out, and said so; likewise without TREE, which is
# what `make install` has installed below a directory. PATIENCE is how many seconds anything may take.
set -euo pipefail
package=$1 newer=$2
: "${NODE:?the command that reaches the node}" "${POWER_ON:=}" "${TREE:=}" "${PATIENCE:=60}"
began=$SECONDS

tell() { printf '%4ds  %s\n' $((SECONDS - began)) "$*"; }
# What the node says, as it says it.
quote() { sed 's/^/         | /'; }
on() { $NODE sh -s <<<"$1"; }
fail() {
	tell "FAILED: $*"
	on 'systemctl status --no-pager --lines=0 kubelet-lite; journalctl --no-pager -u kubelet-lite -n 100; docker ps -a; kubelet-lite get pods -A -o wide' >&2 || true
	exit 1
}
# eventually WHAT SCRIPT: the script succeeds at last.
eventually() {
	local until=$((SECONDS + PATIENCE))
	while ! on "$2" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || fail "not so in $PATIENCE s: $1"
		sleep 1
	done
	tell "$1"
}
# holds WHAT SCRIPT: the script succeeds now.
holds() {
	on "$2" >/dev/null || fail "not so: $1"
	tell "$1"
}
put() { $NODE dd of="$2" status=none <"$1"; }
# manifest NAME <CONTENT: by a rename, as an editor does.
manifest() { $NODE sh -c "'cat >/etc/kubernetes/manifests/.$1 && mv /etc/kubernetes/manifests/.$1 /etc/kubernetes/manifests/$1.yaml'"; }
host=$(on 'hostname')
# The running container of a pod, as a command on the node.
running() { echo "docker ps -q --no-trunc --filter label=io.kubernetes.pod.name=$1-$host --filter label=io.kubernetes.container.name=c --filter label=io.kubelet-lite.kind=app"; }
restarts() { echo "kubelet-lite get pod $1 -o json | sed -n 's/.*\"restartCount\": *\([0-9]*\).*/\1/p'"; }
web= db=
# remember: which containers must not change from now on; same WHAT: they have not.
remember() { web=$(on "$(running web)") db=$(on "$(running db)"); }
same() {
	local before="$web $db"
	remember
	[ "$web $db" = "$before" ] || fail "$1 has changed a container: $before became $web $db"
	tell "$1 changes no container"
}
answers="curl -sf -m 30 http://127.0.0.1:8080/index.html | grep -qx ok"

holds "a node with an engine" 'systemctl is-active docker'
on '. /etc/os-release; echo "$PRETTY_NAME, kernel $(uname -r), $(systemctl --version | head -1)"; docker version --format "Docker {{.Server.Version}}, API {{.Server.APIVersion}}"
	docker info --format "cgroup v{{.CgroupVersion}}, {{.CgroupDriver}}, {{.Driver}}"' | quote
on 'set -e; d=$(mktemp -d); mkdir $d/bin $d/tmp; cp /bin/busybox $d/bin/; for a in sh sleep httpd cat touch date sync rm tail ls stat; do ln -s busybox $d/bin/$a; done
	echo ok >$d/index.html; chmod 755 $d; tar -C $d -c . | docker import --change "ENV PATH=/bin" - demo:1 >/dev/null; rm -r $d'
put "$package" /root/kubelet-lite.deb
put "$newer" /root/newer.deb

tell "== installation"
# Beside a real kubelet, say.
on 'systemctl mask kubelet-lite && DEBIAN_FRONTEND=noninteractive apt-get install -y /root/kubelet-lite.deb' >/dev/null 2>&1 || fail "apt-get install of a masked service"
holds "a service that was masked before stays so, and does not run" 'test "$(systemctl is-enabled kubelet-lite)" = masked && ! systemctl is-active kubelet-lite'
on 'systemctl unmask kubelet-lite; DEBIAN_FRONTEND=noninteractive apt-get purge -y kubelet-lite' >/dev/null 2>&1 || fail "apt-get purge"
on 'DEBIAN_FRONTEND=noninteractive apt-get install -y /root/kubelet-lite.deb' >/dev/null || fail "apt-get install"
holds "apt install has started and enabled the service" 'systemctl is-active kubelet-lite && systemctl is-enabled kubelet-lite'
on 'systemctl show --property=StatusText --value kubelet-lite; systemd-analyze security --no-pager kubelet-lite | tail -1' | quote
if [ -n "$POWER_ON" ]; then
	eventually "the service has a delay lock at systemd-logind" 'systemd-inhibit --list --no-pager | grep kubelet-lite | grep delay'
	holds "which waits as long as the configuration says" "busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager InhibitDelayMaxUSec | grep -x 't 60000000' && ! journalctl -u kubelet-lite | grep 'lets a shutdown wait'"
fi
if [ -n "$POWER_ON" ]; then
	on 'mkdir -p /etc/systemd/logind.conf.d && printf "[Login]\nInhibitDelayMaxSec=7\n" >/etc/systemd/logind.conf.d/zz-kubelet-lite.conf && systemctl kill -s HUP systemd-logind && sleep 2 && systemctl restart kubelet-lite'
	eventually "a limit that is too short is named with its remedy" 'journalctl -u kubelet-lite | grep "systemd-logind lets a shutdown wait for 7s only, but pods may take 1m"'
	on 'rm /etc/systemd/logind.conf.d/zz-kubelet-lite.conf; systemctl kill -s HUP systemd-logind; sleep 2; systemctl restart kubelet-lite'
fi
[ "$(on 'kubelet-lite --root-dir=/var/lib/kubelet-lite --pod-manifest-path=/etc/kubernetes/manifests >/dev/null 2>&1; echo $?')" = 3 ] ||
	fail "a second daemon does not leave with exit code 3"
tell "a second daemon on the same directory leaves with exit code 3"

tell "== three pods"
# The database has 20 s to go to stop; the web server is critical, so it starts first and ends last.
manifest web <<'END'
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  priority: 2000000000
  terminationGracePeriodSeconds: 2
  containers:
  - name: c
    image: demo:1
    command: [httpd, -f, -p, '80', -h, /]
    ports: [{name: http, containerPort: 80, hostPort: 8080}]
    resources: {requests: {memory: 32Mi, cpu: 500m}, limits: {memory: 32Mi, cpu: 500m}}
    startupProbe: {tcpSocket: {port: http}, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 60}
    livenessProbe: {httpGet: {path: /index.html, port: http}, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 6}
    readinessProbe: {exec: {command: [cat, /fast/ready]}, periodSeconds: 10, timeoutSeconds: 10}
    volumeMounts: [{name: fast, mountPath: /fast}]
  volumes: [{name: fast, emptyDir: {medium: Memory}}]
END
manifest db <<'END'
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: keep}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: db}
spec:
  priority: 1000
  terminationGracePeriodSeconds: 45
  containers:
  - name: c
    image: demo:1
    command: [sh, -c, 'trap "sleep 20; date >/data/stopped-cleanly; sync; exit" TERM; date >>/data/started; while :; do sleep 1; done']
    volumeMounts: [{name: data, mountPath: /data}, {name: keep, mountPath: /keep}]
  volumes:
  - {name: data, hostPath: {path: /srv/db, type: DirectoryOrCreate}}
  - {name: keep, persistentVolumeClaim: {claimName: keep}}
END
manifest crash <<'END'
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  containers: [{name: c, image: 'demo:1', command: [sh, -c, 'echo no luck; sleep 1; exit 3']}]
END
eventually "the web server answers on its host port" "$answers"
eventually "the database runs" 'test -s /srv/db/started'
eventually "systemctl status names what crashes" "systemctl show --property=StatusText --value kubelet-lite | grep 'crash-$host CrashLoopBackOff'"
holds "the journal has it as a warning" "journalctl -u kubelet-lite -p warning | grep 'back-off 10s restarting failed container pod=default/crash-$host'"
eventually "docker logs has what it said" "docker logs \$(docker ps -aqf label=io.kubernetes.pod.name=crash-$host -f label=io.kubernetes.container.name=c | head -1) | grep 'no luck'"
eventually "the web server runs and is not ready: its readiness probe fails" "kubelet-lite get pod web | grep ' 0/1 *Running' && kubelet-lite events --for pod/web | grep 'Readiness probe failed'"
on 'kubelet-lite get pods -A -o wide; systemctl status --no-pager --lines=0 kubelet-lite | grep -E "Active|Status|Memory"' | quote
on "docker exec \$($(running web)) touch /fast/ready"
eventually "what its probe asks for makes it ready" "kubelet-lite get pod web | grep ' 1/1 *Running'"
holds "its memory volume is one in the container as well: the unit's sandbox lets it through" "docker exec \$($(running web)) cat /proc/mounts | grep '^tmpfs /fast '"
# what CONTAINER FILE VALUE...: the files of its cgroup, of the second version, say so.
cgroup() {
	local script="cd /sys/fs/cgroup/system.slice/docker-\$($(running $1)).scope"
	shift
	for line; do script+=" && grep -x '${line#* }' ${line%% *}"; done
	echo "$script"
}
on "cd /sys/fs/cgroup/system.slice/docker-\$($(running web)).scope && grep . memory.max memory.swap.max memory.low cpu.max cpu.weight pids.max" | quote
holds "its limits are those of its cgroup" "$(cgroup web 'memory.max 33554432' 'memory.swap.max 0' 'memory.low 33554432' 'cpu.max 50000 100000' 'cpu.weight 20')"
holds "it is of the class Guaranteed, also for the kernel's OOM killer" "kubelet-lite get pod web -o json | grep '\"qosClass\": *\"Guaranteed\"' && grep -x -- -997 /proc/\$(docker inspect --format '{{.State.Pid}}' \$($(running web)))/oom_score_adj"
on "docker exec \$($(running web)) rm /index.html"
eventually "its liveness probe restarts it" "[ \"\$($(restarts web))\" = 1 ] && kubelet-lite events --for pod/web | grep 'Liveness probe failed' && $answers"
manifest hungry <<'END'
apiVersion: v1
kind: Pod
metadata: {name: hungry}
spec:
  restartPolicy: Never
  containers: [{name: c, image: 'demo:1', command: [tail, /dev/zero], resources: {requests: {memory: 16Mi}, limits: {memory: 16Mi}}}]
END
eventually "a pod that takes more memory than it may is OOMKilled" "kubelet-lite get pod hungry | grep OOMKilled"
on 'rm /etc/kubernetes/manifests/hungry.yaml'
eventually "a removed file's pod is gone" "test -z \"\$(docker ps -aq --filter label=io.kubernetes.pod.name=hungry-$host)\""
[ -n "$(on 'su -s /bin/sh nobody -c "kubelet-lite get pods" 2>&1' | grep 'only root may ask')" ] || fail "others than root may ask"
holds "the commands for looking at pods answer" 'kubelet-lite describe pod web && kubelet-lite events --types=Warning && kubelet-lite get pods -l app=web -o name | grep web && kubelet-lite validate /etc/kubernetes/manifests'

tell "== all that the service is confined in"
manifest full <<'END'
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {token: hush}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {app.conf: one}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: shared}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: full, namespace: default}
spec:
  terminationGracePeriodSeconds: 2
  resources: {limits: {memory: 64Mi}}
  securityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000}
  containers:
  - name: c
    image: demo:1
    command: [sh, -c, 'echo begun; cat /key/token /etc/app.conf /files/index.html >/shared/seen && touch /part/mine && while :; do sleep 1; done']
    readinessProbe: {exec: {command: [sh, -c, 'test -e /shared/quick || exec sleep 10000']}, timeoutSeconds: 3, periodSeconds: 10}
    volumeMounts:
    - {name: key, mountPath: /key}
    - {name: settings, mountPath: /etc/app.conf, subPath: app.conf}
    - {name: shared, mountPath: /shared}
    - {name: scratch, mountPath: /part, subPath: deeper/down}
    - {name: files, mountPath: /files}
  volumes:
  - {name: key, secret: {secretName: key}}
  - {name: settings, configMap: {name: settings}}
  - {name: shared, persistentVolumeClaim: {claimName: shared}}
  - {name: scratch, emptyDir: {}}
  - {name: files, image: {reference: 'demo:1'}}
END
full="\$($(running full))"
eventually "a pod with every kind of volume runs as a user of its own" "docker exec $full cat /shared/seen | tr -d '\n' | grep -x hushoneok && docker exec $full stat -c %u:%g /part/mine | grep -x 1000:2000"
holds "its Secret is in memory" "docker exec $full cat /proc/mounts | grep '^tmpfs /key '"
holds "a limit of the whole pod is the container's" "$(cgroup full 'memory.max 67108864')"
holds "it is confined by Docker's AppArmor profile" "docker exec $full cat /proc/self/attr/current | grep -x 'docker-default (enforce)'"
holds "its log is where collectors look" "grep begun /var/log/containers/full-${host}_default_c-*.log && grep begun /var/log/pods/default_full-${host}_*/c/0.log"
eventually "its probe takes longer than it may" "kubelet-lite events --for pod/full | grep 'Readiness probe .*timed out'"
on "docker exec $full touch /shared/quick"
eventually "and its commands do not stay" "kubelet-lite get pod full | grep ' 1/1 *Running' && ! pgrep -fx 'sleep 10000'"
on 'sed -i "s/app.conf: one/app.conf: two/; s/token: hush/token: loud/" /etc/kubernetes/manifests/full.yaml'
eventually "an edit of its Secret reaches it as it runs" "docker exec $full cat /key/token | grep -x loud"
on 'mkdir -p /srv/ro/inner; mount -t tmpfs inner /srv/ro/inner'
manifest readonly <<'END'
apiVersion: v1
kind: Pod
metadata: {name: readonly}
spec:
  terminationGracePeriodSeconds: 2
  containers:
  - name: c
    image: demo:1
    command: [sh, -c, 'while :; do sleep 1; done']
    volumeMounts: [{name: host, mountPath: /host, readOnly: true, recursiveReadOnly: Enabled}]
  volumes: [{name: host, hostPath: {path: /srv/ro}}]
END
if on 'docker version --format "{{.Server.APIVersion}}" | awk -F. "{ exit !(\$1 > 1 || \$2 >= 44) }"'; then
	eventually "a mount below a recursively read-only one can be read" "docker exec \$($(running readonly)) ls /host/inner"
	holds "and not be written" "! docker exec \$($(running readonly)) touch /host/inner/file 2>/dev/null"
else
	eventually "this engine knows no recursively read-only mounts: who asks for one waits, and is told why" "kubelet-lite get pod readonly -o json | grep 'upgrade it to Docker Engine 25' && test -z \"\$(docker ps -aq --filter name=k8s_c_readonly)\""
fi
on 'rm /etc/kubernetes/manifests/full.yaml /etc/kubernetes/manifests/readonly.yaml'
eventually "both are gone without a trace" "test -z \"\$(docker ps -aq --filter 'name=_(full|readonly)-')\" && ! grep -E 'kubelet-lite/pods/[^ ]*/(kubernetes.io~secret/key|volume-subpaths)' /proc/mounts && ! ls /var/log/containers/full-*"
on 'umount /srv/ro/inner; docker volume rm k8s_default_shared' >/dev/null
holds "nothing of all this was refused by the system" "! journalctl -u kubelet-lite | grep -iE 'not permitted|permission denied'"

tell "== an edit, a mistake"
remember
on 'sed -i "s/image: demo:1/imagee: demo:1/" /etc/kubernetes/manifests/web.yaml'
eventually "a mistake is refused in the journal, with its place" 'journalctl -u kubelet-lite | grep "web.yaml:[0-9]*:[0-9]*: .*imagee"'
[ "$(on 'kubelet-lite validate /etc/kubernetes/manifests >/dev/null 2>&1; echo $?')" = 1 ] || fail "validate finds nothing"
holds "get manifests names it" 'kubelet-lite get manifests | grep web.yaml'
same "a mistake"
on 'sed -i "s/imagee:/image:/; s/-h, \//-h, \/, -v/" /etc/kubernetes/manifests/web.yaml'
eventually "an edit replaces its container" "test -n \"\$($(running web))\" && test \"\$($(running web))\" != $web && $answers"
[ "$(on "$(running db)")" = "$db" ] || fail "an edit has changed another pod"
on "docker exec \$($(running web)) touch /fast/ready"
remember

tell "== the service comes and goes"
on 'sed -i.before "s/^#maxPods: .*/maxPods: 99/" /etc/kubernetes/kubelet-lite.yaml && systemctl reload kubelet-lite'
eventually "a reload reads again, and says that a changed configuration needs a restart" 'journalctl -u kubelet-lite | grep "SIGHUP: reading" && journalctl -u kubelet-lite | grep "the configuration has changed: restart"'
on 'mv /etc/kubernetes/kubelet-lite.yaml.before /etc/kubernetes/kubelet-lite.yaml'
on 'systemctl restart kubelet-lite'
same "systemctl restart"
was=$(on 'systemctl show --property=MainPID --value kubelet-lite')
on "kill -9 $was"
eventually "systemd brings a killed daemon back" "systemctl is-active --quiet kubelet-lite && test \$(systemctl show --property=MainPID --value kubelet-lite) != $was"
same "kill -9"
was=$(on 'systemctl show --property=MainPID --value kubelet-lite')
on "kill -STOP $was"
eventually "the watchdog ends a daemon that hangs, and systemd brings it back" "journalctl -u kubelet-lite | grep -i watchdog && systemctl is-active --quiet kubelet-lite && test \$(systemctl show --property=MainPID --value kubelet-lite) != $was"
same "a hang"
on 'echo "KUBELET_LITE_OPTS=--max-pods=many" >/etc/default/kubelet-lite; systemctl restart kubelet-lite' 2>/dev/null && fail "a wrong flag is taken"
[ "$(on 'sleep 5; systemctl show --property=ExecMainStatus,ActiveState --value kubelet-lite' | tr '\n' ' ')" = "2 failed " ] || fail "a wrong flag does not end in exit code 2"
on 'echo "KUBELET_LITE_OPTS=--node-labels=disk=fast" >/etc/default/kubelet-lite; systemctl restart kubelet-lite'
same "a wrong flag, which is not tried again,"
on 'DEBIAN_FRONTEND=noninteractive apt-get install -y -o Dpkg::Options::=--force-confold /root/newer.deb' >/dev/null || fail "upgrade"
holds "after the upgrade the service is active, with the operator's flags" 'systemctl is-active kubelet-lite && grep disk=fast /etc/default/kubelet-lite && tr "\0" " " </proc/$(systemctl show --property=MainPID --value kubelet-lite)/cmdline | grep disk=fast'
same "an upgrade"
on 'DEBIAN_FRONTEND=noninteractive apt-get install -y --allow-downgrades -o Dpkg::Options::=--force-confold /root/kubelet-lite.deb' >/dev/null || fail "downgrade"
same "a downgrade"
holds "everything is ready but what crashes" "kubelet-lite get pod web db | grep -c ' 1/1 *Running' | grep -x 2"

tell "== the engine and the machine come and go"
eventually "the crashing pod has been restarted" "test \"\$($(restarts crash))\" -ge 2"
on 'systemctl stop docker.socket docker.service'
eventually "without an engine the daemon says what it waits for" 'journalctl -u kubelet-lite -n 20 | grep "waiting for the Docker Engine" && systemctl is-active kubelet-lite'
on 'systemctl start docker.service'
eventually "when docker is back the web server answers" "$answers"
eventually "and the database runs" "test -n \"\$($(running db))\""
remember
on 'systemctl restart docker.service'
eventually "after a restart of docker they are other containers, and run" "$answers && test -n \"\$($(running db))\" && test \"\$($(running web))\" != $web && test \"\$($(running db))\" != $db"

# after_boot CRASH DB ORDER: what is so when the machine is up again; the restart counts were these, and the pods ended in this
# order, as far as it was given.
after_boot() {
	holds "the database has written its marker before the machine went down" 'test -s /srv/db/stopped-cleanly'
	on 'journalctl --no-pager -b -1 -u kubelet-lite' >"$journal"
	grep -E 'shuts down|shutdown goes on|reason="Killing"' "$journal" | tail -9 | sed 's/ [^ ]* kubelet-lite\[[0-9]*\]//' | cut -c1-120 | quote
	local order
	order=$(grep -o 'the node shuts down: stopping the pod pod=default/[a-z]*' "$journal" | sed 's|.*/||' | tr '\n' ' ')
	case $order in
	*"$3") ;;
	*) fail "the pods have ended in another order: $order" ;;
	esac
	grep -q 'the pods have ended; the shutdown goes on' "$journal" || fail "the shutdown has not waited for all pods"
	tell "the least important pods ended first, and the shutdown waited for all"
	eventually "after the boot the web server answers" "$answers"
	eventually "after the boot the database runs" "test -n \"\$($(running db))\""
	[ "$(on 'journalctl --no-pager -b -u kubelet-lite' | sed -n 's|.*pod declared pod=default/\([a-z]*\)-.*|\1|p' | head -3 | tr '\n' ' ')" = "web db crash " ] ||
		fail "the pods have not had their turn by priority"
	tell "the pods had their turn by priority"
	eventually "the crashing pod's restart count goes on from $1" "test \"\$($(restarts crash))\" -gt $1"
	holds "and the database's from $2" "test \"\$($(restarts db))\" -gt $2"
	on 'kubelet-lite get pods -A -o wide' | quote
}
if [ -n "$POWER_ON" ]; then
	journal=$(mktemp)
	trap 'rm -f "$journal"' EXIT
	boot=$(on 'cat /proc/sys/kernel/random/boot_id')
	count=$(on "$(restarts crash)") db_count=$(on "$(restarts db)")
	tell "== reboot"
	on 'rm -f /srv/db/stopped-cleanly; systemctl reboot' || true
	eventually "the machine is up again" "test \$(cat /proc/sys/kernel/random/boot_id) != $boot && systemctl is-active --quiet kubelet-lite"
	# The web server is critical.
	after_boot "$count" "$db_count" "web "
	tell "== power-off, with three groups of priorities"
	on 'sed -i "s/^shutdownGracePeriod: .*/shutdownGracePeriodByPodPriority: [{priority: 0, shutdownGracePeriodSeconds: 8}, {priority: 1000, shutdownGracePeriodSeconds: 45}, {priority: 2000000000, shutdownGracePeriodSeconds: 6}]/; /^shutdownGracePeriodCriticalPods:/d" /etc/kubernetes/kubelet-lite.yaml && systemctl restart kubelet-lite'
	eventually "the daemon takes them" 'systemctl is-active --quiet kubelet-lite && journalctl -u kubelet-lite -n 20 | grep "a shutdown of this node waits for its pods.*grace_period=59s"'
	count=$(on "$(restarts crash)") db_count=$(on "$(restarts db)")
	on 'rm -f /srv/db/stopped-cleanly; systemctl poweroff' || true
	$POWER_ON
	tell "the machine was off, and is switched on"
	eventually "the machine is up again" 'systemctl is-active --quiet kubelet-lite'
	after_boot "$count" "$db_count" "crash db web "
else
	tell "left out here: logind, reboot, power-off"
fi

tell "== removal"
on 'rm /etc/kubernetes/manifests/crash.yaml'
eventually "a removed file's pod is gone" "test -z \"\$(docker ps -aq --filter label=io.kubernetes.pod.name=crash-$host)\""
remember
# Read to its end: what is written after `grep -q` has found it would fail.
said=$(on 'DEBIAN_FRONTEND=noninteractive apt-get remove -y kubelet-lite 2>&1') || fail "apt-get remove: $said"
grep -q 'docker stop' <<<"$said" || fail "not said how to end the pods: $said"
same "a removal of the package"
# Its image has the database's labels.
on "docker commit \$($(running db)) copy:1 && docker run -d --name copy copy:1 sleep infinity" >/dev/null
on 'rm -f /srv/db/stopped-cleanly; DEBIAN_FRONTEND=noninteractive apt-get purge -y kubelet-lite 2>&1' | grep '^kubelet-lite:' | quote
holds "the purge has stopped the database cleanly" 'test -s /srv/db/stopped-cleanly'
holds "it has not touched a container that the operator made of the database's" 'docker ps --format "{{.Names}}" | grep -x copy'
holds "it has kept the database's claim" 'docker volume inspect k8s_default_keep'
on 'docker rm -f copy; docker rmi copy:1; docker volume rm k8s_default_keep' >/dev/null
holds "it has removed no manifest" 'test -f /etc/kubernetes/manifests/web.yaml'
on 'rm /etc/kubernetes/manifests/*.yaml; rmdir -p /etc/kubernetes/manifests 2>/dev/null' || true
left=$(on "docker ps -aq --filter label=io.kubelet-lite.managed-by; docker images -q --filter label=io.kubelet-lite.image
	find / -xdev -not -path '/proc/*' ! -name '*.deb' \( -name '*kubelet-lite*' -o -path /etc/kubernetes \) ! -path '/var/lib/apt/*' ! -path '/var/cache/*'; grep kubelet-lite /proc/mounts; systemctl list-units --all --no-legend 'kubelet-lite*'" || true)
[ -z "$left" ] || fail "left after the purge: $left"
tell "nothing is left: no container, image, file, mount or unit"

if [ -n "$TREE" ]; then
	tell "== without the package"
	(cd "$TREE" && find . \( ! -type d -o -empty \) -print0 | tar --null --files-from=- -c) | $NODE tar -C / --no-same-owner -x
	on 'systemctl daemon-reload
		systemctl kill --signal=HUP systemd-logind
		systemctl enable --now kubelet-lite' 2>/dev/null || fail "systemctl enable --now"
	holds "what make install has installed runs and starts at the next boot" 'systemctl is-active kubelet-lite && systemctl is-enabled kubelet-lite && kubelet-lite get pods -A && test -d /etc/kubernetes/manifests'
	[ -z "$POWER_ON" ] || eventually "systemd-logind waits for it as long" "busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager InhibitDelayMaxUSec | grep -x 't 60000000' && systemd-inhibit --list --no-pager | grep kubelet-lite"
else
	tell "left out here: make install"
fi
