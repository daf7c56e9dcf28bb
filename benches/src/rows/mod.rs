//! The rows: every target of `reference/performance.md` section 1, and the cases of section 6. A case measures one of them
//! or a few that need the same state; it makes what it needs, so that any of them can be run alone.

mod content;
mod costs;
mod full;
mod incremental;
mod kernels;
mod odd;
mod restore;

use crate::Result;
use crate::limits::Limits;
use crate::machine::Span;
use crate::model::Model;
use crate::pipeline::Shares;
use crate::row::{Row, Target};
use crate::workbench::Workbench;
use reel_engine::backup::BackupReport;
use reel_engine::frame::Compression;

/// A row that waits for the limits: they are measured before and after the cases, and the higher ones count.
type Pending = Box<dyn FnOnce(&Limits) -> Row>;

/// Measures rows.
struct Case {
    name: &'static str,
    measure: fn(&mut Workbench) -> Result<Vec<Pending>>,
}

/// All of them, in the order of the table.
const CASES: [Case; 23] = [
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

/// The names of the cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.name)
}

/// Measures the cases of these names, or all, with the limits before and after them. `said` is told of each case that
/// begins.
///
/// # Errors
/// A name that no case has, and whatever goes wrong while measuring.
pub fn run(bench: &mut Workbench, only: &[String], mut said: impl FnMut(&str)) -> Result<(Limits, Vec<Row>)> {
    if let Some(wrong) = only.iter().find(|name| !names().any(|known| known == *name)) {
        let known = names().collect::<Vec<_>>().join(", ");
        return Err(format!("no case {wrong}; there are {known}").into());
    }
    said("limits");
    let before = limits(bench)?;
    let mut pending = Vec::new();
    for case in &CASES {
        if only.is_empty() || only.iter().any(|name| name == case.name) {
            said(case.name);
            pending.extend((case.measure)(bench)?);
        }
    }
    said("limits again");
    let limits = limits(bench)?.best_of(&before);
    let rows = pending.into_iter().map(|row| row(&limits)).collect();
    Ok((limits, rows))
}

fn limits(bench: &Workbench) -> Result<Limits> {
    let sample = bench.sample(u64::MAX)?;
    Limits::measure(&bench.database(), &sample, bench.page_size(), bench.folder(), bench.threads())
}

/// A row that needs no limits.
fn ready(row: Row) -> Pending {
    Box::new(move |_| row)
}

/// A backup that was timed.
struct Backup {
    what: String,
    bytes: u64,
    span: Span,
    share: Shares,
    cores: usize,
}

impl Backup {
    fn new(
        bench: &Workbench,
        what: impl Into<String>,
        (span, report): (Span, BackupReport),
        compression: Compression,
    ) -> Backup {
        let share = Shares::of(&report, compression);
        Backup { what: what.into(), bytes: report.input_bytes, span, share, cores: bench.threads() }
    }

    /// Its rate beside a model.
    fn beside(self, target: Target, model: impl FnOnce(&Limits, &Shares) -> Model + 'static) -> Vec<Pending> {
        vec![Box::new(move |limits| {
            let model = model(limits, &self.share);
            Row::of_run(self.what, self.bytes, self.span, &model, self.cores).target(target)
        })]
    }

    /// The same beside a limit that leaves out stages.
    fn beside_limit(
        self,
        target: Target,
        limit: impl FnOnce(&Limits, &Shares) -> Model + 'static,
    ) -> Vec<Pending> {
        vec![Box::new(move |limits| {
            let model = limit(limits, &self.share);
            let row = Row::of_run(self.what, self.bytes, self.span, &model, self.cores);
            Row { cpu_to_stages: None, ..row }.target(target)
        })]
    }

    /// Its rate beside a model, and its CPU seconds beside those of the stages.
    fn beside_with_cpu(
        self,
        target: Target,
        model: impl Fn(&Limits, &Shares) -> Model + 'static,
    ) -> Vec<Pending> {
        let cpu = cpu_row(format!("{}, CPU", self.what), self.span);
        let (bytes, share) = (self.bytes, self.share);
        let model = std::rc::Rc::new(model);
        let stages = model.clone();
        let mut rows = self.beside(target, move |limits, share| model(limits, share));
        rows.push(Box::new(move |limits| cpu(bytes, &stages(limits, &share))));
        rows
    }
}

/// The CPU seconds of a run beside those of the stages alone; they hardly depend on how busy the machine is.
fn cpu_row(what: String, span: Span) -> impl FnOnce(u64, &Model) -> Row {
    const CPU: Target = Target::at_most(1.25, 1.1);
    move |bytes, model| {
        let stages = model.cpu() * bytes as f64;
        Row::new(what, crate::row::Unit::Seconds, span.cpu, stages, model.stages()).target(CPU)
    }
}
