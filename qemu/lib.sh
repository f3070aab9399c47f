# shellcheck shell=bash disable=SC2034 # some of the paths are for the scripts
# What every script of the lab shares: the paths, messages, progress, locks and
# the rule by which a cache entry comes to be (built under another name by one
# run at a time, renamed when it is whole).
#
# Messages go to stderr; stdout carries a script's answer (a path, a report).

set -euo pipefail

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
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
*[[:space:]:,%]*) die "Kbuild cannot have a blank, colon, comma or percent sign in these paths: $PROJECT, $CACHE" ;;
esac

# key WORD... - a short name for these inputs
key() {
	printf '%s\n' "$@" | sha256sum | cut -c1-12
}

# The cache directory, or the reason why there is none
need_cache() {
	if ! mkdir -p "$CACHE/lock" "$CACHE/log" 2>/dev/null || [ ! -w "$CACHE/lock" ]; then
		die "cannot write to the cache $CACHE: set XDG_CACHE_HOME to a directory of your own"
	fi
}

# known_kernel NAME - refuse a kernel that the lab does not have
known_kernel() {
	case $1 in
	stock | sanitizer | uml) ;;
	*) die "there is no kernel '$1': KERNEL is stock, sanitizer or uml" ;;
	esac
}
known_kernel "${KERNEL-stock}"

# kernel_dir NAME - the kernel to use: of the environment D2D_KERNEL (a directory as kernel.sh
# makes), or by NAME and KVER
kernel_dir() {
	local name=$1
	known_kernel "$name"
	if [ -n "${D2D_KERNEL-}" ]; then
		echo "$D2D_KERNEL"
	elif [ "$name" = stock ]; then
		"$LAB/kernel/kernel.sh" "${KVER-}"
	else
		"$LAB/kernel/kernel-$name.sh" "${KVER-}"
	fi
}

# need_space GB WHAT - refuse before the work, not in the middle of it
need_space() {
	local free
	free=$(df --output=avail -BG "$CACHE" | tail -n 1 | tr -dc 0-9)
	[ "$free" -ge "$1" ] ||
		die "$2 needs $1 GB of disk space, $CACHE has $free GB free: make room or set XDG_CACHE_HOME"
}

# hold FILE - be the only run that has FILE, until this script and its children end
hold() {
	local fd
	exec {fd}>"$1"
	flock -n "$fd" && return
	say "another run holds $1, waiting for it"
	flock "$fd"
}

# ticker WHAT ABOUT - print how long it has taken so far, until standard input ends. Nobody writes to it;
# it ends when the step does, and when the script that runs the step is killed.
ticker() {
	local what=$1 about=$2 start=$SECONDS every=15 rc
	[ ! -t 2 ] || every=1
	# Over 128 is a timeout.
	while rc=0 && read -rt "$every" || rc=$? && [ "$rc" -gt 128 ]; do
		if [ -t 2 ]; then
			printf '\r%s, about %s: %d s ' "$what" "$about" $((SECONDS - start)) >&2
		else
			say "$what: $((SECONDS - start)) s"
		fi
	done
}

# The one line that says why the command that wrote this log failed, if it is known
reason() {
	if grep -m 1 '^reason: ' "$1"; then
		return
	elif grep -qE 'Temporary failure resolving|Could not resolve|Network is unreachable|[Cc]ould not connect' "$1"; then
		echo "reason: no network, and this needs the Debian archive (what was fetched before is kept in $CACHE)"
	else
		return 1
	fi
}

# step WHAT ABOUT LOG CMD... - run a long command: its words to LOG, its progress to
# the user, and of a failure the reason or the end of the log. CMD must be a program
# (a shell function would run without -e here).
step() {
	local what=$1 about=$2 log=$3 start=$SECONDS running ticker rc=0
	shift 3
	say "$what, about $about$([ "$log" = /dev/null ] || echo " (log: $log)")"
	# Standard output is a caller's pipe, which must not stay open for the ticker.
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
			say "$what: failed, the lines above end $log"
		fi
		return "$rc"
	fi
	say "$what: done in $((SECONDS - start)) s"
}

# end_children PID - ends what a process has started, and what that has started
end_children() {
	local pid
	for pid in $(ps -o pid= --ppid "$1"); do
		# Its children have another parent when it has ended.
		end_with "$pid" "$(ps -o pid= --ppid "$pid")"
	done
}

# end_with PID CHILDREN - ends a process, and then its children and theirs
end_with() {
	local pid
	kill -TERM "$1" 2>/dev/null || :
	for pid in $2; do
		end_with "$pid" "$(ps -o pid= --ppid "$pid")"
	done
}

# trap_interrupts - of this script, which runs jobs in the background: they ignore Ctrl-C, so it ends them
trap_interrupts() {
	trap 'trap "" INT TERM HUP; end_children $$; exit 130' INT TERM HUP
}
