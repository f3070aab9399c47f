# SPDX-License-Identifier: GPL-2.0
# For each exported function, prints a table of its arguments, and a wrapper that takes the arguments as numbers.
# prototypes.awk, which awk reads first, calls prototype().

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
			# The owner only passes this argument to a routine of the driver, so no value is bad.
			kind = "NUMBER"
		else if (type ~ /\*$/)
			kind = "OUTPUT"
		else if (type == "d2d_handle")
			kind = "HANDLE"
		else
			kind = "NUMBER"
		printf "\t{ \"%s\", \"%s\", %s },\n", pieces[n], type, kind
		value = "(" type ")values[" n - 1 "]"
		# A structure that is passed by value has no pointers: pass any bytes.
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
