//! The model rate (`reference/performance.md` section 1): one core's is 1 over the sum of what each stage costs a byte,
//! N cores have N times that, up to the caps of what they share.

use std::fmt::Write;

/// A model: the stages that a byte passes through, and the caps.
#[derive(Debug, Clone, Default)]
pub struct Model {
    stages: Vec<(&'static str, f64, f64)>,
    caps: Vec<(&'static str, f64)>,
}

impl Model {
    /// A stage of so many bytes a second, through which this share of the bytes goes.
    pub fn stage(mut self, name: &'static str, rate: f64, share: f64) -> Model {
        self.stages.push((name, rate, share));
        self
    }

    /// What all cores share has so many bytes a second, for this share of the bytes.
    pub fn cap(mut self, name: &'static str, rate: f64, share: f64) -> Model {
        self.caps.push((name, rate / share.max(f64::MIN_POSITIVE)));
        self
    }

    /// Seconds of one core for a byte.
    pub fn cpu(&self) -> f64 {
        self.stages.iter().map(|(_, rate, share)| share / rate).sum()
    }

    /// Bytes a second that `cores` reach.
    pub fn rate(&self, cores: usize) -> f64 {
        let all = cores as f64 / self.cpu();
        self.caps.iter().fold(all, |rate, (_, cap)| rate.min(*cap))
    }

    /// Its stages in words.
    pub fn stages(&self) -> String {
        let mut words = String::new();
        for (name, _, share) in &self.stages {
            let plus = if words.is_empty() { "" } else { " + " };
            let share = if *share > 0.995 { String::new() } else { format!("{share:.3} ") };
            let _ = write!(words, "{plus}{share}{name}");
        }
        words
    }

    /// Its stages, and the cap that holds with so many cores, if one does.
    pub fn terms(&self, cores: usize) -> String {
        let mut words = self.stages();
        let rate = self.rate(cores);
        if let Some((name, _)) = self.caps.iter().find(|(_, cap)| *cap <= rate) {
            let _ = write!(words, ", capped by {name}");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_add_up_and_the_lowest_cap_holds() {
        let model = Model::default().stage("read", 4.0, 1.0).stage("zstd", 1.0, 0.25).cap("write", 1.0, 0.2);
        assert!((model.cpu() - 0.5).abs() < 1e-9);
        assert!((model.rate(2) - 4.0).abs() < 1e-9);
        assert!((model.rate(8) - 5.0).abs() < 1e-9);
        assert_eq!(model.terms(2), "read + 0.250 zstd");
        assert_eq!(model.terms(8), "read + 0.250 zstd, capped by write");
    }
}
