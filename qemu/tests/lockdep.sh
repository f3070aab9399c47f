#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Shows that lockdep reports a peer in C that detaches inside an operation, or under a lock that an operation takes.

exec "$(dirname "$0")/../run/boots.sh" - <<'TABLE'
sanitizer lockdep/detach-from-operation  120  console: WARNING: (possible recursive locking detected|suspicious RCU usage)
sanitizer lockdep/detach-under-lock      120  console: WARNING: possible circular locking dependency detected
TABLE
