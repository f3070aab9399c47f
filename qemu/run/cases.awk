# SPDX-License-Identifier: GPL-2.0
# Lists the cases of kselftests in the form that `make test CASE=` takes: PROGRAM:NAME, or PROGRAM if the program names
# no case. The name of a case is the argument of `verdict`, of a function verdict_..., or of sweep. In the list, "*"
# stands for each variable of a name ($x).
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
# A program may set name="NAME" before verdict "$name".
/^\t*name="[^"]*"$/ && !/\$name/ { last_name = substr($0, index($0, "\"") + 1) }
/^\t*verdict[a-z_]* ".*"$/ || /^\t*sweep "/ {
	name = substr($0, index($0, "\"") + 1)
	if (/sweep/)
		sub(/".*/, "\"", name)
	# This line is in a helper function; the lines that call the helper have the names.
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
