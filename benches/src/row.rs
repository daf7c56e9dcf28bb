//! A line of the ratio table: what was reached, beside what it is held against.

use crate::machine::Span;
use serde::Serialize;

/// What a ratio has to reach, and what it should (`reference/performance.md` section 1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Target {
    /// Missing this ends the run with exit code 1.
    pub must: Option<f64>,
    /// What a good machine and a good build reach.
    pub should: Option<f64>,
    /// The ratio is a cost: it has to stay at or below these.
    pub at_most: bool,
}

impl Target {
    /// The row only informs.
    pub const NONE: Target = Target { must: None, should: None, at_most: false };

    /// The ratio has to be so high.
    pub const fn at_least(must: f64, should: f64) -> Target {
        Target { must: Some(must), should: Some(should), at_most: false }
    }

    /// The ratio has to be so low.
    pub const fn at_most(must: f64, should: f64) -> Target {
        Target { must: Some(must), should: Some(should), at_most: true }
    }

    /// The same with 15 % slack for what must be reached, as on a machine that others use.
    pub fn slack(self) -> Target {
        const SLACK: f64 = 0.85;
        let slack = |must: f64| if self.at_most { must / SLACK } else { must * SLACK };
        Target { must: self.must.map(slack), ..self }
    }

    fn holds(&self, bound: f64, ratio: f64) -> bool {
        if self.at_most { ratio <= bound } else { ratio >= bound }
    }
}

/// What the two numbers of a row are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes a second.
    Rate,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Rate => "MB/s",
            Unit::Bytes => "MB",
            Unit::Seconds => "ms",
        }
    }

    /// The number as tables give it.
    pub fn shown(self, value: f64) -> String {
        match self {
            Unit::Rate => format!("{:.0}", value / 1e6),
            Unit::Bytes => format!("{:.2}", value / 1e6),
            Unit::Seconds => format!("{:.2}", value * 1e3),
        }
    }
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was done.
    pub what: String,
    /// What it reached.
    pub reached: f64,
    /// What that is held against.
    pub limit: f64,
    /// What both are.
    pub unit: Unit,
    /// What the ratio has to reach.
    pub target: Target,
    /// Times of the run whose ratio this is, where it is one.
    pub span: Option<Span>,
    /// Its CPU seconds beside those of the stages alone.
    pub cpu_to_stages: Option<f64>,
    /// The ratio, were the limit not made of the fastest passes of its stages but of the mean times of all.
    pub to_means: Option<f64>,
    /// What the limit is made of.
    pub terms: String,
}

/// What a row says of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is no target.
    None,
    /// Neither reached.
    Miss,
    /// What it must reach.
    Ok,
    /// What it should reach.
    Good,
}

impl Verdict {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::None => "",
            Verdict::Miss => "MISS",
            Verdict::Ok => "ok",
            Verdict::Good => "good",
        }
    }
}

impl Row {
    /// Two numbers of the same kind.
    pub fn new(
        what: impl Into<String>,
        unit: Unit,
        reached: f64,
        limit: f64,
        terms: impl Into<String>,
    ) -> Row {
        Row {
            what: what.into(),
            reached,
            limit,
            unit,
            target: Target::NONE,
            span: None,
            cpu_to_stages: None,
            to_means: None,
            terms: terms.into(),
        }
    }

    /// The one of several measurements whose ratio stands in the middle; of the two middle ones of an even number the worse.
    ///
    /// # Panics
    /// There is none.
    pub fn median(rows: impl IntoIterator<Item = Row>) -> Row {
        let mut rows: Vec<Row> = rows.into_iter().collect();
        rows.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
        let cost = rows.first().is_some_and(|row| row.target.at_most);
        let middle = if cost { rows.len() / 2 } else { rows.len().saturating_sub(1) / 2 };
        rows.swap_remove(middle)
    }

    /// With this target.
    pub fn target(self, target: Target) -> Row {
        Row { target, ..self }
    }

    /// With the slack of its target ([`Target::slack`]).
    pub fn with_slack(self) -> Row {
        Row { target: self.target.slack(), ..self }
    }

    /// What was reached beside the limit.
    pub fn ratio(&self) -> f64 {
        self.reached / self.limit
    }

    /// Does the ratio reach its target?
    pub fn verdict(&self) -> Verdict {
        let Target { must, should, .. } = self.target;
        let holds = |bound: f64| self.target.holds(bound, self.ratio());
        match (must, should) {
            (Some(must), _) if !holds(must) => Verdict::Miss,
            (_, Some(should)) if holds(should) => Verdict::Good,
            (None, _) => Verdict::None,
            _ => Verdict::Ok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_judged_by_its_ratio_in_the_direction_of_its_target() {
        let row = |reached, target| Row::new("", Unit::Bytes, reached, 10.0, "").target(target).verdict();
        let (rate, cost) = (Target::at_least(0.8, 1.0), Target::at_most(1.25, 1.1));
        assert_eq!(
            [7.9, 8.0, 10.0].map(|reached| row(reached, rate)),
            [Verdict::Miss, Verdict::Ok, Verdict::Good]
        );
        assert_eq!(
            [12.6, 12.5, 11.0].map(|reached| row(reached, cost)),
            [Verdict::Miss, Verdict::Ok, Verdict::Good]
        );
        assert_eq!(row(0.1, Target::NONE), Verdict::None);
        assert_eq!(row(f64::NAN, rate), Verdict::Miss);
    }

    #[test]
    fn the_measurement_in_the_middle_counts_or_the_worse_of_two() {
        let of = |ratios: &[u32], target: Target| {
            let row = |ratio: &u32| Row::new(ratio.to_string(), Unit::Rate, f64::from(*ratio), 1.0, "");
            Row::median(ratios.iter().map(|ratio| row(ratio).target(target))).what
        };
        let (rate, cost) = (Target::at_least(0.8, 1.0), Target::at_most(1.25, 1.1));
        assert_eq!(of(&[9, 1, 8], rate), "8");
        assert_eq!([of(&[9, 1], rate), of(&[9, 1], cost)], ["1", "9"]);
    }

    #[test]
    fn slack_lets_a_rate_be_lower_and_a_cost_higher() {
        let row = |ratio, target: Target| {
            Row::new("", Unit::Rate, ratio, 1.0, "").target(target).with_slack().verdict()
        };
        let (rate, cost) = (Target::at_least(1.0, 1.2), Target::at_most(0.85, 0.5));
        assert_eq!(
            [row(0.84, rate), row(0.86, rate), row(1.2, rate)],
            [Verdict::Miss, Verdict::Ok, Verdict::Good]
        );
        assert_eq!(
            [row(1.01, cost), row(0.99, cost), row(0.5, cost)],
            [Verdict::Miss, Verdict::Ok, Verdict::Good]
        );
        assert_eq!(row(0.0, Target::NONE), Verdict::None);
    }
}
