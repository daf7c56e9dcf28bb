//! The rows: every target of `reference/performance.md` section 1, and the cases of section 6. A case measures one of them
//! or a few that need the same state; it makes what it needs, so that any of them can be run alone.

mod content;
mod costs;
mod full;
mod incremental;
mod kernels;
mod odd;
mod restore;
mod runs;
mod text;

use crate::Result;
use crate::gauge::Gauge;
use crate::limits::Limits;
use crate::row::{Row, Verdict};
use crate::stage::Stage;
use crate::workbench::Workbench;
use std::time::Duration;

/// Measures rows.
struct Case {
    name: &'static str,
    measure: fn(&mut Workbench) -> Result<Vec<Row>>,
}

/// All of them, in the order of the table.
const CASES: [Case; 24] = [
    Case { name: "gear-lanes", measure: kernels::gear_lanes },
    Case { name: "gear-aes", measure: kernels::gear_aes },
    Case { name: "guided", measure: kernels::guided },
    Case { name: "batch", measure: kernels::batched_digests },
    Case { name: "full", measure: full::compressed },
    Case { name: "full-none", measure: full::stored },
    Case { name: "two-workers", measure: full::more_workers },
    Case { name: "incremental", measure: incremental::three_percent },
    Case { name: "incremental-few", measure: incremental::few },
    Case { name: "incremental-all", measure: incremental::everything },
    Case { name: "cold", measure: incremental::cold },
    Case { name: "content", measure: content::first },
    Case { name: "content-incremental", measure: content::changed },
    Case { name: "content-unchanged", measure: content::unchanged },
    Case { name: "text", measure: text::there_and_back },
    Case { name: "moved", measure: odd::moved_pages },
    Case { name: "zeros", measure: odd::zeros },
    Case { name: "incompressible", measure: odd::incompressible },
    Case { name: "restore", measure: restore::full },
    Case { name: "verification", measure: restore::verification },
    Case { name: "restore-scattered", measure: restore::scattered },
    Case { name: "restore-page", measure: restore::one_page },
    Case { name: "stored", measure: costs::a_day },
    Case { name: "memory", measure: costs::peak_memory },
];

/// Cases that take a second or two and depend least on how busy the machine is: the gate's.
const GATED: [&str; 4] = ["gear-lanes", "gear-aes", "guided", "batch"];
/// Measurements that a row of the gate has before it counts as a miss.
const ATTEMPTS: usize = 12;
/// Rest before a measurement again. A neighbour on the same core takes half from a kernel that keeps the core's ports busy, and a
/// quarter from the crate beside it, which waits for its own last step; neighbours come and go, slower code stays.
const REST: Duration = Duration::from_secs(8);

/// What the table of limits has.
const LIMITS: [Stage; 16] = [
    Stage::Read,
    Stage::ReadAll,
    Stage::Map,
    Stage::Write,
    Stage::WriteDurable,
    Stage::Copy,
    Stage::CopyAll,
    Stage::Cdc,
    Stage::HashPages,
    Stage::HashChunks,
    Stage::Compress(-1),
    Stage::Compress(1),
    Stage::Compress(3),
    Stage::Decode(-1),
    Stage::Decode(1),
    Stage::Decode(3),
];

/// The names of the cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Measures the cases of these names, or all, and the limits of the machine. `said` is told of each case that begins.
///
/// # Errors
/// A name that no case has, and whatever goes wrong while measuring.
pub fn run(bench: &mut Workbench, only: &[String], mut said: impl FnMut(&str)) -> Result<(Limits, Vec<Row>)> {
    let cases = chosen(only)?;
    said("limits");
    limits(bench)?;
    let mut rows = Vec::new();
    for case in cases {
        said(case.name);
        rows.extend((case.measure)(bench)?);
    }
    said("limits again");
    limits(bench)?;
    Ok((bench.limits(), rows))
}

/// Measures the cases of these names, or those whose ratios a busy machine changes least, and holds them against the slack
/// targets of [`crate::row::Target::slack`]. A case with a row that misses is measured again, and again after a rest,
/// before the row counts.
///
/// # Errors
/// Those of [`run`].
pub fn gate(bench: &mut Workbench, only: &[String], mut said: impl FnMut(&str)) -> Result<Vec<Row>> {
    let gated = GATED.map(str::to_owned);
    let mut rows = Vec::new();
    for case in chosen(if only.is_empty() { &gated } else { only })? {
        let mut best: Vec<Row> = Vec::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(REST);
            }
            said(case.name);
            let now = (case.measure)(bench)?.into_iter().map(Row::with_slack);
            best = if best.is_empty() {
                now.collect()
            } else {
                best.into_iter().zip(now).map(passing).collect()
            };
            if best.iter().all(|row| row.verdict() != Verdict::Miss) {
                break;
            }
        }
        rows.extend(best);
    }
    Ok(rows)
}

/// The first measurement of a row, unless it misses.
fn passing((first, again): (Row, Row)) -> Row {
    if first.verdict() == Verdict::Miss { again } else { first }
}

fn chosen(only: &[String]) -> Result<Vec<&'static Case>> {
    if let Some(wrong) = only.iter().find(|name| !names().any(|known| known == *name)) {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(format!("no case {wrong}; there are {known}").into());
    }
    Ok(CASES.iter().filter(|case| only.is_empty() || only.iter().any(|name| name == case.name)).collect())
}

/// Measures every limit of the store.
fn limits(bench: &Workbench) -> Result<()> {
    let mut gauge = Gauge::new(&bench.place(&bench.database()), LIMITS)?;
    (0..2).try_for_each(|_| gauge.measure().map(drop))
}
