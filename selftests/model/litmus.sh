#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checks the orderings that the library relies on. Each litmus test in litmus/ has an outcome that must not occur in the
# kernel's memory model. Prints KTAP, and the counts last. Needs herd7, and a few seconds.
#
# For each line "weaken: OLD => NEW [and OLD => NEW]" of a test, this script also checks a copy of the test in which NEW
# replaces OLD. In this copy, the outcome must be possible. These lines have "( *", because "(*" would begin a comment.
# The comment of a test also says what P0, P1 and the numbers in its code stand for.
#
# Usage: litmus.sh MODEL
# MODEL is tools/memory-model/ of a kernel's source.
set -euo pipefail

model=$1
cd "$(dirname "$0")/litmus"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

passed=0 failed=0

# result OK WHAT - counts and prints a result
result() {
	if [ "$1" = ok ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
	echo "$1 $((passed + failed)) $2"
}

# weakened NUMBER FILE - prints the test without its comment, changed as its line "weaken:" number NUMBER says. Changes
# nothing if NUMBER is 0. Fails if an OLD is not in the code.
weakened() {
	awk -v number="$1" '
		/^C / { print $0 "." number; next }
		/^ \* weaken: / {
			if (++seen == number) {
				pairs = split(substr($0, 12), pair, / and /)
				for (n = 1; n <= pairs; n++) {
					split(pair[n], texts, / => /)
					from[n] = texts[1]
					to[n] = texts[2]
				}
			}
			next
		}
		# Skip the comment.
		/^ ?[(*]/ { next }
		{
			rest = $0
			line = ""
			# Go on after each replacement, so that no replacement is replaced again.
			while (rest != "") {
				first = 0
				for (n = 1; n <= pairs; n++) {
					at = index(rest, from[n])
					if (at > 0 && (first == 0 || at < first)) { first = at; which = n }
				}
				if (first == 0)
					break
				line = line substr(rest, 1, first - 1) to[which]
				rest = substr(rest, first + length(from[which]))
				used[which] = 1
			}
			print line rest
		}
		END {
			for (n = 1; n <= pairs; n++)
				if (!(n in used))
					exit 1
		}' "$2"
}

tests=(*.litmus)
for test in "${tests[@]}"; do
	name=${test%.litmus}
	weakenings=$(grep -c '^ \* weaken: ' "$test" || :)
	for ((number = 0; number <= weakenings; number++)); do
		weakened "$number" "$test" >"$dir/$name.$number.litmus" || rm "$dir/$name.$number.litmus"
	done
done
(cd "$model" && herd7 -conf linux-kernel.cfg "$dir"/*.litmus) >"$dir/log" 2>"$dir/errors" || :

echo "KTAP version 1"
echo "1..$(cat "${tests[@]}" | grep -c -e '^C ' -e '^ \* weaken: ')"
for test in "${tests[@]}"; do
	name=${test%.litmus}
	mapfile -t weakenings < <(sed -n 's/^ \* weaken: //p' "$test")
	for ((number = 0; number <= ${#weakenings[@]}; number++)); do
		what="$name.litmus" expected=Never
		[ "$number" -eq 0 ] || what+=" with ${weakenings[number - 1]}" expected='(Sometimes|Always)'
		if grep -qE "^Observation $name\.$number $expected " "$dir/log" &&
			! grep -qE "^Flag .*|^Warning" <(sed -n "/^Test $name\.$number /,/^Hash/p" "$dir/log"); then
			result ok "$what"
		else
			sed -n "/^Test $name\.$number /,/^Hash/p" "$dir/log" | sed '/^$/d; s/^/# /'
			grep -F "$name.$number." "$dir/errors" | sed 's/^/# /' || :
			echo "# expected: $expected"
			result 'not ok' "$what"
		fi
	done
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
