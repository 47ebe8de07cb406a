#!/usr/bin/env bash
# vagrant.sh BOX PACKAGE [pair|story]: the machine that box.sh made in BOX as a Vagrant box, and with it: two nodes on
# which pair.sh is played, one on which story.sh is, or one of both, and nothing left of them. Needs root, vagrant,
# vagrant-libvirt, rsync, a libvirt that answers, and no network.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
box=$(realpath "$1") package=$(realpath "$2") plays=${3:-pair story}
virsh -c qemu:///system version >/dev/null || {
	echo "libvirt does not answer: systemctl start libvirtd" >&2
	exit 1
}
run=$(mktemp -d)
export VAGRANT_CWD=$here VAGRANT_DEFAULT_PROVIDER=libvirt VAGRANT_DOTFILE_PATH=$run/vagrant VAGRANT_CHECKPOINT_DISABLE=1
export BOX=kubelet-lite/node SHARE=$run/share PACKAGES=$run/packages
# By what PATIENCE is measured.
[ "$("$here/power-on.sh" --accel)" = kvm ] && VM_ACCEL=kvm || VM_ACCEL=qemu
export VM_ACCEL
# The names of this run's machines begin so, and those of no other.
export DOMAIN_PREFIX=kubelet-lite-$$-
mkdir -p "$SHARE" "$PACKAGES"
cp "$package" "$PACKAGES"

forget_box() {
	vagrant box remove --force "$BOX" >/dev/null 2>&1 || true
	# libvirt's own copy, which would be used again.
	virsh -c qemu:///system vol-list default 2>/dev/null | awk '/kubelet-lite-VAGRANTSLASH-node/ { print $1 }' |
		while read -r volume; do virsh -c qemu:///system vol-delete --pool default "$volume" >/dev/null; done || true
}
machines() { virsh -c qemu:///system list --name "$@" | grep "^$DOMAIN_PREFIX"; }
end() {
	vagrant destroy --force >"$run/destroy" 2>&1 || cat "$run/destroy" >&2
	# What a vagrant that was interrupted knows nothing of, or holds a lock on.
	machines | while read -r name; do virsh -c qemu:///system destroy "$name"; done >/dev/null
	machines --all | while read -r name; do virsh -c qemu:///system undefine --remove-all-storage "$name"; done >/dev/null
	forget_box
	rm -rf "$run"
}
ended_by end
quietly() {
	with_child "$@" >"$run/log" 2>&1 || {
		tail -40 "$run/log" >&2
		echo "FAILED: $*" >&2
		exit 1
	}
}
# A machine that goes down may leave connections open, which nobody would end.
ssh_config() {
	printf '%s\n' "Host *" "ServerAliveInterval 10" "ServerAliveCountMax 6" "ConnectTimeout 20" >"$run/ssh"
	vagrant ssh-config "$@" >>"$run/ssh" 2>"$run/log" || cat "$run/log" >&2
}
reach() { echo "ssh -F $run/ssh node$1 sudo"; }

forget_box
with_child qemu-img convert -O qcow2 "$box/disk.raw" "$run/box.img"
echo '{"provider": "libvirt", "format": "qcow2", "virtual_size": 4}' >"$run/metadata.json"
printf 'Vagrant.configure("2") do |config|\nend\n' >"$run/Vagrantfile"
tar -C "$run" -cf - metadata.json Vagrantfile box.img | gzip -1 >"$run/node.box"
quietly vagrant box add --name "$BOX" "$run/node.box"
rm "$run/box.img" "$run/node.box"
echo "a box after $SECONDS s"

if [[ $plays = *pair* ]]; then
	began=$SECONDS
	quietly vagrant up
	ssh_config node1 node2
	echo "vagrant up: two nodes with the package after $((SECONDS - began)) s"
	NODE1=$(reach 1) NODE2=$(reach 2) SYNC="vagrant rsync" with_child "$here/pair.sh" "$package" "$SHARE"
	quietly vagrant destroy --force
fi
if [[ $plays != *story* ]]; then
	echo "all of it took $SECONDS s"
	exit
fi

began=$SECONDS
quietly vagrant up --no-provision node1
ssh_config node1
echo "vagrant up: one node, as it is, after $((SECONDS - began)) s"
newer "$package" "$run/newer.deb"
# Not by `vagrant up`, which would bring the shared directory's files.
cat >"$run/power-on" <<-'POWER'
	#!/bin/sh
	until=$(($(date +%s) + PATIENCE))
	until name=$(virsh -c qemu:///system list --state-shutoff --name | grep "^$DOMAIN_PREFIX.*node1$"); do
		[ "$(date +%s)" -lt $until ] || { echo "the machine does not switch itself off" >&2; exit 1; }
		sleep 2
	done
	virsh -c qemu:///system start "$name" >/dev/null
POWER
chmod +x "$run/power-on"
NODE=$(reach 1) POWER_ON=$run/power-on with_child "$here/story.sh" "$package" "$run/newer.deb"
quietly vagrant destroy --force
echo "vagrant destroy; all of it took $SECONDS s"
