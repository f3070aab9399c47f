# SPDX-License-Identifier: GPL-2.0
# Reads the prototypes of the exported functions from the headers in shared/include/. For each prototype it calls
# prototype(RESULT, NAME, COUNT, ARGUMENTS). The script that awk reads after this one defines this function.

BEGIN {
	print "/* Made from the prototypes in shared/include/. */"
}

# Collects a prototype, from its first line to its semicolon.
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

# Returns the type in the declaration of an argument. For "u32 count", this is "u32".
function type_of(argument)
{
	sub(/[a-z_0-9]+$/, "", argument)
	sub(/ $/, "", argument)
	return argument
}
