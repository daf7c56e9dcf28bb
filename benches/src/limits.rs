//! The limits of this machine: the rates of stages, each alone, at one time or over a whole run.

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

    /// What counts between two measurements: the higher rate of each stage. A measurement is short, and whatever disturbs it
    /// makes it slower.
    pub fn between(&self, other: &Limits) -> Limits {
        let mut best = self.clone();
        best.raise(other);
        best
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
    fn between_two_measurements_the_higher_rate_of_each_stage_counts() {
        let one = Limits::from_iter([(Stage::Read, 1.0), (Stage::Copy, 2.0)]);
        let other = Limits::from_iter([(Stage::Read, 3.0), (Stage::Copy, 2.0)]);
        let mut best = one.between(&other);
        best.raise(&Limits::from_iter([(Stage::Map, 5.0)]));
        assert_eq!(best.iter().map(|(_, rate)| rate).collect::<Vec<_>>(), [3.0, 5.0, 2.0]);
    }
}
