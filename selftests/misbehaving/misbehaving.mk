# SPDX-License-Identifier: GPL-2.0
# Drivers, an owner and a module that do what they must not. See test_modules/modules.mk.

$(foreach name,bad_owner bad_peer event_sins forgetful handle_kinds pointers splat stranger,\
	$(eval $(call d2d-c-module,$(name),selftests/misbehaving/$(name).o)))
CFLAGS_selftests/misbehaving/forgetful.o := -I$(src)/selftests/peers

# How to call each exported function, from its prototype
CFLAGS_selftests/misbehaving/pointers.o := -I$(obj)/selftests/misbehaving
$(obj)/selftests/misbehaving/pointers_calls.h: $(src)/selftests/misbehaving/pointers.awk \
					       $(wildcard $(src)/shared/include/*.h) FORCE
	$(call if_changed,d2d_calls)
quiet_cmd_d2d_calls = GEN     $@
      cmd_d2d_calls = awk -f $(filter-out FORCE,$^) >$@
targets += selftests/misbehaving/pointers_calls.h
$(obj)/selftests/misbehaving/pointers.o: $(obj)/selftests/misbehaving/pointers_calls.h

# Drivers that do in safe code what they should not. Beside them are those that have to be refused by the
# compiler, which qemu/check/hostile.sh compiles.
$(foreach name,hostile_peer rebinds_core rebinds_kernel,\
	$(eval $(call d2d-rust-peer,$(name),selftests/misbehaving/hostile/$(name))))
