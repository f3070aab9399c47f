// SPDX-License-Identifier: GPL-2.0

//! Finds the kernel's reports of trouble ("splats") in a log. The search is necessary: reports of lockdep,
//! might_sleep, spinlock debugging and kmemleak cause no panic and no taint, even with panic_on_warn.

/// A line that contains one of these texts is a report.
const ANYWHERE: &[&str] = &[
    // oopses and panics
    "kernel BUG at",
    "Oops: ",
    "Kernel panic",
    "general protection fault",
    "Unable to handle kernel",
    "unable to handle page fault",
    "divide error:",
    "invalid opcode:",
    "stack segment:",
    "double fault",
    "RIP: ",
    "Call Trace:",
    "Call trace:",
    "Modules linked in:",
    "segfault at ",
    "rust_kernel: panicked",
    "CFI failure at",
    // memory
    "KASAN: ",
    "KMSAN: ",
    "KFENCE: ",
    "UBSAN: ",
    "KCSAN: ",
    "refcount_t: ",
    "ref_tracker: ",
    "list_add corruption",
    "list_del corruption",
    "Objects remaining",
    "Poison overwritten",
    "Redzone overwritten",
    "Bad page state",
    "unreferenced object 0x",
    "new suspected memory leaks",
    "ODEBUG: ",
    "Slab cache still has objects",
    // locks
    "possible recursive locking detected",
    "possible circular locking dependency detected",
    "possible irq lock inversion dependency detected",
    "unsafe lock order detected",
    "inconsistent lock state",
    "Invalid wait context",
    "bad unlock balance detected",
    "bad contention detected",
    "nested lock was not taken",
    "held lock freed",
    "locks held by",
    "lock held when returning to user space",
    "still has locks held",
    "suspicious RCU usage",
    "trying to register non-static key",
    "turning off the locking correctness validator",
    "DEBUG_LOCKS_WARN_ON",
    "workqueue leaked",
    "spinlock bad magic",
    "spinlock recursion",
    "spinlock wrong owner",
    "spinlock wrong CPU",
    "spinlock lockup",
    // contexts
    "sleeping function called from invalid context",
    "scheduling while atomic",
    "nobody cared",
    // time
    "soft lockup",
    "hard LOCKUP",
    "detected stall",
    "self-detected stall",
    "detected expedited stalls",
    "blocked for more than",
    "workqueue lockup",
    // modules
    "enqueued on deprecated workqueue",
    "Unknown rela relocation",
    "already present!",
    "cannot create duplicate filename",
    // everything else
    "BUG: ",
];

/// A line that begins with one of these texts is a report.
const AT_START: &[&str] = &["WARNING: ", "BUG ", "INFO: ", "traps: "];

/// Returns the line without its time stamp and its CPU or task
fn message(line: &str) -> &str {
    let mut text = line.trim_end();
    while let Some((_, rest)) = text
        .strip_prefix('[')
        .and_then(|text| text.split_once("] "))
    {
        text = rest;
    }
    text
}

/// Whether the text contains the pattern at the beginning of a word: `DEBUG: ` does not contain `BUG: `.
fn has_word(text: &str, pattern: &str) -> bool {
    text.match_indices(pattern).any(|(at, _)| {
        let before = text[..at].bytes().next_back();
        !before.is_some_and(|byte| byte.is_ascii_alphanumeric())
    })
}

fn kind(text: &str) -> Option<&'static &'static str> {
    let anywhere = ANYWHERE.iter().find(|kind| has_word(text, kind));
    anywhere.or_else(|| AT_START.iter().find(|kind| text.starts_with(**kind)))
}

/// Returns, for each pattern, only the first line with it: one report may have many such lines.
pub fn scan(console: &str) -> Vec<&str> {
    let mut seen = Vec::new();
    let mut reports = Vec::new();
    for text in console.lines().map(message) {
        if let Some(kind) = kind(text) {
            if !seen.contains(&kind) {
                seen.push(kind);
                reports.push(text);
            }
        }
    }
    reports
}

/// Returns the lines around the first report, and the last lines
pub fn excerpt(console: &str) -> Vec<&str> {
    const BEFORE: usize = 5;
    const AFTER: usize = 80;
    const END: usize = 30;

    let lines = console.lines().collect::<Vec<_>>();
    let end = lines.len().saturating_sub(END);
    let first = lines.iter().position(|line| kind(message(line)).is_some());
    let first = first.unwrap_or(end).saturating_sub(BEFORE).min(end);
    let upto = (first + BEFORE + AFTER).min(end);
    let gap: &[&str] = if upto < end { &["..."] } else { &[] };
    [&lines[first..upto], gap, &lines[end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &[&str] = &[
        "BUG: kernel NULL pointer dereference, address: 0000000000000000",
        "BUG: unable to handle page fault for address: ffffc90000a3b000",
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000",
        "Oops: Oops: 0002 [#1] SMP NOPTI",
        "kernel BUG at lib/list_debug.c:32!",
        "Kernel panic - not syncing: Fatal exception",
        "Kernel panic - not syncing: kernel: panic_on_warn set ...",
        "Oops: general protection fault, probably for non-canonical address 0xdead000000000122: 0000 [#1] SMP",
        "WARNING: CPU: 1 PID: 71 at kernel/workqueue.c:2256 __queue_work+0x1c4/0x3f0",
        "WARNING: kernel/workqueue.c:2256 at __queue_work+0x1c4/0x3f0, CPU#1: insmod/71",
        "RIP: 0010:module_exit+0x12/0x20 [module_b]",
        "Call Trace:",
        "Call trace:",
        "Modules linked in: module_b(OE) module_a(OE)",
        "rust_kernel: panicked at module_a/module_a.rs:10:5:",
        "CFI failure at pass_on+0x12/0x20 [module_a] (target: op_ping+0x0/0x10 [module_b]; expected type: 0x92a1b1e2)",
        "init[1]: segfault at 0 ip 0000000000401000 sp 00007ffd0 error 4 in busybox[1000,401000+1]",
        "traps: busybox[71] trap invalid opcode ip:401000 sp:7ffd0 error:0 in busybox[1000,401000+1]",
        "BUG: KASAN: slab-use-after-free in op_ping+0x4c/0x90 [module_b]",
        "BUG: KMSAN: uninit-value in op_ping+0x4c/0x90 [module_b]",
        "BUG: KFENCE: use-after-free read in op_ping+0x4c/0x90 [module_b]",
        "BUG: KCSAN: data-race in op_ping / op_stat",
        "UBSAN: array-index-out-of-bounds in module.c:12:7",
        "refcount_t: underflow; use-after-free.",
        "ref_tracker: reference already released.",
        "list_add corruption. prev->next should be next (ffffffffc0, but was ffff888, (prev=ffff888).",
        "list_del corruption, ffff888003a0->next is LIST_POISON1 (dead000000000100)",
        "BUG kmalloc-64 (Tainted: G           OE     ): Redzone overwritten",
        "BUG kmalloc-64 (Not tainted): Poison overwritten",
        "BUG kmem_cache (Not tainted): Objects remaining on __kmem_cache_shutdown()",
        "kmem_cache_destroy d2d: Slab cache still has objects when called from d2d_exit+0x12/0x20 [module_a]",
        "BUG: Bad page state in process insmod  pfn:03a00",
        "kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
        "unreferenced object 0xffff888003a00000 (size 64):",
        "ODEBUG: free active (active state 0) object: ffff888 object type: timer_list hint: tick+0x0/0x10",
        "WARNING: possible recursive locking detected",
        "WARNING: possible circular locking dependency detected",
        "WARNING: possible irq lock inversion dependency detected",
        "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
        "WARNING: inconsistent lock state",
        "[ BUG: Invalid wait context ]",
        "WARNING: bad unlock balance detected!",
        "WARNING: bad contention detected!",
        "WARNING: nested lock was not taken",
        "WARNING: held lock freed!",
        "WARNING: lock held when returning to user space!",
        "WARNING: insmod/71 still has locks held!",
        "2 locks held by insmod/71:",
        "WARNING: suspicious RCU usage",
        "INFO: trying to register non-static key.",
        "turning off the locking correctness validator.",
        "DEBUG_LOCKS_WARN_ON(lock->magic != lock)",
        "BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[10]",
        "BUG: spinlock bad magic on CPU#0, insmod/71",
        "BUG: spinlock recursion on CPU#0, insmod/71",
        "BUG: spinlock lockup suspected on CPU#0, insmod/71",
        "BUG: spinlock wrong owner on CPU#0, insmod/71",
        "BUG: spinlock wrong CPU on CPU#1, insmod/71",
        "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580",
        "BUG: scheduling while atomic: insmod/71/0x00000002",
        "irq 9: nobody cared (try booting with the \"irqpoll\" option)",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [insmod:71]",
        "watchdog: Watchdog detected hard LOCKUP on cpu 0",
        "watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 0",
        "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "rcu: INFO: rcu_preempt self-detected stall on CPU",
        "rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-... } 5 jiffies s: 9 root: 0x1/.",
        "INFO: task insmod:71 blocked for more than 120 seconds.",
        "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 30s!",
        "workqueue: work func enqueued on deprecated workqueue. Use system_{percpu|dfl}_wq instead.",
        "module_a: Unknown rela relocation: 9",
        "debugfs: 'd2d-module_b' already present!",
        "sysfs: cannot create duplicate filename '/module/x'",
        "stack segment: 0000 [#1] SMP",
        "PANIC: double fault, error_code: 0x0",
        "divide error: 0000 [#1] SMP",
        "invalid opcode: 0000 [#1] SMP",
    ];

    /// Lines of a healthy boot that resemble reports
    const HARMLESS: &[&str] = &[
        "Linux version 7.3.4 (gcc) #1 SMP PREEMPT_DYNAMIC",
        "kfence: initialized - using 2097152 bytes for 255 objects",
        "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on",
        "module_a: module verification failed: signature and/or required key missing - tainting kernel",
        "module_b: Unknown symbol d2d_attach (err -2)",
        "rcu: RCU calculated value of scheduler-enlistment delay is 100 jiffies.",
        "DEBUG: nothing",
        "module_a: d2d: seq=1 load=1 in=task step=refuse reason=bad-magic",
    ];

    #[test]
    fn every_kind_of_report_is_found() {
        for sample in SAMPLES {
            let line = format!("[   12.345678][   T71] {sample}\r\n");
            assert_eq!(scan(&line), [*sample]);
        }
    }

    #[test]
    fn every_pattern_has_a_sample() {
        let lacks = |found: fn(&str, &str) -> bool| {
            move |kind: &&&str| !SAMPLES.iter().any(|sample| found(sample, kind))
        };
        let anywhere = ANYWHERE
            .iter()
            .filter(lacks(|sample, kind| sample.contains(kind)));
        let at_start = AT_START
            .iter()
            .filter(lacks(|sample, kind| sample.starts_with(kind)));
        assert_eq!(anywhere.chain(at_start).collect::<Vec<_>>(), [&""; 0]);
    }

    #[test]
    fn a_healthy_boot_has_no_report() {
        for line in HARMLESS {
            assert_eq!(scan(&format!("[    0.000000] {line}\n")), [""; 0], "{line}");
        }
    }

    #[test]
    fn each_pattern_is_reported_once() {
        let console = "[1] WARNING: a\n[1] Call Trace:\n[2] WARNING: b\n[2] Call Trace:\n";
        assert_eq!(scan(console), ["WARNING: a", "Call Trace:"]);
    }

    #[test]
    fn an_excerpt_has_the_first_report_and_the_end() {
        let numbers = (0..300).map(|n| n.to_string());
        let mut lines = numbers.collect::<Vec<_>>();
        lines[100] = "[1] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:".into();
        lines[150] = "[2] Kernel panic - not syncing: hung_task: blocked tasks".into();
        let console = lines.join("\n");
        let excerpt = excerpt(&console);
        assert_eq!(excerpt[0], "95");
        assert_eq!(excerpt[5], lines[100]);
        assert_eq!(excerpt[84..87], ["179", "...", "270"]);
        assert_eq!(excerpt.last(), Some(&"299"));
    }

    #[test]
    fn an_excerpt_has_no_line_twice() {
        let report = "WARNING: CPU: 0 PID: 1 at x.c:1";
        assert_eq!(excerpt(&format!("a\n{report}\nb")), ["a", report, "b"]);
        let (before, after) = ("x\n".repeat(20), "y\n".repeat(40));
        assert_eq!(excerpt(&format!("{before}{report}\n{after}")).len(), 46);
        assert_eq!(excerpt(&after).len(), 35);
        assert!(excerpt("").is_empty());
    }
}
