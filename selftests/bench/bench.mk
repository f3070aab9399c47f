# SPDX-License-Identifier: GPL-2.0
# The modules of the bench. See test_modules/modules.mk.

d2d-bench := selftests/bench

RUSTFLAGS_$(d2d-bench)/bench.o := --emit=metadata=$(obj)/$(d2d-bench)/libbench.rmeta \
				  -L $(obj)/shared --extern d2d
$(obj)/$(d2d-bench)/bench.o: $(obj)/shared/d2d/d2d.o
$(obj)/$(d2d-bench)/bench.o: private modfile := $(obj)/$(d2d-bench)/bench

# The owner in C exports the same table as bench_owner. So in obj-m it must come before bench_owner, as c_owner must
# come before module_a (see Kbuild).
$(eval $(call d2d-header,$(d2d-bench)/bench))
define d2d-bench-c-module
obj-m += selftests/test_modules/bench_c_$1.o
selftests/test_modules/bench_c_$1-y := $(d2d-bench)/c_$1.o $2
$(obj)/$(d2d-bench)/c_$1.o: private modname := bench_c_$1
CFLAGS_$(d2d-bench)/c_$1.o := -I$(obj)/$(d2d-bench)
$(obj)/$(d2d-bench)/c_$1.o: $(obj)/$(d2d-bench)/bench.h
endef
$(eval $(call d2d-bench-c-module,owner,$(call d2d-c-owner-of,bench_owner)))
$(eval $(call d2d-bench-c-module,peer,$(d2d-bench)/measure.o))

define d2d-bench-module
obj-m += selftests/test_modules/bench_$1.o
selftests/test_modules/bench_$1-y := $(d2d-bench)/bench_$1.o $(d2d-bench)/bench.o $2
RUSTFLAGS_$(d2d-bench)/bench_$1.o := -L $(obj)/shared -L $(obj)/$(d2d-bench) --extern d2d --extern d2d_owner --extern bench
$(obj)/$(d2d-bench)/bench_$1.o: $(obj)/$(d2d-bench)/bench.o $(obj)/shared/owner/d2d_owner.o
endef
$(eval $(call d2d-bench-module,owner,$(call d2d-owner-of,bench_owner) $(d2d-bench)/exported.o))
# The objects in C come first, to keep the module's BTF small: see d2d-owner-of in shared/library.mk.
$(eval $(call d2d-bench-module,peer,$(addprefix $(d2d-bench)/,measure.o mechanisms.o crowd.o) $(d2d-peer)))

clean-files += $(d2d-bench)/*.rmeta $(d2d-bench)/bench.h

# The C twin
d2d-twin := $(d2d-bench)/twin
obj-m += $(addprefix selftests/test_modules/,twin_owner.o twin_peer.o check_twin.o)
selftests/test_modules/twin_owner-y := $(addprefix $(d2d-twin)/,step.o owner.o probe.o drivers.o requests.o events.o)
selftests/test_modules/twin_peer-y := $(addprefix $(d2d-twin)/,peer.o loops.o unchecked.o) $(d2d-bench)/measure.o
selftests/test_modules/check_twin-y := $(d2d-twin)/check.o
# The kernel's define_trace.h includes twin/trace.h a second time, by this path.
CFLAGS_$(d2d-twin)/step.o := -I$(src)/$(d2d-twin)
