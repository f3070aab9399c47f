#!/bin/bash
# Shows that the lab notices: guests in which something goes wrong make a run fail, and what cannot
# be done is refused. KTAP on stdout, a document for each; the counts of all last.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/total.sh"

counted "what is refused" "$LAB/tests/refusals.sh"
counted "guests in which something goes wrong" "$LAB/tests/harness.sh"
total
