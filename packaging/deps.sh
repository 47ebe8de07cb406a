#!/usr/bin/env bash
# deps.sh COMMAND=PACKAGE|PACKAGE...: installs the Debian packages that are missing. With a command,
# the package is missing when the command is: another package may bring it (Docker's own, say).
#
# A package that brings a service does not start it here, unless systemd runs: a Docker Engine begun
# by a maintainer script in a container would stay behind when we are gone.
set -euo pipefail

PATH=$PATH:/usr/sbin:/sbin
missing=()
for pair in "$@"; do
	case $pair in
	*=*) command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}") ;;
	*) dpkg -s "$pair" >/dev/null 2>&1 || missing+=("$pair") ;;
	esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing packages: ${missing[*]}; install them (apt-get install ${missing[*]}) or run this as root" >&2
	exit 1
fi
if ! command -v apt-get >/dev/null; then
	echo "missing: ${missing[*]} (Debian's package names), and there is no apt-get here to install them with" >&2
	exit 1
fi

policy=/usr/sbin/policy-rc.d
if [ ! -d /run/systemd/system ] && [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
echo "== installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
