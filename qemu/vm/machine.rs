//! The virtual machine: QEMU's or User-Mode Linux's command line, its channels, its end.

use crate::stop::Stop;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How the virtual machine came to its end
#[derive(Debug, PartialEq)]
pub enum Ended {
    /// It ended by itself, with this status
    Exit(Option<i32>),
    /// It was killed after this time
    Timeout(Duration),
    /// It was killed when this test, which was expected to fail, had failed
    Failed(String),
}

/// What the guest's kernel runs on
#[derive(Clone, Copy, PartialEq)]
pub enum Platform {
    /// A machine that QEMU makes
    Qemu,
    /// The same with one CPU, each instruction of which takes a nanosecond of the machine's time.
    /// Idle time passes at once.
    Counting,
    /// The host: a kernel that is a program of its own
    Uml,
}

pub struct Machine {
    platform: Platform,
    mode: String,
    dir: String,
    accel: &'static str,
    command: Command,
    debugged: bool,
    stop: Option<Stop>,
    started: Instant,
    pub nonce: String,
}

/// /dev/kvm may be there and answer although no guest can run on it
pub fn kvm_works() -> bool {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let capable = cpuinfo
        .split_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm");
    capable
        && File::options()
            .read(true)
            .write(true)
            .open("/dev/kvm")
            .is_ok()
}

/// A number that no earlier run has left in a file
fn nonce() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.map_or(0, |since| since.as_nanos());
    format!("{nanos:x}-{}", std::process::id())
}

/// What the guest writes to: ports of these names, or under User-Mode Linux files; files in DIR
const PORTS: [&str; 3] = ["output", "ktap", "result"];

/// How often the machine is looked at
const POLL: Duration = Duration::from_millis(50);

fn kill(mut child: Child) {
    // It may have ended by itself in the meantime.
    child.kill().and_then(|()| child.wait()).ok();
}

/// The accelerator that is one
const KVM: &str = "KVM";

/// QEMU, and what it does for the speed of its CPUs
fn qemu(counting: bool, interactive: bool, dir: &str) -> (Command, &'static str) {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-m", "1G", "-nodefaults", "-no-reboot"]);
    command.args(["-smp", if counting { "1" } else { "2" }]);
    let accel = if counting {
        // A string instruction would count once for each byte; without these features the kernel
        // copies and clears by moves.
        command.args(["-cpu", "max,erms=off,fsrm=off,fsrs=off"]);
        command.args(["-icount", "shift=0,sleep=off"]);
        "emulated (TCG), counting instructions"
    } else if kvm_works() {
        command.args(["-accel", "kvm", "-cpu", "host"]);
        KVM
    } else {
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max"]);
        "emulated (TCG)"
    };
    if interactive {
        // With -nographic the firmware would clear the terminal and turn its line wrap off.
        command.args(["-display", "none", "-serial", "mon:stdio"]);
        return (command, accel);
    }
    command.args(["-display", "none", "-device", "virtio-serial"]);
    command.args(["-serial", &format!("file:{dir}/console.log")]);
    for name in PORTS {
        let backend = format!("file,id={name},path={dir}/{name}");
        let port = format!("virtserialport,chardev={name},name=d2d.{name}");
        command.args(["-chardev", &backend, "-device", &port]);
    }
    (command, accel)
}

/// User-Mode Linux with two CPUs. The guest sees DIR, as the host file system that it can mount.
fn uml(kernel: &str, interactive: bool, dir: &str) -> io::Result<Command> {
    let mut command = Command::new(kernel);
    // More than one CPU works in this mode only.
    command.args(["seccomp=on", "ncpus=2", "mem=512M"]);
    command.args(["con=fd:0,fd:1", "console=tty0"]);
    command.arg(format!("hostfs={dir}"));
    if !interactive {
        let console = File::create(format!("{dir}/console.log"))?;
        command.stderr(console.try_clone()?).stdout(console);
    }
    Ok(command)
}

impl Machine {
    pub fn new(
        platform: Platform,
        mode: &str,
        kernel: &str,
        initramfs: &str,
        dir: &str,
        append: &str,
    ) -> Self {
        let nonce = nonce();
        let mut line = format!("panic=-1 d2d.mode={mode} d2d.nonce={nonce}");
        line += match mode {
            "shell" => " quiet",
            // What the kernel says while it boots all goes to the console; then the guest lowers
            // that.
            _ => " ignore_loglevel",
        };
        if mode != "shell" {
            // Every report that the kernel can be made to stop at stops it.
            line += " oops=panic panic_on_warn=1 softlockup_panic=1 hung_task_panic=1";
            line += " log_buf_len=4M printk.devkmsg=on panic_console_replay";
            // The kernel's own suites are not what is tested; one of them prints a warning.
            line += " kunit.autorun=0";
        }
        if !append.is_empty() {
            line = line + " " + append;
        }

        let (command, accel) = match platform {
            Platform::Qemu | Platform::Counting => {
                let counting = platform == Platform::Counting;
                let (mut command, accel) = qemu(counting, mode == "shell", dir);
                command.args(["-kernel", kernel, "-initrd", initramfs]);
                line = format!("console=ttyS0 {line}");
                if accel != KVM {
                    // The check counts on a timer that ticks while it looks; on a busy host it does
                    // not.
                    line += " no_timer_check";
                }
                command.args(["-append", &line]);
                (command, accel)
            }
            Platform::Uml => {
                let mut command = uml(kernel, mode == "shell", dir)
                    .unwrap_or_else(|error| panic!("cannot write to {dir}: {error}"));
                command.arg(format!("initrd={initramfs}"));
                command.args(line.split(' '));
                (command, "User-Mode Linux")
            }
        };
        Machine {
            platform,
            mode: mode.into(),
            dir: dir.into(),
            accel,
            command,
            debugged: false,
            stop: None,
            started: Instant::now(),
            nonce,
        }
    }

    /// Makes it wait for a debugger, at the socket DIR/gdb, before its first instruction. QEMU runs in
    /// DIR, as the whole path of a socket may be too long for one.
    pub fn wait_for_debugger(&mut self) {
        self.command.current_dir(&self.dir);
        self.command
            .args(["-S", "-gdb", "unix:gdb,server=on,wait=off"]);
        self.debugged = true;
    }

    /// Makes it end when a test has failed that matches this reason
    pub fn stop_at(&mut self, reason: &str) {
        self.stop = Some(Stop::new(reason));
    }

    /// Gives the terminal to the guest
    pub fn interact(mut self) -> ExitCode {
        let error = self.command.exec();
        eprintln!("cannot run {}: {error}", self.program());
        ExitCode::FAILURE
    }

    /// Runs the machine to its end, or kills it when it has had this time since it booted
    pub fn follow(&mut self, limit: Duration) -> Ended {
        let mut child = self.boot();
        let booted = Instant::now();
        let mut ktap = Tail::new(format!("{}/ktap", self.dir));
        let mut last_word = Instant::now();
        loop {
            let status = child.try_wait().expect("it is our child");
            let new = ktap.read();
            if self.reports() && !new.is_empty() {
                let mut out = io::stdout();
                out.write_all(&new).and_then(|()| out.flush()).ok();
                last_word = Instant::now();
            }
            if let Some(test) = self.stop.as_mut().and_then(|stop| stop.find(&new)) {
                kill(child);
                return Ended::Failed(test);
            }
            if let Some(status) = status {
                return Ended::Exit(status.code());
            }
            if booted.elapsed() > limit {
                kill(child);
                return Ended::Timeout(limit);
            }
            if last_word.elapsed() > Duration::from_secs(15) {
                let spent = booted.elapsed().as_secs();
                eprintln!("vm: {} s of at most {} s", spent, limit.as_secs());
                last_word = Instant::now();
            }
            sleep(POLL);
        }
    }

    /// Starts the machine, and returns when its first process runs. An emulated machine has been
    /// seen to spin for ever before that, once in some 200 boots; nothing of what is tested here
    /// has run by then, so it is started once more, and then only the run's own limit ends it.
    /// A kernel that is only slow says something now and then; one that is debugged may be halted.
    fn boot(&mut self) -> Child {
        const LIMIT: Duration = Duration::from_secs(60);

        let mut child = self.spawn();
        if self.platform == Platform::Uml || self.debugged {
            return child;
        }
        let mut said = 0;
        let mut since = Instant::now();
        while since.elapsed() < LIMIT {
            let ended = child.try_wait().expect("it is our child").is_some();
            let console = self.read("console.log");
            if ended || console.contains("Run /init as init process") {
                return child;
            }
            if console.len() > said {
                said = console.len();
                since = Instant::now();
            }
            sleep(POLL);
        }
        kill(child);
        let console = format!("{}/console.log", self.dir);
        fs::rename(&console, format!("{}/console.hung", self.dir)).ok();
        eprintln!(
            "vm: no /init and silence for {} s, booting once more",
            LIMIT.as_secs()
        );
        self.spawn()
    }

    fn program(&self) -> String {
        self.command.get_program().to_string_lossy().into_owned()
    }

    /// Whether the KTAP that comes out of it is shown as it comes
    fn reports(&self) -> bool {
        self.mode == "test" || self.mode == "torture"
    }

    fn spawn(&mut self) -> Child {
        self.command.stdin(Stdio::null());
        match self.command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot run {}: {error}", self.program()),
        }
    }

    /// What came out of this channel; bytes that are not text are marked as such
    pub fn read(&self, name: &str) -> String {
        let bytes = fs::read(format!("{}/{name}", self.dir)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn summary(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f32();
        format!("{seconds:.1} s in the VM, {}", self.accel)
    }
}

/// A growing file, printed as it grows
struct Tail {
    path: String,
    file: Option<File>,
}

impl Tail {
    fn new(path: String) -> Self {
        Tail { path, file: None }
    }

    /// Reads what is new
    fn read(&mut self) -> Vec<u8> {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let mut new = Vec::new();
        if let Some(file) = &mut self.file {
            file.read_to_end(&mut new).ok();
        }
        new
    }
}
