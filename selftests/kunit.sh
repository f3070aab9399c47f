#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The library piece by piece: the KUnit suites of d2d_kunit, with a result for each of
# their cases. Only a kernel with KUnit built in has them.
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

SUITES="block events fingerprint header interface offers queue registry run_in rundown table"
KUNIT=/sys/kernel/debug/kunit
RESULTS=$(mktemp)
trap 'rm -f "$NOTES" "$RESULTS"' EXIT

# results SUITE - what KUnit says of a suite. It is run for that: whether it was run when
# it was loaded depends on the kernel's configuration, and if not, it is said to have passed.
results()
{
	echo 1 >"$KUNIT/d2d_$1/run" && cat "$KUNIT/d2d_$1/results"
}

begin
if [ -z "$(module_path d2d_kunit)" ]; then
	ktap_skip_all "needs a kernel with CONFIG_KUNIT=y, for which d2d_kunit is built"
	exit 4
fi

mark
load module_a && load d2d_kunit
for suite in $SUITES; do
	results "$suite"
done >"$RESULTS" 2>>"$NOTES"

# The cases, the suites themselves, and the end. A suite that is not there is missed in the end.
ktap_set_plan $(($(grep -cE '^    (not )?ok ' "$RESULTS") + $(echo "$SUITES" | wc -w) + 1))
while read -r line; do
	case $line in
	"# Subtest: "*)
		suite=${line#"# Subtest: "}
		cases=0
		;;
	1..*) plan=${line#1..} ;;
	*"ok 1 $suite")
		[ "${line%% *}" = ok ] && [ "$cases" -gt 0 ] && [ "$cases" = "$plan" ]
		verdict "$suite: $cases of $plan cases have run, and the suite has passed"
		;;
	"ok "*)
		cases=$((cases + 1))
		ktap_test_pass "$suite: ${line#ok * }"
		;;
	"not ok "*)
		cases=$((cases + 1))
		ktap_test_fail "$suite: ${line#not ok * }"
		;;
	"KTAP version"* | "# Totals: "* | "# $suite: pass:"* | *"speed: normal") ;;
	*) echo "# ${line#"# "}" ;;
	esac
done <"$RESULTS"

unload d2d_kunit && unload module_a
verdict "nothing of the suites is left behind that pins the owner"
ktap_finished
