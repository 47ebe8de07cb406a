#!/usr/bin/env bash
# test.sh PACKAGE MANUALS: holds the package to what it promises. Lintian; the list of files; the same bytes when
# packed again; and the life of an installation in a plain chroot, with a stand-in for the engine's client.
# Needs root, mmdebstrap, lintian, systemd-analyze.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
package=$(realpath "$1") manuals=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}
same() { diff -u "$1" "$2" >&2 || fail "$3"; }

echo "-- lintian"
lintian --allow-root --fail-on error,warning "$package"

echo "-- files"
dpkg-deb --contents "$package" | awk '{ print $1, $2, substr($6, 2) }' >"$work/contents"
same "$here/contents" "$work/contents" "the package's files are not those of packaging/deb/contents"
for script in postinst prerm postrm; do
	dpkg-deb --info "$package" $script | sh -n || fail "$script is not a shell script"
done

echo "-- the program"
dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work" ./usr/bin/kubelet-lite ./usr/lib/systemd/system/kubelet-lite.service
# A package that depends on no C library (LIBC=gnu does) has a program that needs none.
if ! dpkg-deb --field "$package" Depends | grep -q libc6; then
	! readelf --program-headers "$work/usr/bin/kubelet-lite" | grep -q INTERP || fail "the program needs a loader"
	! readelf --dynamic "$work/usr/bin/kubelet-lite" | grep -q NEEDED || fail "the program needs libraries"
fi

echo "-- unit"
sed "s|/usr/bin/kubelet-lite|$work&|" "$work/usr/lib/systemd/system/kubelet-lite.service" >"$work/kubelet-lite.service"
systemd-analyze verify --man=no "$work/kubelet-lite.service" >"$work/verify" 2>&1 || fail "unit: $(cat "$work/verify")"
[ ! -s "$work/verify" ] || fail "unit: $(cat "$work/verify")"
exposure=$(systemd-analyze security --no-pager --offline=true "$work/kubelet-lite.service" | sed -n 's/.*exposure level.*: \([0-9.]*\).*/\1/p')
[ -n "$exposure" ] || fail "systemd-analyze security gives no figure"
grep -q "exposure of $exposure " "$here/../../docs/security.md" || fail "docs/security.md gives another exposure than $exposure"
# It would take mounts away from the engine's eyes.
! grep -E '^(Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc)|ProcSubset|Private(Tmp|Devices|Mounts|Users|IPC|PIDs|Network)|(NetworkNamespace|IPCNamespace)Path|ReadOnlyPaths|ReadWritePaths|InaccessiblePaths|(No)?ExecPaths|Root[A-Z].*|Bind.*Paths|(Mount|Extension)Images|ExtensionDirectories|MountAPIVFS|DynamicUser|TemporaryFileSystem)=' \
	"$work/kubelet-lite.service" || fail "the unit has a mount namespace of its own"
! grep '^ProtectHostname=yes' "$work/kubelet-lite.service" || fail "the daemon would not see a new name of the host"
! grep '^Exec.*bin/kill ' "$work/kubelet-lite.service" || fail "the unit needs procps, the package does not"

echo "-- licences"
dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work" ./usr/share/doc/kubelet-lite
gunzip <"$work/usr/share/doc/kubelet-lite/licenses.gz" >"$work/licenses"
grep -v '^kubelet-lite ' "$work/usr/share/doc/kubelet-lite/crates.txt" | cut -d' ' -f1,2 | while read -r crate; do
	grep -qF "$crate" "$work/licenses" || fail "no licence of $crate"
done
grep -q "^Rust's standard library .*:\$" "$work/licenses" || fail "no licence of Rust's standard library"
if ! dpkg-deb --field "$package" Depends | grep -q libc6; then
	grep -A9 '^musl:$' "$work/licenses" | grep -q 'Rich Felker' || fail "no licence of musl"
fi

echo "-- make install, without the package"
installed=$work/installed
for round in first second; do
	make --silent -C "$here/../.." install DESTDIR="$installed" prefix=/opt/kubelet-lite >/dev/null || fail "make install"
	[ $round = second ] || echo '# mine' >>"$installed/etc/kubernetes/kubelet-lite.yaml"
done
grep -q '^# mine' "$installed/etc/kubernetes/kubelet-lite.yaml" || fail "make install has overwritten the configuration"
[ -f "$installed/opt/kubelet-lite/lib/systemd/logind.conf.d/zz-kubelet-lite.conf" ] || fail "make install leaves logind's limit as it is"
[ -d "$installed/etc/kubernetes/manifests" ] || fail "make install makes no manifest directory"
"$installed/opt/kubelet-lite/bin/kubelet-lite" --version | grep -q '^kubelet-lite ' || fail "make install installs no program"
grep -q '^ExecStart=/opt/kubelet-lite/bin/kubelet-lite ' "$installed/opt/kubelet-lite/lib/systemd/system/kubelet-lite.service" ||
	fail "the unit of make install starts another program"

echo "-- packed again, elsewhere, on another file system, and later"
mkdir "$work/memory"
TZ=Asia/Tokyo unshare --mount sh -e -c 'mount -t tmpfs tmpfs "$1" && TMPDIR=$1 "$2" "$3" "$4" "$5" >/dev/null' \
	- "$work/memory" "$here/build.sh" "$work/usr/bin/kubelet-lite" "$manuals" "$work/again"
cmp "$package" "$work/again/$(basename "$package")" || fail "packing is not reproducible"

echo "-- a plain chroot"
node=$work/node
sources=/etc/apt/sources.list.d/debian.sources
[ -f $sources ] || sources=/etc/apt/sources.list
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
mmdebstrap --quiet --mode=root --variant=essential --include=mount --format=directory \
	--aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	"$release" "$node" "$sources"
# The engine's client. Containers are files: KIND STATE NAME NETWORK SANDBOX. What is asked is written down. With a
# file /deaf there is no engine, with /stubborn nothing ends.
cat >"$node/usr/bin/docker" <<'STUB'
#!/bin/sh
echo "docker $*" >>/docker.log
[ ! -e /deaf ] || exit 1
cd /containers || exit 1
[ "$1" != --host ] || shift 2
verb=$1
shift
case $verb in
ps)
	case "$*" in
	*managed-by=/var/lib/kubelet-lite*name=^k8s_*) ;;
	*) echo "a filter is missing: $*" >>/docker.log ;;
	esac
	for id in *; do
		[ -f "$id" ] || continue
		read -r kind state name rest <"$id"
		case "$name $state $*" in
		"k8s_"*" running "* | "k8s_"*--all*) echo "$id" ;;
		esac
	done
	;;
inspect)
	for id; do
		[ ! -f "$id" ] || awk -v id="$id" '{ print id "|" $1 "|" $4 "|container:" $5 }' "$id"
	done
	;;
images) [ ! -e /image ] || echo 0123456789ab ;;
rmi) rm /image ;;
volume) cat /claims ;;
stop) [ -e /stubborn ] || for id; do sed -i 's/ running / exited /' "$id"; done ;;
rm) [ -e /stubborn ] || for id; do case $id in -*) ;; *) rm "$id" ;; esac; done ;;
esac
STUB
chmod 755 "$node/usr/bin/docker"
mkdir "$node/containers"
: >"$node/claims"
# A pod with an app, a sidecar and an init container.
run_pod() {
	local kind
	echo "sandbox running k8s_POD_web bridge" >"$node/containers/a-box"
	for kind in app sidecar; do echo "$kind running k8s_${kind}_web container:a-box a-box" >"$node/containers/$kind"; done
	echo "init exited k8s_init_web container:a-box a-box" >"$node/containers/init"
}

newer=$work/newer
dpkg-deb --raw-extract "$package" "$newer"
version=$(dpkg-deb --field "$package" Version)
sed -i "s/^Version: .*/Version: $version+1/" "$newer/DEBIAN/control"
dpkg-deb --root-owner-group --build "$newer" "$work/newer.deb" >/dev/null

dpkg_() { dpkg --root="$node" --force-depends --force-confold --log="$work/dpkg.log" "$@" >"$work/out" 2>&1 || fail "dpkg $*: $(cat "$work/out")"; }
is() { [ "$(dpkg-query --admindir="$node/var/lib/dpkg" -W -f '${Status} ${Version}' kubelet-lite 2>/dev/null)" = "$1" ] || fail "the package is not $1"; }
wanted=$node/etc/systemd/system/multi-user.target.wants/kubelet-lite.service
inventory() { (cd "$node" && find etc usr var -path var/lib/dpkg -prune -o -path var/log -prune -o -print | LC_ALL=C sort); }
inventory >"$work/before"

dpkg_ --install "$package"
is "install ok installed $version"
[ -L "$wanted" ] || fail "the service is not enabled"
[ "$(stat -c %a "$node/etc/kubernetes/manifests")" = 755 ] || fail "mode of the manifest directory"
chroot "$node" kubelet-lite --version | grep -qx "kubelet-lite $version" || fail "the program does not run there"

echo "-- reinstallation, upgrade and downgrade keep what the operator changed"
echo '# mine' >>"$node/etc/kubernetes/kubelet-lite.yaml"
echo 'KUBELET_LITE_OPTS="--v=4"' >>"$node/etc/default/kubelet-lite"
echo 'kind: Pod' >"$node/etc/kubernetes/manifests/web.yaml"
rm "$wanted"
run_pod
for file in "$package" "$work/newer.deb" "$package"; do
	dpkg_ --install "$file"
	is "install ok installed $(dpkg-deb --field "$file" Version)"
	grep -q '^# mine' "$node/etc/kubernetes/kubelet-lite.yaml" || fail "the configuration was overwritten"
	grep -q 'v=4' "$node/etc/default/kubelet-lite" || fail "the flags were overwritten"
	[ -f "$node/etc/kubernetes/manifests/web.yaml" ] || fail "a manifest is gone"
	[ ! -e "$wanted" ] || fail "a disabled service was enabled"
done
! grep -q 'docker stop\|docker rm' "$node/docker.log" 2>/dev/null || fail "an upgrade touched containers"

echo "-- removal leaves the pods and says how to end them"
mkdir -p "$node/var/lib/kubelet-lite/pods/uid"
dpkg_ --remove kubelet-lite
is "deinstall ok config-files $version"
grep -A1 'docker stop.*k8s_\[a-z0-9\]' "$work/out" | grep -q 'docker stop.*k8s_POD_' ||
	fail "not said how to end the pods, the apps first: $(cat "$work/out")"
! grep -q 'docker stop\|docker rm' "$node/docker.log" || fail "removal touched containers"
[ -d "$node/var/lib/kubelet-lite/pods/uid" ] || fail "removal touched volumes"
grep -q '^Purging the package does that' "$work/out" || fail "not said what a purge does: $(cat "$work/out")"

echo "-- of another root directory and engine too, however they are quoted"
cp "$node/etc/default/kubelet-lite" "$work/default"
asks="docker --host unix:///srv/e.sock ps --quiet --filter label=io.kubelet-lite.managed-by=/srv/pods --filter name=^k8s_"
ends="  docker --host unix:///srv/e.sock rm \$(docker --host unix:///srv/e.sock ps -aq --filter \
label=io.kubelet-lite.managed-by=/srv/pods --filter 'name=^k8s_')"
for options in "'--root-dir=/srv/pods --v=4 --docker-endpoint=unix:///srv/e.sock'" \
	'"--docker-endpoint unix:///srv/e.sock --root-dir=/srv//pods/"' \
	"\"--docker-endpoint='unix:///srv/e.sock' --root-dir '/srv/pods'\"" \
	'--docker-endpoint=unix:///srv/e.sock\nMORE="--root-dir=/srv/pods"\n#--root-dir=/srv/no'; do
	dpkg_ --install "$package"
	printf "KUBELET_LITE_OPTS=%b\n" "$options" >"$node/etc/default/kubelet-lite"
	: >"$node/docker.log"
	dpkg_ --remove kubelet-lite
	grep -qxF "$asks" "$node/docker.log" || fail "$options: $(cat "$node/docker.log")"
	grep -qxF "$ends" "$work/out" || fail "$options: $(cat "$work/out")"
	grep -q '^Purging the package does not.* below /srv/pods\.$' "$work/out" || fail "$options: $(cat "$work/out")"
done
cp "$work/default" "$node/etc/default/kubelet-lite"

echo "-- purge leaves nothing but manifests, claims and what is the operator's"
mkdir -p "$work/hostpath" "$node/var/lib/kubelet-lite/pods/uid/a b"
touch "$work/hostpath/precious" "$node/image"
# As log collectors find them; one is of a container that was removed by hand, one is somebody else's.
mkdir -p "$node/var/log/pods/default_web_uid/app" "$node/var/log/pods/default_web_uid/gone" \
	"$node/var/log/pods/default_other_1234/c" "$node/var/log/containers"
ln -s /containers/app "$node/var/log/pods/default_web_uid/app/0.log"
ln -s /containers/app "$node/var/log/containers/web_default_app-app.log"
ln -s /containers/gone "$node/var/log/pods/default_web_uid/gone/0.log"
ln -s /image.log "$node/var/log/pods/default_other_1234/c/0.log"
echo k8s_default_data >"$node/claims"
# An operator's containers of a committed image have our labels.
echo "app running mine bridge a-box" >"$node/containers/mine"
echo "app running k8s_app_copy bridge a-box" >"$node/containers/copy"
# As for the volumes of a pod: a memory one, and in it a part of a directory of the host.
chroot "$node" mkdir -p /proc
mount -t proc proc "$node/proc"
holder=
end() {
	[ -z "$holder" ] || kill "$holder" 2>/dev/null || true
	umount -q "$node/proc" || true
	awk -v below="$work/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo | tac | while read -r place; do
		umount -l "$(printf '%b' "$place")" || true
	done
	rm -rf --one-file-system "$work"
}
trap end EXIT
mount -t tmpfs tmpfs "$node/var/lib/kubelet-lite/pods/uid/a b"
mkdir "$node/var/lib/kubelet-lite/pods/uid/a b/part"
# With a disk in it, and mounts are shared, as systemd makes them.
mount -t tmpfs --make-shared tmpfs "$work/hostpath"
touch "$work/hostpath/precious"
mkdir "$work/hostpath/disk"
mount -t tmpfs tmpfs "$work/hostpath/disk"
touch "$work/hostpath/disk/precious"
mount --rbind "$work/hostpath" "$node/var/lib/kubelet-lite/pods/uid/a b/part"
: >"$node/docker.log"
dpkg_ --purge kubelet-lite
[ -f "$work/hostpath/precious" ] || fail "purge removed a file of the host"
[ -f "$work/hostpath/disk/precious" ] || fail "purge unmounted a disk of the host"
umount -R "$work/hostpath"
[ ! -e "$node/var/lib/kubelet-lite" ] || fail "volumes are left: $(cat "$work/out")"
[ "$(cat "$node"/containers/*)" = "app running k8s_app_copy bridge a-box
app running mine bridge a-box" ] || fail "other containers are left: $(head "$node"/containers/*)"
[ ! -e "$node/image" ] || fail "the sandboxes' image is left"
[ "$(cd "$node/var/log" && find pods containers 2>/dev/null | grep -v '^pods$' | LC_ALL=C sort | tr '\n' ' ')" = \
	"pods/default_other_1234 pods/default_other_1234/c pods/default_other_1234/c/0.log " ] ||
	fail "links to logs: $(find "$node/var/log/pods" "$node/var/log/containers")"
rm -r "$node/var/log/pods"
[ "$(grep -o '^docker \(stop\|rm\) .*' "$node/docker.log")" = "docker stop app
docker stop sidecar
docker stop a-box
docker rm --force --volumes a-box app init sidecar" ] || fail "not so: $(cat "$node/docker.log")"
! grep 'a filter is missing' "$node/docker.log" || fail "other containers are looked at"
[ -f "$node/etc/kubernetes/manifests/web.yaml" ] || fail "purge removed a manifest"
grep -q 'manifests is kept' "$work/out" || fail "not said that manifests are kept: $(cat "$work/out")"
grep -q 'PersistentVolumeClaims are kept.* k8s_default_data' "$work/out" || fail "not said that claims are kept: $(cat "$work/out")"
rm "$node"/containers/* "$node/etc/kubernetes/manifests/web.yaml"
: >"$node/claims"

root=$node/var/lib/kubelet-lite
# purge_keeps WHY MESSAGE: installed and purged, the volumes of a pod are there still, and MESSAGE is said.
purge_keeps() {
	echo "-- purge removes no volume $1"
	dpkg_ --install "$package"
	mkdir -p "$root/pods/0123-uid/volumes"
	touch "$root/pods/0123-uid/volumes/data"
	dpkg_ --purge kubelet-lite
	[ -f "$root/pods/0123-uid/volumes/data" ] || fail "it is gone"
	grep -q "^kubelet-lite: .*$2" "$work/out" || fail "not said: $(cat "$work/out")"
}
run_pod
touch "$node/deaf"
purge_keeps "while there is no engine to ask" "can not be asked"
grep -q '^  docker stop ' "$work/out" || fail "not said what to do: $(cat "$work/out")"
mv "$node/usr/bin/docker" "$work/docker"
purge_keeps "while there is no client to ask it" "can not be asked"
rm "$node/deaf"
mv "$work/docker" "$node/usr/bin/docker"
touch "$node/stubborn"
purge_keeps "of containers that do not end" "some of its containers still run"
rm "$node/stubborn" "$node"/containers/*
# Its current directory is in the mount.
mkdir -p "$root/pods/busy"
mount -t tmpfs tmpfs "$root/pods/busy"
touch "$root/pods/busy/precious"
(cd "$root/pods/busy" && exec sleep 600) &
holder=$!
# The process needs a moment to get there.
until [ "$(readlink "/proc/$holder/cwd")" = "$root/pods/busy" ]; do sleep 0.1; done
purge_keeps "when something is busy that is mounted there" "still mounted below"
[ -f "$root/pods/busy/precious" ] || fail "a file of the mount is gone"
kill "$holder"
wait "$holder" || true
umount "$root/pods/busy"
unshare --mount sh -c "mount --bind '$root/pods/0123-uid/volumes' /mnt && exec sleep 600" &
holder=$!
until [ "$(cat /proc/$holder/comm)" = sleep ]; do sleep 0.1; done
purge_keeps "of which a container that this engine does not know has a part" "still mounted in containers.* 0123-uid"
kill "$holder"
wait "$holder" || true
holder=

echo "-- a root directory that is a mount point is emptied"
dpkg_ --install "$package"
mount -t tmpfs tmpfs "$root"
mkdir -p "$root/pods/uid/volumes" "$root/.hidden"
dpkg_ --purge kubelet-lite
[ -z "$(ls -A "$root")" ] || fail "not empty: $(ls -lA "$root")"
grep -q 'kept, and empty' "$work/out" || fail "not said: $(cat "$work/out")"
umount "$root"
rm -r "$root"

echo "-- and one that is a link to another place, with that place, though there is no engine any more"
dpkg_ --install "$package"
mkdir -p "$node/srv/state/seccomp"
ln -s /srv/state "$root"
mv "$node/usr/bin/docker" "$work/docker"
dpkg_ --purge kubelet-lite
mv "$work/docker" "$node/usr/bin/docker"
[ ! -L "$root" ] && [ ! -e "$node/srv/state" ] || fail "left: $(ls -ld "$root" "$node/srv/state")"

echo "-- the manifest directory is the operator's: empty, a link, or gone"
manifests=$node/etc/kubernetes/manifests
dpkg_ --install "$package"
dpkg_ --remove kubelet-lite
[ -d "$manifests" ] || fail "removal took an empty directory"
rmdir "$manifests"
mkdir "$node/srv/manifests"
ln -s /srv/manifests "$manifests"
for file in "$package" "$work/newer.deb"; do
	dpkg_ --install "$file"
	[ "$(readlink "$manifests")" = /srv/manifests ] || fail "installation: the link is gone"
	dpkg_ --remove kubelet-lite
	[ "$(readlink "$manifests")" = /srv/manifests ] || fail "removal: the link is gone"
done
rm "$manifests"
dpkg_ --install "$package"
[ ! -e "$manifests" ] || fail "a directory that the operator removed is made again: no pods"
dpkg_ --purge kubelet-lite
[ ! -e "$node/etc/kubernetes" ] || fail "/etc/kubernetes is left"
mkdir "$node/etc/kubernetes"
ln -s /srv/manifests "$manifests"
dpkg_ --install "$package"
dpkg_ --purge kubelet-lite
[ "$(readlink "$manifests")" = /srv/manifests ] || fail "purge: the link is gone"
rm -r "$node/etc/kubernetes" "$node/srv/manifests"

echo "-- a limit of logind's that is higher than ours stays"
mask=$node/etc/systemd/logind.conf.d/zz-kubelet-lite.conf
mkdir -p "$node/run/systemd/system"
printf '#!/bin/sh\necho systemctl "$@" >>/systemd.log\n' >"$node/usr/bin/systemctl"
# limit_is SAID: what logind says.
limit_is() {
	printf '#!/bin/sh\necho busctl "$@" >>/systemd.log\n%s\n' "$1" >"$node/usr/bin/busctl"
	chmod 755 "$node/usr/bin/busctl" "$node/usr/bin/systemctl"
	: >"$node/systemd.log"
}
for limit in 300000000 18446744073709551615; do
	limit_is "echo t $limit"
	dpkg_ --install "$package"
	[ "$(grep -c '' "$mask")" = 1 ] && grep -q '^# Made by the package kubelet-lite' "$mask" || fail "$limit: it is lowered: $(cat "$work/out")"
	[ "$(grep -c '^kubelet-lite: systemd-logind lets a shutdown wait for' "$work/out")" = 1 ] || fail "not said: $(cat "$work/out")"
	[ "$(grep -o 'InhibitDelayMaxUSec\|HUP' "$node/systemd.log" | tr '\n' ' ')" = "InhibitDelayMaxUSec HUP " ] ||
		fail "logind has read our limit before it is asked: $(cat "$node/systemd.log")"
	# As the operator, who may have it otherwise.
	[ $limit = 300000000 ] || rm -r "$(dirname "$mask")"
	dpkg_ --install "$work/newer.deb"
	dpkg_ --remove kubelet-lite
	[ $limit != 300000000 ] || [ -f "$mask" ] || fail "removal took the file"
	[ $limit = 300000000 ] || [ ! -e "$mask" ] || fail "an upgrade has brought the file back"
	dpkg_ --purge kubelet-lite
	[ ! -e "$node/etc/systemd/logind.conf.d" ] || fail "purge leaves the file"
done
for said in 'echo t 60000000' 'echo t 5000000' 'echo nonsense' 'exit 1'; do
	limit_is "$said"
	dpkg_ --install "$package"
	[ ! -e "$mask" ] || fail "ours is kept out: $said"
	dpkg_ --purge kubelet-lite
done
mkdir "$node/etc/systemd/logind.conf.d"
printf '%s\n' '# Made by the package kubelet-lite: no more' '[Login]' >"$mask"
limit_is 'echo t 300000000'
dpkg_ --install "$package"
dpkg_ --purge kubelet-lite
grep -q '^\[Login\]$' "$mask" || fail "the operator's file is gone"
rm -r "$node/etc/systemd/logind.conf.d" "$node/usr/bin/busctl"
dpkg_ --install "$package"
[ ! -L "$mask" ] || fail "ours is kept out, and nobody was asked"
dpkg_ --purge kubelet-lite
rm -r "$node/run/systemd" "$node/usr/bin/systemctl" "$node/systemd.log"

echo "-- an engine is needed, and Docker's own package is one"
mkdir -p "$work/engine/DEBIAN"
printf '%s\n' 'Package: docker-ce' 'Version: 5:20.10.0~3-0~debian' 'Architecture: all' 'Maintainer: nobody <nobody@example.com>' \
	'Description: stand-in' >"$work/engine/DEBIAN/control"
dpkg-deb --root-owner-group --build "$work/engine" "$work/engine.deb" >/dev/null
! dpkg --root="$node" --log="$work/dpkg.log" --install "$package" >"$work/out" 2>&1 || fail "it is installed without an engine"
grep -q 'depends on docker.io' "$work/out" || fail "not said: $(cat "$work/out")"
dpkg --root="$node" --log="$work/dpkg.log" --install "$work/engine.deb" "$package" >"$work/out" 2>&1 || fail "docker-ce does not do: $(cat "$work/out")"
is "install ok installed $version"
dpkg_ --purge kubelet-lite docker-ce

echo "-- installed again and purged, nothing is left at all"
dpkg_ --install "$package"
dpkg_ --purge kubelet-lite
inventory >"$work/after"
same "$work/before" "$work/after" "files are left after the purge"
echo "the package is as it should be"
