#!/usr/bin/env bash
# box.sh DIRECTORY [RELEASE]: a Debian machine with Docker, made of Debian packages and nothing else, as
# DIRECTORY/disk.raw (with GRUB), vmlinuz, initrd.img, cmdline, and a key for root. Needs root, mmdebstrap, e2fsprogs, fdisk,
# grub-common, grub-pc-bin, openssh-client. No loop device and no mount.
#
# About 30 s on a quiet machine.
set -euo pipefail
out=$1 release=${2:-bookworm}
root=$out/root image=$out/disk.raw
mkdir -p "$out"
rm -f "$out/cmdline"
rm -rf --one-file-system "$root"
[ -f "$out/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$out/key"

# The mirror is the one that apt uses here.
sources=/etc/apt/sources.list.d/debian.sources
[ -f $sources ] || sources=/etc/apt/sources.list
if [ "$release" != "$(. /etc/os-release && echo "$VERSION_CODENAME")" ]; then
	sed "s/$(. /etc/os-release && echo "$VERSION_CODENAME")/$release/g" $sources >"$out/sources"
	sources=$out/sources
fi
packages=linux-image-cloud-amd64,initramfs-tools,systemd,systemd-sysv,dbus,libpam-systemd,udev,kmod,zstd
packages+=,openssh-server,sudo,rsync,docker.io,iptables,iproute2,ca-certificates,curl,procps,busybox-static,apparmor
# Beside the engine since Debian 13.
[ "$release" = bookworm ] || packages+=,docker-cli
mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
	--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
	--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"' \
	--essential-hook='printf "MODULES=list\nCOMPRESS=zstd\nFSTYPE=ext4\n" >"$1/etc/initramfs-tools/conf.d/vm"' \
	--essential-hook='printf "virtio_pci\nvirtio_blk\nvirtio_scsi\nsd_mod\nahci\next4\ncrc32c\n" >"$1/usr/share/initramfs-tools/modules.d/vm.conf"' \
	--include="$packages" "$release" "$root" "$sources"

echo node1 >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 node1\n' >"$root/etc/hosts"
echo 'LABEL=root / ext4 rw,noatime,errors=remount-ro 0 1' >"$root/etc/fstab"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n[DHCPv4]\nClientIdentifier=mac\n' \
	>"$root/etc/systemd/network/80-dhcp.network"
# Each copy gets its own.
: >"$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_*key*
cat >"$root/etc/systemd/system/ssh-hostkeys.service" <<'UNIT'
[Unit]
Description=Generate SSH host keys
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
[Install]
WantedBy=multi-user.target
UNIT
printf 'UseDNS no\nHostKey /etc/ssh/ssh_host_ed25519_key\nGSSAPIAuthentication no\n' >"$root/etc/ssh/sshd_config.d/vm.conf"
mkdir -p "$root/var/log/journal"
inside() { chroot "$root" "$@"; }
inside useradd -m -s /bin/bash -G sudo,docker vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/vagrant"
chmod 440 "$root/etc/sudoers.d/vagrant"
install -d -m 700 "$root/home/vagrant/.ssh" "$root/root/.ssh"
# Vagrant's own key as well, where there is one; at `vagrant up` it is replaced.
vagrant_key=$(dpkg -L vagrant 2>/dev/null | grep 'keys/vagrant.pub$') || vagrant_key=
cat "$out/key.pub" ${vagrant_key:+"$vagrant_key"} >"$root/home/vagrant/.ssh/authorized_keys"
cp "$out/key.pub" "$root/root/.ssh/authorized_keys"
chmod 600 "$root"/{home/vagrant,root}/.ssh/authorized_keys
inside chown -R vagrant:vagrant /home/vagrant/.ssh
inside systemctl --quiet enable systemd-networkd ssh ssh-hostkeys docker
inside systemctl --quiet disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer || true
inside systemctl --quiet mask systemd-networkd-wait-online.service
rm -f "$root/etc/resolv.conf"
# QEMU's user network.
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
cmdline='root=LABEL=root ro console=ttyS0,115200 systemd.show_status=false'
mkdir -p "$root/boot/grub"
printf 'set timeout=0\nserial --unit=0 --speed=115200\nterminal_output console serial\nmenuentry vm {\n linux /vmlinuz %s\n initrd /initrd.img\n}\n' \
	"$cmdline" >"$root/boot/grub/grub.cfg"
cp -L "$root/vmlinuz" "$out/vmlinuz"
cp -L "$root/initrd.img" "$out/initrd.img"
rm -f "$image"
truncate -s 4G "$image"
echo 'start=2048, type=83, bootable' | sfdisk -q --label dos "$image"
# The two features are unknown to GRUB 2.06.
features='^metadata_csum_seed,^orphan_file'
mke2fs -q -t ext4 -O "$features" -L root -m 1 -b 4096 -E offset=1048576,lazy_itable_init=1,lazy_journal_init=1 -d "$root" \
	"$image" $((($(stat -c %s "$image") - 1048576) / 4096))
printf 'search --no-floppy --label root --set=root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' >"$out/early.cfg"
grub-mkimage -O i386-pc -p /boot/grub -c "$out/early.cfg" -o "$out/core.img" \
	biosdisk part_msdos ext2 search search_label configfile normal linux echo serial terminal
dd if=/usr/lib/grub/i386-pc/boot.img of="$image" bs=440 count=1 conv=notrunc status=none
dd if="$out/core.img" of="$image" bs=512 seek=1 conv=notrunc status=none
rm -rf --one-file-system "$root"
# The last, so that a box that is half made is made again.
echo "$cmdline" >"$out/cmdline"
