# SPDX-License-Identifier: GPL-2.0
# Documentation of the library's crates by rustdoc, in the folder D2D_DOCS. A warning is an error.

d2d-docs := d2d_abi d2d d2d_owner d2d_pair
always-y += $(d2d-docs:%=shared/.doc-%)

d2d-doc-source-d2d_abi := $(obj)/shared/d2d_abi.rs
d2d-doc-source-d2d := $(src)/shared/d2d/d2d.rs
d2d-doc-source-d2d_owner := $(src)/shared/owner/d2d_owner.rs
d2d-doc-source-d2d_pair := $(src)/shared/pair/d2d_pair.rs

# As rust_common_cmd of scripts/Makefile.build, but for rustdoc
quiet_cmd_d2d_rustdoc = RUSTDOC $*
      cmd_d2d_rustdoc = \
	OBJTREE=$(abspath $(objtree)) RUST_MODFILE=$* $(RUSTDOC) $(filter-out --emit=% --remap-path-scope=%, $(rust_flags)) \
		-Zallow-features=$(rust_allowed_features) -Zcrate-attr=no_std \
		-Zcrate-attr='feature($(rust_allowed_features))' \
		-Zunstable-options --sysroot=/dev/null -L $(objtree)/rust/ -L $(obj)/shared \
		$(addprefix --extern ,pin_init kernel zerocopy zerocopy_derive $(filter-out $*,$(d2d-docs))) \
		$(foreach crate,kernel pin_init macros,--extern-html-root-url $(crate)=https://rust.docs.kernel.org/) \
		--extern-html-root-takes-precedence --document-private-items --generate-link-to-definition --enable-index-page \
		-Dwarnings --crate-name $* --output $(D2D_DOCS) $(d2d-doc-source-$*); touch $@

$(d2d-docs:%=$(obj)/shared/.doc-%): $(obj)/shared/.doc-%: $(obj)/shared/pair/d2d_pair.o \
		$(obj)/shared/owner/d2d_owner.o FORCE
	$(call if_changed,d2d_rustdoc)
