# SPDX-License-Identifier: GPL-2.0
# For the Kbuild of a peer in Rust outside of the project's tree, which calls d2d-rust-peer (shared/library.mk). The
# library is compiled with the driver, from its installed sources: metadata would bind it to one compiler and one kernel.
# docs/install.md has an example.

include $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))/c.mk
include $(d2d-installed)/shared/library.mk

# The objects of the library are in the folder shared/ of the driver, and their sources in that of the installation.
vpath %.rs $(d2d-installed)
vpath %.c $(d2d-installed)
