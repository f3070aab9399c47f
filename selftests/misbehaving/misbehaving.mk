# SPDX-License-Identifier: GPL-2.0
# Drivers, an owner and a module that break the rules. test_modules/modules.mk defines the functions that are
# called here.

$(foreach name,bad_owner bad_peer event_faults forgetful forgetful_torture handle_kinds pointers splat stranger,\
	$(eval $(call d2d-c-module,$(name),selftests/misbehaving/$(name).o)))
CFLAGS_selftests/misbehaving/forgetful.o := -I$(src)/selftests/peers
CFLAGS_selftests/misbehaving/forgetful_torture.o := -I$(src)/selftests/peers
CFLAGS_selftests/misbehaving/stranger.o := -I$(src)/selftests/peers

# pointers.c includes a table of the exported functions, generated from their prototypes.
CFLAGS_selftests/misbehaving/pointers.o := -I$(obj)/selftests/misbehaving
$(obj)/selftests/misbehaving/pointers_calls.h: $(src)/selftests/misbehaving/pointers.awk $(d2d-prototypes) FORCE
	$(call if_changed,d2d_calls)
targets += selftests/misbehaving/pointers_calls.h
$(obj)/selftests/misbehaving/pointers.o: $(obj)/selftests/misbehaving/pointers_calls.h

# Drivers that break the rules in safe code. The folders hostile/refused and hostile/kernel_crate
# have more drivers, which qemu/check/compile-hostile.sh compiles. A line `// error: TEXT` in one of those
# is part of an error that the compiler must print; the line `// compiles` says that it must print
# none.
$(foreach name,hostile_peer rebinds_core rebinds_kernel,\
	$(eval $(call d2d-rust-peer,selftests/test_modules/$(name),selftests/misbehaving/hostile/$(name))))
