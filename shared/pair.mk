# SPDX-License-Identifier: GPL-2.0
# Builds a pair. The makefile of the pair sets these variables and includes this file. The modules are built in the
# folder above the sources.
#
#   pair            the folder with the sources, as seen from the Kbuild, such as examples/sensor
#   pair-interface  the crate of the interface: its source without .rs
#   pair-owner      the owner in Rust, if there is one: its source without .rs
#   pair-c-owner    the owner in C, if there is one: its source without .c. If there is an owner in Rust, too, the
#                   owner in C exports its table under that owner's name. So the same peers work with either owner, but
#                   only one owner can be loaded at a time
#   pair-peer       the peer in Rust, if there is one: its source without .rs
#   pair-c-peer     the peer in C, if there is one: its source without .c

# The folder above the sources: empty, or with a slash at the end
pair-above := $(patsubst ./%,%,$(dir $(pair)))
pair-crates := -L $(obj)/shared -L $(obj)/$(pair) --extern d2d --extern d2d_owner --extern $(pair-interface)

RUSTFLAGS_$(pair)/$(pair-interface).o := --emit=metadata=$(obj)/$(pair)/lib$(pair-interface).rmeta \
					 -L $(obj)/shared --extern d2d
$(obj)/$(pair)/$(pair-interface).o: $(obj)/shared/d2d/d2d.o
$(obj)/$(pair)/$(pair-interface).o: private modfile := $(obj)/$(pair)/$(pair-interface)

# If both owners export their table under one name, modpost makes the peers depend on the owner that comes last here.
obj-m += $(patsubst %,$(pair-above)%.o,$(pair-c-owner) $(pair-owner) $(pair-peer) $(pair-c-peer))

ifneq ($(pair-owner),)
$(pair-above)$(pair-owner)-y := $(pair)/$(pair-owner).o $(pair)/$(pair-interface).o $(call d2d-owner-of,$(pair-owner))
RUSTFLAGS_$(pair)/$(pair-owner).o := $(pair-crates)
$(obj)/$(pair)/$(pair-owner).o: $(obj)/$(pair)/$(pair-interface).o $(obj)/shared/owner/d2d_owner.o
endif

ifneq ($(pair-peer),)
$(pair-above)$(pair-peer)-y := $(pair)/$(pair-peer).o $(pair)/$(pair-interface).o $(d2d-peer)
RUSTFLAGS_$(pair)/$(pair-peer).o := $(pair-crates)
$(obj)/$(pair)/$(pair-peer).o: $(obj)/$(pair)/$(pair-interface).o $(obj)/shared/owner/d2d_owner.o
endif

define d2d-pair-c
CFLAGS_$(pair)/$1.o := -I$(obj)/$(pair)
$(obj)/$(pair)/$1.o: private modname := $1
$(obj)/$(pair)/$1.o: $(obj)/$(pair)/$(pair-interface).h
endef
$(foreach module,$(pair-c-owner) $(pair-c-peer),$(eval $(call d2d-pair-c,$(module))))

ifneq ($(pair-c-owner),)
$(pair-above)$(pair-c-owner)-y := $(pair)/$(pair-c-owner).o $(call d2d-c-owner-of,$(or $(pair-owner),$(pair-c-owner)))
endif

ifneq ($(pair-c-peer),)
$(pair-above)$(pair-c-peer)-y := $(pair)/$(pair-c-peer).o
endif

# Kbuild does not know this object if all drivers are in C: then no module links the crate.
targets += $(pair)/$(pair-interface).o
$(eval $(call d2d-header,$(pair)/$(pair-interface)))
# A build of single modules (D2D_ONLY in Kbuild) makes only the headers that these modules include.
ifndef D2D_ONLY
always-y += $(pair)/$(pair-interface).h
endif

clean-files += $(pair)/*.rmeta $(pair)/$(pair-interface).h

pair-owner :=
pair-c-owner :=
pair-peer :=
pair-c-peer :=
