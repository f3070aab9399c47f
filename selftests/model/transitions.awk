# SPDX-License-Identifier: GPL-2.0
# Generates macros for the models from the table of transitions in shared/owner/request/word.rs. Its entries are:
#	NAME: PHASE|PHASE... => PHASE [CLAUSE, CLAUSE...] ORDER;
# CAN_NAME(w) says whether the transition is allowed from the word w. NAME(w) is the word after it.

function sum(names, none,    list, n, text)
{
	text = none
	n = split(names, list, "|")
	for (; n > 0; n--)
		text = text " | " list[n]
	return "(" text ")"
}

function added(names,    list, n, text)
{
	n = split(names, list, "|")
	for (; n > 0; n--)
		text = text " + " list[n]
	return text
}

function emit(line,    name, from, to, clauses, list, n, parts, guard, what)
{
	name = line
	sub(/:.*/, "", name)
	from = line
	sub(/^[^:]*: */, "", from)
	sub(/ *=>.*/, "", from)
	to = line
	sub(/.*=> */, "", to)
	sub(/ *\[.*/, "", to)
	clauses = line
	sub(/[^[]*\[/, "", clauses)
	sub(/\].*/, "", clauses)
	split("", what)
	n = split(clauses, list, / *, */)
	for (; n > 0; n--) {
		split(list[n], parts, " ")
		what[parts[1]] = parts[2]
	}
	guard = ""
	n = split(from, list, "|")
	for (; n > 0; n--)
		guard = guard (guard ? " || " : "") "PHASE_OF(w) == " list[n]
	guard = "(" guard ")"
	if (what["unless"])
		guard = guard " && ((w) & " sum(what["unless"], "0") ") == 0"
	if (what["with"])
		guard = guard " && ((w) & " sum(what["with"], "0") ") == " sum(what["with"], "0")
	printf "#define CAN_%s(w) (%s)\n", name, guard
	if (to != "Same") {
		what["clear"] = what["clear"] (what["clear"] ? "|" : "") "PHASE"
		what["set"] = what["set"] (what["set"] ? "|" : "") to
	}
	printf "#define %s(w) (((((w) & ~%s) | %s))%s)\n", name, sum(what["clear"], "0"),
		sum(what["set"], "0"), added(what["add"])
	lines++
}

/^transitions! \{/ { inside = 1; next }
/^}/ { inside = 0 }
inside && !/^ *\/\// {
	gsub(/^ +/, "")
	text = text (text ? " " : "") $0
	if (text ~ /;$/) {
		emit(text)
		text = ""
	}
}

END {
	# The script has not found the table.
	if (lines < 20)
		exit 1
}
