#!/usr/bin/env bash
# run.sh BOX PACKAGE: boots a copy of the machine that box.sh made in BOX, and plays story.sh on it.
# Uses KVM where the processor's own is there, else emulation, in which everything takes 10 to 20 times as long.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
box=$(realpath "$1") package=$2
run=$(mktemp -d)
port=$((20000 + $$ % 20000))

# /dev/kvm alone is not enough: a host without one of these can not boot a Debian kernel by it.
accel=tcg patience=420
for module in kvm_intel kvm_amd; do
	if [ -d /sys/module/$module ] && [ -w /dev/kvm ]; then accel=kvm patience=60; fi
done
# The same under a higher version, to upgrade to.
dpkg-deb --raw-extract "$package" "$run/newer"
sed -i 's/^Version: .*/&+1/' "$run/newer/DEBIAN/control"
dpkg-deb --root-owner-group -Zgzip --build "$run/newer" "$run/newer.deb" >/dev/null
qemu-img create -q -f qcow2 -b "$box/disk.raw" -F raw "$run/disk.qcow2"
nice -n "${NICE:-10}" qemu-system-x86_64 -machine q35,accel=$accel -cpu max -m 1536 -smp "${CPUS:-1}" \
	-display none -serial "file:$run/console" \
	-drive "file=$run/disk.qcow2,if=virtio,cache=unsafe" -device virtio-rng-pci \
	-netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=n0 &
vm=$!
trap 'kill $vm 2>/dev/null || true; wait $vm 2>/dev/null || true; rm -rf "$run"' EXIT

export NODE="ssh -q -i $box/key -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ServerAliveCountMax=6
	-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p $port root@127.0.0.1"
export PATIENCE=$patience
until $NODE sh -s <<<'systemctl is-system-running --wait; systemctl is-active docker' >/dev/null 2>&1; do
	if [ $SECONDS -gt $((patience * 2)) ] || ! kill -0 $vm 2>/dev/null; then
		tail -20 "$run/console" >&2
		echo "the machine does not come up" >&2
		exit 1
	fi
	sleep 2
done
echo "the machine is up after $SECONDS s ($accel)"
"$here/story.sh" "$package" "$run/newer.deb"
echo "the whole story took $SECONDS s"
