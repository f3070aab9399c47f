# What the kernel's gdb scripts need on top, here. For gdb, when it is connected.

import gdb
import linux.symbols
import linux.utils


class LoadModuleBreakpoint(gdb.Breakpoint):
    """Where lx-symbols learns of a module. Its own takes the argument of do_init_module by name, of
    which a kernel that clang has compiled knows nothing at the function's beginning."""

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

# Before a machine's first instruction there is no kernel yet to look into.
if gdb.parse_and_eval("$pc") == 0xFFF0:
    gdb.execute("thbreak start_kernel")
    gdb.execute("continue")
