# SPDX-License-Identifier: GPL-2.0
# How test modules are built, for the .mk files of the folders that have their sources. A part of the
# project's own Kbuild, which has the crates. Modules are built into this folder, which kselftest's lib.mk
# installs from.

# $(call d2d-c-module,NAME,OBJECTS): a module in C. KBUILD_MODNAME is its name without the folder.
d2d-c-modules :=
define d2d-c-module
obj-m += selftests/test_modules/$1.o
d2d-c-modules += $1.o
selftests/test_modules/$1-y := $2
$(addprefix $(obj)/,$2): private modname := $1
endef

# $(call d2d-rust-peer,NAME,SOURCE): a driver in Rust of the demonstration pair
define d2d-rust-peer
obj-m += selftests/test_modules/$1.o
selftests/test_modules/$1-y := $2.o shared/pair/d2d_pair.o $(d2d)
RUSTFLAGS_$2.o := -L $(obj)/shared --extern d2d --extern d2d_pair
$(obj)/$2.o: $(obj)/shared/pair/d2d_pair.o
endef
