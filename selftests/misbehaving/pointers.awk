# SPDX-License-Identifier: GPL-2.0
# Prints C code by which pointers.c calls the exported functions. For each function it prints a table and a wrapper.
# The table describes the function's arguments. The wrapper takes the arguments as an array of numbers, and calls the
# function. awk reads prototypes.awk before this script. prototypes.awk calls prototype() for each exported function.

function prototype(result, name, count, pieces,	n, list, type, kind, value)
{
	list = ""
	printf "\nstatic const struct argument arguments_of_%s[] = {\n", name
	for (n = 1; n <= count; n++) {
		type = type_of(pieces[n])
		if (type == "const char *")
			kind = "STRING"
		else if (type ~ /^const .*\*$/)
			kind = "INPUT"
		else if (type == "void *" && pieces[n] ~ /argument$/)
			# The owner only passes this pointer to a routine of the driver, so no value of it is bad.
			kind = "NUMBER"
		else if (type ~ /\*$/)
			kind = "OUTPUT"
		else if (type == "d2d_handle")
			kind = "HANDLE"
		else
			kind = "NUMBER"
		printf "\t{ \"%s\", \"%s\", %s },\n", pieces[n], type, kind
		value = "(" type ")values[" n - 1 "]"
		# A structure that is passed by value has no pointers, so the wrapper passes any bytes.
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
