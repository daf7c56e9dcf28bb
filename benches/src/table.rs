//! The table, for people and for programs.

use crate::limits::Limits;
use crate::machine::words;
use crate::row::{Row, Verdict};
use serde_json::{Value, json};
use std::fmt::Write;

/// The limits, where they were measured, and the rows as Markdown.
pub fn markdown(limits: Option<&Limits>, rows: &[Row]) -> String {
    let mut out = format!("{}\n", words());
    if let Some(limits) = limits {
        out.push_str("\n| limit | MB/s |\n| --- | ---: |\n");
        for (stage, rate) in limits.iter() {
            let _ = writeln!(out, "| {stage} | {:.0} |", rate / 1e6);
        }
    }
    out.push('\n');
    out.push_str(&rows_markdown(rows));
    out
}

/// The rows alone as Markdown.
pub fn rows_markdown(rows: &[Row]) -> String {
    let mut out = String::from(
        "| what | reached | limit | unit | ratio | must | should | | to means | wall s | CPU s | others s | CPU / stages | limit is |\n",
    );
    out.push_str("| --- | ---: | ---: | --- | ---: | ---: | ---: | --- |");
    out.push_str(&" ---: |".repeat(5));
    out.push_str(" --- |\n");
    for row in rows {
        let sign = if row.target.at_most { "≤ " } else { "" };
        let bound = |bound: Option<f64>| bound.map_or(String::new(), |b| format!("{sign}{}", ratio(b)));
        let seconds = |value: Option<f64>, digits: usize| {
            value.map_or(String::new(), |value| format!("{value:.digits$}"))
        };
        let verdict = match row.verdict() {
            Verdict::Miss => "**MISS**",
            verdict => verdict.word(),
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {verdict} | {} | {} | {} | {} | {} | {} |",
            row.what,
            row.unit.shown(row.reached),
            row.unit.shown(row.limit),
            row.unit.name(),
            ratio(row.ratio()),
            bound(row.target.must),
            bound(row.target.should),
            seconds(row.to_means, 2),
            seconds(row.span.map(|span| span.wall), 3),
            seconds(row.span.map(|span| span.cpu), 3),
            seconds(row.span.map(|span| span.others), 2),
            seconds(row.cpu_to_stages, 2),
            row.terms,
        );
    }
    out
}

/// Two digits behind the point, or as many as a small share needs.
fn ratio(value: f64) -> String {
    if value > 0.0 && value < 0.01 { format!("{value:.5}") } else { format!("{value:.2}") }
}

/// The same for a program: rates in bytes a second, lengths in bytes, times in seconds.
pub fn json(limits: Option<&Limits>, rows: &[Row], cores: usize) -> Value {
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut line = json!(row);
            line["ratio"] = json!(row.ratio());
            line["verdict"] = json!(row.verdict().word());
            line
        })
        .collect();
    json!({ "machine": words(), "cores": cores, "limits": limits, "rows": rows })
}
