// SPDX-License-Identifier: GPL-2.0

//! The virtual machine: its command line, the files that the guest writes, and its end.

use crate::stop::Stop;
use crate::threads;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug, PartialEq)]
pub enum Ended {
    /// Its process exited with this status, or was killed by a signal (`None`)
    Exit(Option<i32>),
    Timeout(Duration),
    /// d2d-vm killed it, because this test has failed, as the caller expected
    Stopped(String),
}

#[derive(Clone, Copy, PartialEq)]
pub enum Platform {
    Qemu,
    Arm64,
    /// QEMU with one CPU and a clock that advances by a nanosecond with each instruction
    Counting,
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

/// Whether KVM can run a guest. /dev/kvm may exist even if the CPU has no virtualization.
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

/// Returns a text that is different for each run. The guest repeats it in the result line, so that d2d-vm accepts no
/// result line of another run.
fn nonce() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = now.map_or(0, |since| since.as_nanos());
    format!("{nanos:x}-{}", std::process::id())
}

/// The files that the guest writes through virtio-serial ports
const PORTS: [&str; 3] = ["output", "ktap", "result"];

/// After this time without KTAP, `follow` prints what the threads of a User-Mode Linux guest do.
const SILENCE: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(50);

fn kill(mut child: Child) {
    // Killing fails if the machine has exited.
    child.kill().and_then(|()| child.wait()).ok();
}

const KVM: &str = "KVM";

/// Emulation with a thread of the host for each CPU of the guest
const EMULATED: &str = "emulated (TCG)";

/// Returns the command line of QEMU, and the name of its accelerator. A plugin does not work with KVM.
fn qemu(
    platform: Platform,
    interactive: bool,
    plugin: Option<&str>,
    dir: &str,
) -> (Command, &'static str) {
    let counting = platform == Platform::Counting;
    let mut command = if platform == Platform::Arm64 {
        let mut command = Command::new("qemu-system-aarch64");
        command.args(["-machine", "virt"]);
        command
    } else {
        Command::new("qemu-system-x86_64")
    };
    command.args(["-m", "1G", "-nodefaults", "-no-reboot"]);
    command.args(["-smp", if counting { "1" } else { "2" }]);
    let accel = if counting {
        // With these features, the kernel would copy memory with string instructions. The clock counts each repetition
        // of such an instruction.
        command.args(["-cpu", "max,erms=off,fsrm=off,fsrs=off"]);
        command.args(["-icount", "shift=0,sleep=off"]);
        "emulated (TCG), counting instructions"
    } else if platform == Platform::Qemu && plugin.is_none() && kvm_works() {
        command.args(["-accel", "kvm", "-cpu", "host"]);
        KVM
    } else {
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max"]);
        EMULATED
    };
    if let Some(plugin) = plugin {
        command.args(["-plugin", &format!("file={plugin},out={dir}/ktap")]);
    }
    if interactive {
        // Not -nographic: the firmware would clear the terminal and turn its line wrap off.
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

fn uml(kernel: &str, interactive: bool, dir: &str) -> io::Result<Command> {
    let mut command = Command::new(kernel);
    // Only the seccomp mode supports more than one CPU.
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
            // The console gets all messages during boot. Then guest/init lets only warnings through.
            _ => " ignore_loglevel",
        };
        if mode != "shell" {
            line += " oops=panic panic_on_warn=1 softlockup_panic=1 hung_task_panic=1";
            line += " log_buf_len=4M printk.devkmsg=on panic_console_replay";
            // One of the kernel's own KUnit suites prints a warning, which would be a panic.
            line += " kunit.autorun=0";
        }
        if !append.is_empty() {
            line = line + " " + append;
        }

        let (command, accel) = match platform {
            Platform::Qemu | Platform::Counting | Platform::Arm64 => {
                let plugin = std::env::var("D2D_PLUGIN").ok();
                let plugin = plugin.as_deref().filter(|path| !path.is_empty());
                let (mut command, accel) = qemu(platform, mode == "shell", plugin, dir);
                command.args(["-kernel", kernel, "-initrd", initramfs]);
                let x86 = platform != Platform::Arm64;
                let console = if x86 { "ttyS0" } else { "ttyAMA0" };
                line = format!("console={console} {line}");
                if x86 && accel != KVM {
                    // On a busy host, the ticks of an emulated timer may come too late for the kernel's timer check.
                    line += " no_timer_check";
                }
                if x86 && accel == EMULATED {
                    // An emulated CPU may execute old code after the other CPU has changed it. During boot, a CPU ran
                    // into a breakpoint that the other CPU had removed from a static key (Oops: int3 in
                    // sched_clock_idle_wakeup_event). So boot with one CPU. guest/init brings the second one online.
                    line += " maxcpus=1";
                    // On a busy host, an emulated CPU may stop for long. Then its clock differs from other clocks.
                    line += " tsc=nowatchdog";
                    // While a tracepoint is on, the kernel records the names of tasks. For this, it changes code of its
                    // scheduler, which both CPUs run (Oops: int3 in __schedule).
                    line += " trace_options=norecord-cmd";
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

    /// Makes the machine wait for a debugger at the socket DIR/gdb.
    pub fn wait_for_debugger(&mut self) {
        // An absolute path may be too long for a socket.
        self.command.current_dir(&self.dir);
        self.command
            .args(["-S", "-gdb", "unix:gdb,server=on,wait=off"]);
        self.debugged = true;
    }

    pub fn stop_at(&mut self, reason: &str) {
        self.stop = Some(Stop::new(reason));
    }

    pub fn interact(mut self) -> ExitCode {
        let error = self.command.exec();
        eprintln!("cannot run {}: {error}", self.program());
        ExitCode::FAILURE
    }

    /// Runs the machine until it exits, the expected test fails, or `limit` has passed since its boot
    pub fn follow(&mut self, limit: Duration) -> Ended {
        let mut child = self.boot();
        let booted = Instant::now();
        let mut ktap = Tail::new(format!("{}/ktap", self.dir));
        let mut last_message = Instant::now();
        let mut last_ktap = Instant::now();
        loop {
            let status = child.try_wait().expect("it is our child");
            let new = ktap.read();
            if self.shows_ktap() && !new.is_empty() {
                let mut out = io::stdout();
                out.write_all(&new).and_then(|()| out.flush()).ok();
                last_message = Instant::now();
                last_ktap = last_message;
            }
            if let Some(test) = self.stop.as_mut().and_then(|stop| stop.find(&new)) {
                kill(child);
                return Ended::Stopped(test);
            }
            if let Some(status) = status {
                return Ended::Exit(status.code());
            }
            if booted.elapsed() > limit {
                kill(child);
                return Ended::Timeout(limit);
            }
            if last_message.elapsed() > Duration::from_secs(15) {
                let spent = booted.elapsed().as_secs();
                eprintln!("vm: running for {spent} s, limit {} s", limit.as_secs());
                last_message = Instant::now();
                if self.platform == Platform::Uml && last_ktap.elapsed() > SILENCE {
                    for line in threads::describe(child.id()) {
                        eprintln!("vm: {line}");
                    }
                }
            }
            sleep(POLL);
        }
    }

    /// Starts the machine, and returns when the guest's first process runs. In about one of 200 emulated machines, the
    /// kernel hangs before that. So if the console is silent for a minute, the function starts the machine once more.
    fn boot(&mut self) -> Child {
        const LIMIT: Duration = Duration::from_secs(60);

        let mut child = self.spawn();
        if self.platform == Platform::Uml || self.debugged {
            return child;
        }
        let mut length = 0;
        let mut since = Instant::now();
        while since.elapsed() < LIMIT {
            let ended = child.try_wait().expect("it is our child").is_some();
            let console = self.read("console.log");
            if ended || console.contains("Run /init as init process") {
                return child;
            }
            if console.len() > length {
                length = console.len();
                since = Instant::now();
            }
            sleep(POLL);
        }
        kill(child);
        let console = format!("{}/console.log", self.dir);
        fs::rename(&console, format!("{}/console.hung", self.dir)).ok();
        eprintln!(
            "vm: the kernel has not started /init and was silent for {} s, booting once more",
            LIMIT.as_secs()
        );
        self.spawn()
    }

    fn program(&self) -> String {
        self.command.get_program().to_string_lossy().into_owned()
    }

    fn shows_ktap(&self) -> bool {
        self.mode == "test" || self.mode == "torture"
    }

    fn spawn(&mut self) -> Child {
        self.command.stdin(Stdio::null());
        if self.platform == Platform::Uml {
            // A User-Mode Linux kernel that panics sends SIGTERM to its process group.
            self.command.process_group(0);
        }
        match self.command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot run {}: {error}", self.program()),
        }
    }

    pub fn read(&self, name: &str) -> String {
        let bytes = fs::read(format!("{}/{name}", self.dir)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn summary(&self) -> String {
        let seconds = self.started.elapsed().as_secs_f32();
        let arch = match self.platform {
            Platform::Arm64 => "arm64",
            _ => "x86_64",
        };
        format!("{seconds:.1} s in the VM, {arch}, {}", self.accel)
    }
}

/// Reads a file while the guest appends to it
struct Tail {
    path: String,
    file: Option<File>,
}

impl Tail {
    fn new(path: String) -> Self {
        Tail { path, file: None }
    }

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
