//! The limits of this machine: the rates of stages, each alone, at one time or over a whole run.

use crate::machine::Seconds;
use crate::stage::Stage;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// Rates in bytes a second.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    rates: BTreeMap<Stage, f64>,
}

impl Limits {
    /// The rate of a stage.
    ///
    /// # Panics
    /// It was not measured: a model asks for a stage that it does not name.
    pub fn rate(&self, stage: Stage) -> f64 {
        *self.rates.get(&stage).unwrap_or_else(|| panic!("{stage} was not measured"))
    }

    /// Takes over every rate that is higher than, or not in, these.
    pub fn raise(&mut self, other: &Limits) {
        for (stage, rate) in &other.rates {
            let known = self.rates.entry(*stage).or_default();
            *known = known.max(*rate);
        }
    }

    /// The stages with their rates.
    pub fn iter(&self) -> impl Iterator<Item = (Stage, f64)> {
        self.rates.iter().map(|(stage, rate)| (*stage, *rate))
    }
}

/// What measurements of some stages gave.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// By the fastest pass of each stage, which is what counts: a pass is short, and whatever disturbs it makes it slower.
    pub best: Limits,
    /// By all passes together, which are disturbed as often as a run is.
    pub mean: Limits,
}

impl Measured {
    /// Adds what a byte of a stage takes.
    pub fn add(&mut self, stage: Stage, byte: Seconds) {
        self.best.rates.insert(stage, 1.0 / byte.best);
        self.mean.rates.insert(stage, 1.0 / byte.mean);
    }

    /// Both of two measurements of the same stages together: the higher of the best rates, and the mean of the mean times.
    pub fn and(&self, other: &Measured) -> Measured {
        let mut best = self.best.clone();
        best.raise(&other.best);
        let mean = |(stage, rate): (Stage, f64)| (stage, 2.0 / (1.0 / rate + 1.0 / other.mean.rate(stage)));
        Measured { best, mean: self.mean.iter().map(mean).collect() }
    }
}

impl FromIterator<(Stage, f64)> for Limits {
    fn from_iter<I: IntoIterator<Item = (Stage, f64)>>(rates: I) -> Self {
        Limits { rates: rates.into_iter().collect() }
    }
}

/// Names and rates.
impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(stage, rate)| (stage.to_string(), rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_measurements_the_higher_rate_of_each_stage_counts_and_the_mean_of_the_times_is_known() {
        let measured = |read: [f64; 2], copy| {
            let mut measured = Measured::default();
            measured.add(Stage::Read, Seconds { best: read[0], mean: read[1] });
            measured.add(Stage::Copy, Seconds::once(copy));
            measured
        };
        let both = measured([0.25, 0.5], 0.5).and(&measured([0.5, 1.5], 0.5));
        let rates = |limits: &Limits| limits.iter().map(|(_, rate)| rate).collect::<Vec<_>>();
        assert_eq!([rates(&both.best), rates(&both.mean)], [[4.0, 2.0], [1.0, 2.0]]);

        let mut best = both.best;
        best.raise(&Limits::from_iter([(Stage::Map, 5.0), (Stage::Copy, 1.0)]));
        assert_eq!(rates(&best), [4.0, 5.0, 2.0]);
    }
}
