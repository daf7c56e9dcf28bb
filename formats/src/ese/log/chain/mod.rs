//! Logs in their order: which belong together, and where the order is broken (reference, log.md section 1, replay.md
//! section 8).
//!
//! Logs are told by what their headers say, never by their names: a temporary log may be a closed generation under
//! another name, and the log being written has no number in its name at all.

mod finding;
mod name;

pub use finding::{Finding, FindingKind};
pub use name::{LogName, is_never_begun};

use super::end::LogEnd;
use super::header::LogHeader;
use super::reader::{LogFile, refuse_unknown};
use super::record::Record;
use crate::error::Result;
use crate::ese::position::Signature;
use std::ops::Range;

/// A log file among others.
#[derive(Clone, Debug)]
pub struct Member {
    /// Name of the file, without its folder.
    pub name: String,
    /// Length of the file, in bytes.
    pub file_len: u64,
    /// What its header says.
    pub header: LogHeader,
    /// Where it ends; `None` if its records cannot be read.
    pub end: Option<LogEnd>,
    /// The databases that its records create or attach. Those that were attached before are in its header.
    pub attaches: Vec<Attached>,
    /// Why its records cannot be read: a format that is not known (-514) or a wrong length (-541).
    refused: Option<i32>,
}

/// A database that a log names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its signature.
    pub signature: Signature,
    /// Its path when the log was written.
    pub path: String,
    /// The generation in which it was attached.
    pub generation: u32,
}

impl Member {
    /// The log whose bytes these are. The error is that of a header that is not that of a log: a temporary or reserve
    /// file, or a damaged one.
    pub fn open(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self> {
        let (header, file_len) = (LogHeader::parse(&bytes)?, bytes.len() as u64);
        let (end, attaches, refused) = match LogFile::open(bytes) {
            Ok(log) => (Some(log.end().clone()), attaches(&log), None),
            Err(error) => (None, Vec::new(), error.jet()),
        };
        Ok(Self { name: name.into(), file_len, header, end, attaches, refused })
    }

    /// A log of which only the header was read: what stands behind it is not judged.
    pub fn of_header(name: impl Into<String>, file_len: u64, header: LogHeader) -> Self {
        let refused = match refuse_unknown(&header) {
            Err(error) => error.jet(),
            Ok(()) => (file_len != header.file_len()).then_some(finding::JET_LOG_FILE_SIZE_MISMATCH),
        };
        Self { name: name.into(), file_len, header, end: None, attaches: Vec::new(), refused }
    }

    /// A log of which only the header is there to be read, because its file is not as long as the header says.
    pub fn cut_short(name: impl Into<String>, file_len: u64, header: LogHeader) -> Self {
        let refused = Some(finding::JET_LOG_FILE_SIZE_MISMATCH);
        Self { name: name.into(), file_len, header, end: None, attaches: Vec::new(), refused }
    }

    /// Its number in its sequence.
    pub fn generation(&self) -> u32 {
        self.header.generation
    }

    /// Whether it can be read to its end.
    pub fn is_whole(&self) -> bool {
        self.end.as_ref().is_some_and(|end| !end.status.is_corrupt())
    }
}

/// The logs of one sequence, in order.
#[derive(Clone, Debug)]
pub struct Chain {
    /// What the logs have in common.
    pub signature: Signature,
    /// The logs, one of each generation.
    pub logs: Vec<Member>,
    /// Files that hold a generation of which another file holds as much or more.
    pub superseded: Vec<Member>,
    /// What is wrong, in order.
    pub findings: Vec<Finding>,
    naming: Option<LogName>,
}

/// The databases that the records of a log create or attach; behind damage there are none to be read.
fn attaches(log: &LogFile) -> Vec<Attached> {
    let (generation, mut found, mut records) = (log.header().generation, Vec::new(), log.records());
    while let Ok(Some(record)) = records.next() {
        let attached = match Record::parse(record.bytes) {
            Ok(Record::CreateDb(create)) => (create.signature, create.path.to_text()),
            Ok(Record::AttachDb(attach)) => (attach.signature, attach.path.to_text()),
            _ => continue,
        };
        let (signature, path) = attached;
        found.push(Attached { signature, path, generation });
    }
    found
}

/// A log of any sequence, to be recognised in the place of another.
struct Seen {
    rank: usize,
    signature: Signature,
    generation: u32,
    name: String,
    base: Option<String>,
}

impl Seen {
    fn of(log: &Member, rank: usize) -> Self {
        Self {
            rank,
            signature: log.header.signature,
            generation: log.generation(),
            name: log.name.clone(),
            base: LogName::parse(&log.name).map(|name| name.base),
        }
    }

    fn in_the_way(&self) -> Finding {
        let kind = FindingKind::Foreign { signature: self.signature };
        Finding { generation: self.generation, name: self.name.clone(), kind }
    }
}

impl Chain {
    /// Puts logs in order, those of each sequence together; the longest chain comes first.
    pub fn build(logs: Vec<Member>) -> Vec<Chain> {
        let mut chains: Vec<Chain> = Vec::new();
        for log in logs {
            match chains.iter_mut().find(|chain| chain.signature == log.header.signature) {
                Some(chain) => chain.logs.push(log),
                None => chains.push(Chain {
                    signature: log.header.signature,
                    logs: vec![log],
                    superseded: Vec::new(),
                    findings: Vec::new(),
                    naming: None,
                }),
            }
        }
        chains.iter_mut().for_each(Chain::put_in_order);
        chains.sort_by_key(|chain| std::cmp::Reverse(chain.logs.len()));
        // Of two sequences that get in each other's way, the shorter is the foreign one.
        let ranked = || chains.iter().enumerate();
        let seen = |(rank, chain): (usize, &Chain)| -> Vec<Seen> {
            chain.logs.iter().map(|log| Seen::of(log, rank)).collect()
        };
        let mut everywhere: Vec<Seen> = ranked().flat_map(seen).collect();
        for (rank, chain) in chains.iter_mut().enumerate() {
            everywhere.retain(|log| log.rank > rank);
            chain.judge(&everywhere);
        }
        chains
    }

    /// The name that a closed log of this generation has, or a description where no name tells how they are formed.
    pub fn name_of(&self, generation: u32) -> String {
        let log = self.logs.iter().find(|log| log.generation() == generation);
        match (log, &self.naming) {
            (Some(log), _) => log.name.clone(),
            (None, Some(naming)) => naming.of_generation(generation),
            (None, None) => format!("the log of generation {generation:#x}"),
        }
    }

    /// The newest generation.
    pub fn last_generation(&self) -> u32 {
        self.logs.last().map_or(0, Member::generation)
    }

    /// The oldest generation.
    pub fn first_generation(&self) -> u32 {
        self.logs.first().map_or(0, Member::generation)
    }

    /// Whether the log that is being written is there.
    pub fn has_current(&self) -> bool {
        let name = self.logs.last().and_then(|log| LogName::parse(&log.name));
        name.is_some_and(|name| name.generation.is_none())
    }

    /// The databases that were attached when the newest log was begun, and those that it attaches.
    pub fn attached(&self) -> Vec<Attached> {
        let Some(last) = self.logs.last() else { return Vec::new() };
        let before = last.header.attachments.iter().map(|entry| Attached {
            signature: entry.signature,
            path: entry.path.clone(),
            generation: entry.attached.generation,
        });
        let mut attached: Vec<Attached> = before.collect();
        for new in &last.attaches {
            if attached.iter().all(|old| old.signature != new.signature) {
                attached.push(new.clone());
            }
        }
        attached
    }

    /// The first break that replay meets from `generation` on.
    pub fn first_break_from(&self, generation: u32) -> Option<&Finding> {
        let reached = |finding: &&Finding| match finding.kind {
            FindingKind::Missing { last, .. } => last >= generation,
            // At the first log that is read the one before does not matter.
            FindingKind::Time { .. } | FindingKind::Checksum { .. } | FindingKind::PageSize { .. } => {
                finding.generation > generation
            }
            _ => finding.generation >= generation,
        };
        self.findings.iter().filter(|finding| finding.kind.is_break()).find(reached)
    }

    fn put_in_order(&mut self) {
        let reach = |log: &Member| log.end.as_ref().map(|end| end.position);
        // Of several files of one generation the one that goes furthest comes first.
        self.logs.sort_by(|a, b| {
            let generations = a.generation().cmp(&b.generation());
            generations.then(reach(b).cmp(&reach(a))).then(a.name.cmp(&b.name))
        });
        let mut kept: Vec<Member> = Vec::new();
        for log in std::mem::take(&mut self.logs) {
            match kept.last() {
                Some(last) if last.generation() == log.generation() => self.superseded.push(log),
                _ => kept.push(log),
            }
        }
        self.logs = kept;
        let names = || self.logs.iter().filter_map(|log| LogName::parse(&log.name));
        self.naming = names().find(|name| name.generation.is_some()).or_else(|| names().next());
    }

    fn judge(&mut self, everywhere: &[Seen]) {
        let mut findings = Vec::new();
        let mut before: Option<&Member> = None;
        for log in &self.logs {
            if let Some(before) = before {
                let gap = before.generation().saturating_add(1)..log.generation();
                self.judge_gap(gap, everywhere, &mut findings);
                finding::judge_pair(before, log, &mut findings);
            }
            finding::judge_alone(log, log.generation() == self.last_generation(), &mut findings);
            before = Some(log);
        }
        if let (Some(naming), false) = (&self.naming, self.has_current()) {
            let next = self.last_generation().saturating_add(1);
            let foreign = self.foreign(&(next..next.saturating_add(1)), everywhere).into_iter().next();
            findings.push(foreign.map_or_else(
                || Finding { generation: next, name: naming.of_current(), kind: FindingKind::NoCurrent },
                Seen::in_the_way,
            ));
        }
        self.findings = findings;
    }

    /// What stands in generations of which this sequence has none.
    fn judge_gap(&self, gap: Range<u32>, everywhere: &[Seen], findings: &mut Vec<Finding>) {
        let missing = |first: u32, end: u32| {
            let current_is_there = self.has_current();
            let kind = FindingKind::Missing { last: end.saturating_sub(1), current_is_there };
            (first < end).then(|| Finding { generation: first, name: self.name_of(first), kind })
        };
        let mut first = gap.start;
        for log in self.foreign(&gap, everywhere) {
            findings.extend(missing(first, log.generation));
            findings.push(log.in_the_way());
            first = log.generation + 1;
        }
        findings.extend(missing(first, gap.end));
    }

    /// The logs of other sequences with names of this one, one of each of these generations.
    fn foreign<'a>(&self, generations: &Range<u32>, everywhere: &'a [Seen]) -> Vec<&'a Seen> {
        let base = self.naming.as_ref().map(|naming| &naming.base);
        let mut foreign: Vec<&Seen> = everywhere
            .iter()
            .filter(|log| log.base.as_ref() == base && generations.contains(&log.generation))
            .collect();
        foreign.sort_by_key(|log| log.generation);
        foreign.dedup_by_key(|log| log.generation);
        foreign
    }
}
