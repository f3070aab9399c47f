// SPDX-License-Identifier: GPL-2.0

//! Jobs: each kind, started from each execution context, and stopped in each state.

use super::*;
use crate::{
    run_in::{
        run_in,
        Place, //
    },
    testing::drop_promise, //
};
use core::ops::Deref;
use kernel::{
    sync::{
        atomic::{
            ordering::{
                Acquire,
                Full,
                Relaxed, //
            },
            Atomic, //
        },
        Completion, //
    },
    task::Task,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    }, //
};

/// A list of jobs that is stopped when it is dropped.
struct TestJobs(Pin<KBox<Jobs>>);

impl TestJobs {
    fn new() -> Result<Self> {
        Ok(Self(KBox::pin_init(Jobs::new(drop_promise()), GFP_KERNEL)?))
    }
}

impl Deref for TestJobs {
    type Target = Jobs;

    fn deref(&self) -> &Jobs {
        &self.0
    }
}

impl Drop for TestJobs {
    fn drop(&mut self) {
        self.0.stop(|| {});
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Work(WorkContext),
    Timer(TimerContext),
    Thread,
}

const KINDS: [Kind; 5] = [
    Kind::Work(WorkContext::Worker),
    Kind::Work(WorkContext::SoftIrq),
    Kind::Timer(TimerContext::SoftIrq),
    Kind::Timer(TimerContext::HardIrq),
    Kind::Thread,
];

/// The kinds that can be started for a later time.
const TIMED: [Kind; 4] = [
    Kind::Work(WorkContext::Worker),
    Kind::Work(WorkContext::SoftIrq),
    Kind::Timer(TimerContext::SoftIrq),
    Kind::Timer(TimerContext::HardIrq),
];

/// The kinds whose routine may sleep.
const SLEEPING: [Kind; 2] = [Kind::Work(WorkContext::Worker), Kind::Thread];

const TIMERS: [Kind; 2] = [
    Kind::Timer(TimerContext::SoftIrq),
    Kind::Timer(TimerContext::HardIrq),
];

#[derive(Clone)]
enum AnyJob {
    Work(Work),
    Timer(Timer),
    Thread(Thread),
}

impl AnyJob {
    fn new(
        jobs: &Jobs,
        kind: Kind,
        routine: impl Fn(AnyJob) + Send + Sync + 'static,
    ) -> Result<Self> {
        Ok(match kind {
            Kind::Work(context) => {
                Self::Work(jobs.work(context, move |work| routine(Self::Work(work.clone())))?)
            }
            Kind::Timer(context) => {
                Self::Timer(jobs.timer(context, move |timer| routine(Self::Timer(timer.clone())))?)
            }
            Kind::Thread => {
                let routine = move |thread: &Thread| routine(Self::Thread(thread.clone()));
                Self::Thread(jobs.thread(c"d2d_job", c"d2d_job", routine)?)
            }
        })
    }

    fn start(&self) -> Result {
        match self {
            Self::Work(work) => work.start(),
            Self::Timer(timer) => timer.start(Delta::ZERO),
            Self::Thread(thread) => thread.start(),
        }
    }

    /// Starts a job for a later time; a thread, which has no such start, at once.
    fn start_after(&self, after: Delta) -> Result {
        match self {
            Self::Work(work) => work.start_after(after),
            Self::Timer(timer) => timer.start(after),
            Self::Thread(thread) => thread.start(),
        }
    }

    fn start_every(&self, period: Delta) -> Result {
        match self {
            Self::Timer(timer) => timer.start_every(period),
            _ => Err(ENOTSUPP),
        }
    }

    fn overruns(&self) -> u64 {
        match self {
            Self::Timer(timer) => timer.overruns(),
            _ => 0,
        }
    }

    fn cancel(&self) {
        match self {
            Self::Work(work) => work.cancel(),
            Self::Timer(timer) => timer.cancel(),
            Self::Thread(thread) => thread.cancel(),
        }
    }
}

/// What a routine and its test share.
#[pin_data]
struct Seen {
    runs: Atomic<u32>,
    #[pin]
    done: Completion,
}

impl Seen {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                runs: Atomic::new(0),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )
    }

    fn count(&self) -> u32 {
        self.runs.fetch_add(1, Full) + 1
    }

    fn runs(&self) -> u32 {
        self.runs.load(Acquire)
    }
}

struct Trial {
    jobs: TestJobs,
    seen: Arc<Seen>,
    job: AnyJob,
}

impl Trial {
    fn new(kind: Kind, routine: impl Fn(&Seen, &AnyJob) + Send + Sync + 'static) -> Result<Self> {
        let jobs = TestJobs::new()?;
        let seen = Seen::new()?;
        let by_routine = seen.clone();
        let job = AnyJob::new(&jobs, kind, move |job| routine(&by_routine, &job))?;
        Ok(Self { jobs, seen, job })
    }

    fn wait(&self) {
        self.seen.done.wait_for_completion();
    }

    /// Returns how often the routine has counted.
    fn stop(&self) -> u32 {
        self.jobs.stop(|| {});
        self.seen.runs()
    }
}

fn far() -> Delta {
    Delta::from_millis(3_600_000)
}

#[kunit_tests(d2d_job)]
mod cases {
    use super::*;

    #[test]
    fn each_kind_runs_when_started_from_each_context() -> Result {
        for kind in KINDS {
            for place in Place::ALL {
                let trial = Trial::new(kind, |seen, _| {
                    seen.count();
                    seen.done.complete_all();
                })?;
                run_in(place, || trial.job.start())??;
                trial.wait();
                assert_eq!(trial.stop(), 1);
            }
        }
        Ok(())
    }

    #[test]
    fn a_routine_in_a_worker_or_a_thread_may_sleep() -> Result {
        let test = Task::current_raw() as usize;
        for kind in SLEEPING {
            let trial = Trial::new(kind, move |seen, _| {
                fsleep(Delta::from_micros(1));
                if Task::current_raw() as usize != test {
                    seen.count();
                }
                seen.done.complete_all();
            })?;
            trial.job.start()?;
            trial.wait();
            assert_eq!(trial.seen.runs(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_thread_is_the_same_in_each_run() -> Result {
        let first = Atomic::new(0usize);
        let trial = Trial::new(Kind::Thread, move |seen, job| {
            let this = Task::current_raw() as usize;
            match seen.count() {
                1 => first.store(this, Relaxed),
                10 => return seen.done.complete_all(),
                _ if first.load(Relaxed) != this => return,
                _ => (),
            }
            let _ = job.start();
        })?;
        trial.job.start()?;
        trial.wait();
        assert_eq!(trial.stop(), 10);
        Ok(())
    }

    #[test]
    fn a_start_of_a_thread_that_runs_leads_to_one_more_run() -> Result {
        let trial = Trial::new(Kind::Thread, |seen, job| {
            if seen.count() == 1 {
                let _ = (job.start(), job.start());
            } else {
                seen.done.complete_all();
            }
        })?;
        trial.job.start()?;
        trial.wait();
        assert_eq!(trial.stop(), 2);
        Ok(())
    }

    #[test]
    fn a_thread_learns_that_its_driver_is_leaving() -> Result {
        let trial = Trial::new(Kind::Thread, |seen, job| {
            seen.done.complete_all();
            if let AnyJob::Thread(thread) = job {
                while !thread.is_stopping() {
                    fsleep(Delta::from_micros(10));
                }
                seen.count();
            }
        })?;
        trial.job.start()?;
        trial.wait();
        assert_eq!(trial.seen.runs(), 0);
        assert_eq!(trial.stop(), 1);
        Ok(())
    }

    #[test]
    fn a_routine_starts_its_own_job() -> Result {
        for kind in KINDS {
            let trial = Trial::new(kind, |seen, job| {
                if seen.count() == 100 {
                    seen.done.complete_all();
                    return;
                }
                let _ = job.start();
            })?;
            trial.job.start()?;
            trial.wait();
            assert_eq!(trial.stop(), 100);
        }
        Ok(())
    }

    #[test]
    fn stopping_ends_a_job_that_restarts_itself() -> Result {
        for kind in KINDS {
            let trial = Trial::new(kind, |seen, job| {
                seen.count();
                // The pause gives the thread that stops the jobs time, also if the routine is in hard interrupt.
                if job.start_after(Delta::from_micros(100)).is_err() {
                    seen.count();
                }
                seen.done.complete_all();
            })?;
            trial.job.start()?;
            trial.wait();
            let runs = trial.stop();
            assert!(runs > 0);
            assert_eq!(trial.job.start(), Err(ESHUTDOWN));
            fsleep(Delta::from_millis(5));
            assert_eq!(trial.seen.runs(), runs);
        }
        Ok(())
    }

    #[test]
    fn stopping_waits_for_a_routine_that_runs() -> Result {
        for kind in SLEEPING {
            let trial = Trial::new(kind, |seen, job| {
                seen.done.complete_all();
                while job.start().is_ok() {
                    fsleep(Delta::from_micros(10));
                }
                fsleep(Delta::from_millis(20));
                seen.count();
            })?;
            trial.job.start()?;
            trial.wait();
            assert_eq!(trial.stop(), 1);
        }
        Ok(())
    }

    #[test]
    fn stopping_ends_the_waits_of_a_routine_that_begins_to_wait_again() -> Result {
        for kind in SLEEPING {
            let trial = Trial::new(kind, |seen, _| {
                seen.done.complete_all();
                // Stands for three waits. Each call of the closure below ends one.
                while seen.runs() < 3 {
                    fsleep(Delta::from_millis(1));
                }
            })?;
            trial.job.start()?;
            trial.wait();
            trial.jobs.stop(|| {
                trial.seen.count();
            });
            assert!(trial.seen.runs() >= 3);
        }
        Ok(())
    }

    #[test]
    fn a_job_far_in_the_future_never_runs() -> Result {
        for kind in TIMED {
            let trial = Trial::new(kind, |seen, _| {
                seen.count();
            })?;
            trial.job.start_after(far())?;
            if let AnyJob::Timer(timer) = &trial.job {
                timer.start(Delta::from_nanos(i64::MAX))?;
            }
            assert_eq!(trial.stop(), 0);
        }
        Ok(())
    }

    #[test]
    fn a_work_item_is_not_started_for_a_time_beyond_the_timer_wheel() -> Result {
        let too_far = Work::LONGEST + Delta::from_nanos(1);
        for context in [WorkContext::Worker, WorkContext::SoftIrq] {
            let trial = Trial::new(Kind::Work(context), |seen, _| {
                seen.count();
                seen.done.complete_all();
            })?;
            trial.job.start_after(Work::LONGEST)?;
            trial.job.start_after(Delta::from_millis(20))?;
            for after in [too_far, Delta::from_nanos(i64::MAX)] {
                assert_eq!(trial.job.start_after(after), Err(EINVAL));
            }
            trial.wait();
            assert_eq!(trial.stop(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_later_start_replaces_an_earlier_one() -> Result {
        for kind in TIMED {
            let trial = Trial::new(kind, |seen, _| {
                seen.count();
                seen.done.complete_all();
            })?;
            trial.job.start_after(far())?;
            trial.job.start()?;
            trial.wait();
            assert_eq!(trial.stop(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_cancelled_job_does_not_run() -> Result {
        for kind in TIMED {
            for place in Place::ALL {
                let after = Delta::from_millis(20);
                // On a busy machine, the job may run before it is cancelled. Then the loop tries again.
                loop {
                    let trial = Trial::new(kind, |seen, _| {
                        seen.count();
                    })?;
                    let begun = Instant::<Monotonic>::now();
                    trial.job.start_after(after)?;
                    run_in(place, || trial.job.cancel())?;
                    if begun.elapsed() < after {
                        fsleep(after * 2);
                        assert_eq!(trial.seen.runs(), 0);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_cancelled_start_of_a_thread_leads_to_no_run() -> Result {
        for place in Place::ALL {
            let trial = Trial::new(Kind::Thread, |seen, _| {
                seen.count();
                seen.done.wait_for_completion();
            })?;
            trial.job.start()?;
            while trial.seen.runs() == 0 {
                fsleep(Delta::from_micros(10));
            }
            // The routine is running, so this start would lead to a run only later.
            trial.job.start()?;
            run_in(place, || trial.job.cancel())?;
            trial.seen.done.complete_all();
            fsleep(Delta::from_millis(20));
            assert_eq!(trial.seen.runs(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_periodic_timer_expires_until_it_is_cancelled_by_its_routine() -> Result {
        for kind in TIMERS {
            let trial = Trial::new(kind, |seen, job| {
                if seen.count() == 20 {
                    job.cancel();
                    seen.done.complete_all();
                }
            })?;
            trial.job.start_every(Delta::from_micros(200))?;
            trial.wait();
            fsleep(Delta::from_millis(5));
            assert_eq!(trial.seen.runs(), 20);
        }
        Ok(())
    }

    #[test]
    fn expiries_that_pass_while_the_routine_runs_are_overruns() -> Result {
        const PERIOD: Delta = Delta::from_micros(200);
        for kind in TIMERS {
            let trial = Trial::new(kind, |seen, job| {
                if seen.count() > 1 {
                    job.cancel();
                    seen.done.complete_all();
                    return;
                }
                let begun = Instant::<Monotonic>::now();
                while begun.elapsed() <= PERIOD * 3 {}
            })?;
            assert_eq!(trial.job.overruns(), 0);
            trial.job.start_every(PERIOD)?;
            trial.wait();
            assert!(trial.job.overruns() >= 3);
        }
        Ok(())
    }

    #[test]
    fn an_expiry_of_a_start_by_the_routine_is_run_and_not_skipped() -> Result {
        let period = Some(Delta::from_nanos(10));
        let mut expiry = timer::Expiry::new();
        expiry.start(10, period);
        let first = expiry.begin(10).ok_or(EINVAL)?;
        // The routine starts the timer at 12, and returns at 25, when that start has expired.
        expiry.start(22, period);
        assert_eq!(expiry.advance(first, 25), None);
        let second = expiry.begin(25).ok_or(EINVAL)?;
        assert_eq!(expiry.advance(second, 26), Some(32));
        assert_eq!(expiry.overruns(), 0);
        // The routine returns at 55, after the expiries of 42 and 52.
        let third = expiry.begin(32).ok_or(EINVAL)?;
        assert_eq!(expiry.advance(third, 55), Some(62));
        assert_eq!(expiry.overruns(), 2);
        Ok(())
    }

    #[test]
    fn a_single_start_ends_the_period() -> Result {
        for kind in TIMERS {
            let trial = Trial::new(kind, |seen, job| {
                if seen.count() == 1 {
                    let _ = job.start_after(Delta::from_micros(1));
                } else {
                    seen.done.complete_all();
                }
            })?;
            trial.job.start_every(Delta::from_micros(500))?;
            trial.wait();
            fsleep(Delta::from_millis(5));
            assert_eq!(trial.seen.runs(), 2);
        }
        Ok(())
    }

    #[test]
    fn a_routine_cancels_its_own_start() -> Result {
        for kind in KINDS {
            let trial = Trial::new(kind, |seen, job| {
                seen.count();
                let _ = job.start_after(Delta::from_millis(5));
                job.cancel();
                seen.done.complete_all();
            })?;
            trial.job.start()?;
            trial.wait();
            fsleep(Delta::from_millis(40));
            assert_eq!(trial.seen.runs(), 1);
            // The cancelled start does not disturb a later one.
            trial.job.start()?;
            while trial.seen.runs() < 2 {
                fsleep(Delta::from_millis(1));
            }
            fsleep(Delta::from_millis(40));
            assert_eq!(trial.seen.runs(), 2);
        }
        Ok(())
    }

    #[test]
    fn a_time_that_has_passed_is_as_soon_as_possible() -> Result {
        for kind in TIMED {
            for after in [Delta::from_nanos(-1), Delta::from_nanos(i64::MIN)] {
                let trial = Trial::new(kind, move |seen, job| {
                    if seen.count() == 10 {
                        seen.done.complete_all();
                        return;
                    }
                    let _ = job.start_after(after);
                })?;
                trial.job.start_after(after)?;
                trial.wait();
                assert_eq!(trial.stop(), 10);
            }
        }
        Ok(())
    }

    #[test]
    fn a_period_that_is_not_positive_is_refused() -> Result {
        let trial = Trial::new(Kind::Timer(TimerContext::SoftIrq), |_, _| {})?;
        assert_eq!(trial.job.start_every(Delta::ZERO), Err(EINVAL));
        assert_eq!(trial.job.start_every(Delta::from_nanos(-1)), Err(EINVAL));
        Ok(())
    }

    #[test]
    fn closed_jobs_are_neither_made_nor_started() -> Result {
        for kind in KINDS {
            let Trial { jobs, job, .. } = Trial::new(kind, |_, _| {})?;
            jobs.close();
            for place in Place::ALL {
                assert_eq!(run_in(place, || job.start())?, Err(ESHUTDOWN));
                assert_eq!(run_in(place, || job.start_after(far()))?, Err(ESHUTDOWN));
            }
            let dropped = DropFlag(Seen::new()?);
            let seen = dropped.0.clone();
            let refused = AnyJob::new(&jobs, kind, move |_| dropped.0.done.complete_all());
            assert_eq!(refused.err(), Some(ESHUTDOWN));
            assert_eq!(seen.runs(), 1);
        }
        Ok(())
    }

    #[test]
    fn a_leaked_job_does_not_run_and_its_routine_is_dropped() -> Result {
        for kind in KINDS {
            let dropped = DropFlag(Seen::new()?);
            let drops = dropped.0.clone();
            let trial = Trial::new(kind, move |seen, _| {
                seen.count();
                dropped.0.done.complete_all();
            })?;
            trial.job.start_after(far())?;
            // Long enough for a job that runs too early.
            fsleep(Delta::from_millis(5));
            // `leaked` stands for a job that a driver leaks. The test itself drops it in the end.
            let (leaked, seen) = (trial.job.clone(), trial.seen.clone());
            drop(trial);
            assert_eq!(drops.runs(), 1);
            let runs = seen.runs();
            assert_eq!(leaked.start(), Err(ESHUTDOWN));
            fsleep(Delta::from_millis(5));
            assert_eq!(seen.runs(), runs);
            // A thread is started at once, so it may have run before it was stopped.
            assert!(runs == 0 || matches!(kind, Kind::Thread));
        }
        Ok(())
    }
}

/// Counts a run when it is dropped.
struct DropFlag(Arc<Seen>);

impl Drop for DropFlag {
    fn drop(&mut self) {
        self.0.count();
    }
}
