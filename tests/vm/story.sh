#!/usr/bin/env bash
# story.sh PACKAGE NEWER: plays the life of a node with systemd and Docker, from `apt install` to purge, and fails if
# anything is not as it should be. NODE is what stands before a command to run it as root on the node: "ssh ...
# root@host", or "docker exec -i CONTAINER". REBOOT=no leaves out what needs a machine of its
# own. PATIENCE is how many seconds anything may take.
set -euo pipefail
package=$1 newer=$2
: "${NODE:?the command that reaches the node}" "${REBOOT:=yes}" "${PATIENCE:=60}"
began=$SECONDS

tell() { printf '%4ds  %s\n' $((SECONDS - began)) "$*"; }
on() { $NODE sh -s <<<"$1"; }
fail() {
	tell "FAILED: $*"
	on 'systemctl status --no-pager kubelet-lite; journalctl --no-pager -u kubelet-lite -n 60; docker ps -a' >&2 || true
	exit 1
}
# eventually WHAT SCRIPT: the script succeeds at last.
eventually() {
	local until=$((SECONDS + PATIENCE))
	while ! on "$2" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || fail "$1"
		sleep 1
	done
	tell "$1"
}
put() { $NODE dd of="$2" status=none <"$1"; }
# The container of a pod that runs, by its id.
running() { echo "docker ps -q --no-trunc --filter label=io.kubernetes.pod.name=$1-node1 --filter label=io.kubernetes.container.name=c --filter label=io.kubelet-lite.kind=app"; }
id_of() { on "$(running "$1")"; }
label() { on "docker inspect --format '{{index .Config.Labels \"$2\"}}' $1"; }

on 'systemctl is-active docker >/dev/null' || fail "no engine on the node"
tell "a node: $(on '. /etc/os-release; echo "$PRETTY_NAME", kernel $(uname -r), systemd $(systemctl --version | sed -n "1s/ (.*//p"), Docker $(docker version --format "{{.Server.Version}} cgroup" )' ) $(on 'docker info --format "v{{.CgroupVersion}} {{.CgroupDriver}}"')"
on 'set -e; d=$(mktemp -d); mkdir $d/bin $d/tmp; cp /bin/busybox $d/bin/; for a in sh sleep httpd wget cat touch date; do ln -s busybox $d/bin/$a; done
	echo ok >$d/index.html; tar -C $d -c . | docker import --change "ENV PATH=/bin" - demo:1 >/dev/null; rm -r $d'
put "$package" /root/kubelet-lite.deb
put "$newer" /root/newer.deb

on 'dpkg --install /root/kubelet-lite.deb' >/dev/null || fail "installation"
on 'systemctl is-active --quiet kubelet-lite && systemctl is-enabled --quiet kubelet-lite' || fail "the service is not active after the installation"
tell "installed: $(on 'systemctl show --property=StatusText --value kubelet-lite'); $(on 'systemd-analyze security --no-pager kubelet-lite' | tail -1)"
if [ "$REBOOT" = yes ]; then
	on 'systemd-inhibit --list --no-pager' | grep kubelet-lite | grep -q delay || fail "no delay lock at logind"
	tell "systemd-logind waits for us: $(on 'busctl get-property org.freedesktop.login1 /org/freedesktop/login1 org.freedesktop.login1.Manager InhibitDelayMaxUSec')"
	! on 'journalctl --no-pager -u kubelet-lite' | grep -q 'lets a shutdown wait' || fail "logind's limit is too short"
fi

on 'mkdir -p /srv/db'
on "cat >/tmp/web.yaml <<'END'
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  priority: 1000
  terminationGracePeriodSeconds: 2
  containers:
  - name: c
    image: demo:1
    command: [httpd, -f, -p, '80', -h, /]
    ports: [{containerPort: 80, hostPort: 8080}]
    volumeMounts: [{name: fast, mountPath: /fast}]
  volumes: [{name: fast, emptyDir: {medium: Memory}}]
END
cat >/tmp/db.yaml <<'END'
apiVersion: v1
kind: Pod
metadata: {name: db}
spec:
  priority: 2000000000
  terminationGracePeriodSeconds: 30
  containers:
  - name: c
    image: demo:1
    command: [sh, -c, 'trap \"sleep 8; date >/data/stopped-cleanly; exit\" TERM; date >>/data/started; while :; do sleep 1; done']
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, hostPath: {path: /srv/db, type: Directory}}]
END
cat >/tmp/crash.yaml <<'END'
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  containers: [{name: c, image: 'demo:1', command: [sh, -c, 'sleep 1; exit 3']}]
END
mv /tmp/web.yaml /tmp/db.yaml /tmp/crash.yaml /etc/kubernetes/manifests/"
eventually "the web server answers on its host port" 'wget -qO- http://127.0.0.1:8080/index.html 2>/dev/null | grep -qx ok || curl -sf http://127.0.0.1:8080/index.html | grep -qx ok'
eventually "the database runs" 'test -s /srv/db/started'
eventually "systemctl status names what crashes" 'systemctl show --property=StatusText --value kubelet-lite | grep -q "crash-node1 CrashLoopBackOff"'
tell "status: $(on 'systemctl show --property=StatusText --value kubelet-lite')"
on "docker exec $(id_of web) cat /proc/mounts" | grep -q '^tmpfs /fast ' || fail "the memory volume has not reached the container"
tell "the sandbox of the unit lets memory volumes through"

web=$(id_of web) db=$(id_of db)
same() { [ "$(id_of web) $(id_of db)" = "$web $db" ] || fail "$1 has changed a container"; tell "$1 changes no container"; }
on 'sed -i "s/image: demo:1/imagee: demo:1/" /etc/kubernetes/manifests/web.yaml'
eventually "a mistake is refused in the journal" 'journalctl --no-pager -u kubelet-lite | grep -q imagee'
same "a mistake"
on 'sed -i "s/imagee:/image:/" /etc/kubernetes/manifests/web.yaml; systemctl reload kubelet-lite'
eventually "a reload reads again" 'journalctl --no-pager -u kubelet-lite | grep -q "SIGHUP: reading"'
on 'systemctl restart kubelet-lite'
same "systemctl restart"
pid=$(on 'systemctl show --property=MainPID --value kubelet-lite')
on "kill -9 $pid"
eventually "systemd brings a killed daemon back" "systemctl is-active --quiet kubelet-lite && test \$(systemctl show --property=MainPID --value kubelet-lite) != $pid"
same "kill -9"
on 'dpkg --install /root/newer.deb' >/dev/null || fail "upgrade"
on 'systemctl is-active --quiet kubelet-lite' || fail "the service is not active after the upgrade"
same "an upgrade"
on 'sed -i "s/terminationGracePeriodSeconds: 2/terminationGracePeriodSeconds: 3/; s/-h, \//-h, \/, -v/" /etc/kubernetes/manifests/web.yaml'
eventually "an edit replaces its container" "test -n \"\$($(running web))\" && test \"\$($(running web))\" != $web"
[ "$(id_of db)" = "$db" ] || fail "an edit has changed another pod"
on 'systemctl restart docker'
eventually "after a restart of docker the web server answers" 'curl -sf http://127.0.0.1:8080/index.html | grep -qx ok'
eventually "after a restart of docker the database runs" "test -n \"\$($(running db))\""

if [ "$REBOOT" = yes ]; then
	eventually "the crashing pod has been restarted" 'docker ps -aq --filter label=io.kubernetes.pod.name=crash-node1 --filter label=io.kubelet-lite.kind=app | xargs docker inspect --format "{{index .Config.Labels \"annotation.io.kubernetes.container.restartCount\"}}" | grep -qv "^0"'
	counts=$(on 'docker ps -aq --filter label=io.kubernetes.pod.name=crash-node1 --filter label=io.kubelet-lite.kind=app | xargs docker inspect --format "{{index .Config.Labels \"annotation.io.kubernetes.container.restartCount\"}}" | sort -n | tail -1')
	boot=$(on 'cat /proc/sys/kernel/random/boot_id')
	on 'rm -f /srv/db/stopped-cleanly; sync; systemctl reboot' || true
	tell "rebooting"
	eventually "the machine is up again" "test \$(cat /proc/sys/kernel/random/boot_id) != $boot"
	on 'test -s /srv/db/stopped-cleanly' || fail "the database was not stopped cleanly"
	tell "the database has written its marker before the machine went down"
	on 'journalctl --no-pager -b -1 -u kubelet-lite' | grep -E 'shuts down|NodeShutdown|shutdown goes on|Killing' | sed 's/^/        /'
	[ "$(on 'journalctl --no-pager -b -1 -u kubelet-lite' | grep 'the node shuts down: stopping the pod' | grep -o 'pod=[^ ]*' | tail -1)" = pod=default/db-node1 ] ||
		fail "the database, which is critical, was not the last to end"
	eventually "after the boot the web server answers" 'curl -sf http://127.0.0.1:8080/index.html | grep -qx ok'
	eventually "after the boot the database runs" "test -n \"\$($(running db))\""
	eventually "restart counts go on from $counts" "docker ps -aq --filter label=io.kubernetes.pod.name=crash-node1 --filter label=io.kubelet-lite.kind=app | xargs docker inspect --format '{{index .Config.Labels \"annotation.io.kubernetes.container.restartCount\"}}' | awk -v least=$counts '\$1 > least { found = 1 } END { exit !found }'"
fi

on 'rm /etc/kubernetes/manifests/crash.yaml'
eventually "a removed file's pod is gone" 'test -z "$(docker ps -aq --filter label=io.kubernetes.pod.name=crash-node1)"'
web=$(id_of web) db=$(id_of db)
on 'dpkg --remove kubelet-lite' | grep -q 'docker stop' || fail "not said how to end the pods"
same "a removal of the package"
on 'rm /etc/kubernetes/manifests/*.yaml; dpkg --purge kubelet-lite' >/dev/null || fail "purge"
left=$(on 'docker ps -aq --filter label=io.kubelet-lite.managed-by; ls -d /var/lib/kubelet-lite /run/kubelet-lite /etc/kubernetes /etc/default/kubelet-lite 2>/dev/null; grep ' /var/lib/kubelet-lite' /proc/mounts' || true)
[ -z "$left" ] || fail "left after the purge: $left"
on 'test -s /srv/db/stopped-cleanly' || fail "the purge did not stop the database cleanly"
tell "nothing is left after the purge, and the database was stopped cleanly"
