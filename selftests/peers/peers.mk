# SPDX-License-Identifier: GPL-2.0
# Builds the test drivers and owners that follow the rules of the interface, and pause_calls. Calls functions of
# test_modules/modules.mk and shared/library.mk.

$(foreach name,arrivals c_handler c_peer pause_calls two_pairs,$(eval $(call d2d-c-module,$(name),selftests/peers/$(name).o)))

$(eval $(call d2d-c-module,actor,$(addprefix selftests/peers/actor/,actor.o words.o drivers.o routines.o requests.o)))

$(foreach name,paused_peer handle_peer ticker_peer relay_peer waiting_peer device_peer greeter_peer guest_peer history_peer,\
	$(eval $(call d2d-rust-peer,selftests/test_modules/$(name),selftests/peers/$(name))))

# Owners of the demonstration pair
d2d-owners := unloading_owner
obj-m += $(d2d-owners:%=selftests/test_modules/%.o)
define d2d-owner-module
selftests/test_modules/$1-y := selftests/peers/$1.o $(call d2d-owner-of,$1) shared/pair/d2d_pair.o
RUSTFLAGS_selftests/peers/$1.o := -L $(obj)/shared --extern d2d --extern d2d_owner --extern d2d_pair
$(obj)/selftests/peers/$1.o: $(obj)/shared/owner/d2d_owner.o $(obj)/shared/pair/d2d_pair.o
endef
$(foreach owner,$(d2d-owners),$(eval $(call d2d-owner-module,$(owner))))

# An owner in C, loaded instead of module_a. It exports the same table, so the peers of module_a can attach to it.
$(eval $(call d2d-c-module,c_owner,selftests/peers/c_owner.o))
selftests/test_modules/c_owner-y += $(call d2d-c-owner-of,module_a)

# A second demonstration pair, other_a and other_b
quiet_cmd_d2d_other_pair = GEN     $@
      cmd_d2d_other_pair = sed 's/\<module_\([ab]\)\>/other_\1/g' $< >$@
define d2d-other-module
$(obj)/selftests/peers/other_$1.rs: $(src)/module_$1/module_$1.rs FORCE
	$$(call if_changed,d2d_other_pair)
targets += selftests/peers/other_$1.rs
RUSTFLAGS_selftests/peers/other_$1.o := -L $(obj)/shared --extern d2d --extern d2d_owner --extern d2d_pair
$(obj)/selftests/peers/other_$1.o: $(obj)/selftests/peers/other_$1.rs $(obj)/shared/pair/d2d_pair.o
obj-m += selftests/test_modules/other_$1.o
selftests/test_modules/other_$1-y := selftests/peers/other_$1.o shared/pair/d2d_pair.o $2
endef
$(eval $(call d2d-other-module,a,$(call d2d-owner-of,other_a)))
$(eval $(call d2d-other-module,b,$(d2d-peer)))
$(obj)/selftests/peers/other_a.o: $(obj)/shared/owner/d2d_owner.o

# c_middle is loaded instead of middle, and exports the same table. modpost resolves a symbol to the last module that
# exports the symbol. The peers must depend on middle, so middle must come after c_middle.
$(eval $(call d2d-c-module,c_middle,$(addprefix selftests/peers/c_middle/,peer_role.o owner_role.o)))
selftests/test_modules/c_middle-y += $(call d2d-c-owner-of,middle)
CFLAGS_selftests/peers/c_middle/peer_role.o := $(d2d-peer-role-flags)

# A chain: module_a, middle, and the peers of middle: lower1 and lower2, two copies of module_b
obj-m += selftests/test_modules/middle.o
selftests/test_modules/middle-y := selftests/peers/middle.o shared/pair/d2d_pair.o shared/pair/d2d_pair_peer.o \
				   $(call d2d-two-roles-of,middle)
RUSTFLAGS_selftests/peers/middle.o := -L $(obj)/shared --extern d2d --extern d2d_owner --extern d2d_pair \
				      --extern d2d_peer --extern d2d_pair_peer --extern d2d_roles
$(obj)/selftests/peers/middle.o: $(addprefix $(obj)/shared/,pair/d2d_pair.o pair/d2d_pair_peer.o roles/d2d_roles.o)

quiet_cmd_d2d_lower = GEN     $@
      cmd_d2d_lower = sed 's/\<module_a\>/$(d2d-lower-owner)/g; s/\<module_b\>/$(basename $(notdir $@))/g' $< >$@
define d2d-lower
$(obj)/selftests/peers/$1.rs: private d2d-lower-owner := $2
$(obj)/selftests/peers/$1.rs: $(src)/module_b/module_b.rs FORCE
	$$(call if_changed,d2d_lower)
targets += selftests/peers/$1.rs
$(call d2d-rust-peer,selftests/test_modules/$1,selftests/peers/$1)
$(obj)/selftests/peers/$1.o: $(obj)/selftests/peers/$1.rs
endef
$(foreach name,lower1 lower2,$(eval $(call d2d-lower,$(name),middle)))

# bridge is a peer of two owners.
d2d-bridge-crates := -L $(obj)/shared --extern d2d_peer --extern d2d_pair_peer --extern d2d_peer2 --extern d2d_pair_peer2 --extern d2d_roles
d2d-bridge-needs := $(addprefix $(obj)/shared/,pair/d2d_pair_peer.o pair/d2d_pair_peer2.o roles/d2d_roles.o)
obj-m += selftests/test_modules/bridge.o
selftests/test_modules/bridge-y := selftests/peers/bridge.o shared/pair/d2d_pair_peer.o shared/pair/d2d_pair_peer2.o $(d2d-two-peers)
RUSTFLAGS_selftests/peers/bridge.o := $(d2d-bridge-crates)
$(obj)/selftests/peers/bridge.o: $(d2d-bridge-needs)

# twice: bridge with module_a as both owners
$(obj)/selftests/peers/twice.rs: $(src)/selftests/peers/bridge.rs FORCE
	$(call if_changed,d2d_twice)
quiet_cmd_d2d_twice = GEN     $@
      cmd_d2d_twice = sed 's/\<other_a\>/module_a/; s/"bridge"/"twice"/' $< >$@
targets += selftests/peers/twice.rs
obj-m += selftests/test_modules/twice.o
selftests/test_modules/twice-y := selftests/peers/twice.o shared/pair/d2d_pair_peer.o shared/pair/d2d_pair_peer2.o $(d2d-two-peers)
RUSTFLAGS_selftests/peers/twice.o := $(d2d-bridge-crates)
$(obj)/selftests/peers/twice.o: $(obj)/selftests/peers/twice.rs $(d2d-bridge-needs)

# junction is a peer of two owners, and an owner, too. junction_peer is its peer.
obj-m += selftests/test_modules/junction.o
selftests/test_modules/junction-y := selftests/peers/junction.o $(addprefix shared/pair/,d2d_pair.o d2d_pair_peer.o d2d_pair_peer2.o) \
				     $(call d2d-three-roles-of,junction)
RUSTFLAGS_selftests/peers/junction.o := $(d2d-bridge-crates) --extern d2d --extern d2d_owner --extern d2d_pair
$(obj)/selftests/peers/junction.o: $(obj)/shared/pair/d2d_pair.o $(d2d-bridge-needs)
$(eval $(call d2d-lower,junction_peer,junction))

# c_bridge: bridge in C
$(eval $(call d2d-c-module,c_bridge,$(addprefix selftests/peers/c_bridge/,first.o second.o)))
CFLAGS_selftests/peers/c_bridge/first.o := $(d2d-peer-role-flags)
CFLAGS_selftests/peers/c_bridge/second.o := $(d2d-peer2-role-flags)

# Two more sensors for the consumer of examples/sensor/
obj-m += selftests/test_modules/loud_sensor.o
selftests/test_modules/loud_sensor-y := selftests/peers/loud_sensor.o examples/sensor/sensor_pair.o $(d2d-peer)
RUSTFLAGS_selftests/peers/loud_sensor.o := -L $(obj)/shared -L $(obj)/examples/sensor --extern d2d --extern sensor_pair
$(obj)/selftests/peers/loud_sensor.o: $(obj)/examples/sensor/sensor_pair.o

$(eval $(call d2d-c-module,c_sensor,selftests/peers/c_sensor.o))
CFLAGS_selftests/peers/c_sensor.o := -I$(obj)/examples/sensor
$(obj)/selftests/peers/c_sensor.o: $(obj)/examples/sensor/sensor_pair.h

$(eval $(call d2d-c-module,unregistering,$(addprefix selftests/peers/unregistering/,unregistering.o requests.o events.o handshakes.o operations.o)))

# Peers of module_a. Each declares the pair with one difference from module_a's declaration.
d2d-skews := older newer reordered signature payload event major build_id
obj-m += $(d2d-skews:%=selftests/test_modules/skew_%.o)
define d2d-skew
selftests/test_modules/skew_$1-y := selftests/peers/skew/$1.o shared/pair/d2d_pair.o $(d2d-peer)
RUSTFLAGS_selftests/peers/skew/$1.o := -L $(obj)/shared --extern d2d --extern d2d_pair
$(obj)/selftests/peers/skew/$1.o: $(obj)/shared/pair/d2d_pair.o
endef
$(foreach skew,$(d2d-skews),$(eval $(call d2d-skew,$(skew))))

# A driver in C built with another d2d.h, in which a field of an item is wider. sed also removes the static assertions,
# because they refuse the wider field.
$(eval $(call d2d-c-module,skew_core,selftests/peers/skew/core.o))
CFLAGS_selftests/peers/skew/core.o := -I$(obj)/selftests/peers/skew

$(obj)/selftests/peers/skew/other_d2d.h: $(src)/shared/include/d2d.h FORCE
	$(call if_changed,d2d_other_header)
quiet_cmd_d2d_other_header = GEN     $@
      cmd_d2d_other_header = sed '/^static_assert/d; s/^\tu16 len;/\tu32 len;/' $< >$@
targets += selftests/peers/skew/other_d2d.h
$(obj)/selftests/peers/skew/core.o: $(obj)/selftests/peers/skew/other_d2d.h

# A peer in C that defines two tables of owners itself. One table lacks functions, the other has another major version.
$(eval $(call d2d-c-module,skew_table,selftests/peers/skew/table.o))

# Copies of c_owner with another table: one more function, another major version, or another signature of a function.
# They test how the kernel compares symbol versions, so the kernel must have these.
ifdef CONFIG_MODVERSIONS
d2d-abis := appended major signature
obj-m += $(d2d-abis:%=selftests/test_modules/owner_%.o)
define d2d-abi
selftests/test_modules/owner_$1-y := $(filter-out %/module_a_table.o,$(selftests/test_modules/c_owner-y)) selftests/peers/abi/$1.o
CFLAGS_selftests/peers/abi/$1.o := -I$(obj)/selftests/peers/abi
endef
$(foreach abi,$(d2d-abis),$(eval $(call d2d-abi,$(abi))))

quiet_cmd_d2d_other_table = GEN     $@
      cmd_d2d_other_table = sed '$(d2d-other-table)' $< >$@
$(obj)/selftests/peers/abi/appended.h: private d2d-other-table := s/^.define D2D_FUNCTIONS(X).*/& X(int, d2d_appended, (void), ())/
$(obj)/selftests/peers/abi/signature.h: private d2d-other-table := s/d2d_event_reset, (d2d_handle event)/d2d_event_reset, (u32 event)/; s/= name,/= (void *)name,/
$(obj)/selftests/peers/abi/appended.h $(obj)/selftests/peers/abi/signature.h: $(src)/shared/include/d2d_table.h FORCE
	$(call if_changed,d2d_other_table)
targets += selftests/peers/abi/appended.h selftests/peers/abi/signature.h
$(obj)/selftests/peers/abi/appended.o: $(obj)/selftests/peers/abi/appended.h
$(obj)/selftests/peers/abi/signature.o: $(obj)/selftests/peers/abi/signature.h
endif

# A pair with several versions. All owners export the table growing_d2d, so the kernel can load each peer with each
# owner. Drivers in C of version 1.0 include a recorded header, those of version 1.1 a generated one. The module growing
# must come after the other owners, as middle after c_middle.
$(eval $(call d2d-c-module,growing_owner_c,selftests/peers/growing/owner_c.o))
$(eval $(call d2d-c-module,growing_owner_c_v1_1,selftests/peers/growing/owner_c_v1_1.o))
selftests/test_modules/growing_owner_c-y += $(call d2d-c-owner-of,growing)
selftests/test_modules/growing_owner_c_v1_1-y += $(call d2d-c-owner-of,growing)

define d2d-growing-owner
obj-m += selftests/test_modules/$1.o
selftests/test_modules/$1-y := selftests/peers/growing/$2.o $(call d2d-owner-of,growing)
RUSTFLAGS_selftests/peers/growing/$2.o := -L $(obj)/shared --extern d2d --extern d2d_owner
$(obj)/selftests/peers/growing/$2.o: $(obj)/shared/owner/d2d_owner.o
endef
$(eval $(call d2d-growing-owner,growing_owner_v1_0,owner_v1_0))
$(eval $(call d2d-growing-owner,growing_owner_v1_2,owner_v1_2))
$(eval $(call d2d-growing-owner,growing,owner_v1_1))

d2d-versions := v1_0 v1_1 v1_2 v1_2_data swapped
obj-m += $(d2d-versions:%=selftests/test_modules/growing_%.o)
define d2d-version
selftests/test_modules/growing_$1-y := selftests/peers/growing/$1.o $(d2d-peer)
RUSTFLAGS_selftests/peers/growing/$1.o := -L $(obj)/shared --extern d2d
$(obj)/selftests/peers/growing/$1.o: $(obj)/shared/d2d/d2d.o
endef
$(foreach version,$(d2d-versions),$(eval $(call d2d-version,$(version))))

$(eval $(call d2d-c-module,growing_c,selftests/peers/growing/c.o))
$(eval $(call d2d-c-module,growing_c_v1_1,selftests/peers/growing/c_v1_1.o))

$(eval $(call d2d-header,selftests/peers/growing/v1_1))
d2d-growing-1.1 := $(addprefix selftests/peers/growing/,c_v1_1.o owner_c_v1_1.o)
$(foreach object,$(d2d-growing-1.1),$(eval CFLAGS_$(object) := -I$(obj)/selftests/peers/growing))
$(addprefix $(obj)/,$(d2d-growing-1.1)): $(obj)/selftests/peers/growing/v1_1.h

# A peer in C, built with the header of a wrong declaration (swapped.rs)
$(eval $(call d2d-header,selftests/peers/growing/swapped))
$(eval $(call d2d-c-module,growing_stale,selftests/peers/growing/stale.o))
CFLAGS_selftests/peers/growing/stale.o := -I$(obj)/selftests/peers/growing
$(obj)/selftests/peers/growing/stale.o: $(obj)/selftests/peers/growing/swapped.h
clean-files += selftests/peers/growing/swapped.h selftests/peers/growing/v1_1.h

# A pair whose two sides lend each other memory
d2d-lending := selftests/peers/lending
d2d-lending-crates := -L $(obj)/shared -L $(obj)/$(d2d-lending) --extern d2d --extern lending_pair
RUSTFLAGS_$(d2d-lending)/lending_pair.o := --emit=metadata=$(obj)/$(d2d-lending)/liblending_pair.rmeta \
					   -L $(obj)/shared --extern d2d
$(obj)/$(d2d-lending)/lending_pair.o: $(obj)/shared/d2d/d2d.o
$(obj)/$(d2d-lending)/lending_pair.o: private modfile := $(obj)/$(d2d-lending)/lending_pair
$(eval $(call d2d-header,$(d2d-lending)/lending_pair))

# c_lender is loaded instead of lender, with the same table. It must come before lender, as c_middle before middle.
$(eval $(call d2d-c-module,c_lender,$(d2d-lending)/c_lender.o))
selftests/test_modules/c_lender-y += $(call d2d-c-owner-of,lender)
CFLAGS_$(d2d-lending)/c_lender.o := -I$(obj)/$(d2d-lending)
$(obj)/$(d2d-lending)/c_lender.o: $(obj)/$(d2d-lending)/lending_pair.h

obj-m += selftests/test_modules/lender.o selftests/test_modules/borrower.o
selftests/test_modules/lender-y := $(d2d-lending)/lender.o $(d2d-lending)/lending_pair.o $(call d2d-owner-of,lender)
RUSTFLAGS_$(d2d-lending)/lender.o := $(d2d-lending-crates) --extern d2d_owner
$(obj)/$(d2d-lending)/lender.o: $(obj)/$(d2d-lending)/lending_pair.o $(obj)/shared/owner/d2d_owner.o
selftests/test_modules/borrower-y := $(d2d-lending)/borrower.o $(d2d-lending)/lending_pair.o $(d2d-peer)
RUSTFLAGS_$(d2d-lending)/borrower.o := $(d2d-lending-crates)
$(obj)/$(d2d-lending)/borrower.o: $(obj)/$(d2d-lending)/lending_pair.o

$(eval $(call d2d-c-module,c_borrower,$(d2d-lending)/c_borrower.o))
CFLAGS_$(d2d-lending)/c_borrower.o := -I$(obj)/$(d2d-lending)
$(obj)/$(d2d-lending)/c_borrower.o: $(obj)/$(d2d-lending)/lending_pair.h
clean-files += $(d2d-lending)/*.rmeta $(d2d-lending)/lending_pair.h
