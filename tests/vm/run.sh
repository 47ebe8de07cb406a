#!/usr/bin/env bash
# run.sh BOX PACKAGE [pair]: boots a copy of the machine that box.sh made in BOX, and plays story.sh on it; or two
# copies, and plays pair.sh. NICE, CPUS and MEMORY (MiB) are a machine's.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
box=$(realpath "$1") package=$2 play=${3:-story}
run=$(mktemp -d)
port=$((20000 + $$ % 20000))
end() {
	power_off "$run"/node*
	rm -rf "$run"
}
ended_by end

# boot N: the machine with that number, and how it is reached.
boot() {
	"$here/power-on.sh" "$box" "$run/node$1" $((port + $1))
	ssh_host "$box" "node$1" $((port + $1)) >>"$run/ssh"
}
reach() { echo "ssh -F $run/ssh node$1 sudo"; }

boot 1
if [ "$play" = pair ]; then
	boot 2
	with_child await "$run/node2" "$(reach 2)"
	$(reach 2) sh -s <<<'hostnamectl set-hostname node2 && sed -i s/node1/node2/ /etc/hosts'
fi
with_child await "$run/node1" "$(reach 1)"
echo "up after $SECONDS s ($("$here/power-on.sh" --accel))"
if [ "$play" = pair ]; then
	cat >"$run/sync" <<-SYNC
		#!/bin/sh
		for node in node1 node2; do
			rsync -a --delete -e 'ssh -F $run/ssh' --rsync-path='sudo rsync' '$run/share/' \$node:/etc/kubernetes/manifests || exit
		done
	SYNC
	chmod +x "$run/sync"
	NODE1=$(reach 1) NODE2=$(reach 2) SYNC=$run/sync with_child "$here/pair.sh" "$package" "$run/share"
else
	newer "$package" "$run/newer.deb"
	make --no-print-directory -C "$here/../.." install DESTDIR="$run/tree" >"$run/log" 2>&1 || { cat "$run/log" >&2; exit 1; }
	TREE=$run/tree NODE=$(reach 1) POWER_ON="$here/power-on.sh $box $run/node1 $((port + 1))" with_child "$here/story.sh" "$package" "$run/newer.deb"
fi
echo "the whole story took $SECONDS s"
