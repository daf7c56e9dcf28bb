//! `reel ese ml FOLDER`: the logs of a folder, whether they follow each other, and what they bring forward.

use crate::args::ese::Ml;
use crate::commands::ese::listing::{PlaceLine, SignatureLine, place_line, signature_line};
use crate::output::{Outcome, Report, plural, shown};
use reel_engine::Result;
use reel_engine::logs::{Doubt, FoundDatabase, LogFolder, databases_at};
use reel_formats::ese::log::chain::{Chain, Finding, Member};
use reel_formats::ese::log::need::Outlook;
use reel_formats::ese::log::{LogEnd, LogStatus};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct ChainReport {
    folder: String,
    chains: Vec<ChainLine>,
    databases: Vec<DatabaseLine>,
    never_begun: Vec<String>,
    doubtful: Vec<DoubtLine>,
}

#[derive(Serialize)]
struct ChainLine {
    signature: Option<SignatureLine>,
    first_generation: u32,
    last_generation: u32,
    has_current: bool,
    logs: Vec<LogLine>,
    superseded: Vec<String>,
    findings: Vec<FindingLine>,
}

#[derive(Serialize)]
struct LogLine {
    file: String,
    generation: u32,
    created: Option<String>,
    previous_created: Option<String>,
    version: String,
    end: Option<PlaceLine>,
    status: &'static str,
    clean_shutdown: Option<bool>,
    corrected_bits: usize,
    used_bytes: Option<u64>,
    attaches: Vec<String>,
    #[serde(skip)]
    text: String,
}

/// What is wrong with a chain.
#[derive(Serialize)]
pub struct FindingLine {
    generation: u32,
    file: String,
    is_break: bool,
    jet: Option<i32>,
    message: String,
}

#[derive(Serialize)]
struct DatabaseLine {
    file: String,
    state: String,
    outlook: Option<OutlookLine>,
}

#[derive(Serialize)]
struct OutlookLine {
    from: u32,
    required: u32,
    committed: u32,
    reached: Option<u32>,
    consistent: bool,
    jet: Option<i32>,
    obstacle: Option<String>,
    #[serde(skip)]
    text: String,
}

/// What could not be read.
#[derive(Serialize)]
pub struct DoubtLine {
    name: String,
    message: String,
}

/// Prints the logs of a folder.
pub fn run(args: &Ml) -> Result<Outcome> {
    let folder = LogFolder::read(&args.file)?;
    let mut databases: Vec<FoundDatabase> = folder.databases.clone();
    let mut doubtful = folder.doubtful.clone();
    for base in &args.base {
        let (found, doubts) = databases_at(base)?;
        databases.extend(found);
        doubtful.extend(doubts);
    }
    let report = ChainReport {
        folder: args.file.display().to_string(),
        chains: folder.chains.iter().map(ChainLine::of).collect(),
        databases: databases.iter().map(|found| DatabaseLine::of(found, &folder.chains)).collect(),
        never_begun: folder.never_begun.clone(),
        doubtful: doubtful.iter().map(DoubtLine::of).collect(),
    };
    args.json.report_to().print(&report)?;
    Ok(Outcome::of(!report.findings().is_empty()))
}

impl Report for ChainReport {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for chain in &self.chains {
            let (first, last) = (chain.first_generation, chain.last_generation);
            writeln!(out, "logs {first:#x} to {last:#x}, {} of them", chain.logs.len())?;
            for log in &chain.logs {
                writeln!(out, "  {}", log.text)?;
            }
            for note in chain.findings.iter().filter(|finding| !finding.is_break) {
                writeln!(out, "  {}", note.message)?;
            }
            for name in &chain.superseded {
                writeln!(
                    out,
                    "  {}  holds no more than another file of its generation",
                    shown(name.as_bytes())
                )?;
            }
        }
        for name in &self.never_begun {
            writeln!(out, "{}: a temporary or reserve file, never begun", shown(name.as_bytes()))?;
        }
        for database in &self.databases {
            let text = database.outlook.as_ref().map_or("of another sequence of logs", |line| &line.text);
            writeln!(out, "{} ({}): {text}", shown(database.file.as_bytes()), database.state)?;
        }
        Ok(())
    }

    fn findings(&self) -> Vec<String> {
        let findings = || self.chains.iter().flat_map(|chain| &chain.findings);
        let breaks = findings().filter(|finding| finding.is_break).map(|finding| finding.message.clone());
        let doubts = self.doubtful.iter().map(DoubtLine::sentence);
        let stopped = self.databases.iter().filter_map(|database| {
            let obstacle = database.outlook.as_ref()?.obstacle.as_ref()?;
            if findings().any(|finding| finding.message == *obstacle) {
                return None;
            }
            Some(format!("{}: {obstacle}", shown(database.file.as_bytes())))
        });
        breaks.chain(doubts).chain(stopped).collect()
    }
}

impl ChainLine {
    fn of(chain: &Chain) -> Self {
        ChainLine {
            signature: signature_line(chain.signature),
            first_generation: chain.first_generation(),
            last_generation: chain.last_generation(),
            has_current: chain.has_current(),
            logs: chain.logs.iter().map(LogLine::of).collect(),
            superseded: chain.superseded.iter().map(|log| log.name.clone()).collect(),
            findings: chain.findings.iter().map(FindingLine::of).collect(),
        }
    }
}

impl LogLine {
    fn of(log: &Member) -> Self {
        let (header, end) = (&log.header, log.end.as_ref());
        let status = match end.map(|end| &end.status) {
            Some(LogStatus::Complete) => "complete",
            Some(LogStatus::Torn { .. }) => "torn",
            Some(LogStatus::Corrupt { .. }) => "corrupt",
            None => "unreadable",
        };
        let (major, minor) = (header.major, header.minor);
        let version = format!("{major}.{minor}.{}.{}", header.update_major, header.update_minor);
        let ending = end.map_or_else(|| status.to_owned(), |end| ending(end, status));
        let text = format!(
            "{}  generation {:#x}  {}  {version}  {ending}",
            shown(log.name.as_bytes()),
            header.generation,
            header.created
        );
        LogLine {
            file: log.name.clone(),
            generation: header.generation,
            created: header.created.rfc3339(),
            previous_created: header.previous_created.rfc3339(),
            version,
            end: end.and_then(|end| place_line(end.position)),
            status,
            clean_shutdown: end.map(|end| end.clean_shutdown),
            corrected_bits: end.map_or(0, |end| end.corrected.len()),
            used_bytes: end.map(|end| end.used_bytes),
            attaches: log.attaches.iter().map(|attached| attached.path.clone()).collect(),
            text,
        }
    }
}

/// Where a log ends, and how.
fn ending(end: &LogEnd, status: &str) -> String {
    let how = match status {
        "complete" if end.clean_shutdown => ", clean shutdown".to_owned(),
        "complete" => String::new(),
        other => format!(", {other}"),
    };
    let corrected = match end.corrected.len() as u64 {
        0 => String::new(),
        bits => format!(", {bits} bit{} put right", plural(bits)),
    };
    format!("ends at {}{how}{corrected}", end.position)
}

impl FindingLine {
    /// The line of a finding.
    pub fn of(finding: &Finding) -> Self {
        FindingLine {
            generation: finding.generation,
            file: finding.name.clone(),
            is_break: finding.kind.is_break(),
            jet: finding.kind.jet(),
            message: shown(finding.to_string().as_bytes()),
        }
    }
}

impl DoubtLine {
    /// The line of what could not be read.
    pub fn of(doubt: &Doubt) -> Self {
        DoubtLine { name: doubt.name.clone(), message: doubt.sentence.clone() }
    }

    /// It as a sentence.
    pub fn sentence(&self) -> String {
        format!("{}: {}", shown(self.name.as_bytes()), self.message)
    }
}

impl DatabaseLine {
    fn of(found: &FoundDatabase, chains: &[Chain]) -> Self {
        let outlook = chains.iter().find_map(|chain| Some((chain, chain.outlook(&found.header)?)));
        DatabaseLine {
            file: found.path.display().to_string(),
            state: found.header.state.to_string(),
            outlook: outlook.map(|(chain, outlook)| OutlookLine::of(chain, &outlook)),
        }
    }
}

impl OutlookLine {
    fn of(chain: &Chain, outlook: &Outlook) -> Self {
        let need = outlook.need;
        let needs = match (need.required, need.committed) {
            (0, _) => format!("clean at {:#x}", need.from),
            (required, committed) if committed > required => {
                format!(
                    "needs {:#x} to {required:#x}, and to {committed:#x} for all that was committed",
                    need.from
                )
            }
            (required, _) => format!("needs {:#x} to {required:#x}", need.from),
        };
        let reached = match outlook.reached {
            Some(reached) if outlook.is_consistent() => {
                let there = if need.required > 0 { "all there, " } else { "" };
                format!("{there}can be brought forward to {}", shown(chain.name_of(reached).as_bytes()))
            }
            None if need.required == 0 => "cannot be brought forward".to_owned(),
            Some(_) | None => "cannot be made consistent".to_owned(),
        };
        let obstacle = outlook.obstacle.as_ref();
        let sentence = obstacle.map(|obstacle| shown(obstacle.sentence.as_bytes()));
        let stopped = sentence.as_ref().map(|sentence| format!("; {sentence}")).unwrap_or_default();
        OutlookLine {
            from: need.from,
            required: need.required,
            committed: need.committed,
            reached: outlook.reached,
            consistent: outlook.is_consistent(),
            jet: obstacle.and_then(|obstacle| obstacle.jet),
            obstacle: sentence,
            text: format!("{needs}: {reached}{stopped}"),
        }
    }
}
