# SPDX-License-Identifier: GPL-2.0
# How a pair is built: the crate of its interface, an owner and its peers. The makefile of a pair sets these variables and
# includes this file; the variables are free again afterwards. The modules are built in the folder above the sources.
#
#   pair            the folder with the three sources, as seen from the Kbuild: examples/sensor
#   pair-interface  the crate of the interface: its source without .rs
#   pair-owner      the module of the owner: its source without .rs
#   pair-peer       the module of the peer in Rust, if there is one: its source without .rs
#   pair-c-peer     the module of the peer in C, if there is one: its source without .c

# Empty, or with a slash at the end
pair-above := $(patsubst ./%,%,$(dir $(pair)))
pair-crates := -L $(obj)/shared -L $(obj)/$(pair) --extern d2d --extern d2d_owner --extern $(pair-interface)

RUSTFLAGS_$(pair)/$(pair-interface).o := --emit=metadata=$(obj)/$(pair)/lib$(pair-interface).rmeta \
					 -L $(obj)/shared --extern d2d
$(obj)/$(pair)/$(pair-interface).o: $(obj)/shared/d2d/d2d.o
$(obj)/$(pair)/$(pair-interface).o: private modfile := $(obj)/$(pair)/$(pair-interface)

obj-m += $(patsubst %,$(pair-above)%.o,$(pair-owner) $(pair-peer) $(pair-c-peer))

# Only an owner links the owner's half of the library.
$(pair-above)$(pair-owner)-y := $(pair)/$(pair-owner).o $(pair)/$(pair-interface).o $(call d2d-owner-of,$(pair-owner))
RUSTFLAGS_$(pair)/$(pair-owner).o := $(pair-crates)
$(obj)/$(pair)/$(pair-owner).o: $(obj)/$(pair)/$(pair-interface).o $(obj)/shared/owner/d2d_owner.o

ifneq ($(pair-peer),)
$(pair-above)$(pair-peer)-y := $(pair)/$(pair-peer).o $(pair)/$(pair-interface).o $(d2d-peer)
RUSTFLAGS_$(pair)/$(pair-peer).o := $(pair-crates)
$(obj)/$(pair)/$(pair-peer).o: $(obj)/$(pair)/$(pair-interface).o $(obj)/shared/owner/d2d_owner.o
endif

# A peer in C knows of the pair what the generated header says.
ifneq ($(pair-c-peer),)
$(pair-above)$(pair-c-peer)-y := $(pair)/$(pair-c-peer).o
CFLAGS_$(pair)/$(pair-c-peer).o := -I$(obj)/$(pair)
$(obj)/$(pair)/$(pair-c-peer).o: private modname := $(pair-c-peer)
$(obj)/$(pair)/$(pair-c-peer).o: $(obj)/$(pair)/$(pair-interface).h
endif

# The C header of the pair, for each peer in C
$(eval $(call d2d-header,$(pair)/$(pair-interface)))
ifndef D2D_ONLY
always-y += $(pair)/$(pair-interface).h
endif

clean-files += $(pair)/*.rmeta $(pair)/$(pair-interface).h

pair-peer :=
pair-c-peer :=
