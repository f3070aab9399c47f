# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# For tests that install the modules with dkms.

# dkms_sources DIR - copies the project with its uncommitted changes to DIR, by the `git archive` of docs/install.md
dkms_sources() {
	local command commit
	command=$(sed -n '/^## With dkms$/,/^## /s/^    \(git archive .*\)/\1/p' "$PROJECT/docs/install.md")
	commit=$(git -C "$PROJECT" -c user.name=lab -c user.email=lab@localhost stash create)
	command=${command/HEAD/${commit:-HEAD}}
	command=${command/sudo /}
	(cd "$PROJECT" && eval "${command/\/usr\/src/$1}")
}
