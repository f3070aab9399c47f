# SPDX-License-Identifier: GPL-2.0
# For the Kbuild of a peer in C outside of the project's tree: the headers, and the symbols of module_a. docs/install.md
# has an example.

d2d-installed := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))

ccflags-y += -I$(d2d-installed)/shared/include

# `make clean` reads the Kbuild without a configuration of the kernel.
ifdef CONFIG_MODULES
ifeq ($(wildcard $(d2d-installed)/symvers/$(KERNELRELEASE)),)
$(error There is no $(d2d-installed)/symvers/$(KERNELRELEASE): build Beyond IRPs for this kernel, and run make install-dev there)
endif
KBUILD_EXTRA_SYMBOLS += $(d2d-installed)/symvers/$(KERNELRELEASE)
endif
