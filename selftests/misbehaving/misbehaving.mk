# SPDX-License-Identifier: GPL-2.0
# Builds the modules that break the rules of the interface or of the kernel.

d2d-forgetful := forgetful forgetful_junction forgetful_lender forgetful_middle forgetful_torture
$(foreach name,bad_owner bad_peer event_faults $(d2d-forgetful) handle_kinds pointers splat stranger,\
	$(eval $(call d2d-c-module,$(name),selftests/misbehaving/$(name).o)))
$(foreach name,$(d2d-forgetful) stranger,$(eval CFLAGS_selftests/misbehaving/$(name).o := -I$(src)/selftests/peers))
CFLAGS_selftests/misbehaving/forgetful_lender.o += -I$(obj)/selftests/peers/lending
$(obj)/selftests/misbehaving/forgetful_lender.o: $(obj)/selftests/peers/lending/lending_pair.h

# pointers.awk generates a table of the exported functions from their prototypes.
CFLAGS_selftests/misbehaving/pointers.o := -I$(obj)/selftests/misbehaving
$(obj)/selftests/misbehaving/pointers_calls.h: $(src)/selftests/misbehaving/pointers.awk $(d2d-prototypes) FORCE
	$(call if_changed,d2d_calls)
targets += selftests/misbehaving/pointers_calls.h
$(obj)/selftests/misbehaving/pointers.o: $(obj)/selftests/misbehaving/pointers_calls.h

# qemu/check/compile-hostile.sh compiles the drivers in hostile/refused and hostile/kernel_crate. For each line
# `// error: TEXT`, the compiler must print an error with TEXT, and no other error. With `// compiles`, it prints none.
$(foreach name,hostile_peer rebinds_core rebinds_kernel,\
	$(eval $(call d2d-rust-peer,selftests/test_modules/$(name),selftests/misbehaving/hostile/$(name))))
