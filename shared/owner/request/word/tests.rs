// SPDX-License-Identifier: GPL-2.0

//! The table of a request's transitions.

use super::{
    bits::*,
    Phase,
    Reason,
    Transition,
    Word,
    ALL, //
};
use crate::request::word;
use kernel::prelude::*;

const PHASES: [Phase; 8] = [
    Phase::Free,
    Phase::Idle,
    Phase::Fill,
    Phase::Held,
    Phase::Forward,
    Phase::Busy,
    Phase::Done,
    Phase::Cancelled,
];
const FLAGS: [u64; 9] = [
    IN_PLACE, CARRY, PARKED, QUEUED, RECALL, ORPHAN, CANCEL_SET, ASLEEP, LATE,
];

/// A word of this phase, at level 2, with these bits.
fn word(phase: Phase, bits: u64) -> Word {
    Word(phase as u64 | bits).plus(7 * GENERATION + 2 * DOWN)
}

/// Calls `f` with a word for each combination of a phase, flags and counts that a transition may look at.
fn for_each_word(mut f: impl FnMut(Word)) {
    for phase in PHASES {
        for set in 0..1 << FLAGS.len() {
            let flags = FLAGS.iter().enumerate();
            let flags = flags.filter(|(n, _)| set >> n & 1 != 0);
            let flags = flags.fold(0, |all, (_, flag)| all | flag);
            for counted in [0, PIN, WAITER, PIN + WAITER] {
                f(word(phase, flags | counted));
            }
        }
    }
}

fn named(name: &str) -> Option<&'static Transition> {
    ALL.iter()
        .find(|transition| transition.name == name)
        .copied()
}

#[kunit_tests(d2d_word)]
mod cases {
    use super::*;

    #[test]
    fn each_line_has_a_name_of_its_own() {
        assert!(ALL.len() > 30);
        for (n, transition) in ALL.iter().enumerate() {
            assert!(!ALL[..n].iter().any(|other| other.name == transition.name));
        }
    }

    #[test]
    fn each_line_can_be_used() {
        for transition in ALL {
            let mut uses = 0;
            for_each_word(|word| uses += u32::from(transition.apply(word).is_some()));
            assert!(uses > 0);
        }
    }

    #[test]
    fn a_holders_handle_is_replaced_when_the_request_changes_hands() {
        let changing = ["MADE", "SEND", "FORWARDED", "RETURN", "NOTIFY"];
        for transition in ALL {
            let changes = changing.contains(&transition.name);
            for_each_word(|word| {
                // Each of these transitions decrements a count, which is not 0 before.
                let word = match transition.name {
                    "UNPINNED" => word.plus(PIN),
                    "WAITED" => word.plus(WAITER),
                    _ => word,
                };
                if let Some(new) = transition.apply(word) {
                    let differs = new.generation() != word.generation();
                    assert_eq!(differs, changes);
                }
            });
        }
    }

    #[test]
    fn nobody_else_changes_a_request_that_a_thread_has_alone() {
        let alone = ["MADE", "UNCLAIM", "SEND", "FREED"];
        for transition in ALL {
            let is_from = transition.apply(word(Phase::Fill, 0)).is_some();
            assert_eq!(is_from, alone.contains(&transition.name));
        }
    }

    #[test]
    fn what_is_in_use_is_neither_sent_nor_freed() {
        for bits in [IN_PLACE, PIN, WAITER] {
            let used = word(Phase::Idle, bits);
            assert!(word::CLAIM.apply(used).is_none());
            assert!(word::RECLAIM.apply(used).is_none());
        }
        assert!(word::CLAIM.apply(word(Phase::Idle, ORPHAN)).is_none());
        assert!(word::RECLAIM.apply(word(Phase::Idle, ORPHAN)).is_some());
    }

    #[test]
    fn a_held_request_is_claimed_or_cancelled_once() {
        let held = word(Phase::Held, 0);
        for transition in [&word::COMPLETE, &word::CANCEL_HELD, &word::FORWARD] {
            let Some(ended) = transition.apply(held) else {
                panic!("it is held");
            };
            for other in [&word::COMPLETE, &word::CANCEL_HELD, &word::FORWARD] {
                assert!(other.apply(ended).is_none());
            }
        }
    }

    #[test]
    fn a_request_that_goes_home_keeps_its_users() {
        let done = word(Phase::Done, IN_PLACE | ORPHAN | ASLEEP).plus(2 * WAITER);
        let home = word::HOME.apply(done).map(|home| home.0);
        let expected = word(Phase::Idle, IN_PLACE | ORPHAN).plus(2 * WAITER - 2 * DOWN);
        assert_eq!(home, Some(expected.0));
    }

    #[test]
    fn no_forwarder_has_it_while_an_in_place_call_uses_the_buffers() {
        let done = word(Phase::Done, IN_PLACE);
        assert!(word::RETURN.apply(done).is_none());
        let parked = word::PARK.apply(done);
        assert!(parked.is_some_and(|parked| !parked.is_over()));
        let ended = parked.and_then(|parked| word::IN_PLACE_END.apply(parked));
        assert!(ended.is_some_and(|ended| ended.is_over()));
        let cancelled = parked.and_then(|parked| word::CANCEL_PARKED.apply(parked));
        assert!(cancelled.is_some_and(|cancelled| cancelled.is_over() && cancelled.has(IN_PLACE)));
    }

    #[test]
    fn a_reason_and_a_level_are_kept() {
        for reason in [Reason::Sender, Reason::TimedOut, Reason::Left] {
            for level in 0..4 {
                let cancelled = word(Phase::Cancelled, 0).because(reason, level);
                assert_eq!(
                    (cancelled.reason(), cancelled.return_level()),
                    (reason, level)
                );
                assert_eq!(cancelled.level(), 2);
                assert_eq!(cancelled.generation(), 7);
            }
        }
    }

    #[test]
    fn full_counts_do_not_run_into_each_other() {
        let mut held = word(Phase::Held, 0);
        for _ in 0..63 {
            held = match word::PINNED.apply(held) {
                Some(held) => held.plus(WAITER),
                None => panic!("it is held"),
            };
        }
        assert_eq!(held.0 & PINS, PINS);
        assert_eq!(held.0 & WAITERS, WAITERS);
        assert_eq!(held.generation(), 7);
        assert_eq!(held.level(), 2);
        assert!(named("PINNED").is_some() && named("PINNING").is_none());
    }
}
