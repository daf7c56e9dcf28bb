//! A number of several rounds. What is shown and judged is its median: one slow moment of the disk decides nothing.

use serde::Serialize;
use std::fmt;

/// The least, the median and the most of the rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub least: f64,
    /// The one in the middle; of an even number of rounds the mean of the two in the middle.
    pub median: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of the numbers of all rounds, in any order; `None` of no round.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Some(Spread { least, median, most })
    }

    /// The same in another unit.
    pub fn times(self, factor: f64) -> Spread {
        Spread { least: self.least * factor, median: self.median * factor, most: self.most * factor }
    }

    /// How far the least and the most lie apart, as a share of the median.
    pub fn width(self) -> f64 {
        if self.most > self.least { (self.most - self.least) / self.median } else { 0.0 }
    }
}

/// The median, and the least and the most where they look different: `1.21 (1.15–1.40)`.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(2);
        let [least, median, most] =
            [self.least, self.median, self.most].map(|number| format!("{number:.places$}"));
        if least == most { f.write_str(&median) } else { write!(f, "{median} ({least}–{most})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle_or_the_mean_of_two() {
        let median = |numbers: &[f64]| Spread::of(numbers.iter().copied()).map(|spread| spread.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn least_and_most_are_shown_where_they_differ_as_shown() {
        let shown = |numbers: [f64; 3]| Spread::of(numbers).map(|spread| format!("{spread:.2}"));
        assert_eq!(shown([1.4, 1.15, 1.21]).as_deref(), Some("1.21 (1.15–1.40)"));
        assert_eq!(shown([1.211, 1.209, 1.21]).as_deref(), Some("1.21"));
    }

    #[test]
    fn the_width_is_a_share_of_the_median() {
        let width = |numbers: [f64; 3]| Spread::of(numbers).map(Spread::width);
        assert_eq!(width([90.0, 110.0, 100.0]), Some(0.2));
        assert_eq!(width([0.0; 3]), Some(0.0));
    }
}
