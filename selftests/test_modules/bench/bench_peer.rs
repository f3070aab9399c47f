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
    queue::Batch, //
};
use kernel::{
    prelude::*,
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
    Contender {
        name: c"ops-call-b-to-a",
        base: c"indirect-call",
        calls: c"*",
    }
    .run(|n| loop_ops_call_b_to_a(link, n))?;
    Contender {
        name: c"ops-call-a-to-b",
        base: c"indirect-call",
        calls: c"*",
    }
    .run(|n| expect(link.owner().call_peer(n)?, n))
}

/// Measures the queue to the owner; nobody else uses it.
fn queues(link: &PeerLink<BenchPair>) -> Result {
    Contender {
        name: c"queue-put-take",
        base: c"indirect-call",
        calls: c"_raw_spin_lock_irqsave",
    }
    .run(|n| loop_queue_put_take(link, n))?;
    contender::queue_in_c(link.context())?;
    Contender {
        name: c"queue-handle",
        base: c"queue-handle-c",
        calls: c"redeem",
    }
    .run(|n| loop_queue_handle(link, n))
}

/// Measures requests to the owner, which are made once and sent again and again.
fn requests(sender: &Sender) -> Result {
    let owner = sender.lookup(c"bench_owner")?;
    Contender {
        name: c"request",
        base: c"ops-call-b-to-a",
        calls: c"Packet4call",
    }
    .run(|n| loop_request(sender.packet_for(PING)?, &owner, n))?;
    Contender {
        name: c"request-pended",
        base: c"request",
        calls: c"Packet4call",
    }
    .run(|n| loop_request_pended(sender.packet_for(PEND)?, &owner, n))?;
    Contender {
        name: c"request-worker",
        base: c"work-item-unbound",
        calls: c"d2d_request_send",
    }
    .run(|n| loop_request_worker(sender.packet_for(PING)?, &owner, n))
}

/// Measures events between two threads.
fn events(driver: &Handle<BenchPeer>) -> Result {
    let ping = driver.create_event(c"bench-ping", Kind::Synchronization, false)?;
    let pong = driver.create_event(c"bench-pong", Kind::Synchronization, false)?;
    Contender {
        name: c"event-set-take",
        base: c"ops-call-b-to-a",
        calls: c"wait",
    }
    .run(|n| loop_event_set_take(&ping, n))?;
    Contender {
        name: c"event",
        base: c"completion",
        calls: c"wait",
    }
    .run_pair(
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
