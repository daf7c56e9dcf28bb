//! The tables and what follows from them, for people and for programs.

use super::judge::Comparison;
use super::month::Month;
use super::peer::Sheet;
use super::rounds::Failed;
use super::spread::Spread;
use super::table::Table;
use crate::machine::words;
use serde_json::{Value, json};
use std::fmt::Write;

/// Everything of a run.
pub struct Report<'a> {
    /// How many rounds there were.
    pub rounds: usize,
    /// In which state the disk was before each step.
    pub disk: String,
    /// The peers in the order of their rows.
    pub peers: Vec<Sheet>,
    /// Peers that are there and were not asked for.
    pub left_out: &'a [&'static str],
    /// One for each input.
    pub tables: &'a [Table],
    /// Thirty days of reel alone.
    pub month: &'a Month,
    /// What was held against each other.
    pub comparisons: &'a [Comparison],
}

impl Report<'_> {
    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut out = format!("{}; rounds: {}; {}\n\n", words(), self.rounds, self.disk);
        out.push_str("| tool | version | settings |\n| --- | --- | --- |\n");
        for peer in &self.peers {
            let _ = writeln!(out, "| {} | {} | {} |", peer.name, peer.version, peer.settings);
        }
        if !self.left_out.is_empty() {
            let _ = writeln!(out, "\nOn the PATH and left out: {}.", self.left_out.join("; "));
        }
        for table in self.tables {
            write_table(&mut out, table);
        }
        self.write_month(&mut out);
        self.write_comparisons(&mut out);
        out
    }

    fn write_month(&self, out: &mut String) {
        let month = self.month;
        let _ = writeln!(
            out,
            "\n30 days more of {} MiB, reel alone: {:.1} MB new, {:.1} MB of frames, and beside them {:.3} MB of recipes, tables and catalogs: \
             {:.4} % of the input a day on average, {:.4} % on the worst day. The cache of catalogs holds {:.1} MB after the last.",
            month.input >> 20,
            mega(month.new),
            mega(month.frames),
            mega(month.metadata.iter().sum()),
            month.mean_share() * 100.0,
            month.highest_share() * 100.0,
            mega(month.cache),
        );
    }

    fn write_comparisons(&self, out: &mut String) {
        out.push_str("\n| input | what | reel | beside | | ratio | must | |\n| --- | --- | ---: | --- | ---: | ---: | ---: | --- |\n");
        for found in self.comparisons {
            let must = found.must.map_or(String::new(), |must| format!("{must:.2}"));
            let verdict = match found.must {
                Some(_) if found.fails() => "**MISS**",
                Some(_) => "ok",
                None => "",
            };
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} | {} | {:.2} | {must} | {verdict} |",
                found.input,
                found.what,
                short(found.reel),
                found.beside,
                short(found.other),
                found.ratio,
            );
        }
    }

    /// For a program; seconds and bytes.
    pub fn json(&self) -> Value {
        json!({
            "machine": words(),
            "rounds": self.rounds,
            "disk": self.disk,
            "left_out": self.left_out,
            "peers": self.peers,
            "tables": self.tables,
            "month": self.month,
            "comparisons": self.comparisons,
        })
    }
}

/// Share by which the stored bytes of a step may differ between rounds before it is told.
const ALIKE: f64 = 0.001;

fn write_table(out: &mut String, table: &Table) {
    let _ = writeln!(out, "\n### {}\n", table.input);
    out.push_str("| step | tool | input MB | wall s | MB/s | x reel | CPU s/GB | x reel | peak MB | stored MB | cache MB |\n");
    out.push_str("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for row in &table.rows {
        let reel = table.reel(row.step);
        let beside =
            |ours: Option<Spread>, theirs: Spread| ours.map_or(f64::NAN, |ours| theirs.median / ours.median);
        let _ = writeln!(
            out,
            "| {} | {} | {:.0} | {:.2} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {:.1} | {:.1} |",
            row.step.words(),
            row.peer.name,
            mega(row.input),
            row.wall,
            mega(row.input) / row.wall.median,
            beside(reel.map(|reel| reel.wall), row.wall),
            row.cpu_per_gigabyte(),
            beside(reel.map(|reel| reel.cpu), row.cpu),
            mega(row.peak),
            row.added.median / 1e6,
            row.cache.median / 1e6,
        );
    }
    write_differences(out, table);
    for Failed { round, peer, step, error } in &table.failures {
        let _ = writeln!(
            out,
            "\n**FAILED**, round {round}, {peer}, {}: {error}; the round does not count.",
            step.words()
        );
    }
}

/// Names the steps that did not store the same in all rounds.
fn write_differences(out: &mut String, table: &Table) {
    let other = table
        .rows
        .iter()
        .filter(|row| row.added.width() > ALIKE)
        .map(|row| format!("{}, {}: {:.1} MB", row.peer.name, row.step.words(), row.added.times(1e-6)));
    let other: Vec<String> = other.collect();
    if !other.is_empty() {
        let _ = writeln!(out, "\nNot the same bytes stored in all rounds: {}.", other.join("; "));
    }
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A number with as many places as it is worth.
fn short(number: f64) -> String {
    if number < 1000.0 { format!("{number:.3}") } else { format!("{:.2} M", number / 1e6) }
}
