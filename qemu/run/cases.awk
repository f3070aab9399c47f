# SPDX-License-Identifier: GPL-2.0
# Lists the cases of kselftests for `make test CASE=`: PROGRAM:NAME, or PROGRAM for a program without a named case. NAME
# is the argument of `verdict`, of a function verdict_..., or of `sweep`. "*" stands for each variable ($x).
# Usage: awk -f cases.awk PROGRAM...

function end_program() {
	if (program != "" && !cases)
		print program
}

FNR == 1 {
	end_program()
	program = FILENAME
	sub(/.*\//, "", program)
	cases = 0
}
/^\t*name="[^"]*"$/ && !/\$name/ { last_name = substr($0, index($0, "\"") + 1) }
/^\t*verdict[a-z_]* ".*"$/ || /^\t*sweep "/ {
	name = substr($0, index($0, "\"") + 1)
	if (/sweep/)
		sub(/".*/, "\"", name)
	# This line is in a function whose argument is the name. The calls of the function have the names.
	if (name == "$1\"" || name == "$what\"")
		next
	if (name == "$name\"")
		name = last_name
	sub(/"$/, "", name)
	gsub(/\$\(\([^)]*\)\)|\$\{[^}]*\}|\$[A-Za-z0-9_]+/, "*", name)
	gsub(/\\/, "", name)
	print program ":" name
	cases++
}
END { end_program() }
