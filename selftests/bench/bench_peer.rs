// SPDX-License-Identifier: GPL-2.0

//! The peer of the bench. It measures loops. Its control device takes the commands in [`BenchPeer::control`].

#![deny(unsafe_code)]

#[expect(unsafe_code)]
mod contender;

use bench::{
    BenchPair,
    PeerOps,
    DOORBELL,
    PEND,
    PING, //
};
use contender::Contender;
use core::ops::Range;
use d2d::{
    device::Settings,
    driver::{
        Driver,
        DriverRef, //
    },
    event::{
        Event,
        Kind,
        Wait, //
    },
    link::PeerLink,
    packet::{
        Packet,
        Sender,
        Sleep,
        Target, //
    },
    queue::{
        Batch,
        Queue,
        MAX_BATCH, //
    }, //
};
use kernel::{
    prelude::*,
    processor::cpu_relax,
    str::CString,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        new_mutex,
        Mutex, //
    },
    uaccess::UserSliceReader, //
};

d2d::module_peer! {
    type: BenchPeer,
    owner: bench_owner,
    name: "bench_peer",
    authors: ["Beyond IRPs"],
    description: "Bench: measures calls, queues and waking",
    license: "GPL",
    imports_ns: ["D2D"],
}

struct BenchPeer {
    kept: Pin<KBox<Mutex<Kept>>>,
}

/// Events and requests whose memory the bench measures.
#[derive(Default)]
struct Kept {
    events: KVec<Event>,
    requests: KVec<Packet>,
}

impl Driver for BenchPeer {
    type Pair = BenchPair;
    type Resources = ();

    const CONTROL: Option<Settings> = Some(Settings::new(c"bench_peer"));

    fn new() -> Result<Self> {
        Ok(Self {
            kept: KBox::pin_init(new_mutex!(Kept::default()), GFP_KERNEL)?,
        })
    }

    fn start(_driver: DriverRef<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn control(driver: &DriverRef<Self>, reader: &mut UserSliceReader) -> Result {
        let link = driver.link().ok_or(ENOTCONN)?;
        let mut command = [0u8; 16];
        let command = command.get_mut(..reader.len()).ok_or(EINVAL)?;
        reader.read_slice(command)?;
        match command.trim_ascii() {
            b"empty-loop" => contender::calibrate(),
            b"operations" => operations(driver, link),
            b"owner-in-c" => owner_in_c(&driver.sender(), link),
            b"contexts" => contexts(driver, link),
            b"depth" => depths(link),
            b"payload" => payloads(link),
            b"keep-events" => keep_events(driver),
            b"keep-requests" => keep_requests(driver),
            b"keep-nothing" => {
                let kept = core::mem::take(&mut *driver.kept.lock());
                drop(kept);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    fn data(&self) -> [u64; 1] {
        [0]
    }
}

#[vtable]
impl PeerOps for BenchPeer {
    fn ping(&self, _link: &PeerLink<BenchPair>, value: u32) -> Result<u32> {
        Ok(value.wrapping_add(1))
    }
}

fn operations(driver: &DriverRef<BenchPeer>, link: &PeerLink<BenchPair>) -> Result {
    contender::mechanisms()?;
    calls(link, no_curve)?;
    queue_put_take(link, 1, &Numbers::new(), 0, no_curve)?;
    queues(link)?;
    requests(&driver.sender())?;
    events(driver)?;
    doorbell(driver, link)?;
    contender::attach_detach(link.context())
}

/// Measures the owner in C (`c_owner.c`). `c_peer.c` explains the names of the contenders.
fn owner_in_c(sender: &Sender, link: &PeerLink<BenchPair>) -> Result {
    Contender::new(c"c-rust:ops-call-b-to-a", c"ops-call-b-to-a", c"*")
        .run(|n| loop_ops_call_b_to_a(link, n))?;
    Contender::new(c"c-rust:c-ops-call-a-to-b", c"ops-call-a-to-b", c"*")
        .run(|n| expect(link.owner().call_peer(n)?, n))?;
    let numbers = Numbers::new();
    Contender::new(
        c"c-rust:queue-put-take",
        c"queue-put-take",
        c"_raw_spin_lock_irqsave",
    )
    .run(|n| loop_queue_put_take(link, &mut [0], numbers.take(n), 0))?;
    let owner = sender.lookup(c"bench_owner")?;
    Contender::new(c"c-rust:request", c"request", c"Packet4call")
        .run(|n| loop_request(sender.packet_for(PING)?, &owner, n))
}

fn contexts(driver: &DriverRef<BenchPeer>, link: &PeerLink<BenchPair>) -> Result {
    let measured = [1, 2, 4, 8, 16, 32, 64].into_iter().try_for_each(|count| {
        let at = |contender: Contender| contender.at(c"contexts", count.into());
        contender::crowd(link.context(), count - 1)?;
        calls(link, at)?;
        queue_put_take(link, 1, &Numbers::new(), 0, at)?;
        request(&driver.sender(), at)
    });
    contender::crowd(link.context(), 0)?;
    measured
}

/// Measures the queue with more and more items in it, up to its capacity.
fn depths(link: &PeerLink<BenchPair>) -> Result {
    let queue = link.outgoing();
    let numbers = Numbers::new();
    let mut queued = 0;
    for depth in (0..=6).map(|exponent| 10u64.pow(exponent)) {
        while queued < depth - 1 {
            let first = numbers.next() + queued;
            let payloads: [u64; MAX_BATCH as usize] = core::array::from_fn(|n| first + n as u64);
            let count = (depth - 1 - queued).min(payloads.len() as u64) as usize;
            if queue.put_batch(0, &payloads[..count])? != count {
                return Ok(());
            }
            queued += count as u64;
        }
        let at = |contender: Contender| contender.at(c"depth", depth);
        queue_put_take(link, 1, &numbers, queued, at)?;
    }
    Ok(())
}

fn payloads(link: &PeerLink<BenchPair>) -> Result {
    [1, 8, 64, 512].into_iter().try_for_each(|words| {
        let at = |contender: Contender| contender.at(c"payload", words as u64 * 8);
        queue_put_take(link, words, &Numbers::new(), 0, at)
    })
}

/// How many events or requests one command allocates.
const KEPT: usize = 1024;

fn keep_events(driver: &DriverRef<BenchPeer>) -> Result {
    let mut kept = driver.kept.lock();
    for _ in 0..KEPT {
        let name = CString::try_from_fmt(fmt!("bench-{}", kept.events.len()))?;
        let event = driver.create_event(&name, Kind::Notification, false)?;
        kept.events.push(event, GFP_KERNEL)?;
    }
    Ok(())
}

fn keep_requests(driver: &DriverRef<BenchPeer>) -> Result {
    let mut kept = driver.kept.lock();
    for _ in 0..KEPT {
        let packet = driver.sender().packet_for(PING)?;
        kept.requests.push(packet, GFP_KERNEL)?;
    }
    Ok(())
}

/// What a caller that measures no curve passes as `at`.
fn no_curve(contender: Contender) -> Contender {
    contender
}

fn calls(link: &PeerLink<BenchPair>, at: impl Fn(Contender) -> Contender) -> Result {
    at(Contender::new(c"ops-call-b-to-a", c"indirect-call", c"*"))
        .run(|n| loop_ops_call_b_to_a(link, n))?;
    at(Contender::new(c"ops-call-a-to-b", c"indirect-call", c"*"))
        .run(|n| expect(link.owner().call_peer(n)?, n))
}

/// Numbers the items of a loop. Each call of the loop goes on where the last call has stopped.
struct Numbers(Atomic<u64>);

impl Numbers {
    fn new() -> Self {
        Self(Atomic::new(0))
    }

    fn next(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn take(&self, n: u64) -> Range<u64> {
        let first = self.0.fetch_add(n, Relaxed);
        first..first + n
    }
}

/// Measures the queue with payloads of `words` numbers (`u64`), while `queued` other items are in it.
fn queue_put_take(
    link: &PeerLink<BenchPair>,
    words: usize,
    numbers: &Numbers,
    queued: u64,
    at: impl Fn(Contender) -> Contender,
) -> Result {
    at(Contender::new(
        c"queue-put-take",
        c"indirect-call",
        c"_raw_spin_lock_irqsave",
    ))
    .run(|n| {
        let mut payload = KVec::from_elem(0, words, GFP_KERNEL)?;
        loop_queue_put_take(link, &mut payload, numbers.take(n), queued)
    })
}

fn queues(link: &PeerLink<BenchPair>) -> Result {
    contender::queue_in_c(link.context())?;
    Contender::new(
        c"queue-handle",
        c"queue-handle-c",
        c"_raw_spin_lock_irqsave",
    )
    .run(|n| loop_queue_handle(link, n))?;
    for size in [1, 8, 32, 128] {
        Contender::new(c"queue-batch", c"queue-put-take", c"put_batch")
            .at(c"batch", size)
            .run(|n| loop_queue_batch(link, size as usize, n))?;
    }
    Contender::new(
        c"queue-put-take-irq",
        c"queue-put-take",
        c"_raw_spin_lock_irqsave",
    )
    .run_in_hardirq(|n| loop_queue_put_take_irq(link, n))?;
    Contender::new(
        c"queue-two-cpus",
        c"queue-put-take",
        c"_raw_spin_lock_irqsave",
    )
    .run_spinning(|n| loop_queue_two_cpus(link, n), |n| put_two_cpus(link, n))?;
    for producers in 1..=4 {
        Contender::new(
            c"queue-producers",
            c"queue-two-cpus",
            c"_raw_spin_lock_irqsave",
        )
        .run_producers(
            producers,
            |n| loop_queue_producers(link, n),
            |n| put_some(link, n),
        )?;
        // The producers have put more items than the loop has taken.
        while link.outgoing().take().is_some() {}
    }
    Ok(())
}

/// Each loop sends one request again and again.
fn requests(sender: &Sender) -> Result {
    let owner = sender.lookup(c"bench_owner")?;
    request(sender, no_curve)?;
    Contender::new(c"request-pended", c"request", c"Packet4call")
        .run(|n| loop_request_pended(sender.packet_for(PEND)?, &owner, n))?;
    Contender::new(c"request-worker", c"work-item-unbound", c"d2d_request_send")
        .run(|n| loop_request_worker(sender.packet_for(PING)?, &owner, n))
}

/// Measures a request that the owner completes in its dispatch routine.
fn request(sender: &Sender, at: impl Fn(Contender) -> Contender) -> Result {
    let owner = sender.lookup(c"bench_owner")?;
    at(Contender::new(
        c"request",
        c"ops-call-b-to-a",
        c"Packet4call",
    ))
    .run(|n| loop_request(sender.packet_for(PING)?, &owner, n))
}

fn events(driver: &DriverRef<BenchPeer>) -> Result {
    let ping = driver.create_event(c"bench-ping", Kind::Synchronization, false)?;
    let pong = driver.create_event(c"bench-pong", Kind::Synchronization, false)?;
    Contender::new(c"event-set-take", c"ops-call-b-to-a", c"wait")
        .run(|n| loop_event_set_take(&ping, n))?;
    Contender::new(c"event", c"completion", c"wait").run_pair(
        |n| loop_event(&ping, &pong, n),
        |n| answer_event(&ping, &pong, n),
    )
}

/// Measures the time from putting an item until the queue's doorbell has woken the other thread.
fn doorbell(driver: &DriverRef<BenchPeer>, link: &PeerLink<BenchPair>) -> Result {
    let create = |name| driver.create_event(name, Kind::Synchronization, false);
    let ping = create(DOORBELL)?;
    let pong = create(c"bench-to-peer")?;
    link.owner().set_doorbell(1)?;
    link.set_doorbell(Some(&pong));
    let measured = Contender::new(c"doorbell", c"completion", c"wait").run_pair(
        |n| loop_doorbell(link, &pong, n),
        |n| answer_doorbell(link, &ping, n),
    );
    link.set_doorbell(None);
    link.owner().set_doorbell(0)?;
    measured
}

fn expect(value: u32, n: u64) -> Result {
    if value == n as u32 {
        Ok(())
    } else {
        Err(EBADMSG)
    }
}

#[inline(never)]
fn loop_ops_call_b_to_a(link: &PeerLink<BenchPair>, n: u64) -> Result {
    let mut value = 0;
    for _ in 0..n {
        value = link.owner().ping(value)?;
    }
    expect(value, n)
}

/// `queued` other items are in the queue.
#[inline(never)]
fn loop_queue_put_take(
    link: &PeerLink<BenchPair>,
    payload: &mut [u64],
    numbers: Range<u64>,
    queued: u64,
) -> Result {
    let queue = link.outgoing();
    match payload.len() {
        1 => put_take::<1>(queue, payload, numbers, queued),
        8 => put_take::<8>(queue, payload, numbers, queued),
        64 => put_take::<64>(queue, payload, numbers, queued),
        512 => put_take::<512>(queue, payload, numbers, queued),
        _ => Err(EINVAL),
    }
}

#[inline(always)]
fn put_take<const WORDS: usize>(
    queue: Queue<'_>,
    payload: &mut [u64],
    numbers: Range<u64>,
    queued: u64,
) -> Result {
    let payload: &mut [u64; WORDS] = payload.first_chunk_mut().ok_or(EINVAL)?;
    let queue = queue.typed::<[u64; WORDS]>()?;
    for number in numbers {
        payload[0] = number + queued;
        queue.put(0, payload)?;
        let taken = queue.take().ok_or(EBADMSG)?;
        if taken.value().ok_or(EBADMSG)?[0] != number {
            return Err(EBADMSG);
        }
    }
    Ok(())
}

#[inline(never)]
fn loop_queue_handle(link: &PeerLink<BenchPair>, n: u64) -> Result {
    let queue = link.outgoing();
    for number in 0..n {
        queue.put(0, &number)?;
        let handle = queue.take_handle().ok_or(EBADMSG)?;
        check(&queue.redeem(handle)?, number)?;
    }
    Ok(())
}

/// Each item counts as one operation.
#[inline(never)]
fn loop_queue_batch(link: &PeerLink<BenchPair>, size: usize, n: u64) -> Result {
    let queue = link.outgoing();
    let mut payloads = [0u64; MAX_BATCH as usize];
    let payloads = payloads.get_mut(..size).ok_or(EINVAL)?;
    let mut number = 0u64;
    while n - number >= size as u64 {
        for (index, payload) in payloads.iter_mut().enumerate() {
            *payload = number.wrapping_add(index as u64);
        }
        if queue.put_batch(0, payloads)? != size {
            return Err(ENOSPC);
        }
        let items = queue.take_batch(size as u32);
        if items.len() != size {
            return Err(EBADMSG);
        }
        for item in &items {
            if item.read() != Some(number) {
                return Err(EBADMSG);
            }
            number = number.wrapping_add(1);
        }
    }
    Ok(())
}

/// Runs in hard interrupt.
#[inline(never)]
fn loop_queue_put_take_irq(link: &PeerLink<BenchPair>, n: u64) -> Result {
    put_take::<1>(link.outgoing(), &mut [0], 0..n, 0)
}

/// Takes the items that another thread puts by `put_two_cpus`.
#[inline(never)]
fn loop_queue_two_cpus(link: &PeerLink<BenchPair>, n: u64) -> Result {
    let queue = link.outgoing();
    for number in 0..n {
        let items = loop {
            match queue.take() {
                Some(items) => break items,
                None => cpu_relax(),
            }
        };
        check(&items, number)?;
    }
    Ok(())
}

fn put_two_cpus(link: &PeerLink<BenchPair>, n: u64) -> Result {
    let queue = link.outgoing();
    for number in 0..n {
        loop {
            match queue.put(0, &number) {
                Err(ENOSPC) => cpu_relax(),
                put => break put?,
            }
        }
    }
    Ok(())
}

#[inline(never)]
fn loop_queue_producers(link: &PeerLink<BenchPair>, n: u64) -> Result {
    let queue = link.outgoing();
    let mut left = n;
    while left > 0 {
        match queue.take() {
            Some(items) => {
                let read = items.iter().next().and_then(|item| item.read());
                let _: u64 = read.ok_or(EBADMSG)?;
                left -= 1;
            }
            None => cpu_relax(),
        }
    }
    Ok(())
}

/// Returns how many items fitted.
fn put_some(link: &PeerLink<BenchPair>, n: u64) -> Result<usize> {
    let queue = link.outgoing();
    for number in 0..n {
        match queue.put(0, &number) {
            Err(ENOSPC) => return Ok(number as usize),
            put => put?,
        }
    }
    Ok(n as usize)
}

fn check(items: &Batch<'_>, number: u64) -> Result {
    let read = items.iter().next().and_then(|item| item.read());
    if read == Some(number) {
        Ok(())
    } else {
        Err(EBADMSG)
    }
}

#[inline(never)]
fn loop_request(mut packet: Packet, to: &Target, n: u64) -> Result {
    let mut value = 0;
    for _ in 0..n {
        value = packet.call(to, PING, &value, None)?;
    }
    expect(value, n)
}

#[inline(never)]
fn loop_request_pended(mut packet: Packet, to: &Target, n: u64) -> Result {
    let mut value = 0;
    for _ in 0..n {
        value = packet.call(to, PEND, &value, None)?;
    }
    expect(value, n)
}

/// Sends as a driver that must not sleep, so a worker calls the owner.
#[inline(never)]
fn loop_request_worker(mut packet: Packet, to: &Target, n: u64) -> Result {
    let mut value = 0;
    for _ in 0..n {
        let sent = packet
            .send(to, PING, &value, Sleep::Cannot)
            .map_err(|refused| refused.error)?;
        let completed = sent.wait(None)?;
        value = completed.output()?;
        packet = completed.into_packet();
    }
    expect(value, n)
}

/// Sets and takes an event in one thread, which does not sleep.
#[inline(never)]
fn loop_event_set_take(event: &Event, n: u64) -> Result {
    for _ in 0..n {
        event.set()?;
        event.wait(Wait::FOREVER)?;
    }
    Ok(())
}

/// As `loop_completion` in `mechanisms.c`, with events instead of completions.
#[inline(never)]
fn loop_event(ping: &Event, pong: &Event, n: u64) -> Result {
    for _ in 0..n / 2 {
        ping.set()?;
        pong.wait(Wait::FOREVER)?;
    }
    Ok(())
}

fn answer_event(ping: &Event, pong: &Event, n: u64) -> Result {
    for _ in 0..n / 2 {
        ping.wait(Wait::FOREVER)?;
        pong.set()?;
    }
    Ok(())
}

/// Each item sets the queue's doorbell, which wakes `answer_doorbell`. `answer_doorbell` puts an item in return.
#[inline(never)]
fn loop_doorbell(link: &PeerLink<BenchPair>, pong: &Event, n: u64) -> Result {
    for number in 0..n / 2 {
        link.outgoing().put(0, &number)?;
        pong.wait(Wait::FOREVER)?;
        check(&link.incoming().take().ok_or(EBADMSG)?, number)?;
    }
    Ok(())
}

fn answer_doorbell(link: &PeerLink<BenchPair>, ping: &Event, n: u64) -> Result {
    for number in 0..n / 2 {
        ping.wait(Wait::FOREVER)?;
        check(&link.outgoing().take().ok_or(EBADMSG)?, number)?;
        link.incoming().put(0, &number)?;
    }
    Ok(())
}
