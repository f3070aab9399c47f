# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # the scripts that source this file use some of the variables
# What the lab's scripts share: paths, messages, the choice of the kernel, and long steps with their progress. Scripts
# that run inside a toolchain root or in mmdebstrap's namespaces do not source this file.
#
# Messages go to stderr. Stdout is for a script's answer, such as a path or a report.

set -euo pipefail

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
PROJECT=${LAB%/*}
CACHE=${XDG_CACHE_HOME:-${HOME:?is not set}/.cache}/beyond-irps

say() {
	printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

case $PROJECT$CACHE in
*[[:space:]:,%]*) die "Kbuild allows no blank, colon, comma or percent sign in these paths: $PROJECT, $CACHE" ;;
esac

. "$LAB/lib/cache.sh"

known_kernel() {
	case $1 in
	stock | sanitizer | uml | debug | strict) ;;
	*) die "there is no kernel '$1': KERNEL is stock, uml, sanitizer, debug or strict" ;;
	esac
}
known_kernel "${KERNEL-stock}"

known_mode() {
	grep -qs "^# Mode $1: " "$LAB/guest/$1.sh" || die "there is no mode '$1'"
}

# ARCH is the architecture of the guest; the host is always x86_64. debian_arch is Debian's name for ARCH. sysroot is
# the directory of the guest's programs in the toolchain root.
case ${ARCH-}:${KVER-} in
:*-arm64) ARCH=arm64 ;;
:*) ARCH=x86_64 ;;
esac
case $ARCH in
x86_64) debian_arch=amd64 sysroot='' ;;
arm64) debian_arch=arm64 sysroot=/usr/aarch64-linux-gnu ;;
*) die "there is no architecture '$ARCH': ARCH is x86_64 or arm64" ;;
esac

only_x86_64() {
	[ "$ARCH" = x86_64 ] || die "$1 is for x86_64 only, not for $ARCH"
}

# $suite is the Debian suite of the toolchain root; $compiler builds the suite's kernels. "+deb13" in KVER is Debian 13,
# trixie. Kernels with a higher number are in unstable (sid).
suite=trixie compiler=gcc-14
case ${KVER-} in
*+deb13[.-]*) ;;
*+deb[0-9]*) suite=sid compiler=gcc-16 ;;
esac

# kernel_dir NAME - prints the directory of a kernel (kernel/kernel-stock.sh). Prepares a kernel that the cache lacks.
# If a calling script has set D2D_KERNEL, prints $D2D_KERNEL.
kernel_dir() {
	local name=$1
	known_kernel "$name"
	if [ -n "${D2D_KERNEL-}" ]; then
		echo "$D2D_KERNEL"
		return
	fi
	if [ "$name" != stock ]; then
		only_x86_64 "the kernel '$name'"
		[ "$suite" = trixie ] || die "the kernel '$name' is built from the kernels of trixie, not from $KVER"
	fi
	case $name in
	stock) "$LAB/kernel/kernel-stock.sh" ;;
	uml) "$LAB/kernel/kernel-uml.sh" ;;
	*) "$LAB/kernel/kernel-built.sh" "$name" ;;
	esac
}

# ci_share N - filters lines. If CI is set, passes only every Nth line, because CI has little time. The next commit
# passes the lines that follow these, so N commits in a row pass all lines.
ci_share() {
	local commits
	[ -n "${CI-}" ] || exec cat
	commits=$(git -C "$PROJECT" rev-list --count HEAD 2>/dev/null) || commits=0
	awk -v "n=$commits" -v "share=$1" 'NR % share == n % share'
}

# ticker WHAT ABOUT - prints how long the step WHAT has run, until step() closes the pipe or is killed
ticker() {
	local what=$1 about=$2 start=$SECONDS every=15 rc
	[ ! -t 2 ] || every=1
	while :; do
		# After the timeout, the status of read is over 128.
		rc=0
		read -rt "$every" || rc=$?
		[ "$rc" -gt 128 ] || return 0
		if [ -t 2 ]; then
			printf '\r%s, about %s: %d s ' "$what" "$about" $((SECONDS - start)) >&2
		else
			say "$what: $((SECONDS - start)) s"
		fi
	done
}

# export_proxies - exports the host's proxies under names in lower case: mmdebstrap, and apt in a root, read no others
export_proxies() {
	local apt_http='' apt_https='' name upper apt proxy
	! command -v apt-config >/dev/null ||
		eval "$(apt-config shell apt_http Acquire::http::Proxy apt_https Acquire::https::Proxy)"
	for name in http_proxy https_proxy no_proxy; do
		upper=${name^^} apt=apt_${name%_proxy}
		proxy=${!name-${!upper-${!apt-}}}
		[ -z "$proxy" ] || export "$name=$proxy"
	done
}

# reason LOG - prints why a command has failed: the line "reason: ..." of LOG, or a missing network. Fails if LOG has
# neither
reason() {
	local proxy
	if grep -m 1 '^reason: ' "$1"; then
		return
	elif grep -qE 'Temporary failure resolving|Could not resolve|Network is unreachable|[Cc]ould not connect|Unable to connect' "$1"; then
		# The URL of a proxy may contain a password.
		proxy=$(export_proxies && echo "${http_proxy:-${https_proxy-}}")
		proxy=${proxy##*@}
		proxy=${proxy#*://}
		echo "reason: no network${proxy:+, or the proxy ${proxy%/} does not answer}, but the lab has to fetch packages of Debian (what was fetched before is kept in $CACHE)"
	else
		return 1
	fi
}

# step WHAT ABOUT LOG CMD... - runs CMD, which takes about ABOUT, and shows the time so far. If CMD fails, shows why.
# CMD must be a program: bash ignores set -e in a function whose status is tested.
step() {
	local what=$1 about=$2 log=$3 start=$SECONDS running ticker rc=0
	shift 3
	say "$what, about $about$([ "$log" = /dev/null ] || echo " (log: $log)")"
	# The ticker must not inherit standard output: a caller that reads this script's output waits for all writers.
	exec {running}> >(ticker "$what" "$about" >/dev/null)
	ticker=$!
	"$@" >"$log" 2>&1 </dev/null {running}>&- || rc=$?
	exec {running}>&-
	wait "$ticker"
	[ ! -t 2 ] || printf '\r\033[K' >&2
	if [ "$rc" -ne 0 ]; then
		local why
		if why=$(reason "$log"); then
			say "$what: failed: ${why#reason: }"
		else
			tail -n 20 "$log" >&2
			say "$what: failed; the lines above are the end of $log"
		fi
		return "$rc"
	fi
	say "$what: done in $((SECONDS - start)) s"
}
