# SPDX-License-Identifier: GPL-2.0
# The .mk files of selftests/ declare test modules by these functions. The project's Kbuild includes this file. lib.mk
# of kselftest installs the modules from this folder.

# $(call d2d-c-module,NAME,OBJECTS) declares a module in C. In its objects, KBUILD_MODNAME is NAME.
define d2d-c-module
obj-m += selftests/test_modules/$1.o
selftests/test_modules/$1-y := $2
$(addprefix $(obj)/,$2): private modname := $1
$(addprefix $(obj)/,$2): $(obj)/shared/pair/d2d_pair.h
endef

# $(call if_changed,d2d_calls) generates a file from the prototypes of the exported functions. One of the
# file's prerequisites is the awk script that generates it. The functions of d2d_owner.h are not exported.
d2d-prototypes := $(src)/selftests/test_modules/prototypes.awk \
		  $(filter-out %/d2d_owner.h,$(wildcard $(src)/shared/include/*.h))
quiet_cmd_d2d_calls = GEN     $@
      cmd_d2d_calls = awk -f $(filter %/prototypes.awk,$^) \
		      -f $(filter-out %/prototypes.awk,$(filter %.awk,$^)) $(filter %.h,$^) >$@
