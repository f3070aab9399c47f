# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Copies the sources for dkms. The tests of dkms source this file after lib/lab.sh.

# dkms_sources DIR - copies the sources to DIR. For this, runs the command of docs/install.md, with DIR instead of
# /usr/src, and without sudo. Copies changes that are not committed, too
dkms_sources() {
	local command commit
	command=$(sed -n '/^## With dkms$/,/^## /s/^    \(git archive .*\)/\1/p' "$PROJECT/docs/install.md")
	commit=$(git -C "$PROJECT" -c user.name=lab -c user.email=lab@localhost stash create)
	command=${command/HEAD/${commit:-HEAD}}
	command=${command/sudo /}
	(cd "$PROJECT" && eval "${command/\/usr\/src/$1}")
}
