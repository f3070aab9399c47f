# SPDX-License-Identifier: GPL-2.0
# Generates from the prototypes in shared/include/ what pointers.c needs to call each exported function:
# a description of its arguments, and a wrapper that takes them as an array of numbers.

BEGIN {
	print "/* Made from shared/include/ by pointers.awk. */"
}

# Collects a prototype, from its first line to its semicolon.
/^(int|void) d2d_[a-z_]+\(/ && !/^(int|void) d2d_[a-z_]+\([^;]*\{/ { text = "" ; reading = 1 }
reading { text = text " " $0 }
reading && /;/ { reading = 0; prototype(text) }

function prototype(text,	result, name, count, pieces, n, list, type, kind, value)
{
	gsub(/[ \t]+/, " ", text)
	sub(/^ /, "", text)
	result = text
	sub(/ .*/, "", result)
	name = text
	sub(/^[a-z]+ /, "", name)
	sub(/\(.*/, "", name)
	sub(/^[^(]*\(/, "", text)
	sub(/\);.*/, "", text)
	count = split(text, pieces, /, */)

	list = ""
	printf "\nstatic const struct argument arguments_of_%s[] = {\n", name
	for (n = 1; n <= count; n++) {
		type = pieces[n]
		sub(/[a-z_0-9]+$/, "", type)
		sub(/ $/, "", type)
		if (type == "const char *")
			kind = "STRING"
		else if (type ~ /^const .*\*$/)
			kind = "INPUT"
		else if (type ~ /\*$/)
			kind = "OUTPUT"
		else if (type == "d2d_handle")
			kind = "HANDLE"
		else
			kind = "NUMBER"
		printf "\t{ \"%s\", \"%s\", %s },\n", pieces[n], type, kind
		value = "(" type ")values[" n - 1 "]"
		# A structure that is passed by value holds no pointer: any bytes will do.
		if (type ~ /^struct [a-z_0-9]+$/)
			value = "({ " type " bytes; memset(&bytes, 0xff, sizeof(bytes)); bytes; })"
		list = list (n > 1 ? ", " : "") value
	}
	print "};"
	printf "\nstatic int call_%s(const unsigned long *values)\n{\n", name
	if (result == "void")
		printf "\t%s(%s);\n\treturn 0;\n}\n", name, list
	else
		printf "\treturn %s(%s);\n}\n", name, list
	table = table sprintf("\t{ \"%s\", call_%s, arguments_of_%s, %d, %d },\n", name, name, name, count, result == "int")
}

END {
	printf "\nstatic const struct function functions[] = {\n%s};\n", table
}
