# SPDX-License-Identifier: GPL-2.0
# Builds d2d_kunit, the module of unit tests, if the kernel has CONFIG_KUNIT. Each crate is compiled a second time,
# under the same name and with its tests, into this folder.
#
# `make check` runs clippy only on the build for the stock kernel, which has no CONFIG_KUNIT. So the rules below compile
# the tests with clippy. With D2D_BUILD_ID, which qemu/mutants.sh sets, they use rustc: this takes less time, and does
# not fail for code that a mutant leaves unused.
clean-files += selftests/kunit/*.rmeta

ifeq ($(CONFIG_KUNIT),y)
d2d-kunit := selftests/kunit
obj-m += selftests/test_modules/d2d_kunit.o
selftests/test_modules/d2d_kunit-y := $(d2d-kunit)/d2d_kunit.o $(d2d-kunit)/d2d.o $(d2d-kunit)/d2d_owner.o \
	$(d2d-kunit)/d2d_pair.o $(filter-out %/d2d.o,$(d2d)) $(filter-out %/d2d_owner.o,$(d2d-owner)) \
	shared/testing/no_tracepoints.o shared/testing/c_driver.o

# $(call d2d-tested-crate,CRATE,SOURCE,USES) - the rules for a crate. USES is another crate of this folder, or empty
define d2d-tested-crate
$(obj)/$(d2d-kunit)/$1.o: $(src)/$2 $(obj)/shared/d2d_abi.o $(3:%=$(obj)/$(d2d-kunit)/%.o) FORCE
	+$$(call if_changed_rule,rustc_o_rs)
$(obj)/$(d2d-kunit)/$1.o: private modfile := $(obj)/$(d2d-kunit)/$1
RUSTFLAGS_$(d2d-kunit)/$1.o := --cfg d2d_tests --emit=metadata=$(obj)/$(d2d-kunit)/lib$1.rmeta \
	-L $(obj)/shared --extern d2d_abi $(if $3,-L $(obj)/$(d2d-kunit) --extern $3=$(obj)/$(d2d-kunit)/lib$3.rmeta)
ifndef D2D_BUILD_ID
RUSTFLAGS_$(d2d-kunit)/$1.o += -Dwarnings
$(obj)/$(d2d-kunit)/$1.o: private RUSTC_OR_CLIPPY := clippy-driver
$(obj)/$(d2d-kunit)/$1.o: private RUSTC_OR_CLIPPY_QUIET := CLIPPY
endif
endef
$(eval $(call d2d-tested-crate,d2d,shared/d2d/d2d.rs,))
$(eval $(call d2d-tested-crate,d2d_owner,shared/owner/d2d_owner.rs,d2d))
$(eval $(call d2d-tested-crate,d2d_pair,shared/pair/d2d_pair.rs,d2d))
endif
