# SPDX-License-Identifier: GPL-2.0
# Calls prototype(RESULT, NAME, COUNT, ARGUMENTS) for each prototype of an exported function in the headers. The script
# that awk reads after this one defines prototype().

BEGIN {
	print "/* Made from the prototypes in shared/include/. */"
}

/^(int|void) d2d_[a-z_]+\(/ && !/^(int|void) d2d_[a-z_]+\([^;]*\{/ { text = "" ; reading = 1 }
reading { text = text " " $0 }
reading && /;/ { reading = 0; parse(text) }

function parse(text,	result, name, pieces)
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
	prototype(result, name, split(text, pieces, /, */), pieces)
}

# Returns the type of an argument: "u32" for "u32 count".
function type_of(argument)
{
	sub(/[a-z_0-9]+$/, "", argument)
	sub(/ $/, "", argument)
	return argument
}
