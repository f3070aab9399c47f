# SPDX-License-Identifier: GPL-2.0
# The bench: an owner and a peer, the crate of what they have agreed on, and what the peer
# measures by and against, in C. As rust.mk, a part of the project's own Kbuild.

d2d-bench := selftests/test_modules/bench

RUSTFLAGS_$(d2d-bench)/bench.o := --emit=metadata=$(obj)/$(d2d-bench)/libbench.rmeta \
				  -L $(obj)/shared --extern d2d
$(obj)/$(d2d-bench)/bench.o: $(obj)/shared/d2d/d2d.o
$(obj)/$(d2d-bench)/bench.o: private modfile := $(obj)/$(d2d-bench)/bench

define d2d-bench-module
obj-m += $(d2d-bench)_$1.o
$(d2d-bench)_$1-y := $(d2d-bench)/bench_$1.o $(d2d-bench)/bench.o $2 $(d2d)
RUSTFLAGS_$(d2d-bench)/bench_$1.o := -L $(obj)/shared -L $(obj)/$(d2d-bench) --extern d2d --extern d2d_owner --extern bench
$(obj)/$(d2d-bench)/bench_$1.o: $(obj)/$(d2d-bench)/bench.o $(obj)/shared/owner/d2d_owner.o
endef
$(eval $(call d2d-bench-module,owner,$(d2d-owner)))
$(eval $(call d2d-bench-module,peer,$(d2d-bench)/harness.o $(d2d-bench)/mechanisms.o))

clean-files += $(d2d-bench)/*.rmeta
