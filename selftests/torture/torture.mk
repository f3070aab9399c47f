# SPDX-License-Identifier: GPL-2.0
# See test_modules/modules.mk.

d2d-torture := selftests/torture
d2d-torture-crates := -L $(obj)/shared -L $(obj)/$(d2d-torture) --extern d2d --extern torture

RUSTFLAGS_$(d2d-torture)/torture.o := --emit=metadata=$(obj)/$(d2d-torture)/libtorture.rmeta \
				      -L $(obj)/shared --extern d2d
$(obj)/$(d2d-torture)/torture.o: $(obj)/shared/d2d/d2d.o
$(obj)/$(d2d-torture)/torture.o: private modfile := $(obj)/$(d2d-torture)/torture

define d2d-torture-module
obj-m += selftests/test_modules/torture_$1.o
selftests/test_modules/torture_$1-y := $(d2d-torture)/torture_$1.o $(d2d-torture)/torture.o $2
RUSTFLAGS_$(d2d-torture)/torture_$1.o := $(d2d-torture-crates)
$(obj)/$(d2d-torture)/torture_$1.o: $(obj)/$(d2d-torture)/torture.o
endef
$(eval $(call d2d-torture-module,owner,$(call d2d-owner-of,torture_owner)))
RUSTFLAGS_$(d2d-torture)/torture_owner.o += --extern d2d_owner
$(obj)/$(d2d-torture)/torture_owner.o: $(obj)/shared/owner/d2d_owner.o
$(foreach n,0 1 2 3,$(eval $(call d2d-torture-module,peer$n,$(d2d-peer))))

clean-files += $(d2d-torture)/*.rmeta

# Both modules of the fuzzer are linked from the same objects. Kbuild compiles each object once, with one modfile:
# here `fuzz`.
d2d-fuzz := $(addprefix $(d2d-torture)/fuzz/,run.o plays.o sleepers.o limits.o routines.o link.o calls.o buffers.o \
	      oracle.o coverage.o things.o drivers.o)
$(foreach name,fuzz0 fuzz1,$(eval $(call d2d-c-module,$(name),$(d2d-fuzz))))
$(foreach object,$(d2d-fuzz),$(eval $(obj)/$(object): private modfile := $(obj)/$(d2d-torture)/fuzz/fuzz))

$(obj)/$(d2d-torture)/fuzz/fuzz_calls.h: $(src)/$(d2d-torture)/fuzz/fuzz_calls.awk $(d2d-prototypes) FORCE
	$(call if_changed,d2d_calls)
targets += $(d2d-torture)/fuzz/fuzz_calls.h
$(foreach object,$(d2d-fuzz),$(eval CFLAGS_$(object) := -I$(obj)/$(d2d-torture)/fuzz))
$(addprefix $(obj)/,$(d2d-fuzz)): $(obj)/$(d2d-torture)/fuzz/fuzz_calls.h
