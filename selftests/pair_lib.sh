# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The functions that pair_torture.sh and pair_sweep.sh share. These programs test a pair of modules from outside of this
# tree. They source d2d_lib.sh before this file. qemu/guest/run.sh sources this file, but not d2d_lib.sh. So run.sh can
# call only each_use and backwards. In the guest, /lib/d2d has the modules, and two files that qemu/run/pair.sh puts
# there:
#
#   modules  the names of the modules, in the order in which they are loaded: the owner, then its peers
#   use      what a process does to make the loaded modules work. Each line, called a "use", has a file and
#            perhaps a text. With a text, the process writes the text to the file. Without a text, the process reads
#            from the file once, as soon as there is something to read

modules=$(cat /lib/d2d/modules)
uses=$(sed '/^#/d; /^$/d' /lib/d2d/use 2>/dev/null)
# shellcheck disable=SC2034 # the programs use it
number_of_uses=$(echo "$uses" | grep -c .)

# each_use CMD... - for each line of the file "use", runs CMD NUMBER WHAT write FILE TEXT, or
# CMD NUMBER WHAT read FILE. NUMBER is the number of the line, and WHAT describes the use in words
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

# load_before NAME - loads the modules that come before this one in $modules. If NAME is empty, loads all
load_before()
{
	for before in $modules; do
		[ "$before" != "$1" ] || return 0
		load "$before" || return
	done
}

# unload_pair - unloads those of the pair's modules that are loaded
unload_pair()
{
	# shellcheck disable=SC2046,SC2086 # words
	unload_if_loaded $(backwards $modules)
}
