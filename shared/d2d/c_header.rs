// SPDX-License-Identifier: GPL-2.0

//! The C header of a pair, written at compile time.
//!
//! [`pair!`](crate::pair!) puts the header into the section `.discard.d2d_header` of an object.
//! `shared/library.mk` copies the section to a file. The kernel's linker script leaves the section
//! out of modules.

use crate::{
    c_name::{
        begins_with,
        is_same, //
    },
    declaration::{
        Code,
        Declaration,
        Operation,
        Operations,
        Struct,
        Type, //
    },
    event::Kind,
    fingerprint,
    for_each::for_each, //
};

/// A text of at most `N` bytes that is being written. If `N` is 0, its bytes are only counted.
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
    /// The column of the next byte.
    column: usize,
}

/// The most columns of a line of documentation.
const WIDTH: usize = 100;

/// Returns the length of the blank at the index `blank` together with the word after it.
#[inline]
const fn word_after(line: &[u8], blank: usize) -> usize {
    let mut end = blank + 1;
    while end < line.len() && line[end] != b' ' {
        end += 1;
    }
    end - blank
}

/// Refuses an array as an argument or result. C cannot pass it by value. A pointer to it fails in a
/// kernel with CFI, which compares types: rustc and clang do not agree on the pointer's type.
#[inline]
const fn check_operand(of: &Type) {
    assert!(
        of.element.is_none(),
        "an operation has an array: declare a structure with it"
    );
}

impl<const N: usize> Text<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
            column: 0,
        }
    }

    pub(crate) const fn written(&self) -> &[u8] {
        self.bytes.split_at(self.len).0
    }

    pub(crate) const fn byte(&mut self, byte: u8) {
        if N > 0 {
            self.bytes[self.len] = byte;
        }
        self.len += 1;
        self.column = match byte {
            b'\n' => 0,
            b'\t' => (self.column / 8 + 1) * 8,
            _ => self.column + 1,
        };
    }

    const fn text(&mut self, text: &str) {
        for_each!(&byte in text.as_bytes() => {
            self.byte(byte);
        });
    }

    pub(crate) const fn texts(&mut self, texts: &[&str]) {
        for_each!(text in texts => {
            self.text(text);
        });
    }

    const fn upper(&mut self, text: &str) {
        for_each!(byte in text.as_bytes() => {
            self.byte(byte.to_ascii_uppercase());
        });
    }

    const fn decimal(&mut self, number: usize) {
        if number >= 10 {
            self.decimal(number / 10);
        }
        self.byte(b'0' + (number % 10) as u8);
    }

    const fn hexadecimal(&mut self, number: u64, digits: u32) {
        let mut left = digits;
        self.text("0x");
        while left > 0 {
            left -= 1;
            let digit = (number >> (4 * left)) as u8 & 15;
            self.byte(if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            });
        }
    }

    /// Writes documentation and a line feed. Each line but the first begins with ` *` and `indent`.
    /// Leaves out the brackets of rustdoc's links.
    const fn docs(&mut self, docs: &[&str], indent: u8) {
        let mut line = 0;
        while line < docs.len() {
            let bytes = docs[line].as_bytes();
            // A line that continues a paragraph is joined to the line before, with the blank that
            // `///` leaves. Any other line becomes a line of its own in C, without this blank.
            let begins = bytes.len() < 2 || matches!(bytes[1], b'-' | b' ');
            let joins = line > 0 && !begins && docs[line - 1].len() > 1;
            let mut i = if joins || bytes.is_empty() || bytes[0] != b' ' {
                0
            } else {
                1
            };
            if line > 0 && !joins {
                self.text("\n *");
                if i < bytes.len() {
                    self.byte(indent);
                }
            }
            while i < bytes.len() {
                let next = if i + 1 < bytes.len() { bytes[i + 1] } else { 0 };
                assert!(
                    bytes[i] != b'*' || next != b'/',
                    "documentation would end the comment in the C header"
                );
                let opens = bytes[i] == b'[' && next == b'`';
                let closes = bytes[i] == b']' && i > 0 && bytes[i - 1] == b'`';
                if bytes[i] == b' ' && self.column + word_after(bytes, i) > WIDTH {
                    self.text("\n *");
                    self.byte(indent);
                } else if !opens && !closes {
                    self.byte(bytes[i]);
                }
                i += 1;
            }
            line += 1;
        }
        self.byte(b'\n');
    }

    const fn name_of(&mut self, of: &Type) {
        if let Some(element) = of.element {
            return self.name_of(element);
        }
        if !of.fields.is_empty() {
            self.text("struct ");
        }
        self.text(of.name);
    }

    const fn dimensions(&mut self, of: &Type) {
        if let Some(element) = of.element {
            self.byte(b'[');
            self.decimal(of.count);
            self.byte(b']');
            self.dimensions(element);
        }
    }

    /// Writes a line such as `Payload: u64`.
    const fn value(&mut self, what: &str, of: &Type) {
        self.text(" *\t");
        self.text(what);
        if of.size == 0 {
            self.text("none");
        } else {
            self.name_of(of);
            self.dimensions(of);
        }
        self.byte(b'\n');
    }

    const fn structure(&mut self, &Struct { docs, of }: &Struct) {
        self.texts(&["\n/**\n * struct ", of.name, " - "]);
        self.docs(docs, b'\t');
        for_each!(field in of.fields => {
            self.texts(&[" * @", field.name, ": "]);
            self.docs(field.docs, b'\t');
        });
        self.texts(&[" */\nstruct ", of.name, " {\n"]);
        for_each!(field in of.fields => {
            self.byte(b'\t');
            self.name_of(field.of);
            self.texts(&[" ", field.name]);
            self.dimensions(field.of);
            self.text(";\n");
        });
        self.texts(&["};\n\nstatic_assert(sizeof(struct ", of.name, ") == "]);
        self.decimal(of.size);
        self.text(");\n");
        for_each!(field in of.fields => {
            self.texts(&["static_assert(offsetof(struct ", of.name, ", ", field.name, ") == "]);
            self.decimal(field.offset);
            self.text(");\n");
        });
    }

    const fn hash_of(&mut self, of: &Type) {
        self.text("\n/* For d2d_lend() and d2d_lent() */\n#define ");
        self.upper(of.name);
        self.text("_HASH\t");
        self.hexadecimal(fingerprint::of_type(of), 16);
        self.text("ull\n");
    }

    const fn size_of(&mut self, block: &Type) {
        if block.size == 0 {
            self.byte(b'0');
        } else {
            self.text("sizeof(");
            self.name_of(block);
            self.dimensions(block);
            self.byte(b')');
        }
    }

    const fn data_sizes(&mut self, of: &Declaration) {
        self.text("\n/* For struct d2d_owner: the sizes of the blocks of data */\n#define ");
        self.upper(of.name);
        self.text("_DATA_SIZES \\\n\t.owner_size = ");
        self.size_of(of.owner_data);
        self.text(", \\\n\t.peer_size = ");
        self.size_of(of.peer_data);
        self.text(", \\\n\t.shared_size = ");
        self.size_of(of.shared_data);
        self.text(", \\\n\t.sizes_hash = ");
        self.constant(of.name, "owner", "version_");
        self.decimal(of.minor as usize);
        self.byte(b'\n');
    }

    const fn kinds(&mut self, declaration: &Declaration) {
        for_each!(kind in declaration.kinds => {
            self.text("\n/*\n * ");
            self.docs(kind.docs, b' ');
            self.value("Payload: ", kind.payload);
            self.text(" */\n#define ");
            self.upper(declaration.name);
            self.texts(&["_KIND_", kind.name, "\t"]);
            self.decimal(kind.number as usize);
            self.byte(b'\n');
        });
    }

    const fn code_name(&mut self, declaration: &Declaration, code: &Code) {
        self.upper(declaration.name);
        self.texts(&["_IOCTL_", code.name]);
    }

    const fn codes(&mut self, declaration: &Declaration) {
        if declaration.codes.is_empty() {
            return;
        }
        self.texts(&["\n/**\n * enum ", declaration.name, "_ioctl"]);
        self.text(" - the requests\n");
        for_each!(code in declaration.codes => {
            self.text(" * @");
            self.code_name(declaration, code);
            self.text(": ");
            self.docs(code.docs, b'\t');
            self.value("Input: ", code.input);
            self.value("Output: ", code.output);
        });
        self.texts(&[" */\nenum ", declaration.name, "_ioctl {\n"]);
        for_each!(code in declaration.codes => {
            self.byte(b'\t');
            self.code_name(declaration, code);
            self.text(" = D2D_CTL_CODE(");
            self.hexadecimal(code.number as u64, 3);
            self.text(", D2D_METHOD_BUFFERED),\n");
        });
        self.text("};\n");
    }

    const fn events(&mut self, declaration: &Declaration) {
        for_each!(event in declaration.events => {
            self.text("\n/*\n * ");
            self.docs(event.docs, b' ');
            self.text(" *\tFor d2d_event_create_of() and d2d_event_open_of()\n */\n#define ");
            self.constant(declaration.name, "event", event.name);
            self.texts(&["\t\"", event.name]);
            self.text(match event.kind {
                Kind::Notification => "\", D2D_EVENT_NOTIFICATION\n",
                Kind::Synchronization => "\", D2D_EVENT_SYNCHRONIZATION\n",
            });
        });
    }

    /// Writes `PAIR_SIDE_NAME`.
    const fn constant(&mut self, pair: &str, side: &str, name: &str) {
        self.upper(pair);
        self.byte(b'_');
        self.upper(side);
        self.byte(b'_');
        self.upper(name);
    }

    const fn name_of_hash(
        &mut self,
        of: &Declaration,
        side: &str,
        operations: &Operations,
        index: usize,
    ) {
        match index.checked_sub(of.minor as usize + 1) {
            None => {
                self.constant(of.name, side, "version_");
                self.decimal(index);
            }
            Some(operation) => {
                let name = operations.list[operation].name;
                assert!(
                    !begins_with(name, "version_") && !begins_with(name, "chain"),
                    "the C header would use the name of an operation twice"
                );
                self.constant(of.name, side, name);
            }
        }
    }

    const fn chain(&mut self, of: &Declaration, side: &str, operations: &Operations) {
        self.byte(b'\n');
        let mut i = 0;
        while i < operations.chain.len() {
            self.text("#define ");
            self.name_of_hash(of, side, operations, i);
            self.byte(b'\t');
            self.hexadecimal(operations.chain[i], 16);
            self.text("ull\n");
            i += 1;
        }
        self.text("#define ");
        self.constant(of.name, side, "chain");
        self.text(" { \\\n");
        i = 0;
        while i < operations.chain.len() {
            self.byte(b'\t');
            self.name_of_hash(of, side, operations, i);
            self.text(", \\\n");
            i += 1;
        }
        self.text("}\n");
    }

    const fn operation(&mut self, operation: &Operation) {
        self.texts(&["\tint (*", operation.name, ")(void *self, "]);
        for_each!(argument in operation.arguments => {
            check_operand(argument.of);
            assert!(
                !is_same(argument.name, "result"),
                "the C header would use the name of an argument twice"
            );
            self.name_of(argument.of);
            self.texts(&[" ", argument.name, ", "]);
        });
        check_operand(operation.result);
        self.name_of(operation.result);
        self.text(" *result);\n");
    }

    const fn table(&mut self, pair: &str, side: &str, operations: &Operations) {
        self.texts(&["\n/**\n * struct ", pair, "_", side, "_ops - "]);
        self.docs(operations.docs, b'\t');
        self.text(" * @hdr: describes the table\n");
        for_each!(operation in operations.list => {
            self.texts(&[" * @", operation.name, ": "]);
            self.docs(operation.docs, b'\t');
        });
        self.texts(&[" */\nstruct ", pair, "_", side, "_ops {\n"]);
        self.text("\tstruct d2d_ops hdr;\n");
        for_each!(operation in operations.list => {
            self.operation(operation);
        });
        self.text("};\n");
    }

    const fn header(&mut self, of: &Declaration, owner: &Operations, peer: &Operations) {
        self.text("/* SPDX-License-Identifier: GPL-2.0 */\n/*\n * ");
        self.docs(of.docs, b' ');
        self.text(
            " *\n * Generated from the declaration in Rust: do not edit.\n *\n\
             \x20* Every operation returns 0 or a negative errno and, on success, writes its result to\n\
             \x20* *result.\n */\n#ifndef ",
        );
        self.upper(of.name);
        self.text("_H\n#define ");
        self.upper(of.name);
        self.text("_H\n\n#include \"d2d.h\"\n");
        if !of.events.is_empty() {
            self.text("#include \"d2d_event.h\"\n");
        }
        self.text("\n#define ");
        self.upper(of.name);
        self.text("_MAJOR\t");
        self.decimal(of.major as usize);
        self.text("\n#define ");
        self.upper(of.name);
        self.text("_MINOR\t");
        self.decimal(of.minor as usize);
        self.text("\n\n/* The hash chains of both tables: see struct d2d_ops. */");
        self.chain(of, "owner", owner);
        self.chain(of, "peer", peer);
        for_each!(structure in of.structs => {
            self.structure(structure);
        });
        for_each!(lent in of.lent => {
            self.structure(lent);
            self.hash_of(lent.of);
        });
        self.data_sizes(of);
        self.kinds(of);
        self.codes(of);
        self.events(of);
        self.table(of.name, "owner", owner);
        self.table(of.name, "peer", peer);
        self.text("\n#endif /* ");
        self.upper(of.name);
        self.text("_H */\n");
    }
}

/// Returns the size of the header of a pair, in bytes.
#[inline]
pub const fn size(of: &Declaration, owner: &Operations, peer: &Operations) -> usize {
    let mut text = Text::<0>::new();
    text.header(of, owner, peer);
    text.len
}

/// Returns the header of a pair. `N` is its [`size`].
pub const fn write<const N: usize>(
    of: &Declaration,
    owner: &Operations,
    peer: &Operations,
) -> [u8; N] {
    let mut text = Text::<N>::new();
    text.header(of, owner, peer);
    text.bytes
}
