# SPDX-License-Identifier: GPL-2.0
#
# make [KDIR=...]   builds the modules as every out-of-tree module is built; the kernel's
# build system reads Kbuild, not this file. All other targets work in the lab
# (qemu/): they bring their own compilers and kernel, and leave the host alone. The lab's scripts find
# variables of the command line in their environment.

KDIR ?= /lib/modules/$(shell uname -r)/build

# An empty variable that selects something is a mistake: it selects nothing.
$(foreach name,CASE KDIR KERNEL KVER MUTANTS PART SECONDS SEED VM,\
	$(if $(and $(filter-out undefined,$(origin $(name))),$(if $(strip $($(name))),,empty)),$(error $(name) is empty)))

help = @printf '  %-22s %s\n' '$(1)' '$(2)'

ifdef KVER
modules:
	@qemu/build.sh
	@ls build/$(KVER)/*.ko
else
modules:
	@[ -e "$(KDIR)/Makefile" ] || { echo "There is no kernel tree $(KDIR): 'make KDIR=DIR' takes another one," \
		"'make KVER=VERSION' prepares that Debian kernel from its source" >&2; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules
endif

run shell:
	@qemu/vm.sh $@

gdb:
	@qemu/gdb.sh $(VM)

trace:
	@qemu/trace.sh

test:
	@qemu/test.sh

verify:
	@qemu/verify.sh '$(PART)'

torture:
	@qemu/torture.sh '$(SECONDS)' '$(SEED)'

bench:
	@qemu/bench.sh

bench-check:
	@qemu/bench-check.sh

check:
	@qemu/check.sh

model:
	@qemu/enter.sh selftests/model/run.sh

mutants:
	@qemu/mutants.sh $(MUTANTS)

windows:
	@qemu/windows.sh

compare:
	@windows/compare/compare.sh

example:
	@qemu/example.sh

docs:
	@qemu/docs.sh

rust-analyzer:
	@qemu/rust-analyzer.sh

clean:
	@qemu/clean.sh

distclean: clean
	@qemu/clean.sh --cache

help:
	@echo 'Targets:'
	$(call help,modules,build module_a.ko and module_b.ko (the default))
	$(call help,run,boot a stock kernel and play the demonstration; print its trace)
	$(call help,trace,play it and leave its trace in build/trace/: a page with a picture and more)
	$(call help,test,the kselftests: on the stock kernel in 5 minutes; with CASE= one of them)
	$(call help,verify,everything else in parts; PART=NAME runs one: PART=? lists them)
	$(call help,torture,load on two real CPUs in User-Mode Linux: SECONDS=30 SEED=random)
	$(call help,bench,measure against C and what the kernel has for the same; write docs/results.md)
	$(call help,bench-check,the guard: fail if an operation takes over 3 percent more instructions than recorded)
	$(call help,shell,such a VM with an interactive console)
	$(call help,gdb,attach the debugger to a VM that was started with GDB=1: VM=DIR if there are several)
	$(call help,check,formatting and lints: rustfmt clippy checkpatch shellcheck; tests of the tools)
	$(call help,model,explore models of the detach protocol completely with spin)
	$(call help,mutants,show that the tests notice what selftests/mutants/ breaks: MUTANTS="NAME...")
	$(call help,windows,build the Windows version of the pair with mingw-w64)
	$(call help,compare,play it under Wine and compare its trace with that of Linux)
	$(call help,example,play the example of docs/porting.md in its Windows form; its port is in test)
	$(call help,docs,write documentation of the Rust crates and the guides to build/docs/)
	$(call help,rust-analyzer,write rust-project.json for editors)
	$(call help,clean,remove what was built here)
	$(call help,distclean,and the cache: toolchain root and kernels)
	@echo 'Variables:'
	$(call help,KDIR=DIR,kernel tree for modules (default: the running kernel))
	$(call help,KERNEL=NAME,stock or sanitizer: run and shell on that one (stock); test on that one alone)
	$(call help,CASE=PROGRAM[:TEXT],test: that program of selftests/ or its first case whose name contains TEXT)
	$(call help,GDB=1,run and shell wait for a debugger; KERNEL=sanitizer has the symbols for it)
	$(call help,KVER=VERSION,a Debian kernel for the lab instead of the newest)
	$(call help,A_PARAMS= B_PARAMS=,module parameters for run: A_PARAMS="completion=1")
	$(call help,V=1,show the commands of the module build)
	@echo 'The first use of the lab takes 4 to 6 minutes and 5 GB in ~/.cache/beyond-irps, the first'
	@echo 'make verify about an hour and 5 GB more, as it builds two kernels and a second root.'

.PHONY: modules run shell gdb test verify torture bench bench-check check model mutants clean distclean trace windows compare example docs rust-analyzer help
