//! The table of rebuild, for people and for programs.

use crate::machine::words;
use crate::rebuild::{Peak, Row, Work};
use serde_json::{Value, json};
use std::fmt::Write;

/// The rates of replay that others published, the slowest and the fastest, in bytes a second.
const PUBLISHED: [f64; 2] = [0.08e6, 1.25e6];

impl Work {
    fn name(self) -> &'static str {
        match self {
            Work::Decode => "read and decode the logs",
            Work::Redo => "redo only",
            Work::Recovery => "full recovery",
        }
    }
}

/// A row beside what it is held against.
struct Ratios {
    of_decoding: Option<f64>,
    to_engine: Option<f64>,
    to_published: Option<[f64; 2]>,
}

impl Ratios {
    fn of(row: &Row, rows: &[Row]) -> Ratios {
        let decoding = rows.iter().find(|other| other.case == row.case && other.work == Work::Decode);
        let is_rebuild = row.work != Work::Decode;
        Ratios {
            of_decoding: decoding.filter(|_| is_rebuild).map(|decoding| row.rate() / decoding.rate()),
            to_engine: row.engine.map(|seconds| seconds / row.best.wall),
            to_published: is_rebuild.then(|| PUBLISHED.map(|published| row.rate() / published)),
        }
    }
}

/// The rows and the peaks as Markdown.
pub fn markdown(rows: &[Row], peaks: &[Peak]) -> String {
    let mut out = format!("{}\n\n", words());
    out.push_str(
        "| case | what | log MB/s, best | worst | wall s | CPU s | others s | pages read | written \
         | of decoding | engine s | times the engine | times 0.08 MB/s | times 1.25 MB/s |\n",
    );
    out.push_str("| --- | --- |");
    out.push_str(&" ---: |".repeat(12));
    out.push('\n');
    for row in rows {
        let Ratios { of_decoding, to_engine, to_published } = Ratios::of(row, rows);
        let cell = |value: Option<f64>, digits: usize| {
            value.map_or(String::new(), |value| format!("{value:.digits$}"))
        };
        let _ = writeln!(
            out,
            "| {} | {} | {:.1} | {:.1} | {:.3} | {:.3} | {:.2} | {} | {} | {} | {} | {} | {} | {} |",
            row.case,
            row.work.name(),
            row.rate() / 1e6,
            row.worst_rate() / 1e6,
            row.best.wall,
            row.best.cpu,
            row.best.others,
            row.pages.map_or(String::new(), |pages| pages.0.to_string()),
            row.pages.map_or(String::new(), |pages| pages.1.to_string()),
            cell(of_decoding, 2),
            cell(row.engine, 2),
            cell(to_engine, 1),
            cell(to_published.map(|ratios| ratios[0]), 0),
            cell(to_published.map(|ratios| ratios[1]), 0),
        );
    }
    out.push_str("\n| case | --memory MiB | peak MiB |\n| --- | ---: | ---: |\n");
    for peak in peaks {
        let missed = if peak.fails() { " **missed**" } else { "" };
        let _ = writeln!(out, "| {} | {} | {}{missed} |", peak.case, peak.bound >> 20, peak.bytes >> 20);
    }
    out
}

/// The same for a program; rates in bytes a second, memory in bytes.
pub fn json(rows: &[Row], peaks: &[Peak]) -> Value {
    let line = |row: &Row| {
        let Ratios { of_decoding, to_engine, to_published } = Ratios::of(row, rows);
        json!({
            "case": row.case,
            "what": row.work.name(),
            "log_bytes": row.log_bytes,
            "rate": row.rate(),
            "worst_rate": row.worst_rate(),
            "wall": row.best.wall,
            "cpu": row.best.cpu,
            "others": row.best.others,
            "pages_read": row.pages.map(|pages| pages.0),
            "pages_written": row.pages.map(|pages| pages.1),
            "of_decoding": of_decoding,
            "engine_seconds": row.engine,
            "to_engine": to_engine,
            "to_published": to_published,
        })
    };
    let peaks: Vec<Value> = peaks
        .iter()
        .map(|peak| json!({ "case": peak.case, "bound": peak.bound, "peak": peak.bytes }))
        .collect();
    json!({ "machine": words(), "rows": rows.iter().map(line).collect::<Vec<_>>(), "peaks": peaks })
}
