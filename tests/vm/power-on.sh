#!/usr/bin/env bash
# power-on.sh BOX DIRECTORY PORT: boots the machine of DIRECTORY, once it is off; at the first time its disk is a copy
# of the one that box.sh made in BOX. Its ssh is PORT of this host. Leaves QEMU's process id in DIRECTORY/pid, the
# console in DIRECTORY/console.
#
# Uses KVM where the processor's own is there, else emulation, in which everything takes 10 to 20 times as long.
# VM_ACCEL=kvm or VM_ACCEL=qemu decides otherwise.
set -euo pipefail
box=${1:-} directory=${2:-} port=${3:-}

# /dev/kvm alone is not enough: a host without one of these can not boot a Debian kernel by it.
accel=tcg
for module in kvm_intel kvm_amd; do
	if [ -d /sys/module/$module ] && [ -w /dev/kvm ]; then accel=kvm; fi
done
case ${VM_ACCEL:-} in
kvm) accel=kvm ;;
?*) accel=tcg ;;
esac
if [ "${1:-}" = --accel ]; then
	echo $accel
	exit
fi

mkdir -p "$directory"
if [ -f "$directory/pid" ]; then
	timeout "${PATIENCE:-900}" tail --pid="$(cat "$directory/pid")" -f /dev/null || {
		echo "the machine does not switch itself off" >&2
		exit 1
	}
	cat "$directory/console" >>"$directory/consoles"
fi
[ -f "$directory/disk.qcow2" ] || qemu-img create -q -f qcow2 -b "$box/disk.raw" -F raw "$directory/disk.qcow2"
nice -n "${NICE:-0}" qemu-system-x86_64 -machine q35,accel=$accel -cpu max -m "${MEMORY:-1536}" -smp "${CPUS:-1}" \
	-display none -serial "file:$directory/console" \
	-drive "file=$directory/disk.qcow2,if=virtio,cache=unsafe" -device virtio-rng-pci \
	-netdev "user,id=n0,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=n0 \
	</dev/null >"$directory/qemu" 2>&1 &
echo $! >"$directory/pid"
