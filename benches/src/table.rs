//! The table, for people and for programs.

use crate::limits::Limits;
use crate::machine::{Span, words};
use crate::model::Model;
use serde_json::{Value, json};
use std::fmt::Write;

/// One line: what a run did, beside its model.
pub struct Row {
    /// What was run.
    pub what: &'static str,
    /// Bytes of the stream.
    pub bytes: u64,
    /// The fastest run.
    pub span: Span,
    /// What it is held against.
    pub model: Model,
    /// The ratio that it must reach.
    pub must: Option<f64>,
}

impl Row {
    fn rate(&self) -> f64 {
        self.bytes as f64 / self.span.wall
    }

    fn ratio(&self, cores: usize) -> f64 {
        self.rate() / self.model.rate(cores)
    }

    /// CPU seconds beside those that the stages alone would take.
    fn cpu_ratio(&self) -> f64 {
        self.span.cpu / (self.model.cpu() * self.bytes as f64)
    }

    /// Is the ratio below what it must be?
    pub fn fails(&self, cores: usize) -> bool {
        self.must.is_some_and(|must| self.ratio(cores) < must)
    }
}

fn mega(rate: f64) -> String {
    format!("{:.0}", rate / 1e6)
}

/// The limits and the rows as Markdown.
pub fn markdown(limits: &Limits, rows: &[Row], cores: usize) -> String {
    let mut out = format!("{}\n\n| limit | MB/s |\n| --- | ---: |\n", words());
    let named = [
        ("read, one thread", limits.read),
        ("read, all threads", limits.read_all),
        ("cut points (scalar)", limits.cdc),
        ("hash of pages", limits.hash),
        ("hash of content-defined chunks", limits.hash_cdc),
        ("zstd level 1", limits.zstd),
        ("decode", limits.decode),
        ("write, buffered", limits.write),
        ("write, durable", limits.write_durable),
        ("copy, one thread", limits.copy),
        ("copy, all threads", limits.copy_all),
    ];
    for (name, rate) in named {
        let _ = writeln!(out, "| {name} | {} |", mega(rate));
    }
    out.push_str(
        "\n| what | MB/s | model MB/s | ratio | must | wall s | CPU s | others s | CPU / model | model |\n",
    );
    out.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n");
    for row in rows {
        let must = row.must.map_or(String::new(), |must| format!("{must:.2}"));
        let missed = if row.fails(cores) { " **missed**" } else { "" };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.2}{missed} | {must} | {:.3} | {:.3} | {:.2} | {:.2} | {} |",
            row.what,
            mega(row.rate()),
            mega(row.model.rate(cores)),
            row.ratio(cores),
            row.span.wall,
            row.span.cpu,
            row.span.others,
            row.cpu_ratio(),
            row.model.terms(cores),
        );
    }
    out
}

/// The same for a program; rates in bytes a second.
pub fn json(limits: &Limits, rows: &[Row], cores: usize) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "what": row.what,
                "bytes": row.bytes,
                "rate": row.rate(),
                "model": row.model.rate(cores),
                "ratio": row.ratio(cores),
                "must": row.must,
                "wall": row.span.wall,
                "cpu": row.span.cpu,
                "others": row.span.others,
                "cpu_to_model": row.cpu_ratio(),
                "terms": row.model.terms(cores),
            })
        })
        .collect();
    json!({ "machine": words(), "cores": cores, "limits": limits, "rows": rows })
}
