//! Runs beside the stages of their models, in turns.

use crate::Result;
use crate::gauge::{Gauge, Place};
use crate::limits::{Limits, Measured};
use crate::machine::{Span, timed};
use crate::model::Model;
use crate::pipeline::Shares;
use crate::row::{Row, Target, Unit};
use crate::turns::{Turn, in_turns};
use crate::workbench::Workbench;
use reel_engine::frame::Compression;

/// The cost of what stands beside the stages.
const CPU: Target = Target::at_most(1.25, 1.1);

/// A run, and what its model has to know of it.
pub(super) struct Run<T> {
    pub(super) bytes: u64,
    pub(super) span: Span,
    pub(super) told: T,
}

/// Several runs of one kind, each with the limits before and after it.
pub(super) struct Runs<T> {
    what: String,
    cores: usize,
    turns: Vec<Turn<Measured, Run<T>>>,
}

impl<T> Runs<T> {
    /// Measures `count` runs beside the stages that some models name.
    pub(super) fn measure(
        what: impl Into<String>,
        place: &Place,
        models: &[Model],
        count: usize,
        run: impl FnMut() -> Result<Run<T>>,
    ) -> Result<Runs<T>> {
        let mut gauge = Gauge::new(place, models.iter().flat_map(Model::named))?;
        let turns = in_turns(count, || gauge.measure(), run)?;
        Ok(Runs { what: what.into(), cores: place.threads, turns })
    }

    /// Their rate beside a model, and the CPU seconds of that run beside those of the stages.
    pub(super) fn beside(&self, target: Target, model: impl Fn(&T) -> Model) -> Row {
        self.median(&self.what, model, |run, model, limits| {
            let reached = run.bytes as f64 / run.span.wall;
            let limit = model.rate(limits, self.cores);
            let row = Row::new("", Unit::Rate, reached, limit, model.terms(limits, self.cores));
            let stages = model.cpu(limits) * run.bytes as f64;
            Row { span: Some(run.span), cpu_to_stages: Some(run.span.cpu / stages), target, ..row }
        })
    }

    /// The same beside a limit that leaves out stages.
    pub(super) fn beside_limit(&self, target: Target, limit: impl Fn(&T) -> Model) -> Row {
        Row { cpu_to_stages: None, ..self.beside(target, limit) }
    }

    /// Their CPU seconds beside those of the stages alone; they hardly depend on how busy the machine is.
    pub(super) fn cpu(&self, model: impl Fn(&T) -> Model) -> Row {
        self.median(&format!("{}, CPU", self.what), model, |run, model, limits| {
            let stages = model.cpu(limits) * run.bytes as f64;
            Row::new("", Unit::Seconds, run.span.cpu, stages, model.stages()).target(CPU)
        })
    }

    fn median(
        &self,
        what: &str,
        model: impl Fn(&T) -> Model,
        row: impl Fn(&Run<T>, &Model, &Limits) -> Row,
    ) -> Row {
        let each = self.turns.iter().map(|turn| {
            let (model, limits) = (model(&turn.run.told), turn.before.and(&turn.after));
            let beside = |limits| row(&turn.run, &model, limits);
            Row { to_means: Some(beside(&limits.mean).ratio()), ..beside(&limits.best) }
        });
        Row { what: what.to_owned(), ..Row::median(each) }
    }
}

/// The model of a backup.
pub(super) type BackupModel = fn(&Shares) -> Model;

impl Runs<Shares> {
    /// Measures backups of one file. `prepare` makes the state before each, outside the time.
    pub(super) fn backups(
        bench: &mut Workbench,
        what: impl Into<String>,
        place: &Place,
        compression: Compression,
        models: &[BackupModel],
        count: usize,
        mut prepare: impl FnMut(&mut Workbench) -> Result<()>,
    ) -> Result<Runs<Shares>> {
        let models: Vec<Model> = models.iter().map(|model| model(&Shares::all(compression))).collect();
        Runs::measure(what, place, &models, count, || {
            prepare(bench)?;
            let (span, report) = timed(|| bench.back_up(&place.input, compression))?;
            Ok(Run { bytes: report.input_bytes, span, told: Shares::of(&report, compression) })
        })
    }
}
