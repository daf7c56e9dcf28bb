//! The model rate (`reference/performance.md` section 1): one core's is 1 over the sum of what each stage costs a byte,
//! N cores have N times that, up to the caps of what they share.

use crate::limits::Limits;
use crate::stage::Stage;
use std::fmt::Write;

/// A model: the stages that a byte passes through, and the caps, each with the share of the bytes that reach it.
#[derive(Debug, Clone, Default)]
pub struct Model {
    stages: Vec<(Stage, f64)>,
    caps: Vec<(Stage, f64)>,
}

impl Model {
    /// A stage through which this share of the bytes goes.
    pub fn stage(mut self, stage: Stage, share: f64) -> Model {
        self.stages.push((stage, share));
        self
    }

    /// What all cores share, for this share of the bytes.
    pub fn cap(mut self, stage: Stage, share: f64) -> Model {
        self.caps.push((stage, share));
        self
    }

    /// Everything whose limit has to be known.
    pub fn named(&self) -> impl Iterator<Item = Stage> {
        self.stages.iter().chain(&self.caps).map(|(stage, _)| *stage)
    }

    /// Seconds of one core for a byte.
    pub fn cpu(&self, limits: &Limits) -> f64 {
        self.stages.iter().map(|(stage, share)| share / limits.rate(*stage)).sum()
    }

    /// Bytes a second that `cores` reach.
    pub fn rate(&self, limits: &Limits, cores: usize) -> f64 {
        let all = cores as f64 / self.cpu(limits);
        self.caps.iter().fold(all, |rate, cap| rate.min(capped(limits, cap)))
    }

    /// Its stages in words.
    pub fn stages(&self) -> String {
        let mut words = String::new();
        for (stage, share) in &self.stages {
            let plus = if words.is_empty() { "" } else { " + " };
            let share = if *share > 0.995 { String::new() } else { format!("{share:.3} ") };
            let _ = write!(words, "{plus}{share}{}", stage.word());
        }
        words
    }

    /// Its stages, and the cap that holds with so many cores, if one does.
    pub fn terms(&self, limits: &Limits, cores: usize) -> String {
        let mut words = self.stages();
        let rate = self.rate(limits, cores);
        if let Some((stage, _)) = self.caps.iter().find(|cap| capped(limits, cap) <= rate) {
            let _ = write!(words, ", capped by {}", stage.word());
        }
        words
    }
}

/// Bytes a second of all, of which this share reaches the cap.
fn capped(limits: &Limits, (stage, share): &(Stage, f64)) -> f64 {
    limits.rate(*stage) / share.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_up_and_the_lowest_cap_holds() {
        let limits = Limits::from_iter([(Stage::Read, 4.0), (Stage::Compress(1), 1.0), (Stage::Write, 1.0)]);
        let model =
            Model::default().stage(Stage::Read, 1.0).stage(Stage::Compress(1), 0.25).cap(Stage::Write, 0.2);
        assert!((model.cpu(&limits) - 0.5).abs() < 1e-9);
        assert!((model.rate(&limits, 2) - 4.0).abs() < 1e-9);
        assert!((model.rate(&limits, 8) - 5.0).abs() < 1e-9);
        assert_eq!(model.terms(&limits, 2), "read + 0.250 zstd");
        assert_eq!(model.terms(&limits, 8), "read + 0.250 zstd, capped by write");
    }
}
