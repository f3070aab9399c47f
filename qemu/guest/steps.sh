# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Functions for the modes install and rust-headers.

# run_step CMD... - runs a step. Writes it and, if it fails, its output to the kernel's log
run_step() {
	echo "lab: $*" >/dev/kmsg
	"$@" >/tmp/output 2>&1 && return
	{ echo "lab: FAILED: $*" && sed 's/^/lab: /' /tmp/output; } | while IFS= read -r line; do
		echo "$line" >/dev/kmsg
	done
	return 1
}

# loaded NAME... - succeeds if exactly these modules are loaded. The module that was loaded last comes first
loaded() {
	names=$(cut -d ' ' -f 1 /proc/modules | tr '\n' ' ')
	echo "loaded: $names"
	[ "$names" = "$*${1:+ }" ]
}

log_has() {
	dmesg | grep -qF -e "$1"
}
