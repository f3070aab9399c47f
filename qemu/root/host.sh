#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks that the host has what the set-up of a toolchain root needs. Installs missing packages if the superuser of a
# host with apt-get runs the script; otherwise names them.
. "$(dirname "$0")/../lib/lab.sh"

[ "$(uname -m)" = x86_64 ] || die "the lab runs on x86_64 hosts, this one is $(uname -m)"
need_cache

# Check the namespaces first: without them, packages do not help.
instead="without the lab, 'make KDIR=DIR' builds the modules for the kernel tree DIR; \
Debian's trees need the package that 'make rust-headers' makes on another machine (docs/install.md)"
if [ "$(id -u)" -eq 0 ]; then
	why=$(unshare --mount true 2>&1) ||
		die "root cannot create a mount namespace (${why:-no reason}): a container needs CAP_SYS_ADMIN (--privileged); $instead"
elif ! why=$(unshare --user --mount --pid --fork true 2>&1); then
	for setting in user.max_user_namespaces=0 kernel.unprivileged_userns_clone=0 kernel.apparmor_restrict_unprivileged_userns=1; do
		file=/proc/sys/${setting%=*}
		[ "$(cat "${file//.//}" 2>/dev/null)" != "${setting#*=}" ] || why+=", sysctl $setting"
	done
	die "a plain user cannot create a user namespace (${why:-no reason}): run this as root; $instead"
fi

missing=()
command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing+=(debian-archive-keyring)
[ "$(id -u)" -eq 0 ] || command -v newuidmap >/dev/null || missing+=(uidmap)
if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
		die "the host lacks these packages: sudo apt-get install ${missing[*]}"
	fi
	step "install ${missing[*]} on this host" "20 s" "$CACHE/log/host.log" sh -c '
		export DEBIAN_FRONTEND=noninteractive
		apt-get install -y --no-install-recommends "$@" ||
			{ apt-get update && apt-get install -y --no-install-recommends "$@"; }' sh "${missing[@]}"
fi

if [ "$(id -u)" -ne 0 ]; then
	user=$(id -un)
	for file in /etc/subuid /etc/subgid; do
		grep -qE "^($user|$(id -u)):" "$file" 2>/dev/null ||
			die "$user has no range in $file: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $user"
	done
	why=$("$LAB/root/unshare.sh" -- true 2>&1) ||
		die "$user cannot use the ids of /etc/subuid and /etc/subgid (${why:-no reason}): run this as root; $instead"
fi
