//! `reel ese logs DIR --why`: who still needs each log.

use super::chain::DoubtLine;
use crate::args::ese::Logs;
use crate::output::{Outcome, Report, plural, shown};
use reel_engine::Result;
use reel_engine::logs::{
    Claim, Doubt, FoundDatabase, LogFolder, Reason, Verdict, Witness, databases_at, databases_in_pool,
    verdicts,
};
use reel_engine::pool::Pool;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

#[derive(Serialize)]
struct WhyReport {
    folder: String,
    pool: Option<String>,
    databases: Vec<String>,
    logs: Vec<WhyLine>,
    removable: usize,
    doubts: Vec<String>,
}

#[derive(Serialize)]
struct WhyLine {
    file: String,
    generation: u32,
    verdict: &'static str,
    needed_by: Vec<ClaimLine>,
}

#[derive(Serialize)]
struct ClaimLine {
    name: Option<String>,
    reason: &'static str,
}

/// Prints who needs each log.
pub fn run(args: &Logs) -> Result<Outcome> {
    let folder = LogFolder::read(&args.folder)?;
    let mut witnesses: Vec<Witness> = folder.databases.iter().map(file).collect();
    let mut doubtful = folder.doubtful.clone();
    for base in &args.base {
        let (found, doubts) = databases_at(base)?;
        witnesses.extend(found.iter().map(file));
        doubtful.extend(doubts);
    }
    if let Some(path) = &args.pool {
        let (found, doubts) = databases_in_pool(&Arc::new(Pool::open(path)?))?;
        witnesses.extend(found.into_iter().map(|stored| Witness {
            name: format!("{} in set {}", stored.stream, stored.set),
            header: stored.header,
        }));
        doubtful.extend(doubts);
    }
    let report = report(args, &folder, &witnesses, &doubtful);
    args.json.report_to().print(&report)?;
    Ok(Outcome::of(!report.doubts.is_empty()))
}

fn file(found: &FoundDatabase) -> Witness {
    Witness { name: found.path.display().to_string(), header: found.header.clone() }
}

fn report(args: &Logs, folder: &LogFolder, witnesses: &[Witness], doubtful: &[Doubt]) -> WhyReport {
    let mut doubts: Vec<String> = doubtful.iter().map(|doubt| DoubtLine::of(doubt).sentence()).collect();
    let unread = doubts.clone();
    let mut logs = Vec::new();
    for chain in &folder.chains {
        let (judged, found) = verdicts(chain, witnesses, &folder.checkpoints, &unread);
        doubts.extend(found.into_iter().skip(unread.len()).map(|doubt| shown(doubt.as_bytes())));
        logs.extend(chain.logs.iter().zip(judged).map(|(log, verdict)| WhyLine {
            file: log.name.clone(),
            generation: log.generation(),
            verdict: word(&verdict),
            needed_by: claims(verdict),
        }));
        let superseded = chain.superseded.iter().map(|log| WhyLine {
            file: log.name.clone(),
            generation: log.generation(),
            verdict: word(&Verdict::Unknown),
            needed_by: Vec::new(),
        });
        logs.extend(superseded);
    }
    WhyReport {
        folder: args.folder.display().to_string(),
        pool: args.pool.as_ref().map(|pool| pool.display().to_string()),
        databases: witnesses.iter().map(|witness| witness.name.clone()).collect(),
        removable: logs.iter().filter(|line| line.verdict == word(&Verdict::Removable)).count(),
        logs,
        doubts,
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Needed(_) => "needed",
        Verdict::Unknown => "unknown",
        Verdict::Removable => "removable",
    }
}

fn claims(verdict: Verdict) -> Vec<ClaimLine> {
    let Verdict::Needed(claims) = verdict else { return Vec::new() };
    let line = |claim: Claim| ClaimLine {
        name: (!claim.by.is_empty()).then_some(claim.by),
        reason: match claim.reason {
            Reason::Required => "required",
            Reason::Committed => "committed",
            Reason::Forward => "forward",
            Reason::Checkpoint => "checkpoint",
            Reason::Current => "current",
        },
    };
    claims.into_iter().map(line).collect()
}

impl Report for WhyReport {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for line in &self.logs {
            let WhyLine { file, generation, verdict, needed_by } = line;
            write!(out, "{}  generation {generation:#x}  {verdict}", shown(file.as_bytes()))?;
            for (index, claim) in needed_by.iter().enumerate() {
                write!(out, "{}{}", if index == 0 { ": " } else { "; " }, claim.sentence())?;
            }
            writeln!(out)?;
        }
        let count = self.removable as u64;
        write!(out, "{count} log{} removable", plural(count))?;
        let databases = self.databases.len() as u64;
        write!(out, ", by {databases} database{}", plural(databases))?;
        match self.pool {
            Some(_) => writeln!(out, ", those of the pool among them"),
            None => writeln!(out, "; no backup set was asked (--pool)"),
        }
    }

    fn findings(&self) -> Vec<String> {
        let nothing = |doubt: &String| format!("nothing is called removable: {doubt}");
        self.doubts.iter().map(nothing).collect()
    }
}

impl ClaimLine {
    fn sentence(&self) -> String {
        let name = shown(self.name.as_deref().unwrap_or_default().as_bytes());
        match self.reason {
            "required" => format!("{name} is not consistent without it"),
            "committed" => format!("it holds committed work of {name}"),
            "forward" => format!("it brings {name} forward"),
            "checkpoint" => format!("recovery begins at {name}"),
            _ => "it is being written".to_owned(),
        }
    }
}
