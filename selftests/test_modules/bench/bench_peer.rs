// SPDX-License-Identifier: GPL-2.0

//! The peer that measures. Whatever is written to its control file starts it; the figures are
//! lines of the kernel's log (`harness.c`).

#![deny(unsafe_code)]

#[expect(unsafe_code)]
mod contender;

use bench::{
    BenchPair,
    PeerOps,
    PEND,
    PING, //
};
use contender::Contender;
use d2d::{
    driver::{
        Driver,
        Handle, //
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
        MAX_BATCH, //
    }, //
};
use kernel::{
    prelude::*,
    processor::cpu_relax,
    uaccess::UserSliceReader, //
};

d2d::module_peer! {
    type: BenchPeer,
    name: "bench_peer",
    authors: ["Beyond IRPs"],
    description: "Bench: measures calls, queues and waking",
    license: "GPL",
    imports_ns: ["D2D"],
}

struct BenchPeer;

impl Driver for BenchPeer {
    type Pair = BenchPair;
    type Front = ();

    const CONTROL: Option<&'static CStr> = Some(c"run");

    fn new() -> Result<Self> {
        Ok(Self)
    }

    fn front(_driver: Handle<Self>) -> impl PinInit<(), Error> {
        Ok(())
    }

    fn control(driver: &Handle<Self>, _reader: &mut UserSliceReader) -> Result {
        let link = driver.link().ok_or(ENOTCONN)?;
        contender::calibrate()?;
        contender::mechanisms()?;
        calls(link)?;
        queues(link)?;
        requests(&driver.sender())?;
        events(driver)?;
        contender::calibrate()
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

/// Measures calls, in both directions.
fn calls(link: &PeerLink<BenchPair>) -> Result {
    Contender::new(c"ops-call-b-to-a", c"indirect-call", c"*")
        .run(|n| loop_ops_call_b_to_a(link, n))?;
    Contender::new(c"ops-call-a-to-b", c"indirect-call", c"*")
        .run(|n| expect(link.owner().call_peer(n)?, n))
}

/// Measures the queue to the owner; nobody else uses it.
fn queues(link: &PeerLink<BenchPair>) -> Result {
    Contender::new(c"queue-put-take", c"indirect-call", c"take_batch")
        .run(|n| loop_queue_put_take(link, n))?;
    contender::queue_in_c(link.context())?;
    Contender::new(c"queue-handle", c"queue-handle-c", c"redeem")
        .run(|n| loop_queue_handle(link, n))?;
    for size in [1, 8, 32, 128] {
        Contender::new(c"queue-batch", c"queue-put-take", c"take_batch")
            .at(c"batch", size)
            .run(|n| loop_queue_batch(link, size as usize, n))?;
    }
    Contender::new(c"queue-put-take-irq", c"queue-put-take", c"take_batch")
        .run_in_hardirq(|n| loop_queue_put_take_irq(link, n))?;
    Contender::new(c"queue-two-cpus", c"queue-put-take", c"take_batch")
        .run_spinning(|n| loop_queue_two_cpus(link, n), |n| put_two_cpus(link, n))?;
    for producers in 1..=4 {
        Contender::new(c"queue-producers", c"queue-two-cpus", c"take_batch").run_producers(
            producers,
            |n| loop_queue_producers(link, n),
            |n| put_some(link, n),
        )?;
        // What they have put in since it returned
        while link.outgoing().take().is_some() {}
    }
    Ok(())
}

/// Measures requests to the owner, which are made once and sent again and again.
fn requests(sender: &Sender) -> Result {
    let owner = sender.lookup(c"bench_owner")?;
    Contender::new(c"request", c"ops-call-b-to-a", c"Packet4call")
        .run(|n| loop_request(sender.packet_for(PING)?, &owner, n))?;
    Contender::new(c"request-pended", c"request", c"Packet4call")
        .run(|n| loop_request_pended(sender.packet_for(PEND)?, &owner, n))?;
    Contender::new(c"request-worker", c"work-item-unbound", c"d2d_request_send")
        .run(|n| loop_request_worker(sender.packet_for(PING)?, &owner, n))
}

/// Measures events between two threads.
fn events(driver: &Handle<BenchPeer>) -> Result {
    let ping = driver.create_event(c"bench-ping", Kind::Synchronization, false)?;
    let pong = driver.create_event(c"bench-pong", Kind::Synchronization, false)?;
    Contender::new(c"event-set-take", c"ops-call-b-to-a", c"wait")
        .run(|n| loop_event_set_take(&ping, n))?;
    Contender::new(c"event", c"completion", c"wait").run_pair(
        |n| loop_event(&ping, &pong, n),
        |n| answer_event(&ping, &pong, n),
    )
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

/// The item is read, and given back: three times under the lock in all.
#[inline(never)]
fn loop_queue_put_take(link: &PeerLink<BenchPair>, n: u64) -> Result {
    let queue = link.outgoing();
    for number in 0..n {
        queue.put(0, &number)?;
        check(&queue.take().ok_or(EBADMSG)?, number)?;
    }
    Ok(())
}

/// The same by handle, as an item is passed on: once more under the lock.
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

/// An item is what one operation is, however many are moved together.
#[inline(never)]
fn loop_queue_batch(link: &PeerLink<BenchPair>, size: usize, n: u64) -> Result {
    let queue = link.outgoing();
    let mut payloads = [0u64; MAX_BATCH as usize];
    let payloads = payloads.get_mut(..size).ok_or(EINVAL)?;
    let mut numbers = 0..n;
    while numbers.end - numbers.start >= size as u64 {
        for (payload, number) in payloads.iter_mut().zip(numbers.clone()) {
            *payload = number;
        }
        if queue.put_batch(0, payloads)? != size {
            return Err(ENOSPC);
        }
        let items = queue.take_batch(size as u32);
        if items.len() != size {
            return Err(EBADMSG);
        }
        for (item, number) in items.iter().zip(&mut numbers) {
            if item.read() != Some(number) {
                return Err(EBADMSG);
            }
        }
    }
    Ok(())
}

/// As `loop_queue_put_take`, in hard interrupt.
#[inline(never)]
fn loop_queue_put_take_irq(link: &PeerLink<BenchPair>, n: u64) -> Result {
    let queue = link.outgoing();
    for number in 0..n {
        queue.put(0, &number)?;
        let items = queue.take_batch(1);
        check(&items, number)?;
    }
    Ok(())
}

/// The other thread puts in what this one takes; both are busy all the time.
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

/// Takes what the producers put in, in whatever order.
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

/// Puts up to `n` items, and returns how many found room.
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

/// Reads what was put.
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

/// The owner leaves the request pending, and completes it before its dispatch routine returns.
#[inline(never)]
fn loop_request_pended(mut packet: Packet, to: &Target, n: u64) -> Result {
    let mut value = 0;
    for _ in 0..n {
        value = packet.call(to, PEND, &value, None)?;
    }
    expect(value, n)
}

/// As who cannot sleep sends it: the owner's dispatch routine is called by a worker.
#[inline(never)]
fn loop_request_worker(mut packet: Packet, to: &Target, n: u64) -> Result {
    let mut value = 0;
    for _ in 0..n {
        let sent = packet
            .send(to, PING, &value, Sleep::Cannot)
            .map_err(|refused| refused.error)?;
        let completed = sent.wait(None);
        value = completed.output()?;
        packet = completed.into_packet();
    }
    expect(value, n)
}

/// Without another thread to wake, and without sleeping.
#[inline(never)]
fn loop_event_set_take(event: &Event, n: u64) -> Result {
    for _ in 0..n {
        event.set()?;
        event.wait(Wait::FOREVER)?;
    }
    Ok(())
}

/// As `loop_completion` in `mechanisms.c`.
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
