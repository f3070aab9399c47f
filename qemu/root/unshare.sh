#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs a command as the superuser, in a mount namespace of its own. If a plain user calls this script, the command is
# the superuser of a new user namespace only.
# Usage: unshare.sh [OPTION...] -- CMD...
# OPTION is an option of unshare(1), for a namespace of another kind.
. "$(dirname "$0")/../lib/lab.sh"

# Export the host's proxies in http_proxy, https_proxy and no_proxy: mmdebstrap, and apt in a root, read no others. The
# host may have them in these variables, in HTTP_PROXY and so on, or in apt's configuration.
# shellcheck disable=SC2034 # ${!apt-} reads them
apt_http='' apt_https=''
command -v apt-config >/dev/null &&
	eval "$(apt-config shell apt_http Acquire::http::Proxy apt_https Acquire::https::Proxy)"
for name in http_proxy https_proxy no_proxy; do
	upper=${name^^} apt=apt_${name%_proxy}
	proxy=${!name-${!upper-${!apt-}}}
	[ -z "$proxy" ] || export "$name=$proxy"
done

user=()
if [ "$(id -u)" -ne 0 ]; then
	# Fail here if the kernel refuses the namespaces. With --map-auto, unshare starts a helper before it asks the
	# kernel. If the kernel then refused, the helper would sleep for ever, and keep the caller's pipe open.
	unshare --user --mount --pid --fork true
	user=(--user --map-root-user --map-auto)
fi
exec unshare "${user[@]}" --mount "$@"
