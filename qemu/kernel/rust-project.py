#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
# Adds the crates of this project to the rust-project.json that the kernel's build has written, and prints the result.
# Usage: rust-project.py BUILD ROOT PROJECT
# BUILD is a build directory of the modules, whose .cmd files name the crates. ROOT is the toolchain root.

import json
import pathlib
import re
import sys

build, root, project = map(pathlib.Path, sys.argv[1:])
result = json.loads((build / "rust-project.json").read_text())
crates = result["crates"]


def on_the_host(path):
    return str(root) + path if path.startswith("/usr/lib/rustlib/") else path


result["sysroot"] = str(root) + result["sysroot"]
for crate in crates:
    crate["root_module"] = on_the_host(crate["root_module"])
index = {crate["display_name"]: number for number, crate in enumerate(crates)}
generated_cfg = crates[index["kernel"]]["cfg"]


def add(name, source, uses, cfg, env):
    crates.append(
        {
            "display_name": name,
            "root_module": str(source),
            "is_workspace_member": True,
            "deps": [{"crate": index[used], "name": used} for used in uses],
            "cfg": cfg,
            "edition": "2021",
            "env": env,
        }
    )


commands = {}
for file in build.rglob(".*.o.cmd"):
    text = file.read_text()
    command = text.splitlines()[0]
    source = re.search(r"^source_\S+ := (\S+\.rs)$", text, re.MULTILINE)
    if source and "RUST_MODFILE=" in command:
        uses = re.findall(r"--extern (\w+)", command)
        commands[(build / source[1]).resolve()] = ["core", *dict.fromkeys(uses)]

todo = dict(sorted(commands.items()))
while todo:
    ready = [source for source, uses in todo.items() if all(used in index for used in uses)]
    if not ready:
        sys.exit(f"these use a crate that no source makes: {', '.join(map(str, todo))}")
    for source in ready:
        add(source.stem, source, todo.pop(source), generated_cfg, {"RUST_MODFILE": source.stem})
        index.setdefault(source.stem, len(crates) - 1)

known = {crate["root_module"] for crate in crates}
for top in ("qemu", "selftests"):
    for source in sorted((project / top).rglob("*.rs")):
        if str(source) not in known and re.search(r"^fn main\(", source.read_text(), re.MULTILINE):
            name = source.parent.name if source.stem == "main" else source.stem
            add(name, source, ["std"], [], {})

json.dump(result, sys.stdout, sort_keys=True, indent=4)
