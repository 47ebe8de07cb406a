#!/usr/bin/env bash
# image.sh [NAME:TAG]: makes the image of the examples from Debian's busybox-static; no registry.
# DOCKER_HOST names the engine (unix://...; default unix:///var/run/docker.sock).
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=packaging/demo/engine.sh
. ./engine.sh

image=${1:-kubelet-lite/demo:1}
if api GET "/images/$image/json" >/dev/null 2>&1; then
	exit 0
fi
busybox=$(command -v busybox) || busybox=
if [ -z "$busybox" ] || ldd "$busybox" >/dev/null 2>&1; then
	echo "no statically linked busybox here: apt-get install busybox-static" >&2
	exit 1
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,etc,tmp,www}
chmod 755 "$root"
chmod 1777 "$root/tmp"
cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do
	[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
echo 'root:x:0:0:root:/:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:
nogroup:x:65534:' >"$root/etc/group"

tar -C "$root" --owner=0 --group=0 --numeric-owner -c . |
	api POST "/images/create?fromSrc=-&repo=${image%:*}&tag=${image##*:}&changes=CMD%20/bin/sh" \
		-H 'Content-Type: application/x-tar' -T - >/dev/null
api GET "/images/$image/json" >/dev/null
echo "made image $image"
