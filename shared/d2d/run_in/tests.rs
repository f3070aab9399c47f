// SPDX-License-Identifier: GPL-2.0

//! `run_in`: closures that run in another execution context.

use super::*;
use kernel::task::Task;

#[kunit_tests(d2d_run_in)]
mod cases {
    use super::*;

    #[test]
    fn a_closure_runs_once_and_its_result_comes_back() -> Result {
        for place in Place::ALL {
            let mut runs = 0;
            let result = run_in(place, || {
                runs += 1;
                6 * 7
            })?;
            assert_eq!(result, 42);
            assert_eq!(runs, 1);
        }
        Ok(())
    }

    #[test]
    fn a_worker_is_another_task() -> Result {
        let current = || Task::current_raw() as usize;
        assert_eq!(run_in(Place::Caller, current)?, current());
        assert!(run_in(Place::Worker, current)? != current());
        Ok(())
    }
}
