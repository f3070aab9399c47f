# SPDX-License-Identifier: GPL-2.0
# How a pair is built: the crate of its interface, an owner and a peer. The makefile of a pair sets these variables and
# includes this file; the variables are free again afterwards. The modules are built in the folder above the sources.
#
#   pair            the folder with the three sources, as seen from the Kbuild: examples/sensor
#   pair-interface  the crate of the interface: its source without .rs
#   pair-owner      the module of the owner: its source without .rs
#   pair-peer       the module of the peer: its source without .rs

# Empty, or with a slash at the end
pair-above := $(patsubst ./%,%,$(dir $(pair)))
pair-crates := -L $(obj)/shared -L $(obj)/$(pair) --extern d2d --extern d2d_owner --extern $(pair-interface)

RUSTFLAGS_$(pair)/$(pair-interface).o := --emit=metadata=$(obj)/$(pair)/lib$(pair-interface).rmeta \
					 -L $(obj)/shared --extern d2d
$(obj)/$(pair)/$(pair-interface).o: $(obj)/shared/d2d/d2d.o
$(obj)/$(pair)/$(pair-interface).o: private modfile := $(obj)/$(pair)/$(pair-interface)

obj-m += $(pair-above)$(pair-owner).o $(pair-above)$(pair-peer).o

# Only an owner links the owner's half of the library.
$(pair-above)$(pair-owner)-y := $(pair)/$(pair-owner).o $(pair)/$(pair-interface).o $(call d2d-owner-of,$(pair-owner))
RUSTFLAGS_$(pair)/$(pair-owner).o := $(pair-crates)
$(obj)/$(pair)/$(pair-owner).o: $(obj)/$(pair)/$(pair-interface).o $(obj)/shared/owner/d2d_owner.o

$(pair-above)$(pair-peer)-y := $(pair)/$(pair-peer).o $(pair)/$(pair-interface).o $(d2d-peer)
RUSTFLAGS_$(pair)/$(pair-peer).o := $(pair-crates)
$(obj)/$(pair)/$(pair-peer).o: $(obj)/$(pair)/$(pair-interface).o $(obj)/shared/owner/d2d_owner.o

# The C header of the pair, for a peer in C
$(eval $(call d2d-header,$(pair)/$(pair-interface)))
ifndef D2D_ONLY
always-y += $(pair)/$(pair-interface).h
endif

clean-files += $(pair)/*.rmeta $(pair)/$(pair-interface).h
