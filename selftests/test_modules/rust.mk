# SPDX-License-Identifier: GPL-2.0
# Test modules in Rust. They are built by the project's own Kbuild, which has the crates.

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
