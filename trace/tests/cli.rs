// SPDX-License-Identifier: GPL-2.0

//! Runs the program as a user does, and checks its output and exit code.

use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// The beginning of a real run: both modules are loaded, the handshake, the first calls
const LOG: &str = include_str!("handshake.log");

/// A part of a real run of `two_owners.sh`: two owners, each with its peer, are loaded and exercise. The lines of both
/// are mixed
const TWO_OWNERS: &str = include_str!("two-owners.log");

fn run_bytes(args: &[&str], log: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_d2d-trace"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    thread::scope(|scope| {
        // A program that does not read to the end closes the pipe.
        scope.spawn(move || drop(input.write_all(log)));
        child.wait_with_output().expect("it ends")
    })
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run(args: &[&str], log: &str) -> Ran {
    let output = run_bytes(args, log.as_bytes());
    Ran {
        code: output.status.code().expect("it ends by itself"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The numbers of the steps that are printed
fn seqs(ran: &Ran) -> Vec<u64> {
    let number = |line: &str| line.split_whitespace().nth(1)?.parse().ok();
    ran.out.lines().filter_map(number).collect()
}

fn line(seq: u64, load: u64, step: &str) -> String {
    format!("[    1.{seq:06}] module_a: d2d: seq={seq} load={load} in=task step={step}\n")
}

#[test]
fn text_is_the_steps_in_order_and_nothing_else() {
    let ran = run(&["text"], LOG);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(seqs(&ran), (1..=44).collect::<Vec<_>>());
    assert!(!ran.out.contains('\x1b'), "no colours in a pipe");
    for expected in [
        "3.914088     25  task     module_a ──► module_b  op-call to=peer op=ping\n",
        "3.914152     26  task     module_a ◄╌╌ module_b  op-return from=peer op=ping status=0  (64.0 µs)\n",
        "3.914976     34  task     module_a ◄── module_b  op-call to=owner op=bounce\n",
        "3.915147     37  task     module_a ╌╌► module_b  op-return from=owner op=bounce status=0  (171 µs)\n",
    ] {
        assert!(ran.out.contains(expected), "{expected}{}", ran.out);
    }
}

#[test]
fn a_pipe_gets_colours_if_they_are_asked_for() {
    let ran = run(&["text", "--color=always"], LOG);
    assert!(ran.out.contains("\x1b[1mload\x1b[0m"));
    assert!(!run(&["text", "--color=never"], LOG).out.contains('\x1b'));
}

#[test]
fn a_part_can_be_chosen() {
    let handshake = run(&["text", "--from=build-request", "--to=attached"], LOG);
    assert_eq!(seqs(&handshake), (15..=22).collect::<Vec<_>>());
    let range = run(&["text", "--seq", "30..32"], LOG);
    assert_eq!(seqs(&range), [30, 31, 32]);
    let few = run(&["text", "--limit", "3"], LOG);
    assert_eq!(seqs(&few), [1, 2, 3]);
    assert!(
        few.err.contains("41 more steps are left out"),
        "{}",
        few.err
    );
    let both = [line(1, 5, "load"), line(2, 5, "unload"), line(1, 7, "load")].concat();
    let second = run(&["text", "--load", "2"], &both);
    assert_eq!(seqs(&second), [1]);
    assert!(second.out.contains("load 2 of the log: load=7"));
    let none = run(&["html", "--load", "3"], &both);
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    assert!(none.err.contains("none of the 3 steps"), "{}", none.err);
}

#[test]
fn mermaid_draws_the_handshake_that_the_guide_shows() {
    let ran = run(&["mermaid", "--seq", "12..38"], LOG);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let guide = include_str!("../../docs/trace.md");
    let shown = format!("```mermaid\n{}```\n", ran.out);
    assert!(
        guide.contains(&shown),
        "docs/trace.md has to show:\n{shown}"
    );
}

#[test]
fn mermaid_shades_softirq_and_hardirq() {
    let log = line(1, 5, "load") + &line(2, 5, "event-set").replace("in=task", "in=hardirq");
    let ran = run(&["mermaid"], &log);
    assert!(ran.out.contains("rect rgba"), "{}", ran.out);
    assert!(ran.out.ends_with("    end\n"), "{}", ran.out);
}

#[test]
fn json_has_the_members_that_docs_trace_md_documents() {
    let ran = run(&["json"], LOG);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(document["schema"], "d2d-trace/1");
    let load = &document["loads"][0];
    assert_eq!(load["load"], 3825);
    assert_eq!(load["drivers"], serde_json::json!(["module_a", "module_b"]));
    let steps = load["steps"].as_array().expect("steps");
    assert_eq!(steps.len(), 44);
    let expected = serde_json::json!({
        "number": 26, "seq": 26, "time_ns": 3_914_152_000u64, "cpu": null, "task": null,
        "driver": "module_a", "context": "task", "step": "op-return", "known": true,
        "fields": {"from": "peer", "op": "ping", "status": "0"},
        "arrow": {"kind": "op-return", "from": "module_b", "to": "module_a"},
        "span": {"called": "module_b", "since": 25, "ns": 64_000}, "depth": null
    });
    assert_eq!(steps[25], expected);
    assert_eq!(
        steps[23]["depth"],
        serde_json::json!({"queue": "to_peer", "depth": 4})
    );
    let text = include_str!("../../docs/trace.md");
    let members = document
        .as_object()
        .into_iter()
        .chain(document["log"].as_object());
    let members = members
        .chain(document["order"].as_object())
        .chain(load.as_object());
    for (name, _) in members.chain(expected.as_object()).flatten() {
        assert!(
            text.contains(&format!("`{name}`")),
            "docs/trace.md does not describe {name}"
        );
    }
}

#[test]
fn perfetto_gets_an_event_for_each_step_call_and_queue() {
    let ran = run(&["perfetto"], LOG);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    let events = document["traceEvents"].as_array().expect("events");
    let of = |phase: &str| -> Vec<&Value> {
        let events = events.iter().filter(|event| event["ph"] == phase);
        events.collect()
    };
    assert_eq!(of("i").len(), 44);
    let names: Vec<_> = of("M").iter().map(|event| &event["args"]["name"]).collect();
    assert_eq!(names, ["load 1: load=3825", "module_a", "module_b"]);
    let (begins, ends) = (of("b"), of("e"));
    let ping = begins
        .iter()
        .position(|event| event["name"] == "ping")
        .expect("a call");
    assert_eq!(begins[ping]["ts"], 3_914_088.0);
    assert_eq!(ends[ping]["ts"], 3_914_152.0);
    assert_eq!(begins[ping]["id"], ends[ping]["id"]);
    assert_eq!((begins.len(), ends.len()), (6, 6));
    assert!(of("C")
        .iter()
        .any(|event| event["name"] == "to_peer" && event["args"]["depth"] == 4));
    for event in events {
        assert!(
            event["pid"] == 1 && event["ts"].is_number() && event["tid"].is_number(),
            "{event}"
        );
    }
    // Without times, the steps keep their order.
    let untimed: String = LOG
        .lines()
        .map(|line| line.split_once("] ").expect("a time").1.to_owned() + "\n")
        .collect();
    let ran = run(&["perfetto"], &untimed);
    assert!(ran.err.contains("44 steps have no time"), "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    let events = document["traceEvents"].as_array().expect("events");
    let times: Vec<_> = events
        .iter()
        .filter(|event| event["ph"] == "i")
        .map(|event| event["ts"].as_f64())
        .collect();
    assert!(times.is_sorted() && times[0] < times[43]);
}

#[test]
fn the_html_page_needs_no_other_file() {
    let ran = run(&["html"], LOG);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let page = ran.out.to_lowercase();
    for outside in [
        "http:", "https:", "src=", "<link", "@import", "url(", "import(", "fetch(",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    for tag in [
        "svg", "g", "text", "title", "section", "div", "details", "table", "html", "script",
        "select", "option",
    ] {
        let opened =
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    for expected in [
        "module_a",
        "module_b",
        "to_peer",
        "to_owner",
        "64.0 µs",
        "bounce",
        "depth, max 4",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert_eq!(page.matches("<g ").count(), 44);
}

#[test]
fn each_row_of_the_page_says_by_what_the_filter_chooses_it() {
    let page = run(&["html"], LOG).out;
    let steps = |context: &str| page.matches(&format!("data-context=\"{context}\"")).count();
    let of_log = |context: &str| LOG.matches(&format!(" in={context} ")).count();
    for context in ["task", "softirq", "hardirq"] {
        assert_eq!(steps(context), of_log(context), "{context}");
    }
    assert!(page.contains("data-drivers=\"module_a module_a module_b\" data-step=\"call-driver\""));
    assert!(page.contains("<option>module_b</option>"));
    let names = page.matches("<option>dispatch</option>").count();
    assert_eq!((names, page.matches("<select>").count()), (1, 3));
    // Another load has steps of its own, but the same lists.
    let reloaded = LOG.replace("load=3825", "load=9999");
    let both = run(&["html"], &[LOG, &reloaded].concat()).out;
    assert_eq!(both.matches("<select>").count(), 3);
    assert_eq!(both.matches("class=\"rows\"").count(), 2);
}

#[test]
fn a_name_in_the_log_cannot_be_markup_of_the_page() {
    let log = line(1, 5, "load name=<script>alert(1)</script>");
    let page = run(&["html"], &log).out;
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert"));
}

#[test]
fn lost_lines_are_counted_and_listed_in_every_form() {
    let log: String =
        LOG.lines()
            .filter(|line| !line.contains("seq=3 "))
            .fold(String::new(), |log, line| {
                if line.contains("seq=30 ") || line.contains("seq=31 ") {
                    log
                } else {
                    log + line + "\n"
                }
            });
    let said = "3 steps are missing: seq 3, 30 to 31";
    for (form, there) in [
        ("text", "-- 2 steps are missing: seq 30 to 31\n"),
        (
            "mermaid",
            "Note over d0,d1: 2 steps are missing: seq 30 to 31\n",
        ),
        ("html", ">2 steps are missing: seq 30 to 31<"),
        ("json", "\"first\": 30,"),
        ("perfetto", "\"2 steps are missing: seq 30 to 31\""),
    ] {
        let ran = run(&[form], &log);
        assert_eq!(ran.code, 0);
        assert!(ran.err.contains(said), "{form}: {}", ran.err);
        assert!(ran.out.contains(there), "{form}");
    }
}

#[test]
fn lines_of_two_cpus_are_sorted() {
    let mut lines: Vec<_> = LOG.lines().collect();
    lines.reverse();
    let ran = run(&["text"], &lines.join("\n"));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(seqs(&ran), (1..=44).collect::<Vec<_>>());
    let late = run(&["text", "--window=4"], &lines.join("\n"));
    assert_eq!(late.code, 0);
    assert!(
        late.err
            .contains("too late to be sorted: over 4 steps late"),
        "{}",
        late.err
    );
}

#[test]
fn two_boots_and_a_reload_are_three_loads() {
    let reloaded = LOG.replace("load=3825", "load=9000");
    let booted = LOG.replace("[    3.", "[    4.");
    let ran = run(&["text"], &[LOG, &reloaded, &booted].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out.matches(" of the log: load=").count(), 3);
    assert_eq!(seqs(&ran).len(), 3 * 44);
    let page = run(&["html"], &[LOG, &reloaded].concat()).out;
    assert_eq!(page.matches("<section>").count(), 2);
    let twice = run(&["text"], &[LOG, LOG].concat());
    assert_eq!(seqs(&twice).len(), 44);
    assert!(twice.err.contains("44 steps occur again"), "{}", twice.err);
}

#[test]
fn two_owners_are_kept_apart_although_their_lines_are_mixed() {
    let loads: Vec<_> = TWO_OWNERS
        .lines()
        .map(|line| line.contains("load=1090"))
        .collect();
    let changes = loads.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(changes, 5, "the lines are mixed");
    // With the window 0, no step waits for the others of its load.
    for window in ["--window=4096", "--window=0"] {
        let ran = run(&["json", window], TWO_OWNERS);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{window}");
        let document: Value = serde_json::from_str(&ran.out).expect("JSON");
        let loads = document["loads"].as_array().expect("loads");
        assert_eq!(loads.len(), 2, "{window}");
        for (load, owner, peer) in [
            (&loads[0], "module_a", "module_b"),
            (&loads[1], "other_a", "other_b"),
        ] {
            assert_eq!(load["drivers"], serde_json::json!([owner, peer]));
            let steps = load["steps"].as_array().expect("steps");
            assert_eq!(steps.len(), 84);
            let arrows = steps.iter().map(|step| &step["arrow"]);
            let arrows: Vec<_> = arrows.filter(|arrow| !arrow.is_null()).collect();
            for (from, to) in [(owner, peer), (peer, owner)] {
                for kind in ["op-call", "op-return", "call-driver", "complete"] {
                    let arrow = serde_json::json!({"kind": kind, "from": from, "to": to});
                    assert!(arrows.contains(&&arrow), "{window}: {arrow}");
                }
            }
            for arrow in arrows {
                assert!(
                    [&arrow["from"], &arrow["to"]]
                        .iter()
                        .all(|end| **end == owner || **end == peer),
                    "{window}: {arrow}"
                );
            }
        }
    }
}

#[test]
fn calls_in_a_log_of_ftrace_are_matched_by_cpu_and_task() {
    let log = "# tracer: nop\n\
        \x20 insmod-77      [000] .....     3.000001: d2d_op_call: driver=module_a seq=0 load=5 in=task step=op-call to=peer op=ping value=1\n\
        \x20 kworker/1:1-31 [001] .....     3.000002: d2d_op_call: driver=module_a seq=0 load=5 in=task step=op-call to=peer op=ping value=2\n\
        \x20 insmod-77      [000] .....     3.000004: d2d_op_return: driver=module_a seq=0 load=5 in=task step=op-return from=peer op=ping value=2\n\
        \x20 kworker/1:1-31 [001] .....     3.000009: d2d_op_return: driver=module_a seq=0 load=5 in=task step=op-return from=peer op=ping value=3\n";
    let ran = run(&["json"], log);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    let steps = &document["loads"][0]["steps"];
    assert_eq!(
        (steps[1]["cpu"].as_u64(), steps[1]["task"].as_str()),
        (Some(1), Some("kworker/1:1-31"))
    );
    assert_eq!(
        (
            steps[2]["span"]["ns"].as_u64(),
            steps[3]["span"]["ns"].as_u64()
        ),
        (Some(3000), Some(7000))
    );
}

#[test]
fn broken_lines_are_joined_and_cut_lines_are_left_out() {
    let wrapped = LOG
        .replace(" op=ping status=0", " op=ping sta\ntus=0")
        .replace("step=adopt ctx", "st\nep=adopt ctx");
    let ran = run(&["text"], &wrapped);
    assert_eq!(seqs(&ran).len(), 44);
    assert!(ran.out.contains("op=ping status=0  "));
    assert!(
        ran.err.contains("2 broken lines were put together"),
        "{}",
        ran.err
    );
    let cut = LOG.replace("step=adopt ctx=c0", "st");
    let ran = run(&["text"], &cut);
    assert_eq!(seqs(&ran).len(), 43);
    assert!(
        ran.err.contains("1 line has an incomplete step"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("1 step is missing: seq 18"), "{}", ran.err);
}

#[test]
fn an_input_without_steps_is_refused_with_the_reason() {
    for (log, reason) in [
        (&b""[..], "empty"),
        (b"[ 1.0] random: crng init done\n", "no step in 1 lines"),
        (b"\x1f\x8b\x08\0\0\0", "gzip"),
        (b"\x17\x08\x44tracing6", "trace-cmd report"),
        (b"\xff\xfem\0o\0d\0", "UTF-16"),
        (b"\x7fELF\x02\x01\x01\0\n\xfe\xd2d\n", "binary"),
    ] {
        for form in ["text", "mermaid", "json", "html", "perfetto"] {
            let output = run_bytes(&[form], log);
            assert_eq!(output.status.code(), Some(1), "{reason}");
            assert_eq!(output.stdout, b"", "{reason}");
            let said = String::from_utf8(output.stderr).expect("text");
            assert!(said.contains(reason), "{reason}: {said}");
        }
    }
}

#[test]
fn unknown_steps_are_shown_and_listed() {
    let ran = run(&["text"], &(line(1, 5, "load") + &line(2, 5, "upload x=1")));
    assert_eq!((ran.code, seqs(&ran)), (0, vec![1, 2]));
    assert!(
        ran.err.contains("1 step is not in the vocabulary: upload"),
        "{}",
        ran.err
    );
}

#[test]
fn live_shows_each_step_while_its_source_runs() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_d2d-trace"))
        .args(["text", "--live"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("a pipe");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, shown) = channel();
    thread::spawn(move || {
        output
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    let next = || shown.recv_timeout(Duration::from_secs(60)).expect("a line");
    input
        .write_all(line(1, 5, "load").as_bytes())
        .expect("it reads");
    assert_eq!(next(), "-- load 1 of the log: load=5");
    assert!(next().ends_with("load"));
    // Two CPUs print in the wrong order.
    let both = line(3, 5, "unload") + &line(2, 5, "adopt ctx=c0");
    input.write_all(both.as_bytes()).expect("it reads");
    assert!(next().ends_with("adopt ctx=c0"));
    assert!(next().ends_with("unload"));
    // A step that does not come delays the others for a moment only.
    input
        .write_all(line(5, 5, "load").as_bytes())
        .expect("it reads");
    assert_eq!(next(), "-- one step is missing: seq 4");
    assert!(next().ends_with("load"));
    input
        .write_all(line(4, 5, "unload").as_bytes())
        .expect("it reads");
    assert!(next().ends_with("unload  (late)"));
    // A line may come in parts.
    let whole = line(6, 5, "load name=b");
    for part in [&whole[..40], &whole[40..]] {
        input.write_all(part.as_bytes()).expect("it reads");
        thread::sleep(Duration::from_millis(300));
    }
    assert!(next().ends_with("load name=b"));
    // The source ends within a line.
    input
        .write_all(b"module_a: d2d: seq=7 lo")
        .expect("it reads");
    drop(input);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0));
    let said = String::from_utf8(ended.stderr).expect("text");
    assert!(said.contains("1 line has an incomplete step"), "{said}");
    assert!(said.contains("1 step came too late"), "{said}");
}

#[test]
fn live_shows_a_log_that_has_ended_as_usual() {
    let ran = run(&["text", "--live"], LOG);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, run(&["text"], LOG).out);
    let none = run(&["text", "--live"], "random: crng init done\n");
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    assert!(none.err.contains("no step in 1 lines"), "{}", none.err);
}

#[test]
fn a_wrong_command_line_is_refused() {
    for args in [
        &[][..],
        &["draw"],
        &["text", "--fast"],
        &["html", "--live"],
        &["text", "--seq", "x"],
        &["text", "--color", "blue"],
        &["text", "a", "b"],
        &["text", "--limit"],
    ] {
        let ran = run(args, LOG);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains("usage: "), "{args:?}");
    }
    let folder = env!("CARGO_MANIFEST_DIR");
    for path in ["/no/such/log", folder] {
        for args in [&["text", path][..], &["text", "--live", path]] {
            let ran = run(args, "");
            assert_eq!((ran.code, ran.out.as_str()), (1, ""));
            let reason = format!("d2d-trace: {path}: ");
            assert!(ran.err.starts_with(&reason), "{}", ran.err);
            assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
        }
    }
    let help = run(&["help"], "");
    assert!(help.code == 0 && help.out.contains("mermaid"));
}
