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

echo "-- unit"
dpkg-deb --fsys-tarfile "$package" | tar -x -C "$work" ./usr/bin/kubelet-lite ./usr/lib/systemd/system/kubelet-lite.service
sed "s|/usr/bin/kubelet-lite|$work&|" "$work/usr/lib/systemd/system/kubelet-lite.service" >"$work/kubelet-lite.service"
systemd-analyze verify --man=no "$work/kubelet-lite.service" >"$work/verify" 2>&1 || fail "unit: $(cat "$work/verify")"
[ ! -s "$work/verify" ] || fail "unit: $(cat "$work/verify")"
exposure=$(systemd-analyze security --no-pager --offline=true "$work/kubelet-lite.service" | sed -n 's/.*exposure level.*: \([0-9.]*\).*/\1/p')
grep -q "exposure of $exposure" "$here/../../docs/security.md" || fail "docs/security.md gives another exposure than $exposure"
# It would take mounts away from the engine's eyes.
! grep -E '^(Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc)|Private(Tmp|Devices|Mounts|Users)|ReadOnlyPaths|ReadWritePaths|InaccessiblePaths|Root[A-Z].*|Bind.*Paths|TemporaryFileSystem)=' \
	"$work/kubelet-lite.service" || fail "the unit has a mount namespace of its own"

echo "-- make install, without the package"
installed=$work/installed
for round in first second; do
	make --silent -C "$here/../.." install DESTDIR="$installed" prefix=/opt/kubelet-lite >/dev/null || fail "make install"
	[ $round = second ] || echo '# mine' >>"$installed/etc/kubernetes/kubelet-lite.yaml"
done
grep -q '^# mine' "$installed/etc/kubernetes/kubelet-lite.yaml" || fail "make install has overwritten the configuration"
[ -d "$installed/etc/kubernetes/manifests" ] || fail "make install makes no manifest directory"
"$installed/opt/kubelet-lite/bin/kubelet-lite" --version | grep -q '^kubelet-lite ' || fail "make install installs no program"
grep -q '^ExecStart=/opt/kubelet-lite/bin/kubelet-lite ' "$installed/opt/kubelet-lite/lib/systemd/system/kubelet-lite.service" ||
	fail "the unit of make install starts another program"

echo "-- packed again, elsewhere and later"
TMPDIR=$work TZ=Asia/Tokyo "$here/build.sh" "$work/usr/bin/kubelet-lite" "$manuals" "$work/again" >/dev/null
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
# The engine's client: containers are files, one for each state and kind; what is asked is written down.
cat >"$node/usr/bin/docker" <<'STUB'
#!/bin/sh
echo "docker $*" >>/docker.log
case "$*" in
*managed-by=/var/lib/kubelet-lite*) ;;
ps*) echo "a filter is missing: $*" >>/docker.log ;;
esac
cd /containers || exit 1
verb=$1
shift
case $verb in
ps)
	case "$*" in
	*kind=sandbox*) ls | grep '^sandbox.*run' ;;
	*--all*) ls ;;
	*) ls | grep run ;;
	esac
	;;
images) [ ! -e /image ] || echo 0123456789ab ;;
rmi) rm /image ;;
stop) for id; do mv "$id" "${id%run}ended"; done ;;
rm) for id; do case $id in -*) ;; *) rm "$id" ;; esac; done ;;
esac
STUB
chmod 755 "$node/usr/bin/docker"
mkdir "$node/containers"

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
touch "$node/containers/sandbox-1-run" "$node/containers/app-1-run"
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
grep -q 'docker stop' "$work/out" || fail "not said how to end the pods: $(cat "$work/out")"
! grep -q 'docker stop\|docker rm' "$node/docker.log" || fail "removal touched containers"
[ -d "$node/var/lib/kubelet-lite/pods/uid" ] || fail "removal touched volumes"

echo "-- purge leaves nothing but manifests"
mkdir -p "$work/hostpath" "$node/var/lib/kubelet-lite/pods/uid/a b"
touch "$work/hostpath/precious" "$node/containers/app-2-ended" "$node/image"
# As for the volumes of a pod: a memory one, and in it a part of a directory of the host.
chroot "$node" mkdir -p /proc
mount -t proc proc "$node/proc"
unmount() { umount -q -R "$node/proc" "$node/var/lib/kubelet-lite/pods/uid/a b" 2>/dev/null || true; }
trap 'unmount; rm -rf --one-file-system "$work"' EXIT
mount -t tmpfs tmpfs "$node/var/lib/kubelet-lite/pods/uid/a b"
mkdir "$node/var/lib/kubelet-lite/pods/uid/a b/part"
mount --bind "$work/hostpath" "$node/var/lib/kubelet-lite/pods/uid/a b/part"
: >"$node/docker.log"
dpkg_ --purge kubelet-lite
[ -f "$work/hostpath/precious" ] || fail "purge removed a file of the host"
[ ! -e "$node/var/lib/kubelet-lite" ] || fail "volumes are left: $(cat "$work/out")"
[ -z "$(ls "$node/containers")" ] || fail "containers are left: $(ls "$node/containers")"
[ ! -e "$node/image" ] || fail "the sandboxes' image is left"
[ "$(grep -o '^docker \(stop\|rm\).*' "$node/docker.log" | head -2)" = "docker stop app-1-run
docker stop sandbox-1-run" ] || fail "in another order: $(cat "$node/docker.log")"
[ -f "$node/etc/kubernetes/manifests/web.yaml" ] || fail "purge removed a manifest"
grep -q 'manifests is kept' "$work/out" || fail "not said that manifests are kept: $(cat "$work/out")"

echo "-- installed again and purged, nothing is left at all"
rm "$node/etc/kubernetes/manifests/web.yaml"
dpkg_ --install "$package"
dpkg_ --purge kubelet-lite
inventory >"$work/after"
same "$work/before" "$work/after" "files are left after the purge"
echo "the package is as it should be"
