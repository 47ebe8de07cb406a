#!/usr/bin/env bash
# build.sh BINARY MANUALS OUTPUT: packs kubelet-lite_VERSION_ARCHITECTURE.deb into OUTPUT.
#
# Needs what build-essential brings. The same inputs give the same bytes: times are the changelog's
# (or SOURCE_DATE_EPOCH's), owners root's, modes set here.
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=$1 manuals=$2 output=$3
here=packaging/deb

version=$(sed -n '1s/^kubelet-lite (\(.*\)) .*/\1/p' $here/changelog)
if [ "$("$binary" --version)" != "kubelet-lite $version" ]; then
	echo "$binary is $("$binary" --version), the changelog is of $version: they must be the same" >&2
	exit 1
fi
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
	SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' $here/changelog | head -1)" +%s)
fi
export SOURCE_DATE_EPOCH
architecture=$(dpkg --print-architecture)

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root=$stage/root
put() { install -D -m "$1" "$2" "$root/$3"; }
# Without its name and time gzip writes the same bytes each time.
put_compressed() {
	install -d -m 755 "$root/$(dirname "$2")"
	gzip -9 --no-name <"$1" >"$root/$2"
}

put 755 "$binary" usr/bin/kubelet-lite
put 644 systemd/kubelet-lite.service usr/lib/systemd/system/kubelet-lite.service
put 644 $here/logind.conf usr/lib/systemd/logind.conf.d/zz-kubelet-lite.conf
put 644 $here/kubelet-lite.yaml etc/kubernetes/kubelet-lite.yaml
put 644 $here/kubelet-lite.default etc/default/kubelet-lite
for page in "$manuals"/*.8; do
	put_compressed "$page" "usr/share/man/man8/$(basename "$page").gz"
done
put 644 "$manuals/kubelet-lite.bash" usr/share/bash-completion/completions/kubelet-lite
put 644 "$manuals/_kubelet-lite" usr/share/zsh/vendor-completions/_kubelet-lite
put 644 "$manuals/kubelet-lite.fish" usr/share/fish/vendor_completions.d/kubelet-lite.fish
put 644 $here/copyright usr/share/doc/kubelet-lite/copyright
put_compressed $here/changelog usr/share/doc/kubelet-lite/changelog.gz
# What is linked in, with versions and licences.
cargo tree --locked --offline --edges normal --prefix none --format '{p} {l}' |
	sed 's| (/[^)]*)||; s| (\*)$||; s| (proc-macro)||' | LC_ALL=C sort -u >"$root/usr/share/doc/kubelet-lite/crates.txt"
$here/licenses.sh "$binary" >"$stage/licenses"
put_compressed "$stage/licenses" usr/share/doc/kubelet-lite/licenses.gz
put 644 $here/lintian-overrides usr/share/lintian/overrides/kubelet-lite

mkdir -p "$root/DEBIAN" "$stage/debian"
for script in postinst prerm postrm; do
	put 755 $here/$script DEBIAN/$script
done
printf '/%s\n' etc/default/kubelet-lite etc/kubernetes/kubelet-lite.yaml >"$root/DEBIAN/conffiles"
(cd "$root" && find usr etc -type f ! -path 'etc/*' -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"

# Which C library the binary needs; nothing for a static one.
printf 'Source: kubelet-lite\n\nPackage: kubelet-lite\nArchitecture: any\n' >"$stage/debian/control"
needs=$(cd "$stage" && dpkg-shlibdeps -O root/usr/bin/kubelet-lite 2>"$stage/shlibdeps" | sed -n 's/^shlibs:Depends=//p') || {
	cat "$stage/shlibdeps" >&2
	exit 1
}
# As dpkg-gencontrol counts, whatever the file system: a file's KiB, and one for anything else.
size=$(find "$root" -path "$root/DEBIAN" -prune -o -printf '%y %s\n' |
	awk '{ size += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print size }')
sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@SIZE@/$size/; s/@DEPENDS@/${needs:+$needs, }/" \
	$here/control.in >"$root/DEBIAN/control"

find "$root" -type d -exec chmod 755 {} +
find "$root/usr/share" "$root/DEBIAN/control" "$root/DEBIAN/conffiles" "$root/DEBIAN/md5sums" -type f -exec chmod 644 {} +
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$output"
package=$output/kubelet-lite_${version}_$architecture.deb
# One thread: with more, the compressed bytes depend on how many there are.
DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
