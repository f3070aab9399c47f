#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# If an argument is wrong, or the host lacks something, the lab must print one line and end at once. No process may
# keep the caller's pipe open.
. "$(dirname "$0")/../lib/lab.sh"

unset ARCH KERNEL
# With the variables of an outer make, make prints "make[1]:" and takes the outer make's arguments.
unset MAKELEVEL MAKEFLAGS MFLAGS MAKEOVERRIDES
D2D_ROOT=$("$LAB/root/root.sh")
kernel=$(kernel_dir stock)
export D2D_ROOT
unset D2D_KERNEL
cd "$PROJECT"
mkdir -p build
dir=$(mktemp -d "$PROJECT/build/refusals.XXXXXX")
trap 'rm -rf "$dir" "$PROJECT/build/refused"' EXIT
log=$dir/log
. "$(dirname "$0")/../lib/ktap.sh"
ktap_begin

# fails_with REGEX CMD... - CMD must fail, and print only one line, which matches REGEX, besides make's error line. CMD
# and its children must close the output's pipe within $limit seconds.
limit=60
fails_with() {
	local why=$1 output
	shift
	! output=$(timeout "$limit" "$@" 2>&1) || { echo "the command succeeded" && return 1; }
	output=$(grep -v '^make: ' <<<"$output")
	echo "$output"
	[[ $output != *$'\n'* ]] && grep -qE -e "$why" <<<"$output"
}

# lists WORD CMD... - CMD must succeed and print WORD as a line
lists() {
	local word=$1
	shift
	"$@" >"$dir/list" && cat "$dir/list" && grep -qxF -e "$word" "$dir/list"
}

# case_of PROGRAM REGEX - prints PROGRAM:NAME for the first case whose whole name matches REGEX
case_of() {
	echo "$1:$(sed -n "s/^	*verdict \"\($2\)\"$/\1/p" "selftests/$1" | head -n 1)"
}

# no_namespaces KIND CMD... - runs CMD as a plain user who can create no namespace of the kind KIND (user, mnt or pid)
no_namespaces() {
	printf '%s:100000:65536\n' "$(id -un 1000 2>/dev/null || echo 1000)" >"$dir/ranges"
	unshare --user --map-user=1000 --map-group=1000 --keep-caps --mount sh -ec '
		mount --bind "$1" /etc/subuid; mount --bind "$1" /etc/subgid
		echo 0 >"/proc/sys/user/max_$2_namespaces"
		shift 2; exec "$@"' sh "$dir/ranges" "$@"
}

booting() {
	"$LAB/run/boots.sh" - <<<"$1"
}
export -f no_namespaces booting
export LAB dir

for target in run shell test check gdb mutants; do
	expect "make $target KERNEL=nosuch is refused" fails_with "there is no kernel 'nosuch'" make "$target" KERNEL=nosuch
done
expect "make run ARCH=nosuch is refused" fails_with "there is no architecture 'nosuch': ARCH is x86_64 or arm64" make run ARCH=nosuch
expect "make test ARCH=arm64 KERNEL=uml is refused" fails_with "the kernel 'uml' is for x86_64 only, not for arm64" \
	make test ARCH=arm64 KERNEL=uml
expect "make run KERNEL=uml with a KVER of unstable is refused" fails_with "the kernel 'uml' is built from the kernels of trixie" \
	make run KERNEL=uml KVER=7.2.13+deb14-amd64
expect "make torture ARCH=arm64 is refused" fails_with "the kernel 'uml' is for x86_64 only" make torture ARCH=arm64
expect "make run ARCH=arm64 GDB=1 is refused" fails_with "GDB=1 is for x86_64 only" make run ARCH=arm64 GDB=1
expect "make bench ARCH=arm64 is refused" fails_with "the bench is for x86_64 only" make bench ARCH=arm64
expect "make mutants MUTANTS=nosuch is refused" fails_with "there is no mutant 'nosuch'" make mutants MUTANTS='lock-order nosuch'
expect "make verify PART=nosuch is refused" fails_with "there is no part 'nosuch': PART is one of sanitizer .*mutants" \
	make verify PART=nosuch
expect "make help lists a target" lists "$(printf '  %-22s %s' clean 'remove what was built in this directory')" make help
expect "make verify PART=list lists a part" lists mutants make verify PART=list
expect "make test CASE=list lists a program" lists fuzz.sh make test CASE=list
expect "make test CASE=list lists a case" lists "$(case_of handles.sh '[^$]*')" make test CASE=list
expect "make test CASE=list lists a case whose name contains a variable" \
	lists "$(case_of jobs.sh '[a-z][^$]*\$[a-z_]\+[^$]*' | sed 's/\$[a-z_]*/*/')" make test CASE=list
expect "make test CASE=nosuch.sh is refused" fails_with "there is no test 'nosuch.sh' in selftests/" make test CASE=nosuch.sh
expect "make test CASE=:x is refused" fails_with "there is no test '' in selftests/" make test CASE=:x
expect "make torture SECONDS=0 is refused" fails_with "SECONDS is 1 to 999999, not '0'" make torture SECONDS=0
expect "make torture SEED=x is refused" fails_with "SEED is .* not 'x'" make torture SEED=x
expect "make torture SEED=4294967296 is refused" fails_with "SEED is .* not '4294967296'" make torture SEED=4294967296
expect "make gdb VM=nosuch is refused" fails_with "no machine waits for a debugger in nosuch" make gdb VM=nosuch
expect "vm.sh refuses an unknown mode" fails_with "there is no mode 'nosuch'" qemu/vm.sh nosuch
expect "boots.sh refuses an empty table" fails_with "nothing to boot" bash -c 'booting ""'
expect "boots.sh refuses a table that does not exist" fails_with "nothing to boot" bash -c 'qemu/run/boots.sh nosuch 2>&1 | grep -v "^sed: "; exit 1'
expect "boots.sh refuses a table that has no boot of the kernel KERNEL" fails_with "no line of the kernel uml" env KERNEL=uml bash -c 'booting "stock harness/good 60"'
expect "boots.sh refuses a boot of an unknown kernel" fails_with "there is no kernel 'nosuch'" bash -c 'booting "nosuch harness/good 60"'
expect "boots.sh refuses a boot of an unknown mode" fails_with "there is no mode 'nosuch'" bash -c 'booting "stock nosuch 60"'
expect "boots.sh refuses a boot without a time limit" fails_with "number of seconds" bash -c 'booting "stock harness/good console: BUG"'
expect "boots.sh refuses a boot whose case has a quote" fails_with "the second column has a quote" env LINE="uml test/refusals.sh:an?owner's 60" bash -c 'booting "$LINE"'

for kind in user mnt pid; do
	expect "enter.sh fails if the kernel allows no more namespaces of the kind $kind" fails_with "unshare failed: No space left on device" \
		bash -c "no_namespaces $kind qemu/enter.sh true"
done

# The programs of a host that lacks mmdebstrap, and whose apt-get fails
mkdir "$dir/host"
find /bin /sbin /usr/bin /usr/sbin -mindepth 1 -maxdepth 1 ! -name mmdebstrap ! -name apt-get -exec ln -sf -t "$dir/host" {} +
printf '#!/bin/sh\nexit 100\n' >"$dir/host/apt-get"
chmod +x "$dir/host/apt-get"

# fresh_host SIZE CMD... - runs CMD as the superuser of this host, with an empty cache on a disk of this size
fresh_host() {
	mkdir -p "$dir/fresh"
	unshare --user --map-root-user --mount env PATH="$dir/host" XDG_CACHE_HOME="$dir/fresh" sh -ec '
		mount -t tmpfs -o "size=$1" tmpfs "$XDG_CACHE_HOME"
		shift; exec "$@"' sh "$@"
}

# in_container CMD... - runs CMD as the superuser of a container, who may not mount
in_container() {
	fresh_host 8g setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin "$@"
}
export -f fresh_host in_container

expect "a disk that is too small is refused before anything is fetched" \
	fails_with "needs 7 GB of disk space, $dir/fresh/beyond-irps has 6.8 GB free: " bash -c "fresh_host 7000m qemu/root/root.sh"
expect "a container that may not mount is refused before anything is fetched, and the line says what works there" \
	fails_with "root cannot create a mount namespace .*CAP_SYS_ADMIN.*'make KDIR=DIR' builds.*'make rust-headers' makes on another machine" \
	bash -c "in_container qemu/root/root.sh"
expect "a plain user without user namespaces is refused before anything is fetched, and the line names the setting" \
	fails_with "plain user cannot create a user namespace .*max_user_namespaces=0.*: run this as root" \
	env XDG_CACHE_HOME="$dir/fresh" PATH="$dir/host" bash -c "no_namespaces user qemu/root/root.sh"

# proxy VARIABLE=VALUE... - prints the proxy variables that a root gets from a host with these variables
proxy() {
	env "$@" qemu/enter.sh sh -c 'env | grep "_proxy="'
}
for variable in http_proxy HTTP_PROXY; do
	expect "$variable reaches a root" lists http_proxy=http://127.0.0.1:9 proxy "$variable=http://127.0.0.1:9"
done
expect "NO_PROXY reaches a root" lists no_proxy=example.org proxy NO_PROXY=example.org
echo 'Acquire::http::Proxy "http://127.0.0.1:9"; Acquire::https::Proxy "http://127.0.0.1:8";' >"$dir/apt.conf"
expect "apt's proxy for http reaches a root" lists http_proxy=http://127.0.0.1:9 proxy APT_CONFIG="$dir/apt.conf"
expect "apt's proxy for https reaches a root" lists https_proxy=http://127.0.0.1:8 proxy APT_CONFIG="$dir/apt.conf"

# fetching - runs make run for a kernel that the lab must look for. Hides messages about progress and locks
fetching() {
	make run KVER=1.2.3+deb13-amd64 2>&1 |
		grep -vE '^kernel-stock: (look for .*( about .*|: [0-9]+ s)|another run holds .*, waiting for it)$'
	return "${PIPESTATUS[0]}"
}
export -f fetching
limit=600
expect "make run without a network says so, in one line" \
	fails_with ": failed: no network, but the lab has to fetch packages of Debian" env http_proxy= https_proxy= qemu/root/unshare.sh --net -- bash -c fetching
expect "make run with a proxy that does not answer names the proxy without its password, in one line" \
	fails_with "^[^@]*: failed: no network, or the proxy 127.0.0.1:9 does not answer, [^@]*$" \
	env no_proxy= http_proxy=http://user:p@ss@127.0.0.1:9/ bash -c fetching

# resolving KVER LINE... - prints the kernel that resolve.sh chooses for KVER. resolve.sh gets a fake headers package,
# in which the kernel's configuration consists of these lines
resolving() {
	local config=$dir/headers/usr/src/linux-headers-$1/.config
	mkdir -p "${config%/*}" "$dir/bin"
	printf '%s\n' "${@:2}" >"$config"
	printf '#!/bin/sh\ntouch "linux-headers-%s_fake.deb"\n' "$1" >"$dir/bin/apt-get"
	printf '#!/bin/sh\ntar -c -C "%s" .\n' "$dir/headers" >"$dir/bin/dpkg-deb"
	chmod +x "$dir/bin"/*
	qemu/enter.sh env PATH="$dir/bin:$PATH" qemu/kernel/resolve.sh amd64 "$dir/resolved" "$1" && cat "$dir/resolved/resolved"
}
export -f resolving

# newest REGEX - prints the release of the newest kernel whose release matches REGEX
newest() {
	qemu/enter.sh apt-cache pkgnames linux-headers- | sed -nE "s/^linux-headers-($1)\$/\1/p" | sort -V | tail -n 1
}
rust=(CONFIG_RUST=y "CONFIG_RUSTC_VERSION_TEXT=\"$(qemu/enter.sh rustc --version)\"")
expect "an unknown KVER is refused, and the line lists the kernels of the archive" \
	fails_with "^reason: the archive has no amd64 kernel nosuch; it has: .*[0-9][+]deb[0-9]+-amd64" bash -c "resolving nosuch"

# unstable KVER - runs make run for a kernel that unstable lacks. The cache must not keep a toolchain root for it
unstable() {
	local rc before
	before=$(echo "$CACHE"/root-sid-*)
	make run KVER="$1" 2>&1 | grep -vE '^root: make .*( about .*|: [0-9]+ s)$'
	rc=${PIPESTATUS[0]}
	[ "$(echo "$CACHE"/root-sid-*)" = "$before" ] || echo "a root is left"
	return "$rc"
}
export -f unstable
export CACHE
for arch in amd64 arm64; do
	expect "an unknown KVER of unstable for $arch is refused, and the line lists the kernels of unstable" \
		fails_with "failed: the archive has no $arch kernel 1.2.3[+]deb99-$arch; it has: .*[+]deb[0-9]+-$arch" bash -c "unstable 1.2.3+deb99-$arch"
done
limit=60
without_rust=$(newest '6[.]12[.][^-]*-amd64')
expect "a KVER whose kernel is built without Rust is refused" \
	fails_with "^reason: ${without_rust//[+]/.} is built without CONFIG_RUST$" bash -c "resolving $without_rust"
rt=$(newest '[0-9].*-rt-amd64')
expect "a KVER whose kernel has PREEMPT_RT is refused" \
	fails_with "^reason: ${rt//[+]/.} is built with CONFIG_PREEMPT_RT, " bash -c "resolving $rt CONFIG_RUST=y CONFIG_PREEMPT_RT=y"
cloud=$(newest '[0-9].*-cloud-amd64')
expect "KVER can be a kernel for clouds" lists "KVER=$cloud" resolving "$cloud" "${rust[@]}"

# dying - kills a script during a step. The step's progress display (ticker in lib/lab.sh) must end, too
dying() {
	exec 2>/dev/null
	bash -c '. qemu/lib/lab.sh; step "a step" "no time" /dev/null sh -c "kill -KILL $$"'
	return 1
}
export -f dying
expect "the progress display of a step ends when the script is killed" fails_with '^$' timeout 10 bash -c dying

# entry CMD - makes an entry in a cache of this test. Runs CMD before `cached` renames the entry
entry() {
	XDG_CACHE_HOME=$dir bash -c '. qemu/lib/lab.sh
		make_entry() { mkdir "$1" && echo made && '"$1"'; }
		cached "$CACHE/entry" entry make_entry'
}

# entries - the first run is killed, the second makes the entry, the third finds it
entries() {
	! entry 'kill -KILL $$' >"$dir/entries" && [ ! -e "$dir/beyond-irps/entry" ] && entry true >>"$dir/entries" &&
		entry true >>"$dir/entries" && [ "$(cat "$dir/entries")" = $'made\nmade' ] && [ -d "$dir/beyond-irps/entry" ]
}

# leaves_no_entry CMD - CMD ends the making of an entry early; nothing of the entry may be left
leaves_no_entry() {
	rm -rf "$dir/beyond-irps/entry"
	! entry "$1" || { echo "the command succeeded" && return 1; }
	ls "$dir/beyond-irps" && [ -z "$(find "$dir/beyond-irps" -maxdepth 1 -name 'entry*')" ]
}
expect "the cache gets an entry once, and none from a run that was killed" entries
expect "a failed run leaves nothing in the cache" leaves_no_entry 'false'
expect "a run that fails with a message leaves nothing in the cache" leaves_no_entry 'die "a message"'
expect "an interrupted run leaves nothing in the cache" leaves_no_entry 'kill -INT $$'

# failing_build LINE - runs build.sh for a kernel whose build prints LINE and fails. Leaves out the line "another run
# holds ...": another part of make verify may be building
failing_build() {
	mkdir -p "$dir/kernel/tree"
	printf 'KVER=refused\nKMAKE=V=\n' >"$dir/kernel/kernel.env"
	printf 'modules:\n\t@cat output; exit 1\n' >"$dir/kernel/tree/Makefile"
	echo "$1" >"$dir/kernel/tree/output"
	D2D_KERNEL=$dir/kernel "$LAB/build.sh" 2>&1 | grep '^build: ' | grep -v ': another run holds .*, waiting for it$'
	return "${PIPESTATUS[0]}"
}
export -f failing_build
limit=600
expect "a build that fails because of another Rust API gets a hint" fails_with "no modules for refused: its kernel crate lacks .* set KVER=" \
	bash -c "failing_build 'error[E0432]: unresolved import \`kernel::sync::Other\`'"
expect "a build that fails because of the project's own code gets no hint" fails_with "no modules for refused$" \
	bash -c "failing_build 'error[E0425]: cannot find value \`kernel_x\` in this scope'"
expect "a build that fails because of a full disk gets no hint" fails_with "no modules for refused$" \
	bash -c "failing_build 'error: could not write output: No space left on device'"

# begins CMD... - starts CMD, process $first. Returns when its build has begun. This build waits for a line in $dir/go
begins() {
	printf 'modules:\n\t@echo begins >>%s; read line <%s; echo ends >>%s\n' "$dir"/{events,go,events} >"$dir/kernel/tree/Makefile"
	: >"$dir/events"
	timeout "$limit" "$@" >"$dir/first" 2>&1 &
	first=$!
	until [ -s "$dir/events" ]; do
		kill -0 "$first" || return
		sleep 0.1
	done
}

# waits CMD... - starts CMD, process $second, which must wait for the build of $first. Then lets that build end
waits() {
	timeout "$limit" "$@" >"$dir/second" 2>&1 &
	second=$!
	until grep ': another .*, waiting for it$' "$dir/second"; do
		if ! kill -0 "$second" || [ "$(wc -l <"$dir/events")" -gt 1 ]; then
			echo "the second command does not wait"
			kill "$first" "$second"
			return 1
		fi
		sleep 0.1
	done
	echo >"$dir/go"
	wait "$first"
}

take_turns() {
	local first second
	begins "$@" && waits "$@" || return
	until [ "$(wc -l <"$dir/events")" -eq 3 ]; do
		kill -0 "$second" || return
		sleep 0.1
	done
	echo >"$dir/go"
	wait "$second" && cat "$dir/events" && [ "$(paste -sd ' ' "$dir/events")" = 'begins ends begins ends' ]
}

waits_for_kdir() {
	local first second
	begins make -C "$dir/copy" KDIR="$dir/kernel/tree" && waits "$@" && { wait "$second" || :; }
}

leaves_a_process() {
	local rc=0
	printf 'modules:\n\t@sleep %s >/dev/null 2>&1 & echo $$! >%s\n' "$limit" "$dir/pid" >"$dir/kernel/tree/Makefile"
	make -C "$dir/copy" KDIR="$dir/kernel/tree" && flock -n "$dir/copy" true || rc=1
	kill "$(cat "$dir/pid")"
	return "$rc"
}
mkfifo "$dir/go"
mkdir -p "$dir/copy" "$dir/kernel/tree/include/config"
cp -r Makefile qemu install "$dir/copy/"
echo refused >"$dir/kernel/tree/include/config/kernel.release"
D2D_KERNEL=$dir/kernel expect "of two builds for kernels of the lab, one waits for the other" take_turns qemu/build.sh
expect "of two builds for the tree KDIR, one waits for the other" take_turns make KDIR="$dir/kernel/tree"
for target in clean modules_install install-dev; do
	expect "make $target waits for a build for the tree KDIR" waits_for_kdir make -C "$dir/copy" "$target" \
		KDIR="$dir/kernel/tree" INSTALL_MOD_PATH="$dir/to" DESTDIR="$dir/to"
done
expect "a process that a build leaves behind does not hold up the next build" leaves_a_process
expect "make ARCH=arm64 builds for the lab's kernel" lists 'qemu/build.sh --list' make -n ARCH=arm64

D2D_KERNEL=$kernel
export D2D_KERNEL
{ qemu/build.sh && qemu/root/tools.sh; } >/dev/null 2>&1

# running PARAMETERS - runs make run. Hides messages about progress and locks
running() {
	make run "$1" 2>&1 | grep -vE '^  [A-Z]|^build: another run holds '
	return "${PIPESTATUS[0]}"
}
export -f running
expect "make run A_PARAMS=nosuch=1 is refused" fails_with "module_a has no parameter 'nosuch'; it has: .*contexts" \
	bash -c "running A_PARAMS='contexts=1 nosuch=1'"
expect "make run B_PARAMS=nosuch, without a value, is refused" fails_with "module_b has no parameter 'nosuch'; it has: deferred" \
	bash -c "running B_PARAMS=nosuch"
limit=60
expect "make run A_PARAMS='x;y' is refused" fails_with "no list of module parameters" make run A_PARAMS='x;y'

# failing LINE... - the demonstration must fail with exactly these lines. Ignores the kernel's lines without a module: a
# busy host may make the kernel report a slow clock.
failing() {
	! "$LAB/vm.sh" run >"$dir/output" 2>/dev/null || return
	cat "$dir/output"
	diff <(sed -n '/^lab: FAILED/,$p' "$dir/output" | sed '/^lab: kernel: module_/b; /^lab: kernel: /d') \
		<(printf '%s\n' "$@" 'FAIL: result: rc is 1, expected 0')
}
A_PARAMS=contexts=abc expect "make run ends with the kernel's reason if the kernel refuses to load the owner" failing \
	"lab: FAILED: insmod: can't insert '/lib/d2d/module_a.ko': Invalid argument" \
	"lab: kernel: module_a: \`abc' invalid for parameter \`contexts'"
B_PARAMS=deferred=2 expect "make run ends with the kernel's reason if the kernel refuses to load the peer" failing \
	"lab: FAILED: insmod: can't insert '/lib/d2d/module_b.ko': Numerical result out of range"

# terminal - types exit at the shell's prompt. The terminal must keep its settings, its text and its line wrap.
terminal() {
	mkfifo "$dir/keys"
	SHELL=/bin/sh script -qfec 'stty rows 24 cols 80; stty -g >"$dir/before"; qemu/vm.sh shell; echo $? >"$dir/rc"
		stty -g >"$dir/after"' "$dir/terminal" <"$dir/keys" >/dev/null &
	exec 5>"$dir/keys"
	until grep -q 'd2d:/lib/d2d# ' "$dir/terminal" 2>/dev/null; do
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	echo exit >&5
	wait $!
	exec 5>&-
	tr -d '\r' <"$dir/terminal" | grep -v '^  [A-Z]'
	grep -q "^image: .* test modules" "$dir/terminal" && [ "$(cat "$dir/rc")" -eq 0 ] && cmp "$dir/before" "$dir/after" &&
		! grep -q "$(printf '\033\\(c\\|\\[?7l\\)')" "$dir/terminal"
}
expect "make shell leaves the terminal as it was" terminal
ktap_end
