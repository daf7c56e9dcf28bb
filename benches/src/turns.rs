//! Runs and their limits in turns: limit, run, limit, run, ..., limit. The speed of a machine changes from minute to minute, so
//! that a run is held against what was measured directly before and after it, and against nothing else.

use crate::Result;

/// A run between two measurements of its limit.
#[derive(Debug, Clone)]
pub struct Turn<L, T> {
    /// The limit before the run.
    pub before: L,
    /// The run.
    pub run: T,
    /// The limit after it, which is that before the next one.
    pub after: L,
}

/// So many runs, and one measurement of the limit more.
///
/// # Errors
/// Those of both.
pub fn in_turns<L: Clone, T>(
    runs: usize,
    mut limit: impl FnMut() -> Result<L>,
    mut run: impl FnMut() -> Result<T>,
) -> Result<Vec<Turn<L, T>>> {
    let mut before = limit()?;
    let mut turn = || {
        let run = run()?;
        let after = limit()?;
        Ok(Turn { before: std::mem::replace(&mut before, after.clone()), run, after })
    };
    (0..runs).map(|_| turn()).collect()
}

impl<T> Turn<f64, T> {
    /// The limit that counts where it is the time of another way to do the same, which is as long as the run and disturbed as
    /// much: the mean of both.
    pub fn limit(&self) -> f64 {
        f64::midpoint(self.before, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn each_run_stands_between_its_limits() {
        let clock = Cell::new(0);
        let tick = || Ok(clock.replace(clock.get() + 1));
        let turns = in_turns(2, tick, tick).unwrap();
        let order = |turn: &Turn<i32, i32>| [turn.before, turn.run, turn.after];
        assert_eq!([order(&turns[0]), order(&turns[1])], [[0, 1, 2], [2, 3, 4]]);
    }
}
