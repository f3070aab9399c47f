# SPDX-License-Identifier: GPL-2.0
# KUnit suites; a part of the project's own Kbuild, which has the crates. Elsewhere kunit_tests leaves
# nothing of them, and a module without a test would be taken for one that has passed.
ifeq ($(CONFIG_KUNIT),y)
d2d-kunit := selftests/kunit
obj-m += selftests/test_modules/d2d_kunit.o
selftests/test_modules/d2d_kunit-y := $(d2d-kunit)/d2d_kunit.o $(d2d-kunit)/boundary.o \
				      shared/pair/d2d_pair.o $(d2d)
RUSTFLAGS_$(d2d-kunit)/d2d_kunit.o := -L $(obj)/shared --extern d2d --extern d2d_pair
$(obj)/$(d2d-kunit)/d2d_kunit.o: $(obj)/shared/pair/d2d_pair.o
endif
