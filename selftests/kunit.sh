#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The unit tests of shared/: runs the KUnit suites of d2d_kunit and reports each of their cases
cd "$(dirname "$0")" || exit 1
# shellcheck source=selftests/d2d_lib.sh
. ./d2d_lib.sh

SUITES="baseline config context context_box data device event_handlers event_waits events fingerprint handle header interface job lent pair queue registry
requests_buffers requests_cancelling requests_completing requests_forwarding requests_handles requests_leaving
requests_sending requests_waiting run_in rundown word"
KUNIT=/sys/kernel/debug/kunit
RESULTS=$(mktemp)
trap 'rm -f "$NOTES" "$RESULTS"' EXIT

# results SUITE - runs the suite, and prints its results. If the kernel was booted with kunit.autorun=0, the suite has
# not run before, but its file "results" says that it has passed
results()
{
	echo 1 >"$KUNIT/d2d_$1/run" && cat "$KUNIT/d2d_$1/results"
}

set_up
if [ -z "$(module_path d2d_kunit)" ]; then
	ktap_skip_all "needs a kernel with CONFIG_KUNIT=y: d2d_kunit is built for no other kernel"
	exit 4
fi

reset_trace
load module_a && load d2d_kunit
for suite in $SUITES; do
	results "$suite"
done >"$RESULTS" 2>>"$NOTES"

# The plan counts the suites in $SUITES, so the run fails if the result of a suite is missing.
ktap_set_plan $(($(grep -cE '^    (not )?ok ' "$RESULTS") + $(echo "$SUITES" | wc -w) + 2))
while read -r line; do
	case $line in
	"# Subtest: "*)
		suite=${line#"# Subtest: "}
		cases=0
		;;
	1..*) plan=${line#1..} ;;
	*"ok 1 $suite")
		[ "${line%% *}" = ok ] && [ "$cases" -gt 0 ] && [ "$cases" = "$plan" ]
		verdict "$suite: $cases of $plan cases ran, and the suite passed"
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

# shellcheck disable=SC2086 # one word for each suite
[ "$(cd "$KUNIT" && printf '%s\n' d2d_*)" = "$(printf 'd2d_%s\n' $SUITES)" ]
verdict "d2d_kunit has exactly the suites that this program lists"
unload d2d_kunit && unload module_a
verdict "d2d_kunit can be unloaded, and then the owner"
ktap_finished
