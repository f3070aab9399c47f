# SPDX-License-Identifier: GPL-2.0
# Corrects the kernel's gdb scripts for kernels that clang has compiled. qemu/gdb.sh sources this file.

import gdb
import linux.symbols
import linux.utils


class LoadModuleBreakpoint(gdb.Breakpoint):
    """Tells lx-symbols that the kernel has loaded a module. The class of this name in the kernel's scripts reads the
    argument of do_init_module by its name, mod. In a kernel that clang has compiled, gdb cannot read mod at the first
    instruction of the function, so this class reads the register that has the argument."""

    def __init__(self, spec, command):
        super().__init__("*do_init_module", internal=True)
        self.silent = True
        self.command = command

    def stop(self):
        module = gdb.parse_and_eval("(struct module *)$rdi").dereference()
        self.command.module_files_updated = False
        with linux.utils.pagination_off():
            if module["name"].string() in self.command.loaded_modules:
                self.command.load_all_symbols()
            else:
                self.command.load_module_symbols(module)
        return False


linux.symbols.LoadModuleBreakpoint = LoadModuleBreakpoint

# Before the machine's first instruction, memory has no kernel yet.
if gdb.parse_and_eval("$pc") == 0xFFF0:
    gdb.execute("thbreak start_kernel")
    gdb.execute("continue")
