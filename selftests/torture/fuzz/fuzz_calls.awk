# SPDX-License-Identifier: GPL-2.0
# Generates the fuzzer's list of the exported functions. awk reads prototypes.awk before this script.

function prototype(result, name, count, pieces,	n, constant, takes_handle)
{
	takes_handle = "false"
	for (n = 1; n <= count; n++)
		if (type_of(pieces[n]) ~ /^(const )?d2d_handle( \*)?$/ && pieces[n] !~ /^d2d_handle \*/)
			takes_handle = "true"
	constant = toupper(name)
	sub(/^D2D/, "FUZZ", constant)
	constants = constants "\t" constant ",\n"
	table = table sprintf("\t[%s] = { \"%s\", %s }, \\\n", constant, name, takes_handle)
}

END {
	printf "\n/* The exported functions. */\nenum fuzz_call {\n%s\tFUZZ_CALLS\n};\n", constants
	printf "\n/* The name of each function, and whether it takes a handle. */\n#define FUZZ_EXPORTED \\\n%s\n", table
}
