// SPDX-License-Identifier: GPL-2.0

//! Reads one trace in each format. `formats/dmesg-plain.log` is the correct reading of all files of `formats/`.

use d2d_trace::line::Line;
use d2d_trace::live::Live;
use d2d_trace::log;
use std::fs;
use std::io::{self, Cursor};
use std::path::Path;

/// The steps of a log: `seq driver step detail`, its time, CPU and task, and the log's faults.
type Steps = Vec<(String, Option<u64>, Option<u32>, Option<String>)>;

fn steps(bytes: &[u8]) -> (Steps, log::Counts) {
    let mut steps = Vec::new();
    let counts = log::read(bytes, |line| add(&mut steps, line));
    (steps, counts.expect("memory can be read"))
}

/// The same of a source that is running
fn live_steps(bytes: &[u8]) -> (Steps, log::Counts) {
    let mut steps = Vec::new();
    let source = Live::new(Cursor::new(bytes.to_vec()), || panic!("it drops nothing"));
    let counts = log::follow(source, |line| {
        line.map_or(Ok(()), |line| add(&mut steps, line))
    });
    (steps, counts.expect("memory can be read"))
}

fn add(steps: &mut Steps, line: Line<'_>) -> io::Result<()> {
    let Line {
        seq,
        load,
        driver,
        context,
        step,
        detail,
        ..
    } = line;
    let text = format!("{seq} {load:?} {driver} {context:?} {step} {detail}");
    steps.push((
        text,
        line.time,
        line.cpu,
        line.task.map(|task| task.to_string()),
    ));
    Ok(())
}

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/formats")
        .join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// How the times of a log relate to those of dmesg.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Times {
    Same,
    /// Another beginning
    Shifted,
    /// None; a remark says so
    Unknown,
}

const FORMATS: [(&str, Times, bool, &str); 16] = [
    ("console-80-columns-then-word", Times::Same, false, ""),
    ("dmesg-T", Times::Unknown, false, ""),
    ("dmesg-json", Times::Same, false, ""),
    ("dmesg-plain", Times::Same, false, ""),
    ("ftrace-counter-clock", Times::Unknown, true, "insmod-101"),
    ("ftrace-printk-console", Times::Same, true, "insmod-101"),
    ("ftrace-task-named-d2d", Times::Same, true, "d2d_worker-101"),
    ("ftrace-tgid", Times::Same, true, "insmod-101"),
    ("journal-export-80-columns", Times::Same, false, ""),
    ("journal-json", Times::Same, false, ""),
    ("journal-short-precise", Times::Shifted, false, ""),
    ("netconsole-ncfrag", Times::Same, false, ""),
    ("perf-script-nocpu", Times::Same, false, "insmod-101"),
    ("perf-trace", Times::Shifted, false, "insmod-101"),
    ("printk-caller-console", Times::Same, false, "T101"),
    ("tracecmd-report-latency", Times::Same, true, "insmod-101"),
];

/// Compares a log with the plain one.
fn check(name: &str, log: &[u8], (times, cpus, task): (Times, bool, &str)) {
    let (plain, _) = steps(&file("dmesg-plain.log"));
    let (read, counts) = steps(log);
    let texts = |steps: &Steps| -> Vec<String> {
        // Two lines of the export are as long as a console is wide.
        steps
            .iter()
            .map(|step| step.0.trim_end_matches('_').into())
            .collect()
    };
    assert_eq!(texts(&read), texts(&plain), "{name}");
    assert_eq!(
        (counts.damaged, counts.joined, counts.unknown),
        (0, 0, 0),
        "{name}"
    );
    let unknown = if times == Times::Unknown { 11 } else { 0 };
    assert_eq!(counts.untimed, unknown, "{name}");
    for (number, (read, plain)) in read.iter().zip(&plain).enumerate() {
        let since = |step: &(String, Option<u64>, Option<u32>, Option<String>), first: u64| {
            step.1.map(|time| time - first)
        };
        match times {
            Times::Same => assert_eq!(read.1, plain.1, "{name}: {}", read.0),
            Times::Shifted => {
                let first = steps(log).0[0].1.expect("a time");
                assert_eq!(
                    since(read, first),
                    since(plain, 7_790_422_000),
                    "{name}: {}",
                    read.0
                );
            }
            Times::Unknown => assert_eq!(read.1, None, "{name}"),
        }
        assert_eq!(
            read.2,
            cpus.then_some(number as u32 % 2),
            "{name}: {}",
            read.0
        );
        let task = match (task, number) {
            ("", _) => None,
            ("T101", 9..) => Some("T102"),
            (task, _) => Some(task),
        };
        assert_eq!(read.3.as_deref(), task, "{name}: {}", read.0);
    }
}

#[test]
fn each_format_has_the_same_steps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/formats");
    assert_eq!(
        fs::read_dir(folder).expect("a folder").count(),
        FORMATS.len()
    );
    for (name, times, cpus, task) in FORMATS {
        let log = file(&format!("{name}.log"));
        check(name, &log, (times, cpus, task));
        assert_eq!(live_steps(&log), steps(&log), "{name}");
    }
}

#[test]
fn lines_may_end_as_those_of_windows_and_the_last_may_have_no_end() {
    for (name, times, cpus, task) in FORMATS {
        let text = String::from_utf8(file(&format!("{name}.log"))).expect("text");
        check(
            name,
            text.replace('\n', "\r\n").as_bytes(),
            (times, cpus, task),
        );
        check(name, text.trim_end().as_bytes(), (times, cpus, task));
    }
}

#[test]
fn a_log_that_ends_anywhere_has_no_wrong_step_but_the_last() {
    for (name, ..) in FORMATS {
        let log = file(&format!("{name}.log"));
        let (whole, _) = steps(&log);
        for end in 0..log.len() {
            let (read, _) = steps(&log[..end]);
            let sure = read.len().saturating_sub(1);
            assert_eq!(read[..sure], whole[..sure], "{name}, {end} bytes");
        }
    }
}

/// A step of the plain log: its time in microseconds, and the text behind the time
fn plain() -> Vec<(u64, String)> {
    let text = String::from_utf8(file("dmesg-plain.log")).expect("text");
    let lines = text.lines().map(|line| {
        let (time, text) = line[1..].split_once("] ").expect("a time");
        (
            time.trim().replace('.', "").parse().expect("a number"),
            text.into(),
        )
    });
    lines.collect()
}

/// A log with a line for each step: `write` gets the number of the step, the time in microseconds and the text.
fn lines(write: impl Fn(usize, u64, &str) -> String) -> String {
    let lines = plain().into_iter().enumerate();
    lines
        .map(|(number, (time, text))| write(number, time, &text) + "\n")
        .collect()
}

/// The first characters of a name
fn first(name: &str, length: usize) -> &str {
    name[..name.len().min(length)].trim()
}

fn sec(micro: u64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000)
}

/// The text of the tracepoint, with its name
fn event(text: &str) -> String {
    let (driver, step) = text.split_once(": d2d: ").expect("a step");
    let name = step
        .split("step=")
        .nth(1)
        .and_then(|step| step.split(' ').next());
    let name = name.expect("a name").replace('-', "_");
    format!("d2d_{name}: driver={driver} {step} ")
}

#[test]
fn dmesg_and_the_journal_print_the_time_in_many_forms() {
    let day = |micro| format!("14:02:{}", sec(micro + 4_000_000));
    type Head<'a> = &'a dyn Fn(u64) -> String;
    let heads: [(&str, Times, Head<'_>); 22] = [
        ("dmesg -x", Times::Same, &|t| {
            format!("kern  :info  : [{:>12}] ", sec(t))
        }),
        ("dmesg -r", Times::Same, &|t| {
            format!("<6>[{:>12}] ", sec(t))
        }),
        ("dmesg -d", Times::Same, &|t| {
            format!("[{:>12} <    0.000458>] ", sec(t))
        }),
        ("dmesg -t", Times::Unknown, &|_| String::new()),
        ("dmesg -x -t", Times::Unknown, &|_| "kern  :info  : ".into()),
        ("dmesg -e", Times::Unknown, &|_| "[  +0.000458] ".into()),
        ("dmesg -T -d", Times::Unknown, &|_| {
            "[Thu Nov 26 14:02:11 2026 <    0.000458>] ".into()
        }),
        ("dmesg --time-format iso", Times::Shifted, &|t| {
            format!("2026-11-26T{}+01:00 ", day(t).replace('.', ","))
        }),
        ("/dev/kmsg", Times::Same, &|t| format!("6,416,{t},-;")),
        ("netconsole", Times::Same, &|t| {
            format!("7.1.3-amd64,6,416,{t},-;")
        }),
        ("syslog", Times::Unknown, &|_| {
            "Nov 26 14:02:11 lab-vm kernel: ".into()
        }),
        ("syslog, time of printk", Times::Same, &|t| {
            format!("Nov 26 14:02:11 lab-vm kernel: [{:>12}] ", sec(t))
        }),
        ("rsyslog", Times::Shifted, &|t| {
            format!("2026-11-26T{}+01:00 lab-vm kernel: ", day(t))
        }),
        ("short-iso", Times::Unknown, &|_| {
            "2026-11-26T14:02:11+0100 lab-vm kernel: ".into()
        }),
        ("short-iso-precise", Times::Shifted, &|t| {
            format!("2026-11-26T{}-0330 lab-vm kernel: ", day(t))
        }),
        ("short-full", Times::Unknown, &|_| {
            "Thu 2026-11-26 14:02:11 CET lab-vm kernel: ".into()
        }),
        ("short-unix", Times::Shifted, &|t| {
            format!("17957017{} lab-vm kernel: ", sec(t + 30_000_000))
        }),
        ("short-monotonic", Times::Same, &|t| {
            format!("[{:>12}] lab-vm kernel: ", sec(t))
        }),
        ("short-delta", Times::Same, &|t| {
            format!("[{:>12} <    0.000458 >] lab-vm kernel: ", sec(t))
        }),
        ("first of the month", Times::Shifted, &|t| {
            format!("Dec  1 {} lab kernel: ", day(t))
        }),
        ("grep -n", Times::Same, &|t| format!("12:[{:>12}] ", sec(t))),
        ("Wine", Times::Same, &|t| {
            format!(
                "{}:00e4:00f0:warn:debugstr:vDbgPrintEx 00000000:00000001: ",
                sec(t)
            )
        }),
    ];
    for (name, times, head) in heads {
        let log = lines(|_, time, text| head(time) + text);
        check(name, log.as_bytes(), (times, false, ""));
        check(
            name,
            log.replace('\n', "\r\n").as_bytes(),
            (times, false, ""),
        );
    }
    let two = |a: &str, b: &str| {
        let step = "module_a: d2d: seq=1 load=1 in=task step=load";
        let times = [a, b].map(|head| steps(format!("{head}{step}").as_bytes()).0[0].1);
        times[1].zip(times[0]).map(|(b, a)| b - a)
    };
    let zones = ["2026-11-26T14:02:11.5+01:00 ", "2026-11-26T13:02:11.75Z "];
    assert_eq!(two(zones[0], zones[1]), Some(250_000_000));
    let years = ["2027-12-31T23:59:59.5 ", "2028-01-01T00:00:00.5 "];
    assert_eq!(two(years[0], years[1]), Some(1_000_000_000));
    let leap = [
        "Feb 29 23:59:59.5 x kernel: ",
        "Mar  1 00:00:00.5 x kernel: ",
    ];
    assert_eq!(two(leap[0], leap[1]), Some(1_000_000_000));
}

#[test]
fn printk_may_print_its_caller() {
    let on = |number: usize| if number < 9 { "T101" } else { "T102" };
    for log in [
        lines(|number, t, text| format!("[{:>12}] [{:>6}] {text}", sec(t), on(number))),
        lines(|number, t, text| format!("<6>[{:>12}][{:>6}] {text}", sec(t), on(number))),
        lines(|number, t, text| format!("6,416,{t},-,caller={};{text}", on(number))),
        lines(|number, t, text| {
            format!(
                "{{\n \"caller\": \"{}\",\n \"time\": {},\n \"msg\": \"{text}\"\n}},",
                on(number),
                sec(t)
            )
        }),
    ] {
        check(&log, log.as_bytes(), (Times::Same, false, "T101"));
    }
    let log = lines(|number, t, text| format!("[{:>12}][    C{}] {text}", sec(t), number % 2));
    check("a CPU", log.as_bytes(), (Times::Same, true, ""));
}

#[test]
fn the_task_and_the_cpu_are_found_for_any_name_and_options() {
    let names = [
        "insmod",
        "module_a",
        "d2d",
        "d2d_load",
        "d2d_load:",
        "a: d2d: b",
        "my task",
        "kworker/0:1",
        "<...>",
        "x-1",
        "[kthread] 7",
        "(udev-worker)",
        "driver=x",
        "my [k]",
        "0.5",
    ];
    for name in names {
        let as_event = |number: usize, t: u64, text: &str, form: &str| {
            let form = form
                .replace("TASK", name)
                .replace("CPU", &(number % 2).to_string());
            let name = event(text);
            form.replace("SEC", &sec(t))
                .replace("US", &t.to_string())
                .replace("MS", &format!("{}.{:03}", t / 1000, t % 1000))
                .replace("EVENT", &name)
                .replace("TEXT", text)
        };
        for form in [
            "          TASK-101     [00CPU] ...1.      SEC: EVENT",
            "          TASK-101     [00CPU] d..1.      SEC: console: TEXT",
            "          TASK-101     [00CPU]      SEC: console: [    1.0] TEXT",
            "          TASK-101     [00CPU]      SEC: EVENT",
            "          TASK-101     (-------) [00CPU] dNs2.      SEC: EVENT",
            "          TASK-101     (    101) [00CPU]      SEC: EVENT",
            "COMM-101       CPU...1.  USus : EVENT",
            "COMM-101       CPUdNh21  USus+: EVENT",
            "COMM-101       CPUd.s..  USus!: console: TEXT",
            "  TASK    101   CPU 0 00000001 00000000 [001da93e] MSms (+0.458ms): EVENT",
            "COMM-101     CPU...1. SEC: EVENT",
            "  TASK-101   [00CPU]     SEC: EVENT",
            "TASK   101 [00CPU]     SEC: d2d_module_a:EVENT",
            "TASK   101/101   [00CPU]     SEC: d2d_module_a:EVENT",
            "TASK   101 [00CPU]     SEC:          1 d2d:EVENT",
            "TASK   101 [00CPU]     SEC: printk:console: TEXT",
        ] {
            // The latency format has eight columns for the name.
            let form = &form.replace("COMM", format!("{name:>8.8}").as_str());
            let cut = if form.contains("TASK") {
                name
            } else {
                first(name, 8)
            };
            let log = lines(|number, t, text| as_event(number, t, text, form));
            let task = format!("{cut}-101");
            check(
                &format!("{name}: {form}"),
                log.as_bytes(),
                (Times::Same, true, &task),
            );
            let crlf = log.replace('\n', "\r\n");
            check(
                &format!("{name}: {form}, CRLF"),
                crlf.as_bytes(),
                (Times::Same, true, &task),
            );
        }
        for form in [
            "TASK   101     SEC: d2d:EVENT",
            "TASK   101     SEC: printk:console: TEXT",
        ] {
            let log = lines(|number, t, text| as_event(number, t, text, form));
            let task = format!("{name}-101");
            check(
                &format!("{name}: {form}"),
                log.as_bytes(),
                (Times::Same, false, &task),
            );
        }
        for form in [
            "          TASK-101     [00CPU] ...1. US: EVENT",
            "          TASK-101     [00CPU] ...1. US: console: TEXT",
            "COMM-101       CPU...1. US: EVENT",
            "TASK   101 [00CPU] d2d:EVENT",
        ] {
            let form = &form.replace("COMM", format!("{name:>8.8}").as_str());
            let name = if form.contains("TASK") {
                name
            } else {
                first(name, 8)
            };
            let log = lines(|number, t, text| as_event(number, t, text, form));
            let task = format!("{name}-101");
            check(
                &format!("{name}: {form}"),
                log.as_bytes(),
                (Times::Unknown, true, &task),
            );
        }
    }
}

/// The heads that printk and the readers of its log print before a line that is printed at 9.1 s
const PRINTED: [&str; 14] = [
    "[    9.100000] ",
    "[    9.100000][  T102] ",
    "[    9.100000] [  T102] ",
    "<0>[    9.100000] ",
    "kern  :emerg : [    9.100000] ",
    "[    9.100000 <    0.000458>] ",
    "[Thu Nov 26 14:02:11 2026] ",
    "[  +0.000458] ",
    "0,416,9100000,-;",
    "7.1.3-amd64,0,416,9100000,-,caller=T102;",
    "2026-11-26T14:02:11,866349+01:00 ",
    "Nov 26 14:02:11 lab-vm kernel: ",
    "Nov 26 14:02:11 lab-vm kernel: [    9.100000] ",
    "12:[    9.100000] ",
];

#[test]
fn a_console_shows_the_ring_buffer_of_ftrace() {
    // ftrace_dump_on_oops and sysrq-z print in the latency format, or in that of the tracer.
    for name in [
        "insmod",
        "my task",
        "kworker/0:1",
        "d2d_load",
        "[k] 7",
        "x-1",
        "9.5",
    ] {
        for head in PRINTED {
            for form in ["EVENT", "console: [    7.79] TEXT"] {
                let log = lines(|number, t, text| {
                    let cpu = number % 2;
                    let form = form.replace("EVENT", &event(text)).replace("TEXT", text);
                    format!("{head}{name:>8.8}-101       {cpu}....1 {t:>4}us : {form}")
                });
                let task = format!("{}-101", first(name, 8));
                check(
                    &format!("{head}{name}"),
                    log.as_bytes(),
                    (Times::Same, true, &task),
                );
            }
        }
    }
    // Each console may have got the output of trace_pipe.
    for head in PRINTED
        .iter()
        .filter(|head| head.contains("9.1") || head.contains(';'))
    {
        let log = lines(|number, t, text| {
            let (time, event) = (sec(t), event(text));
            format!(
                "{head}          insmod-101     [00{}] ...1. {time}: {event}",
                number % 2
            )
        });
        check(head, log.as_bytes(), (Times::Same, true, "insmod-101"));
    }
}

#[test]
fn printk_prints_the_tracepoints_themselves() {
    // The boot option tp_printk: the head is that of a line of printk.
    for (form, times, task) in [
        ("[SEC] ", Times::Same, ""),
        ("[SEC][  T101] ", Times::Same, "T101"),
        ("<6>[SEC] ", Times::Same, ""),
        ("6,416,US,-;", Times::Same, ""),
        ("6,416,US,-,caller=T101;", Times::Same, "T101"),
        ("kern  :info  : [SEC] ", Times::Same, ""),
        ("[Thu Nov 26 14:02:11 2026] ", Times::Unknown, ""),
        ("[  +0.000458] ", Times::Unknown, ""),
        ("Nov 26 14:02:11 lab-vm kernel: ", Times::Unknown, ""),
        ("Nov 26 14:02:11 lab-vm kernel: [SEC] ", Times::Same, ""),
        ("", Times::Unknown, ""),
    ] {
        let log = lines(|number, t, text| {
            let on = if number < 9 { "T101" } else { "T102" };
            let head = form.replace("T101", on).replace("US", &t.to_string());
            head.replace("SEC", &format!("{:>12}", sec(t))) + &event(text)
        });
        check(form, log.as_bytes(), (times, false, task));
    }
}

#[test]
fn function_graph_prints_tracepoints_as_comments() {
    for name in [
        "insmod",
        "my task",
        "kworker/0:1",
        "d2d_load",
        "[k] 7",
        "x-1",
    ] {
        let task = format!("{}-101", first(name, 7));
        let proc = format!("{task:^14}");
        for (head, times, cpu, has_task) in [
            (" CPU)               |  /* ", Times::Unknown, true, false),
            (
                " CPU)               |            /* ",
                Times::Unknown,
                true,
                false,
            ),
            (" CPU)  /* ", Times::Unknown, true, false),
            ("               |  /* ", Times::Unknown, false, false),
            ("/* ", Times::Unknown, false, false),
            (
                " CPU) PROC |               |  /* ",
                Times::Unknown,
                true,
                true,
            ),
            (" CPU) PROC | /* ", Times::Unknown, true, true),
            (
                " CPU)  d..1. |               |  /* ",
                Times::Unknown,
                true,
                false,
            ),
            (
                "    SEC |   CPU)               |  /* ",
                Times::Same,
                true,
                false,
            ),
            (
                "    SEC |   CPU) PROC |  dNh21 |               |    /* ",
                Times::Same,
                true,
                true,
            ),
            (
                "    SEC |                 |  /* ",
                Times::Same,
                false,
                false,
            ),
            (
                "  RELUS us |   CPU)               |  /* ",
                Times::Shifted,
                true,
                false,
            ),
            (
                "    SEC |    RELUS us |   CPU) PROC |               |  /* ",
                Times::Same,
                true,
                true,
            ),
            (
                "[    9.100000]  CPU)               |  /* ",
                Times::Unknown,
                true,
                false,
            ),
            (
                "[    9.100000]     SEC |   CPU) PROC |               |  /* ",
                Times::Same,
                true,
                true,
            ),
            (
                "0,416,9100000,-; CPU)  d..1. |               |  /* ",
                Times::Unknown,
                true,
                false,
            ),
        ] {
            for text in [
                "EVENT*/",
                "EVENT */",
                "TEXT */",
                "console: TEXT */",
                "console: [    7.8] TEXT */",
            ] {
                for end in ["\n", "\r\n"] {
                    let log = lines(|number, t, step| {
                        let form = head.replace("CPU", &(number % 2).to_string());
                        let form = form.replace("RELUS", &(t - 7_000_000).to_string());
                        let form = form.replace("SEC", &sec(t)).replace("PROC", &proc);
                        form + &text.replace("EVENT", &event(step)).replace("TEXT", step)
                    });
                    check(
                        &format!("{head}{text}"),
                        log.replace('\n', end).as_bytes(),
                        (times, cpu, if has_task { &task } else { "" }),
                    );
                }
            }
        }
    }
}

#[test]
fn netconsole_appends_the_cpu_and_the_task() {
    let data = |number: usize| {
        format!(
            "\n cpu={}\n taskname=my task/0\n release=7.3\n msgid=7",
            number % 2
        )
    };
    let whole = lines(|number, t, text| format!("6,{number},{t},-;{text}{}", data(number)));
    let user = lines(|number, t, text| {
        format!(
            "7.3-x,6,{number},{t},-;{text}\n rack=a b\n SUBSYSTEM=d2d{}",
            data(number)
        )
    });
    let fragments = lines(|number, t, text| {
        let (body, rest) = text.split_at(20);
        let total = text.len() + 1 + data(number).len();
        let head = format!("6,{number},{t},-,ncfrag");
        format!(
            "{head}=0/{total};{body}\n{head}=20/{total};{rest}{}",
            data(number)
        )
    });
    for log in [&whole, &user, &fragments] {
        for end in [
            "\n",
            "\r\n",
            "\n5,9,9,-;usb 1-1: new\n cpu=7\n[    1.0] other\n",
        ] {
            let log = log.replace("msgid=7\n", &format!("msgid=7{end}"));
            check(&log, log.as_bytes(), (Times::Same, true, "my task/0"));
        }
    }
    let called = lines(|number, t, text| {
        format!(
            "6,{number},{t},-,caller=T101;{text}\n cpu={}\n taskname=insmod",
            number % 2
        )
    });
    check(
        &called,
        called.as_bytes(),
        (Times::Same, true, "insmod-101"),
    );
    // A log of two kinds
    let mixed = whole + "[    9.0] module_a: d2d: seq=99 load=1 in=task step=load\n cpu=1\n";
    let (read, _) = steps(mixed.as_bytes());
    assert_eq!((read[11].2, read[11].3.as_deref()), (None, None));
}

#[test]
fn collectors_of_logs_name_the_text_as_they_like() {
    let stamped = |t: u64, text: &str| format!("[{:>12}] {text}", sec(t));
    for log in [
        lines(|_, t, text| {
            let log = stamped(t, text);
            format!("{{\"log\":\"{log}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-26T14:02:11.8Z\"}}")
        }),
        lines(|_, t, text| format!("{{\"ts\":5,\"message\":\"{}\"}}", stamped(t, text))),
        lines(|_, t, text| format!("{{\"time\":9.1,\"message\":\"{}\"}}", stamped(t, text))),
        lines(|_, t, text| {
            format!(
                "{{\"msg\":\"got a line\",\"_source\":{{\"message\":\"{}\"}}}}",
                stamped(t, text)
            )
        }),
        lines(|_, t, text| {
            let log = stamped(t, text);
            format!(
                "{{\"message\":\"{log}\",\"event\":{{\"original\":\"\"}},\"original\":\"{log}\"}}"
            )
        }),
        lines(|_, t, text| format!("{{\"values\":[[\"1795701731\",\"{}\"]]}}", stamped(t, text))),
        lines(|_, t, text| {
            format!(
                "{{\"log\":\"{{\\\"msg\\\":\\\"{text}\\\",\\\"time\\\":{}}}\\n\"}}",
                sec(t)
            )
        }),
        lines(|_, t, text| {
            let log = stamped(t, text);
            format!("{{\n  \"_index\": \"x\",\n  \"host\": {{\n    \"os\": {{\n      \"id\": 1\n    }}\n  }},\n  \
                     \"_source\": {{\n    \"message\": \"{log}\"\n  }},\n  \"z\": [\n    1\n  ]\n}}")
        }),
    ] {
        check(&log, log.as_bytes(), (Times::Same, false, ""));
        check(
            &log,
            log.replace('\n', "\r\n").as_bytes(),
            (Times::Same, false, ""),
        );
    }
    // The time of the collector, if the line has none
    let wall = lines(|_, t, text| {
        format!(
            "{{\"@timestamp\":\"2026-11-26T14:02:{}Z\",\"message\":\"{text}\"}}",
            sec(t + 4_000_000)
        )
    });
    check(&wall, wall.as_bytes(), (Times::Shifted, false, ""));
    // Objects in an object with a step
    let lost = "{\n\"message\": \"a: d2d: seq=1 load=1 in=task step=load\",\n\"tags\": [\n{\n\"x\": 1\n}\n]\n}\n";
    let (read, counts) = steps(lost.as_bytes());
    assert_eq!((read.len(), counts.damaged), (0, 1));
}

#[test]
fn the_text_may_be_in_quotes() {
    for (form, times) in [
        ("level=info msg=\"[SEC] TEXT\" host=x n=2", Times::Same),
        ("\"Nov 26\",\"[SEC] TEXT\",\"x\"", Times::Same),
        (
            "Nov 26 14:02:11 lab-vm app: @cee: {\"pid\":\"7\",\"msg\":\"[SEC] TEXT\",\"n\":\"2\"}",
            Times::Same,
        ),
        ("level=info msg=\"EVENT\" host=x n=2", Times::Unknown),
    ] {
        let log = lines(|_, t, text| {
            let form = form.replace("SEC", &sec(t)).replace("EVENT", &event(text));
            form.replace("TEXT", text)
        });
        check(form, log.as_bytes(), (times, false, ""));
    }
    // perf trace prints printk's event so.
    for head in ["", "insmod/101 ", "(         ): insmod/101 "] {
        let log = lines(|_, t, text| {
            let perf = t - 7_000_000;
            let (ms, us) = (perf / 1000, perf % 1000);
            format!("{ms:>6}.{us:03} {head}printk:console(msg: \"[    7.79] {text}\", len: 94)")
        });
        let task = if head.is_empty() { "" } else { "insmod-101" };
        check(head, log.as_bytes(), (Times::Shifted, false, task));
    }
}

#[test]
fn perf_trace_prints_fields_in_any_order() {
    let trace = |head: &str, before: &str| {
        lines(|_, t, text| {
            let (driver, step) = text.split_once(": d2d: ").expect("a step");
            let mut words = step
                .splitn(5, ' ')
                .map(|word| word.split_once('=').expect("a field"));
            let mut next = || words.next().map_or("", |(_, value)| value);
            let (seq, load, context, step) = (next(), next(), next(), next());
            let detail = text
                .split_once(&format!("step={step}"))
                .expect("a step")
                .1
                .trim();
            let (t, event) = (t - 7_000_000, step.replace('-', "_"));
            format!(
                "{:>6}.{:03} {head}d2d_module_a:d2d_{event}({before}driver: \"{driver}\", step: \"{step}\", \
                 seq: {seq}, load: {load}, in: \"{context}\", n: 4, detail: \"{detail}\", depth: -1)",
                t / 1000,
                t % 1000
            )
        })
    };
    for (head, task) in [
        ("", ""),
        ("insmod/101 ", "insmod-101"),
        ("(         ): insmod/101 ", "insmod-101"),
        ("d2d_load/101 ", "d2d_load-101"),
        ("kworker/0:1/101 ", "kworker/0:1-101"),
    ] {
        for before in ["", "ctx: -1, "] {
            let log = trace(head, before);
            check(head, log.as_bytes(), (Times::Shifted, false, task));
            check(
                head,
                log.replace('\n', "\r\n").as_bytes(),
                (Times::Shifted, false, task),
            );
        }
    }
    // Other versions print the text of the tracepoint.
    for head in ["", "insmod/101 ", "(         ): insmod/101 "] {
        for open in ["(", ":", ":("] {
            let log = lines(|_, t, text| {
                let (t, event) = (t - 7_000_000, event(text).replacen(": ", open, 1));
                format!("{:>6}.{:03} {head}d2d:{event})", t / 1000, t % 1000)
            });
            let task = head.contains("insmod").then_some("insmod-101");
            check(
                head,
                log.as_bytes(),
                (Times::Shifted, false, task.unwrap_or_default()),
            );
        }
    }
    // perf leaves out a number that is 0.
    let hot = "0.1 d2d:d2d_enqueue(driver: \"a\", load: 5, in: \"task\", step: \"enqueue\", detail: \"n=1\")";
    assert_eq!(
        steps(hot.as_bytes()).0[0].0,
        "0 Some(5) a Some(\"task\") enqueue n=1"
    );
    let (read, counts) = steps(hot[..hot.len() - 1].as_bytes());
    assert_eq!((read.len(), counts.damaged), (0, 1));
}

#[test]
fn the_journal_has_records_in_many_forms() {
    let crlf = |log: &str| log.replace('\n', "\r\n");
    let compact = lines(|_, t, text| format!("{{\"msg\":\"{text}\",\"time\":{}}},", sec(t)));
    let compact = compact.replace('\n', "");
    let compact = compact.trim_end_matches(',');
    for log in [
        format!("{{\"dmesg\":[{compact}]}}"),
        format!("[{compact}]\r\n"),
    ] {
        check(&log, log.as_bytes(), (Times::Same, false, ""));
        let (read, counts) = steps(&log.as_bytes()[..500]);
        assert_eq!((read.len(), counts.damaged), (0, 1));
    }
    let logs = [
        lines(|_, t, text| {
            format!("__CURSOR=s=1\n__REALTIME_TIMESTAMP=5\n__MONOTONIC_TIMESTAMP=7\n_SOURCE_MONOTONIC_TIMESTAMP={t}\nMESSAGE={text}\n_BOOT_ID=1\n")
        }),
        lines(|_, t, text| {
            format!("MESSAGE={text}\nx=1\n").replace("x=1", "PRIORITY=6")
                + &format!("_SOURCE_MONOTONIC_TIMESTAMP={t}\n")
        }),
        lines(|_, t, text| {
            format!("Thu 2026-11-26 14:02:11.866349 CET [s=1;i=2]\n    PRIORITY=6\n    MESSAGE={text}\n    _SOURCE_MONOTONIC_TIMESTAMP={t}")
        }),
        lines(|_, t, text| {
            format!("{{\n\t\"PRIORITY\" : \"6\",\n\t\"MESSAGE\" : \"{text}\",\n\t\"_SOURCE_MONOTONIC_TIMESTAMP\" : \"{t}\"\n}}")
        }),
        lines(|_, t, text| {
            format!("data: {{\"MESSAGE\":\"{text}\",\"__MONOTONIC_TIMESTAMP\":\"{t}\"}}\n")
        }),
        lines(|_, t, text| {
            format!("\x1e{{\"MESSAGE\":\"{text}\",\"__MONOTONIC_TIMESTAMP\":\"{t}\"}}")
        }),
        lines(|_, t, text| {
            let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
            format!(
                "{{\"MESSAGE\":[{}],\"__MONOTONIC_TIMESTAMP\":\"{t}\"}}",
                bytes.join(",")
            )
        }),
        lines(|_, t, text| format!("{{\"time\":{},\"msg\":\"{text}\",\"pri\":6}}", sec(t))),
    ];
    for log in &logs {
        check(log, log.as_bytes(), (Times::Same, false, ""));
        check(log, crlf(log).as_bytes(), (Times::Same, false, ""));
    }
    let binary = lines(|_, t, text| {
        let text = format!("{text}\nx");
        let length = char::from(text.len() as u8 & 0x7f);
        format!(
            "_SOURCE_MONOTONIC_TIMESTAMP={t}\nMESSAGE\n{length}\0\0\0\0\0\0\0{text}\nPRIORITY=6\n"
        )
    });
    check("binary", binary.as_bytes(), (Times::Same, false, ""));
    // A length of 300, and the time behind the message
    let long = lines(|_, t, text| {
        let rest = "x".repeat(300 - text.len() - 1);
        format!(
            "MESSAGE\n\x2c\x01\0\0\0\0\0\0{text}\n{rest}\n_SOURCE_MONOTONIC_TIMESTAMP={t}\nPRIORITY=6\n"
        )
    });
    check("long binary", long.as_bytes(), (Times::Same, false, ""));
    let mixed = format!(
        "MESSAGE=x\n{}____\n{{\n",
        lines(|_, t, text| format!("[{:>12}] {text}", sec(t)))
    );
    check(
        "mixed",
        format!("{{\n_____\n{mixed}").as_bytes(),
        (Times::Same, false, ""),
    );
    let cut = logs[3].trim_end().trim_end_matches('}');
    let (read, counts) = steps(cut.as_bytes());
    assert_eq!((read.len(), counts.damaged), (10, 1));
}

#[test]
fn fragments_come_in_any_order_and_may_be_lost() {
    let fragments = |width: usize, end: usize, number: usize, t: u64, text: &str| -> Vec<String> {
        let pieces = text
            .as_bytes()
            .chunks(width)
            .enumerate()
            .map(|(piece, bytes)| {
                let text = std::str::from_utf8(bytes).expect("ASCII");
                format!("6,{number},{t},-,ncfrag={}/{};{text}", piece * width, end)
            });
        pieces.collect()
    };
    for width in [1, 5, 10, 43] {
        for more in [0, 1] {
            let log = lines(|number, t, text| {
                fragments(width, text.len() + more, number, t, text).join("\n")
            });
            check("in order", log.as_bytes(), (Times::Same, false, ""));
            let log = lines(|number, t, text| {
                let mut pieces = fragments(width, text.len() + more, number, t, text);
                pieces.reverse();
                if pieces.len() > 1 {
                    pieces.insert(1, pieces[0].clone());
                }
                pieces.join("\r\n5,9,9,-;usb 1-1: new\r\n")
            });
            check("in reverse", log.as_bytes(), (Times::Same, false, ""));
        }
    }
    let lost = lines(|number, t, text| {
        let mut pieces = fragments(43, text.len(), number, t, text);
        if number == 3 {
            pieces.pop();
        }
        pieces.join("\n")
    });
    let (read, counts) = steps(lost.as_bytes());
    assert_eq!((read.len(), counts.damaged), (10, 1));
    let all = lines(|number, t, text| fragments(60, text.len(), number, t, text)[0].clone());
    let (read, counts) = steps(all.as_bytes());
    // Three steps fit into one fragment.
    assert_eq!((read.len(), counts.damaged), (3, 8));
}

#[test]
fn a_word_behind_80_columns_is_joined_only_if_a_console_broke_the_line() {
    let step = |seq: u64, name: &str| {
        let text =
            format!("[    7.791157] module_a: d2d: seq={seq} load=7 in=task step=lookup name=");
        let fill = 80 - text.len() - name.len();
        format!("{text}{name}{}", "x".repeat(fill))
    };
    let wide = "[    8.000000] usb 1-1: a line that is longer than a console of eighty columns is wide, so none broke the log";
    let details = |log: String| -> Vec<String> {
        steps(log.as_bytes())
            .0
            .into_iter()
            .map(|step| step.0)
            .collect()
    };
    let whole = details(step(14, "b"));
    for end in ["\n", "\r\n"] {
        for log in [
            [&step(14, "b"), "done", wide, ""].join(end),
            [wide, &step(14, "b"), "done", ""].join(end),
        ] {
            assert_eq!(details(log), whole);
        }
    }
    let joined = details([&step(14, "b"), "yy", "short", ""].join("\r\n"));
    assert_eq!(joined, [format!("{}yy", whole[0])]);
    let coloured = format!("\x1b[32m{}\x1b[0m\nyy\n", step(14, "b"));
    assert_eq!(details(coloured), [format!("{}yy", whole[0])]);
}
