# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The functions that pair_torture.sh and pair_sweep.sh share. qemu/guest/run.sh sources this file without d2d_lib.sh,
# and can call only each_use and backwards. In the guest, /lib/d2d has the modules, and two files from qemu/run/pair.sh:
#
#   modules  the names of the modules, in the order in which they are loaded: the owner, then its peers
#   use      the uses. Each line has a file and perhaps a text, which a process writes to the file. Without a text,
#            the process reads from the file once, as soon as there is something to read

modules=$(cat /lib/d2d/modules)
uses=$(sed '/^#/d; /^$/d' /lib/d2d/use 2>/dev/null)
# shellcheck disable=SC2034 # the programs use it
number_of_uses=$(echo "$uses" | grep -c .)

# each_use CMD... - for each use, runs CMD NUMBER WHAT write FILE TEXT, or CMD NUMBER WHAT read FILE. WHAT describes the
# use in words
each_use()
{
	use=0
	while read -r file text; do
		[ -n "$file" ] || continue
		use=$((use + 1))
		if [ -n "$text" ]; then
			"$@" "$use" "writing '$text' to $file" write "$file" "$text" </dev/null
		else
			"$@" "$use" "reading $file" read "$file" </dev/null
		fi
	done <<-USES
		$uses
	USES
}

backwards()
{
	reversed=''
	for word; do
		reversed="$word $reversed"
	done
	echo "$reversed"
}

# load_before NAME - loads the modules that precede NAME in $modules. With an empty NAME, loads all
load_before()
{
	for before in $modules; do
		[ "$before" != "$1" ] || return 0
		load "$before" || return
	done
}

unload_pair()
{
	# shellcheck disable=SC2046,SC2086 # words
	unload_if_loaded $(backwards $modules)
}
