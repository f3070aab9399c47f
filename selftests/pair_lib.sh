# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# What the programs share that test a pair of other people's modules. They source d2d_lib.sh first;
# qemu/guest/run.sh does not, and calls only what needs none of it: each_use and backwards. /lib/d2d
# has the modules and two files (qemu/run/pair.sh):
#
#   modules  their names, in the order in which they are loaded: the owner and then its peers
#   use      how a process makes the loaded modules work: each line is a file and a text to write; if
#            there is no text, the process reads from the file once, when there is something to read

modules=$(cat /lib/d2d/modules)
uses=$(sed '/^#/d; /^$/d' /lib/d2d/use 2>/dev/null)
# shellcheck disable=SC2034 # the programs use it
number_of_uses=$(echo "$uses" | grep -c .)

# each_use CMD... - runs CMD NUMBER WHAT write FILE TEXT, or CMD NUMBER WHAT read FILE, for each use.
# WHAT is the use in words
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

# backwards WORD... - prints the words in the reverse order
backwards()
{
	reversed=''
	for word; do
		reversed="$word $reversed"
	done
	echo "$reversed"
}

# load_before NAME - loads the modules that come before this one; all modules if there is none of
# this name
load_before()
{
	for before in $modules; do
		[ "$before" != "$1" ] || return 0
		load "$before" || return
	done
}

# unload_pair - unloads those of the modules that are loaded
unload_pair()
{
	# shellcheck disable=SC2046,SC2086 # words
	needs_no $(backwards $modules)
}
