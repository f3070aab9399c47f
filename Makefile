# SPDX-License-Identifier: GPL-2.0
#
# `make [KDIR=...]` builds the modules like any out-of-tree modules: the kernel's build system reads Kbuild, not this
# file. Targets with "install" in their names run the scripts of install/, and `new` runs examples/new.sh. All other
# targets run in the lab (qemu/), which has compilers and kernels of its own and does not change the host. make passes
# the variables of its command line to the scripts in their environment.

KDIR ?= /lib/modules/$(shell uname -r)/build

# Refuse an empty variable instead of using the default: the user has made a mistake, such as KVER=$(typo).
$(foreach name,A ARCH B CASE DESTDIR DIR INSTALL_MOD_PATH KDIR KERNEL KVER MUTANTS PAIR PART PREFIX SECONDS SEED VM,\
	$(if $(and $(filter-out undefined,$(origin $(name))),$(if $(strip $($(name))),,empty)),$(error $(name) is empty)))

help = @printf '  %-22s %s\n' '$(1)' '$(2)'

# Build for a kernel of the lab if KVER is set. Do so, too, for ARCH=arm64 without KDIR: the tree of the running kernel,
# the default of KDIR, is for another architecture.
ifneq ($(KVER)$(if $(filter file,$(origin KDIR)),$(filter arm64,$(ARCH))),)
modules:
	@qemu/build.sh --list
else
modules:
	@[ -e "$(KDIR)/Makefile" ] || { echo "There is no kernel tree $(KDIR): 'make KDIR=DIR' builds for the tree DIR," \
		"'make KVER=VERSION' prepares Debian's kernel VERSION from its source" >&2; exit 1; }
	@flock -n $(CURDIR) true || echo "modules: another build holds $(CURDIR), waiting for it" >&2
	flock -o $(CURDIR) $(MAKE) -C $(KDIR) M=$(CURDIR) modules
endif

modules_install modules_uninstall:
	@install/modules.sh $@

install-dev uninstall-dev:
	@install/dev.sh $@

# Read LANG and OWNER from make's command line only. In the environment, LANG is the language of messages, and OWNER may
# mean anything.
given = $(if $(filter command,$(origin $1)),$($1),$2)
new:
	@examples/new.sh '$(call given,LANG,rust)' '$(call given,OWNER,$(call given,LANG,rust))'

run shell:
	@qemu/vm.sh $@

gdb:
	@qemu/gdb.sh $(VM)

trace:
	@qemu/trace.sh

test:
	@qemu/test.sh

test-kernels:
	@qemu/kernels.sh

verify:
	@qemu/verify.sh '$(PART)'

torture:
	@qemu/torture.sh '$(SECONDS)' '$(SEED)'

sweep:
	@qemu/sweep.sh

bench:
	@qemu/bench.sh

bench-check:
	@qemu/bench-check.sh

check:
	@qemu/check.sh

model:
	@qemu/model.sh

mutants:
	@qemu/mutants.sh $(MUTANTS)

windows:
	@qemu/windows.sh

compare:
	@windows/compare/compare.sh

windows-example:
	@qemu/windows-example.sh

docs:
	@qemu/docs.sh

rust-analyzer:
	@qemu/rust-analyzer.sh

rust-headers:
	@qemu/rust-headers.sh

clean:
	@qemu/clean.sh

distclean: clean
	@qemu/clean.sh --cache

help:
	@echo 'Targets:'
	$(call help,modules,build the modules of the demonstration and of the pairs in examples/ (the default))
	$(call help,modules_install,install module_a and module_b for modprobe; INSTALL_MOD_PATH=DIR installs below DIR)
	$(call help,modules_uninstall,remove them again)
	$(call help,install-dev,install the library for drivers outside of this tree; PREFIX=/usr/local; below DESTDIR=DIR)
	$(call help,uninstall-dev,remove it again)
	$(call help,new,write a pair of your own to DIR: PAIR=gauge A=gauged (owner) B=gaugectl (peer) DIR=../gauge; LANG=c: in C; OWNER=c or OWNER=rust: the owner in another language than the peer)
	$(call help,run,boot the stock kernel; play the demonstration or use the pair in PAIR=DIR; print the trace)
	$(call help,trace,play the demonstration and write its trace to build/trace/: a page with a picture and more)
	$(call help,test,run the kselftests on the stock kernel (5 minutes); with CASE= run one of them)
	$(call help,test-kernels,make run and make test on each kernel of docs/kernels.md; print the table of that page)
	$(call help,verify,run all other tests in parts; PART=NAME runs one part; PART=list lists them)
	$(call help,torture,run the torture on two real CPUs in User-Mode Linux: SECONDS=30 SEED=random)
	$(call help,sweep,make each allocation of a pair of your own fail in turn: PAIR=DIR)
	$(call help,bench,compare the speed of the library with that of a C twin and of mechanisms of the kernel; write docs/results.md)
	$(call help,bench-check,fail if an operation takes over 3 percent more instructions than recorded)
	$(call help,shell,boot a virtual machine with an interactive console)
	$(call help,gdb,attach gdb to a virtual machine that was started with GDB=1; VM=DIR if there are several)
	$(call help,check,check formatting and documentation; run lints (clippy checkpatch shellcheck) and unit tests)
	$(call help,model,check every interleaving of the models of the protocols with spin; check the orderings with herd7)
	$(call help,mutants,check that a test notices each fault in selftests/mutants/; MUTANTS="NAME..." selects some)
	$(call help,windows,build the Windows version of the pair with mingw-w64)
	$(call help,compare,run the Windows version under Wine and compare its trace with that of Linux)
	$(call help,windows-example,run the Windows examples of docs/porting.md under Wine; make test runs their ports to Linux)
	$(call help,docs,write documentation of the Rust crates, the C headers and the guides to build/docs/)
	$(call help,rust-analyzer,write rust-project.json for editors)
	$(call help,rust-headers,write a Debian package to build/ that adds to linux-headers-KVER what modules in Rust need)
	$(call help,clean,remove what was built in this directory)
	$(call help,distclean,also remove the cache: toolchain roots and kernels)
	@echo 'Variables:'
	$(call help,KDIR=DIR,kernel tree for the target modules (default: that of the running kernel))
	$(call help,KERNEL=NAME,kernel of run and shell and test: stock or uml or sanitizer or debug or strict (default: stock))
	$(call help,ARCH=arm64,run and test and shell and trace and modules for arm64; QEMU emulates the machine)
	$(call help,CASE=PROGRAM[:TEXT],one program for test or its first case whose name contains TEXT; CASE=list lists them)
	$(call help,PAIR=DIR,a pair of your own: test runs its test.sh; run and torture and sweep do what its file "use" says; shell adds it to the machine)
	$(call help,GDB=1,run and shell wait for make gdb; KERNEL=debug has the symbols for it)
	$(call help,KVER=VERSION,a Debian kernel for the lab instead of the newest)
	$(call help,A_PARAMS= B_PARAMS=,parameters of module_a and module_b or of the owner and peer of PAIR for run: A_PARAMS="completion=1")
	$(call help,V=1,show the commands of the module build)
	@echo 'The first use of the lab takes 4 to 6 minutes and 5 GB in ~/.cache/beyond-irps. The first make verify'
	@echo 'needs 11 GB more, as it prepares five kernels and four more roots (docs/testing.md says how long it takes).'

.PHONY: modules modules_install modules_uninstall install-dev uninstall-dev new run shell gdb test test-kernels verify torture sweep bench bench-check check model mutants clean distclean trace windows compare windows-example docs rust-analyzer rust-headers help
