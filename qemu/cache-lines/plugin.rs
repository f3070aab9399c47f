// SPDX-License-Identifier: GPL-2.0

//! The interface to QEMU. Its functions are declared as in version 4 of qemu-plugin.h.

use crate::{report, Section, Symbols};
use std::ffi::{c_char, c_int, c_uint, c_void, CStr};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};

/// A section begins with `xchg %bx, %bx`, which does nothing.
const BEGIN: [u8; 3] = [0x66, 0x87, 0xdb];
/// A section ends with `xchg %cx, %cx`.
const END: [u8; 3] = [0x66, 0x87, 0xc9];

const NO_REGISTERS: c_int = 0;
const STORES: c_int = 2;

type OnBlockOrExit = extern "C" fn(u64, *mut c_void);
type OnExecution = extern "C" fn(c_uint, *mut c_void);
type OnAccess = extern "C" fn(c_uint, u32, u64, *mut c_void);

extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: u64, call: OnBlockOrExit);
    fn qemu_plugin_register_atexit_cb(id: u64, call: OnBlockOrExit, data: *mut c_void);
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        instruction: *mut c_void,
        call: OnExecution,
        flags: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_register_vcpu_mem_cb(
        instruction: *mut c_void,
        call: OnAccess,
        flags: c_int,
        accesses: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_tb_n_insns(block: *const c_void) -> usize;
    fn qemu_plugin_tb_get_insn(block: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_data(instruction: *const c_void, to: *mut c_void, size: usize) -> usize;
    fn qemu_plugin_insn_vaddr(instruction: *const c_void) -> u64;
    fn qemu_plugin_mem_size_shift(access: u32) -> c_uint;
}

#[no_mangle]
pub static qemu_plugin_version: c_int = 4;

struct Cpu {
    /// Whether the CPU is inside a section
    inside: AtomicBool,
    /// The sections that the CPU has begun
    sections: Mutex<Vec<Section>>,
}

static CPUS: [Cpu; 2] = [const {
    Cpu {
        inside: AtomicBool::new(false),
        sections: Mutex::new(Vec::new()),
    }
}; 2];

static OUT: OnceLock<String> = OnceLock::new();

extern "C" fn begin(cpu: c_uint, _: *mut c_void) {
    if let Some(cpu) = CPUS.get(cpu as usize) {
        cpu.sections.lock().unwrap().push(Section::default());
        cpu.inside.store(true, Relaxed);
    }
}

extern "C" fn end(cpu: c_uint, _: *mut c_void) {
    if let Some(cpu) = CPUS.get(cpu as usize) {
        cpu.inside.store(false, Relaxed);
    }
}

extern "C" fn store(cpu: c_uint, access: u32, address: u64, instruction: *mut c_void) {
    let Some(cpu) = CPUS.get(cpu as usize) else {
        return;
    };
    if cpu.inside.load(Relaxed) {
        // SAFETY: QEMU has passed this access.
        let bytes = 1 << unsafe { qemu_plugin_mem_size_shift(access) };
        if let Some(section) = cpu.sections.lock().unwrap().last_mut() {
            section.store(address, bytes, instruction as u64);
        }
    }
}

extern "C" fn translate(_: u64, block: *mut c_void) {
    // SAFETY: QEMU has passed a block, which is valid during the call.
    for index in 0..unsafe { qemu_plugin_tb_n_insns(block) } {
        let mut bytes = [0; 16];
        // SAFETY: The block has this instruction, valid during the call. There is room for the bytes.
        unsafe {
            let instruction = qemu_plugin_tb_get_insn(block, index);
            let size = qemu_plugin_insn_data(instruction, bytes.as_mut_ptr().cast(), bytes.len());
            let address = qemu_plugin_insn_vaddr(instruction) as *mut c_void;
            match &bytes[..size] {
                data if data == BEGIN => qemu_plugin_register_vcpu_insn_exec_cb(
                    instruction,
                    begin,
                    NO_REGISTERS,
                    address,
                ),
                data if data == END => {
                    qemu_plugin_register_vcpu_insn_exec_cb(instruction, end, NO_REGISTERS, address)
                }
                _ => qemu_plugin_register_vcpu_mem_cb(
                    instruction,
                    store,
                    NO_REGISTERS,
                    STORES,
                    address,
                ),
            }
        }
    }
}

extern "C" fn exit(_: u64, _: *mut c_void) {
    let Some(path) = OUT.get() else {
        return;
    };
    let symbols = Symbols::read(&fs::read_to_string(path).unwrap_or_default());
    let [first, second] = CPUS.each_ref().map(|cpu| cpu.sections.lock().unwrap());
    if let Err(error) = fs::write(path, report([&first, &second], &symbols)) {
        eprintln!("d2d-cache-lines: {path}: {error}");
    }
}

/// # Safety
///
/// `argv` has `argc` strings.
#[no_mangle]
pub unsafe extern "C" fn qemu_plugin_install(
    id: u64,
    _info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    for index in 0..argc as usize {
        // SAFETY: `argv` has `argc` strings.
        let argument = unsafe { CStr::from_ptr(*argv.add(index)) }.to_string_lossy();
        match argument.strip_prefix("out=") {
            Some(path) => OUT.get_or_init(|| path.into()),
            None => return 1,
        };
    }
    // SAFETY: QEMU has passed the plugin's number. The functions have the types that QEMU calls.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
        qemu_plugin_register_atexit_cb(id, exit, std::ptr::null_mut());
    }
    0
}
