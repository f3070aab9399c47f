# SPDX-License-Identifier: GPL-2.0
# The modules of the bench: an owner, a peer, and the crate with their interface. The peer has parts
# in C, which take the times, and run the kernel's mechanisms for comparison. See
# test_modules/modules.mk.

d2d-bench := selftests/bench

RUSTFLAGS_$(d2d-bench)/bench.o := --emit=metadata=$(obj)/$(d2d-bench)/libbench.rmeta \
				  -L $(obj)/shared --extern d2d
$(obj)/$(d2d-bench)/bench.o: $(obj)/shared/d2d/d2d.o
$(obj)/$(d2d-bench)/bench.o: private modfile := $(obj)/$(d2d-bench)/bench

# An owner and a peer in C. The bench loads this owner instead of bench_owner; both export the same table. So in obj-m
# this owner must come before bench_owner, as c_owner must come before module_a (see Kbuild).
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
# These objects in C come first, because they use the most types of the kernel. In another order, the module's BTF would
# contain such types once more: see d2d-owner-of in shared/library.mk.
$(eval $(call d2d-bench-module,peer,$(addprefix $(d2d-bench)/,measure.o mechanisms.o crowd.o) $(d2d-peer)))

clean-files += $(d2d-bench)/*.rmeta $(d2d-bench)/bench.h

# The C twin of the pair
d2d-twin := $(d2d-bench)/twin
obj-m += $(addprefix selftests/test_modules/,twin_owner.o twin_peer.o check_twin.o)
selftests/test_modules/twin_owner-y := $(addprefix $(d2d-twin)/,step.o owner.o probe.o drivers.o requests.o events.o)
selftests/test_modules/twin_peer-y := $(addprefix $(d2d-twin)/,peer.o loops.o unchecked.o) $(d2d-bench)/measure.o
selftests/test_modules/check_twin-y := $(d2d-twin)/check.o
# The kernel's define_trace.h includes twin/trace.h a second time, by this path.
CFLAGS_$(d2d-twin)/step.o := -I$(src)/$(d2d-twin)
