# SPDX-License-Identifier: GPL-2.0
# Lists the cases of kselftests in the form of CASE: PROGRAM:NAME, or PROGRAM if the program names no case. A name is
# the argument of `verdict`, or of a function verdict_... or sweep in the program. For what the program fills in when it
# runs ($x), the list has "*", which stands for any text in CASE.
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
	# The argument of a function that calls verdict
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
