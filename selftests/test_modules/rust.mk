# SPDX-License-Identifier: GPL-2.0
# Test modules in Rust. They are built by the project's own Kbuild, which has the crates.

# Drivers that take the pair's interfaces for something else, one module each.
d2d-skews := older newer reordered signature major build
obj-m += $(d2d-skews:%=selftests/test_modules/skew_%.o)
define d2d-skew
selftests/test_modules/skew_$1-y := selftests/test_modules/skew/$1.o $(d2d)
RUSTFLAGS_selftests/test_modules/skew/$1.o := -L $(obj)/shared --extern d2d
$(obj)/selftests/test_modules/skew/$1.o: $(obj)/shared/d2d/d2d.o
endef
$(foreach skew,$(d2d-skews),$(eval $(call d2d-skew,$(skew))))

# A driver in C that was built with another version of the header: one item field is
# wider, and nothing in the header itself notices.
obj-m += selftests/test_modules/skew_core.o
selftests/test_modules/skew_core-y := selftests/test_modules/skew/core.o
CFLAGS_selftests/test_modules/skew/core.o := -I$(obj)/selftests/test_modules/skew

$(obj)/selftests/test_modules/skew/other_d2d.h: $(src)/shared/include/d2d.h FORCE
	$(call if_changed,d2d_other_header)
quiet_cmd_d2d_other_header = GEN     $@
      cmd_d2d_other_header = sed '/^static_assert/d; s/^\tu16 len;/\tu32 len;/' $< >$@
targets += selftests/test_modules/skew/other_d2d.h
$(obj)/selftests/test_modules/skew/core.o: $(obj)/selftests/test_modules/skew/other_d2d.h

# Well-behaved peers of module_a, which do what module_b does not.
d2d-peers := held third ticker relay
obj-m += $(d2d-peers:%=selftests/test_modules/%_peer.o)
define d2d-peer
selftests/test_modules/$1_peer-y := selftests/test_modules/peers/$1.o shared/pair/d2d_pair.o $(d2d)
RUSTFLAGS_selftests/test_modules/peers/$1.o := -L $(obj)/shared --extern d2d --extern d2d_pair
$(obj)/selftests/test_modules/peers/$1.o: $(obj)/shared/pair/d2d_pair.o
endef
$(foreach peer,$(d2d-peers),$(eval $(call d2d-peer,$(peer))))

# Owners of the demonstration pair that do what module_a does not, each loaded instead of it.
d2d-owners := leaving
obj-m += $(d2d-owners:%=selftests/test_modules/%_owner.o)
define d2d-owner-module
selftests/test_modules/$1_owner-y := selftests/test_modules/owners/$1.o $(d2d-owner) shared/pair/d2d_pair.o $(d2d)
RUSTFLAGS_selftests/test_modules/owners/$1.o := -L $(obj)/shared --extern d2d --extern d2d_owner --extern d2d_pair
$(obj)/selftests/test_modules/owners/$1.o: $(obj)/shared/owner/d2d_owner.o $(obj)/shared/pair/d2d_pair.o
endef
$(foreach owner,$(d2d-owners),$(eval $(call d2d-owner-module,$(owner))))

# Drivers that do in safe code what they should not. Beside them are those that have to be refused by the
# compiler, which qemu/hostile.sh compiles.
d2d-hostile := hostile_peer rebinds_core rebinds_kernel
obj-m += $(d2d-hostile:%=selftests/test_modules/%.o)
define d2d-hostile-module
selftests/test_modules/$1-y := selftests/test_modules/hostile/$1.o shared/pair/d2d_pair.o $(d2d)
RUSTFLAGS_selftests/test_modules/hostile/$1.o := -L $(obj)/shared --extern d2d --extern d2d_pair
$(obj)/selftests/test_modules/hostile/$1.o: $(obj)/shared/pair/d2d_pair.o
endef
$(foreach driver,$(d2d-hostile),$(eval $(call d2d-hostile-module,$(driver))))
