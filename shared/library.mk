# SPDX-License-Identifier: GPL-2.0
# Checks the kernel's configuration, and builds the library. The Kbuild of the project includes this file, and so does
# that of a driver outside of this tree (install/rust.mk). Each crate is compiled once; its object is linked into each
# module that needs it.
#
#   d2d_kernel the kernel crate with replacements for items that it lacks; built only if it lacks some
#   d2d_abi    the types of the boundary, which bindgen makes from shared/include/
#   d2d        the library for both sides
#   d2d_owner  the library for the owner
#   d2d_pair   the interface of the demonstration pair
#   d2d_peer, d2d_abi_peer, d2d_pair_peer
#              d2d, d2d_abi and d2d_pair once more, for the peer's role of a module that has another role, too
#   d2d_peer2, d2d_abi_peer2, d2d_pair_peer2
#              the same for a second peer's role
#   d2d_roles  declares modules in several roles

# The folder above shared/
d2d-top := $(patsubst %/,%,$(dir $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))))

# `make clean` reads this file without a kernel configuration: skip the checks.
ifdef CONFIG_MODULES

ifdef CONFIG_PREEMPT_RT
$(error PREEMPT_RT is not supported: its spinlocks sleep, so shared queues could not be used from interrupts)
endif

ifndef CONFIG_SMP
$(error A kernel without SMP is not supported: its spinlocks do not lock)
endif

ifndef CONFIG_RUST
$(error The kernel $(KERNELRELEASE) is built without CONFIG_RUST)
endif

# For a kernel that clang has built, Kbuild passes options that gcc does not know.
cc-version := $(shell $(CC) --version 2>/dev/null)
ifdef CONFIG_CC_IS_CLANG
ifeq ($(findstring clang,$(notdir $(CC)) $(cc-version)),)
clang-version := $(shell echo '$(CONFIG_CC_VERSION_TEXT)' | sed -n 's/.*clang version \([0-9]*\).*/\1/p')
$(error The kernel $(KERNELRELEASE) was built by clang, and CC is $(CC): give make the argument LLVM=$(if \
	$(shell command -v clang-$(clang-version)),-$(clang-version),1))
endif
endif

ifeq ($(cc-version),)
$(error The compiler $(CC) is missing or does not run: the kernel $(KERNELRELEASE) was built by '$(CONFIG_CC_VERSION_TEXT)'$(if \
	$(CROSS_COMPILE),$(comma) and CROSS_COMPILE=$(CROSS_COMPILE) is the prefix of the compiler))
endif

rustc-version := $(subst $(pound),,$(shell $(RUSTC) --version 2>/dev/null))
ifneq ($(rustc-version),$(CONFIG_RUSTC_VERSION_TEXT))
$(error Rust modules need the compiler of their kernel, which is '$(CONFIG_RUSTC_VERSION_TEXT)': \
	$(RUSTC) is $(if $(rustc-version),'$(rustc-version)',missing))
endif

ifeq ($(shell command -v $(BINDGEN) 2>/dev/null),)
$(error There is no $(BINDGEN), which makes the types of the boundary: install bindgen, or give make the argument BINDGEN=PATH)
endif

# A distribution's headers package may lack the kernel's crates. Without this check, rustc would fail with a message
# that does not help. The metadata of the kernel crate names the crates that it uses. If the kernel inlines the helpers,
# each Rust object is linked with helpers_module.bc.
kernel-target := $(patsubst --target=%,%,$(filter --target=%,$(KBUILD_RUSTFLAGS)))
kernel-crates := $(filter %.json,$(kernel-target)) $(objtree)/rust/libkernel.rmeta
kernel-crates += $(addprefix $(objtree)/rust/,$(shell $(RUSTC) -Zls=root $(lastword $(kernel-crates)) 2>/dev/null | \
	sed -nE 's/^[0-9]+ ([a-z0-9_]+) hash .* kind MacrosOnly.*/lib\1.so/p; t; s/^[0-9]+ ([a-z0-9_]+) hash .*/lib\1.rmeta/p'))
kernel-crates += $(if $(CONFIG_RUST_INLINE_HELPERS),$(objtree)/rust/helpers/helpers_module.bc) $(objtree)/include/generated/rustc_cfg
d2d-missing = $(error There is no $(firstword $1), which Rust modules are compiled against: 'make KDIR=DIR' builds for the kernel tree DIR$(if \
	$(findstring +deb,$(KERNELRELEASE)),$(comma) 'make KVER=$(KERNELRELEASE)' prepares this kernel from the distribution's source))
missing-crates := $(filter-out $(wildcard $(kernel-crates)),$(kernel-crates))
$(if $(missing-crates),$(call d2d-missing,$(missing-crates)))

# kernel-lacks: the probes of shared/compat/probes.rs that do not compile, because the kernel's crate or tree lacks what
# they use. A file keeps the names of these probes for later builds. The file's own name has a checksum of the kernel
# tree's path, and of the devices, inodes, sizes and times of change (ctime) of probed-files. Times of modification
# (mtime) are not enough: another kernel tree may take this path, and its files may be older than the kept file.
#
# An error in the source makes rustc exit with status 1. If rustc exits with another status, or fails even without a
# probe, the kernel is not the reason. Then no file is kept.
ifneq ($(obj),)
kernel-probes := $(sort $(shell sed -n 's/^$(pound)\[cfg(probe_\([a-z_]*\))\]$$/\1/p' $(d2d-top)/shared/compat/probes.rs))
# $(call d2d-probe,NAME...): a command that compiles the probes of these names
d2d-probe = OBJTREE=$(abspath $(objtree)) $(RUSTC) $(KBUILD_RUSTFLAGS) @$(objtree)/include/generated/rustc_cfg -Zunstable-options --sysroot=/dev/null \
	-L $(objtree)/rust --extern kernel --extern pin_init --crate-type rlib --crate-name probes --cap-lints allow \
	--emit=metadata=$$answer.rmeta $(1:%=--cfg probe_%) $(d2d-top)/shared/compat/probes.rs >$$answer.log 2>&1
probed-files := $(wildcard $(addprefix $(objtree)/rust,/libkernel.rmeta / /kernel)) $(d2d-top)/shared/compat/probes.rs
kernel-lacks := $(shell answer=$(obj)/shared/.kernel-lacks-$$({ echo $(abspath $(objtree)); \
		stat -Lc '%d %i %s %Z' $(probed-files); } | cksum | cut -d' ' -f1); \
	[ -e $$answer ] || { \
		mkdir -p $(obj)/shared; \
		( $(call d2d-probe,$(kernel-probes)) || { \
			$(foreach name,$(kernel-probes),$(call d2d-probe,$(name)) || { [ $$? -eq 1 ] && echo $(name); } || exit;) \
			$(call d2d-probe); \
		} ) >$$answer.new && mv $$answer.new $$answer; rm -f $$answer.rmeta; \
	}; cat $$answer 2>/dev/null || { cat $$answer.log >&2; echo unknown; })
$(if $(filter unknown,$(kernel-lacks)),$(error Cannot find out what the kernel crate of $(KERNELRELEASE) lacks: $(RUSTC) \
	was killed, or fails even with an empty source, or there is no space left))
endif

endif

# Makes the version of an exported symbol follow the rules of D2D_EXPORT_TABLE().
KBUILD_GENDWARFKSYMS_STABLE := y

# With D2D_INLINE, rustc compiles a function of the library with each module that calls it. Without it, each module
# contains all functions of the library, but rustc takes less time. So the lab builds without D2D_INLINE for the kernels
# that only tests use (qemu/build.sh).
D2D_INLINE ?= y
rustflags-$(D2D_INLINE) += -Zcross-crate-inline-threshold=always

# What every module links
d2d := shared/d2d/d2d.o shared/d2d/readers.o shared/d2d/nofault.o shared/d2d/module.o

# If the kernel crate lacks items, the other crates use d2d_kernel (shared/compat/) under the name kernel. d2d_kernel
# replaces most of these items. For each failed probe NAME, sources see --cfg d2d_lacks_NAME.
ifneq ($(kernel-lacks),)
RUSTFLAGS_shared/compat/d2d_kernel.o := --emit=metadata=$(obj)/shared/libd2d_kernel.rmeta \
	$(patsubst %,--cfg probe_%,$(filter-out $(kernel-lacks),$(kernel-probes)))
RUSTFLAGS_REMOVE_shared/compat/d2d_kernel.o := --extern=kernel=$(obj)/shared/libd2d_kernel.rmeta
rustflags-y += $(RUSTFLAGS_REMOVE_shared/compat/d2d_kernel.o) $(patsubst %,--cfg=d2d_lacks_%,$(kernel-lacks))
$(obj)/shared/d2d_abi.o $(obj)/shared/d2d_abi_peer.o $(obj)/shared/d2d_abi_peer2.o: $(obj)/shared/compat/d2d_kernel.o
targets += shared/compat/d2d_kernel.o
endif

# What a peer in Rust links. An owner must not link peer.o.
d2d-peer := $(d2d) shared/d2d/peer.o

# What each owner links in addition to $(d2d)
d2d-owner := shared/owner/d2d_owner.o shared/owner/irq_context.o shared/owner/exports_srcu.o \
	     shared/owner/trace_names.o shared/owner/word_wait.o

# $(call d2d-owner-of,NAME): what the owner of this name links. NAME is what peers write in module_peer! or D2D_OWNER().
# The owner's table and its tracepoints are compiled for each owner. Two modules may have the same owner's name, if only
# one of them is loaded at a time. The tracepoints come before the table: in the other order, the kernel's build takes
# kernel types for types of the module, and the module's BTF has 46 kB more.
d2d-owner-of = $(foreach part,table tracepoints,$(if $(d2d-has-$(strip $1)-$(part)),,$(eval $(call d2d-owner-part,$(strip $1),$(part)))))$(d2d-owner) \
	       shared/owner/$(strip $1)_tracepoints.o shared/owner/$(strip $1)_table.o $(d2d)
# The kernel's define_trace.h includes d2d_trace.h once more, and finds it by this -I.
define d2d-owner-part
d2d-has-$1-$2 := y
CFLAGS_shared/owner/$1_$2.o := -DD2D_OWNER_NAME=$1 -DD2D_TRACE_SYSTEM=d2d_$1 -I$(d2d-top)/shared/owner
$(obj)/shared/owner/$1_$2.o: private modname := $1
$(obj)/shared/owner/$1_$2.o: $(d2d-top)/shared/owner/$2.c FORCE
	$$(call if_changed_rule,cc_o_c)
endef

# $(call d2d-c-owner-of,NAME): as d2d-owner-of, for an owner in C (d2d_owner.h). shared/owner/c_module.rs is compiled
# for each such owner, and takes the owner's name from RUST_MODFILE.
d2d-c-owner-of = $(if $(d2d-has-$(strip $1)-c-module),,$(eval $(call d2d-c-owner-part,$(strip $1))))$(call d2d-owner-of,$1) shared/owner/$(strip $1)_c_module.o
define d2d-c-owner-part
d2d-has-$1-c-module := y
RUSTFLAGS_shared/owner/$1_c_module.o := --crate-name $1_c_module $(d2d-crates) --extern d2d --extern d2d_owner
$(obj)/shared/owner/$1_c_module.o: private modfile := $1
$(obj)/shared/owner/$1_c_module.o: $(d2d-top)/shared/owner/c_module.rs $(obj)/shared/owner/d2d_owner.o FORCE
	+$$(call if_changed_rule,rustc_o_rs)
endef

# A module in several roles links the library once for each role. For a peer's role, it links the library under other
# names:
# - The names of the crates end with the name of the role, "peer" or "peer2". So rustc tells the types of the roles
#   apart.
# - The functions by which a peer calls its owner, the static keys and d2d_the_owner have the name of the role as a
#   prefix, because several roles define them. Options -D add the prefix: since version 0.72 of bindgen, its option
#   --prefix-link-name leaves out variables.
#
# Each peer's role has
#   d2d-ROLE-role        the objects of the library
#   d2d-ROLE-role-flags  flags for the sources in C of this role
#   $(call d2d-ROLE-crate,CRATE,SOURCE)  compiles SOURCE.rs, a crate that uses d2d, for this role, as CRATE
d2d-peer-roles := peer peer2
d2d-peer-names := d2d_own_hot_keys d2d_the_owner \
		  $(shell sed -n 's/^\tX.[^,]*, \(d2d_[a-z_]*\),.*/\1/p' $(d2d-top)/shared/include/d2d_table.h)
define d2d-peer-role-part
d2d-$1-role := shared/d2d/d2d_$1.o shared/d2d/$1_role.o
d2d-$1-role-flags := $(foreach name,$(d2d-peer-names),-D$(name)=$1_$(name))
d2d-$1-crate = $$(call d2d-crate-once-more,$$1,$$2,--extern d2d=$(obj)/shared/libd2d_$1.rmeta,d2d/d2d_$1)
endef
$(foreach role,$(d2d-peer-roles),$(eval $(call d2d-peer-role-part,$(role))))

# What a module in Rust links that is
#   $(call d2d-two-roles-of,NAME)    the owner NAME, and a peer
#   $(d2d-two-peers)                 a peer of two owners
#   $(call d2d-three-roles-of,NAME)  the owner NAME, and a peer of two owners
d2d-two-roles-of = $(call d2d-owner-of,$1) $(d2d-peer-role) shared/roles/d2d_roles.o
d2d-two-peers := $(filter-out shared/d2d/d2d.o,$(d2d)) $(d2d-peer-role) $(d2d-peer2-role) \
		 shared/roles/d2d_roles.o shared/roles/joined_srcu.o
d2d-three-roles-of = $(call d2d-two-roles-of,$1) $(d2d-peer2-role)

# $(call d2d-crate-once-more,CRATE,SOURCE,FLAGS,NEEDED): compiles SOURCE.rs as CRATE, after the crate NEEDED of shared/
define d2d-crate-once-more
RUSTFLAGS_$1.o := --crate-name $(notdir $1) --emit=metadata=$(obj)/shared/lib$(notdir $1).rmeta -L $(obj)/shared $3
$(obj)/$1.o: private modfile := $(obj)/$1
$(obj)/$1.o: $2.rs $(obj)/shared/$4.o FORCE
	+$$(call if_changed_rule,rustc_o_rs)
endef

# $(call d2d-rust-peer,MODULE,SOURCE): builds MODULE, a peer of the demonstration pair, from SOURCE.rs. SOURCE must
# differ from MODULE.
define d2d-rust-peer
obj-m += $1.o
$1-y := $2.o shared/pair/d2d_pair.o $(d2d-peer)
RUSTFLAGS_$2.o := -L $(obj)/shared --extern d2d --extern d2d_pair
$(obj)/$2.o: $(obj)/shared/pair/d2d_pair.o
endef

ccflags-y += -I$(d2d-top)/shared/include

d2d-crates := -L $(obj)/shared --extern d2d_abi
RUSTFLAGS_shared/d2d_abi.o   := --emit=metadata=$(obj)/shared/libd2d_abi.rmeta
RUSTFLAGS_shared/d2d/d2d.o       := --emit=metadata=$(obj)/shared/libd2d.rmeta $(d2d-crates)
RUSTFLAGS_shared/owner/d2d_owner.o := --emit=metadata=$(obj)/shared/libd2d_owner.rmeta $(d2d-crates) --extern d2d
RUSTFLAGS_shared/pair/d2d_pair.o  := --emit=metadata=$(obj)/shared/libd2d_pair.rmeta $(d2d-crates) --extern d2d

RUSTFLAGS_shared/roles/d2d_roles.o := --emit=metadata=$(obj)/shared/libd2d_roles.rmeta $(d2d-crates) \
				      --extern d2d --extern d2d_owner $(d2d-peer-roles:%=--extern d2d_%)
$(obj)/shared/roles/d2d_roles.o: $(obj)/shared/owner/d2d_owner.o

define d2d-peer-role-rules
RUSTFLAGS_shared/d2d_abi_$1.o := --emit=metadata=$(obj)/shared/libd2d_abi_$1.rmeta
$(call d2d-crate-once-more,shared/d2d/d2d_$1,$(d2d-top)/shared/d2d/d2d,--extern d2d_abi=$(obj)/shared/libd2d_abi_$1.rmeta,d2d_abi_$1)
$(call d2d-$1-crate,shared/pair/d2d_pair_$1,$(d2d-top)/shared/pair/d2d_pair)
$(obj)/shared/roles/d2d_roles.o: $(obj)/shared/d2d/d2d_$1.o
CFLAGS_shared/d2d/$1_role.o := $(d2d-$1-role-flags)
$(obj)/shared/d2d/$1_role.o: private modname := d2d
$(obj)/shared/d2d/$1_role.o: $(d2d-top)/shared/d2d/peer.c FORCE
	$$(call if_changed_rule,cc_o_c)
$(obj)/shared/d2d_abi_$1.rs: private d2d-bindgen-flags := \
	$(foreach name,$(filter-out d2d_the_owner,$(d2d-peer-names)),--raw-line 'pub use self::$1_$(name) as $(name);')
$(obj)/shared/d2d_abi_$1.rs: private d2d-bindgen-defines := $(d2d-$1-role-flags)
endef
$(foreach role,$(d2d-peer-roles),$(eval $(call d2d-peer-role-rules,$(role))))

$(obj)/shared/d2d/d2d.o: $(obj)/shared/d2d_abi.o
$(obj)/shared/owner/d2d_owner.o $(obj)/shared/pair/d2d_pair.o: $(obj)/shared/d2d/d2d.o

# Kbuild passes the compiler the names of all modules that link an object. scripts/Makefile.build does not quote this
# list for rustc, so each crate gets a single name here.
$(obj)/shared/d2d/d2d.o: private modfile := $(obj)/shared/d2d/d2d
$(obj)/shared/owner/d2d_owner.o: private modfile := $(obj)/shared/owner/d2d_owner
$(obj)/shared/pair/d2d_pair.o: private modfile := $(obj)/shared/pair/d2d_pair
$(obj)/shared/roles/d2d_roles.o: private modfile := $(obj)/shared/roles/d2d_roles
# Each object in C gets a single name, too: otherwise make compiles it again whenever the set of modules changes.
$(addprefix $(obj)/,$(d2d-peer) $(d2d-owner) shared/roles/joined_srcu.o): private modname := d2d

# $(call d2d-header,CRATE): makes CRATE.h, the C header of the pair that CRATE.rs declares (shared/d2d/c_header.rs)
filechk_d2d_header = $(OBJCOPY) -O binary --only-section=.discard.d2d_header $< $@.text && cat $@.text && rm -f $@.text
define d2d-header
$(obj)/$1.h: $(obj)/$1.o FORCE
	$$(call filechk,d2d_header)
targets += $1.h
endef
$(eval $(call d2d-header,shared/pair/d2d_pair))

# bindgen parses with libclang, which does not know all flags of gcc: pass only those that change what a header means.
bindgen-flags = $(filter -Wp$(comma)-MMD$(comma)% -I% -D% -U% -O% -std=% -nostdinc -include %.h -fms-% -fshort-% -fsigned-char -funsigned-char,$(c_flags))
# rustc and clang have different names for the same target, except for the first part.
bindgen-target := $(firstword $(subst -, ,$(if $(filter %.json,$(kernel-target)),$(shell sed -n 's/.*"llvm-target": "\(.*\)".*/\1/p' \
	$(kernel-target)),$(kernel-target))))-linux-gnu

quiet_cmd_d2d_bindgen = BINDGEN $@
      cmd_d2d_bindgen = \
	$(BINDGEN) $< --rust-target 1.85 --use-core --ctypes-prefix ::kernel::ffi \
		--no-derive-debug --no-prepend-enum-name \
		--with-derive-custom 'd2d_(header|ops|lent|endpoint|request|result|send|field|record|owner)=Clone,Copy' \
		--rustified-enum 'd2d_(step|key)' \
		--allowlist-file '(.*/)?shared/include/.*' --no-recursive-allowlist \
		$(foreach line,$(d2d-abi-head),--raw-line '$(subst ~, ,$(line))') \
		$(d2d-bindgen-flags) -o $@ -- $(bindgen-flags) $(d2d-bindgen-defines) \
		-w --target=$(bindgen-target) -fno-builtin -D__BINDGEN__ -DMODULE

# The build ID is a hash of the library's sources and of the versions of the compiler and the kernel. Some interfaces
# demand that both sides have the same build ID (fingerprint::build in shared/d2d/fingerprint.rs).
d2d-sources := $(sort $(wildcard $(d2d-top)/shared/*/*.rs $(d2d-top)/shared/*/*/*.rs $(d2d-top)/shared/*/*.[ch]))
d2d-sources := $(filter-out %/d2d_pair.h,$(d2d-sources))
# Each change of a source changes the hash, and make compiles every module again. qemu/mutants.sh avoids this: it builds
# all modules of a mutant together, with a constant D2D_BUILD_ID.
d2d-build-id := $(or $(D2D_BUILD_ID),$(shell { cat $(d2d-sources); echo '$(CONFIG_RUSTC_VERSION_TEXT) $(KERNELRELEASE)'; } | sha256sum | cut -c1-16))

# The head of the file that bindgen makes. Each line is one word; "~" stands for a blank.
d2d-abi-head := //!~Types~of~the~boundary,~made~from~shared/include/~by~bindgen. \
		$(pound)![allow(missing_docs,~non_camel_case_types,~unreachable_pub)] \
		$(pound)![allow(unsafe_op_in_unsafe_fn,~improper_ctypes,~clippy::all)] \
		$(pound)![allow(clippy::undocumented_unsafe_blocks,~clippy::ref_as_ptr,~clippy::ptr_as_ptr)] \
		use~::kernel::bindings::*; \
		pub~const~D2D_BUILD_ID:~u64~=~0x$(d2d-build-id);

d2d-abis-in-rust := shared/d2d_abi $(d2d-peer-roles:%=shared/d2d_abi_%)
$(d2d-abis-in-rust:%=$(obj)/%.rs): $(d2d-top)/shared/include/bindings.h $(d2d-top)/shared/include/d2d.h \
			  $(d2d-top)/shared/include/d2d_event.h $(d2d-top)/shared/include/d2d_owner.h \
			  $(d2d-top)/shared/include/d2d_hot_step.h \
			  $(d2d-top)/shared/include/d2d_table.h FORCE
	$(call if_changed,d2d_bindgen)
targets += $(d2d-abis-in-rust:%=%.rs) $(d2d-abis-in-rust:%=%.o)

clean-files += shared/*.rmeta shared/pair/d2d_pair.h $(d2d-abis-in-rust:%=%.rs) shared/.doc-* shared/.kernel-lacks*

# Our objects depend on Rust sources that the kernel's build has generated. scripts/Makefile.build has a rule that would
# generate them again in each build. Then make would compile all Rust code again, and would fail if the kernel's tree is
# read-only. This empty rule takes precedence. It names no folder, because objects of an earlier build may depend on
# the sources of another kernel tree.
generated_arch_%.rs: ;
