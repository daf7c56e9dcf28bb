//! What reel must reach beside its peers, by the medians of all rounds.

use super::month::Month;
use super::peer::{Kind, Sheet};
use super::table::{DAYS, Row, Step, Table};
use super::tar;
use serde::Serialize;

/// Most bytes of memory.
const PEAK: f64 = 200e6;
/// Most that the peak may grow from the smallest input to the largest.
const PEAK_GROWTH: f64 = 1.1;
/// Largest share of the input that a day's backup writes beside the frames.
const METADATA: f64 = 0.001;

/// One comparison: a number of reel's, the number of the best peer or a bound, and what their ratio must be.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The input.
    pub input: String,
    /// What is compared.
    pub what: String,
    /// Reel's number.
    pub reel: f64,
    /// The best peer, or what the bound is.
    pub beside: String,
    /// Its number.
    pub other: f64,
    /// The other number divided by reel's.
    pub ratio: f64,
    /// What the ratio must be at least; none where it is only shown.
    pub must: Option<f64>,
}

impl Comparison {
    /// Is the ratio below what it must be?
    pub fn fails(&self) -> bool {
        self.must.is_some_and(|must| self.ratio.is_nan() || self.ratio < must)
    }
}

/// What the tables and the month say.
pub fn comparisons(tables: &[Table], month: &Month) -> Vec<Comparison> {
    let mut all: Vec<Comparison> = tables.iter().flat_map(of_table).collect();
    let judged: Vec<&Table> = tables.iter().filter(|table| table.judged).collect();
    if let [smallest, .., largest] = &judged[..] {
        let what = "bytes of memory, peak of all steps".to_owned();
        let beside = format!("that of {}, and a tenth", smallest.input);
        all.push(Comparison::new(largest, what, peak(largest), beside, PEAK_GROWTH * peak(smallest), 1.0));
    }
    let (reel, other) = (month.highest_share() * 100.0, METADATA * 100.0);
    all.push(Comparison {
        input: format!("{} MiB", month.input >> 20),
        what: "percent of the input written beside frames, worst of 30 days".to_owned(),
        reel,
        beside: "bound".to_owned(),
        other,
        ratio: other / reel,
        must: Some(1.0),
    });
    all
}

impl Comparison {
    /// Without a judgement.
    fn only_shown(self) -> Comparison {
        Comparison { must: None, ..self }
    }

    fn new(table: &Table, what: String, reel: f64, beside: String, other: f64, must: f64) -> Comparison {
        let must = table.judged.then_some(must);
        Comparison { input: table.input.clone(), what, reel, beside, other, ratio: other / reel, must }
    }
}

fn of_table(table: &Table) -> Vec<Comparison> {
    let deduplicating = |sheet: &Sheet| sheet.kind == Kind::Deduplicating;
    let tar = |sheet: &Sheet| sheet.name == tar::FAST;
    let disk = |sheet: &Sheet| sheet.kind == Kind::Disk;
    let any = |sheet: &Sheet| matches!(sheet.kind, Kind::Deduplicating | Kind::Stream);
    let same_level = |sheet: &Sheet| any(sheet) && sheet.level_1;
    let fixed = |sheet: &Sheet| any(sheet) && sheet.fixed_32k;
    let wall = |row: &Row| row.wall.median;
    let added = |row: &Row| row.added.median;
    let mut all = Vec::new();
    for step in Step::all() {
        all.extend(beside_best(table, step, "seconds", wall, deduplicating, 2.0));
        all.extend(beside_best(table, step, "seconds", wall, tar, 1.0));
        all.extend(beside_best(table, step, "seconds", wall, disk, 1.0).map(Comparison::only_shown));
        all.extend(beside_best(
            table,
            step,
            "CPU seconds for a GB",
            Row::cpu_per_gigabyte,
            deduplicating,
            1.0,
        ));
    }
    all.extend(beside_best(table, Step::Day(0), "bytes stored, same level", added, same_level, 1.0));
    let whatever = beside_best(table, Step::Day(0), "bytes stored, whatever the level", added, any, 1.0);
    all.extend(whatever.map(Comparison::only_shown));
    for day in 1..DAYS {
        all.extend(beside_best(table, Step::Day(day), "bytes stored, fixed 32 KiB", added, fixed, 1.0));
    }
    let what = "bytes of memory, peak of all steps".to_owned();
    all.push(Comparison::new(table, what, peak(table), "bound".to_owned(), PEAK, 1.0));
    all
}

/// Reel's number beside the lowest of some peers, if any of them ran.
fn beside_best(
    table: &Table,
    step: Step,
    what: &str,
    number: impl Fn(&Row) -> f64,
    peers: impl Fn(&Sheet) -> bool,
    must: f64,
) -> Option<Comparison> {
    let reel = table.reel(step)?;
    let of_step = table.rows.iter().filter(|row| row.step == step && peers(&row.peer));
    let best = of_step.min_by(|a, b| number(a).total_cmp(&number(b)))?;
    let what = format!("{}: {what}", step.words());
    Some(Comparison::new(table, what, number(reel), best.peer.name.to_owned(), number(best), must))
}

/// Reel's highest peak of all steps and rounds.
fn peak(table: &Table) -> f64 {
    let reel = Step::all().filter_map(|step| table.reel(step));
    reel.map(|row| row.peak as f64).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::process::Cost;
    use crate::peers::rounds::Run;

    fn sheet(kind: Kind, name: &'static str) -> Sheet {
        let (version, settings) = (String::new(), String::new());
        Sheet { name, version, settings, kind, level_1: true, fixed_32k: false }
    }

    /// Rounds of a first full backup that took so long, each stored so much and had a peak of 100 MiB.
    fn row(kind: Kind, name: &'static str, walls: &[f64], added: u64) -> Row {
        let run = |(at, &wall): (usize, &f64)| Run {
            round: at + 1,
            step: Step::Day(0),
            peer: name,
            input: 1 << 30,
            cost: Cost { wall, cpu: wall, peak: 100 << 20 },
            added,
            cache: 0,
        };
        Row::of(Step::Day(0), sheet(kind, name), walls.iter().enumerate().map(run).collect()).unwrap()
    }

    fn found(rows: Vec<Row>, judged: bool) -> Vec<Comparison> {
        of_table(&Table { input: "a store".to_owned(), judged, rows, failures: Vec::new() })
    }

    #[test]
    fn the_best_peer_of_each_kind_counts() {
        let rows = vec![
            row(Kind::Reel, "reel", &[1.0], 50),
            row(Kind::Deduplicating, "slow", &[9.0], 60),
            row(Kind::Deduplicating, "fast", &[1.5], 40),
            row(Kind::Stream, tar::FAST, &[1.2], 70),
            row(Kind::Disk, "disk", &[0.7], 10),
        ];
        let all = found(rows, true);
        let named: Vec<_> = all.iter().map(|c| (&c.what[..], &c.beside[..], c.fails())).collect();
        let expected = [
            ("first full: seconds", "fast", true),
            ("first full: seconds", tar::FAST, false),
            ("first full: seconds", "disk", false),
            ("first full: CPU seconds for a GB", "fast", false),
            ("first full: bytes stored, same level", "fast", true),
            ("first full: bytes stored, whatever the level", "fast", false),
            ("bytes of memory, peak of all steps", "bound", false),
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn one_slow_round_of_reel_and_one_fast_round_of_a_peer_decide_nothing() {
        let rows = vec![
            row(Kind::Reel, "reel", &[1.0, 8.0, 1.2], 50),
            row(Kind::Deduplicating, "often fast", &[3.0, 9.0, 2.5], 60),
            row(Kind::Deduplicating, "once fast", &[0.5, 4.0, 4.0], 60),
        ];
        let all = found(rows, true);
        let seconds = all.iter().find(|c| c.what == "first full: seconds").unwrap();
        assert_eq!((seconds.reel, &seconds.beside[..], seconds.other), (1.2, "often fast", 3.0));
        assert!(!seconds.fails());
    }

    #[test]
    fn what_is_not_judged_never_fails() {
        let rows = vec![row(Kind::Reel, "reel", &[9.0], 50), row(Kind::Deduplicating, "fast", &[1.0], 1)];
        assert!(!found(rows, false).iter().any(Comparison::fails));
    }
}
