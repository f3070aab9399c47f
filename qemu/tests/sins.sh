#!/bin/bash
# Shows that lockdep tells a peer that it detaches where d2d.h says that it must not:
# inside an operation, and with a lock held that an operation takes. What the guest
# does is in qemu/guest/sins.sh. KTAP on stdout, the counts last.
# Environment: see expect.sh, which also says what the columns are

exec "$(dirname "$0")/../expect.sh" - <<'TABLE'
sanitizer sins/detach-from-operation  120  console: WARNING: (possible recursive locking detected|suspicious RCU usage)
sanitizer sins/detach-under-lock      120  console: WARNING: possible circular locking dependency detected
TABLE
