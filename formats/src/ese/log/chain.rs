//! Logs in their order: which belong together, and where the order is broken (reference, log.md section 1, replay.md
//! section 8).
//!
//! Logs are told by what their headers say, never by their names: a temporary log may be a closed generation under
//! another name, and the log being written has no number in its name at all.

use super::end::{LogEnd, LogStatus};
use super::header::LogHeader;
use super::reader::LogFile;
use crate::error::Result;
use crate::ese::position::{LogTime, Signature};
use std::fmt;
use std::ops::Range;

/// From this update on a log repeats the accumulated checksum of the one before it.
const CHECKSUM_REPEATED_FROM: u32 = 13;
const JET_LOG_FILE_CORRUPT: i32 = -501;
const JET_LOG_GENERATION_MISMATCH: i32 = -513;
const JET_BAD_LOG_VERSION: i32 = -514;
const JET_INVALID_LOG_SEQUENCE: i32 = -515;
const JET_MISSING_LOG_FILE: i32 = -528;
const JET_BAD_LOG_SIGNATURE: i32 = -530;
const JET_LOG_FILE_SIZE_MISMATCH: i32 = -541;
const JET_LOG_TORN_WRITE: i32 = -571;
const JET_LOG_SEQUENCE_CHECKSUM_MISMATCH: i32 = -590;
const JET_PAGE_SIZE_MISMATCH: i32 = -1213;

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
    /// Why its records cannot be read: a format that is not known (-514) or a wrong length (-541).
    refused: Option<i32>,
}

impl Member {
    /// The log whose bytes these are. The error is that of a header that is not that of a log: a temporary or reserve
    /// file, or a damaged one.
    pub fn open(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self> {
        let (header, file_len) = (LogHeader::parse(&bytes)?, bytes.len() as u64);
        let (end, refused) = match LogFile::open(bytes) {
            Ok(log) => (Some(log.end().clone()), None),
            Err(error) => (None, Some(error.jet().unwrap_or(JET_LOG_FILE_CORRUPT))),
        };
        Ok(Self { name: name.into(), file_len, header, end, refused })
    }

    /// A log of which only the header is there to be read, because its file is not as long as the header says.
    pub fn cut_short(name: impl Into<String>, file_len: u64, header: LogHeader) -> Self {
        let refused = Some(JET_LOG_FILE_SIZE_MISMATCH);
        Self { name: name.into(), file_len, header, end: None, refused }
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

/// The name of a log, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName {
    /// The characters with which the names of its sequence begin, usually three.
    pub base: String,
    /// The generation in the name; `None` for the log that is being written.
    pub generation: Option<u32>,
    /// Digits of that number, 5 or 8.
    digits: usize,
    extension: String,
}

impl LogName {
    /// Takes a name apart, for instance `E0000000012.log`; `None` if it is not that of a log.
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        if !matches!(extension.to_ascii_lowercase().as_str(), "log" | "jtx") {
            return None;
        }
        let base: String = stem.chars().take(3).collect();
        let number = stem.get(base.len()..)?;
        let is_number = number.bytes().all(|digit| digit.is_ascii_hexdigit());
        let (generation, digits) = match number.len() {
            0 => (None, 8),
            digits @ (5 | 8) if is_number => (Some(u32::from_str_radix(number, 16).ok()?), digits),
            _ => return None,
        };
        Some(Self { base, generation, digits, extension: extension.to_owned() })
    }

    /// The name that a closed log of this sequence has.
    pub fn of_generation(&self, generation: u32) -> String {
        format!("{}{generation:0digits$X}.{}", self.base, self.extension, digits = self.digits)
    }

    /// The name of the log that is being written.
    pub fn of_current(&self) -> String {
        format!("{}.{}", self.base, self.extension)
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

/// What is wrong with a chain, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The generation that is missing, or in which or at whose beginning it is.
    pub generation: u32,
    /// The file, or the name that the missing one would have.
    pub name: String,
    /// What it is.
    pub kind: FindingKind,
}

/// What can be wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindingKind {
    /// Generations up to `last` are not there. -515 where the log being written is there, as the engine has it.
    Missing {
        /// The last of them.
        last: u32,
        /// Whether the log being written is there.
        current_is_there: bool,
    },
    /// In the place of the generation stands a log of another sequence: -530.
    Foreign {
        /// Signature of that sequence.
        signature: Signature,
    },
    /// The log before was made at another time than this one says: -515.
    Time {
        /// When this log says that the one before was made.
        said: LogTime,
        /// When it was made.
        made: LogTime,
    },
    /// The log before does not hold what this one says that it held: -590.
    Checksum {
        /// What this log says.
        said: u64,
        /// What the log before has.
        computed: u64,
    },
    /// The page size changes: -1213.
    PageSize {
        /// In this log, in bytes.
        this: u32,
        /// In the log before, in bytes.
        before: u32,
    },
    /// The file is not as long as its header says: -541.
    Length {
        /// Its length, in bytes.
        found: u64,
        /// What the header says, in bytes.
        expected: u64,
    },
    /// The name has another number than the header: -513.
    Name {
        /// The number in the name.
        named: u32,
    },
    /// The format is not known: -514.
    Version,
    /// It is damaged (-501), or torn although it was closed (-571).
    Damaged {
        /// What the reader says.
        sentence: String,
        /// The error number.
        jet: i32,
    },
    /// The last write did not complete: normal after a crash, and no break.
    TornEnd {
        /// What the reader says.
        sentence: String,
    },
    /// The newest log has a number in its name: the one being written is not there. No break, but the engine's own full
    /// recovery refuses such a set with -528.
    NoCurrent,
}

impl FindingKind {
    /// Whether replay cannot pass it.
    pub fn is_break(&self) -> bool {
        !matches!(self, Self::TornEnd { .. } | Self::NoCurrent)
    }

    /// The error number that administrators know.
    pub fn jet(&self) -> Option<i32> {
        Some(match self {
            Self::Missing { current_is_there: true, .. } | Self::Time { .. } => JET_INVALID_LOG_SEQUENCE,
            Self::Missing { .. } | Self::NoCurrent => JET_MISSING_LOG_FILE,
            Self::Foreign { .. } => JET_BAD_LOG_SIGNATURE,
            Self::Checksum { .. } => JET_LOG_SEQUENCE_CHECKSUM_MISMATCH,
            Self::PageSize { .. } => JET_PAGE_SIZE_MISMATCH,
            Self::Length { .. } => JET_LOG_FILE_SIZE_MISMATCH,
            Self::Name { .. } => JET_LOG_GENERATION_MISMATCH,
            Self::Version => JET_BAD_LOG_VERSION,
            Self::Damaged { jet, .. } => *jet,
            Self::TornEnd { .. } => return None,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { generation, name, kind } = self;
        write!(f, "{name}: ")?;
        match kind {
            FindingKind::Missing { last, .. } if last == generation => f.write_str("missing"),
            FindingKind::Missing { last, .. } => write!(f, "missing, and all up to generation {last:#x}"),
            FindingKind::Foreign { signature } => {
                write!(f, "is of another sequence of logs ({signature})")
            }
            FindingKind::Time { said, made } => {
                write!(f, "says that the log before it was made {said}, but that was made {made}")
            }
            FindingKind::Checksum { said, computed } => write!(
                f,
                "says that the log before it has the accumulated checksum {said:#018x}, but it has {computed:#018x}"
            ),
            FindingKind::PageSize { this, before } => {
                write!(f, "is for pages of {this} bytes, the log before it for {before}")
            }
            FindingKind::Length { found, expected } => {
                write!(f, "has {found} bytes, expected {expected} as its header says")
            }
            FindingKind::Name { named } => {
                write!(f, "is named for generation {named:#x}, but is {generation:#x} by its header")
            }
            FindingKind::Version => f.write_str("has a format newer than is known, or too old"),
            FindingKind::Damaged { sentence, .. } => f.write_str(sentence),
            FindingKind::TornEnd { sentence } => write!(f, "ends torn, as after a crash: {sentence}"),
            FindingKind::NoCurrent => f.write_str("the log being written is not there"),
        }?;
        match kind.jet() {
            Some(number) => write!(f, " (ESE error {number})"),
            None => Ok(()),
        }
    }
}

/// A log of any sequence, to be recognised in the place of another.
struct Seen {
    signature: Signature,
    generation: u32,
    name: String,
    base: Option<String>,
}

impl Seen {
    fn of(log: &Member) -> Self {
        Self {
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
        let everywhere: Vec<Seen> = chains.iter().flat_map(|chain| chain.logs.iter().map(Seen::of)).collect();
        chains.iter_mut().for_each(|chain| chain.judge(&everywhere));
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
                judge_pair(before, log, &mut findings);
            }
            judge_alone(log, log.generation() == self.last_generation(), &mut findings);
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
            .filter(|log| log.signature != self.signature && log.base.as_ref() == base)
            .filter(|log| generations.contains(&log.generation))
            .collect();
        foreign.sort_by_key(|log| log.generation);
        foreign.dedup_by_key(|log| log.generation);
        foreign
    }
}

/// What is wrong with a log in itself.
fn judge_alone(log: &Member, is_last: bool, findings: &mut Vec<Finding>) {
    let generation = log.generation();
    let mut find = |kind| findings.push(Finding { generation, name: log.name.clone(), kind });
    if let Some(named) = LogName::parse(&log.name).and_then(|name| name.generation)
        && named != generation
    {
        find(FindingKind::Name { named });
    }
    match log.refused {
        Some(JET_LOG_FILE_SIZE_MISMATCH) => {
            find(FindingKind::Length { found: log.file_len, expected: log.header.file_len() });
        }
        Some(JET_BAD_LOG_VERSION) => find(FindingKind::Version),
        Some(jet) => find(FindingKind::Damaged { sentence: "its header makes no sense".into(), jet }),
        None => {}
    }
    match log.end.as_ref().map(|end| &end.status) {
        Some(LogStatus::Corrupt { sentence, jet, .. }) => {
            find(FindingKind::Damaged { sentence: sentence.clone(), jet: *jet });
        }
        Some(LogStatus::Torn { sentence, .. }) if is_last => {
            find(FindingKind::TornEnd { sentence: sentence.clone() });
        }
        Some(LogStatus::Torn { sentence, .. }) => {
            find(FindingKind::Damaged { sentence: sentence.clone(), jet: JET_LOG_TORN_WRITE });
        }
        Some(LogStatus::Complete) | None => {}
    }
}

/// What a log says of the one before it, held against that one.
fn judge_pair(before: &Member, log: &Member, findings: &mut Vec<Finding>) {
    let mut find = |kind| {
        findings.push(Finding { generation: log.generation(), name: log.name.clone(), kind });
    };
    let (this, other) = (&log.header, &before.header);
    if this.page_size != other.page_size {
        find(FindingKind::PageSize { this: this.page_size, before: other.page_size });
    }
    if before.generation().checked_add(1) != Some(log.generation()) {
        return;
    }
    if this.previous_created != other.created {
        find(FindingKind::Time { said: this.previous_created, made: other.created });
    }
    // A damaged log is reported as such, and its sum is that of a part.
    let repeats = this.update_minor >= CHECKSUM_REPEATED_FROM && !this.is_legacy() && before.is_whole();
    match &before.end {
        Some(end) if repeats && end.accumulated != this.previous_checksum => {
            find(FindingKind::Checksum { said: this.previous_checksum, computed: end.accumulated });
        }
        _ => {}
    }
}

/// Whether these first bytes of a file are those of a log that was never begun, a temporary or reserve file: zeros, or
/// the fill of the old container (reference, log.md section 5).
pub fn is_never_begun(head: &[u8]) -> bool {
    let fill = |at: usize| if at.is_multiple_of(16) { 0xDAu8.wrapping_add((at % 256) as u8) } else { 0xDA };
    let is_fill = || head.iter().enumerate().all(|(at, byte)| *byte == fill(at));
    !head.is_empty() && (head.iter().all(|byte| *byte == 0) || is_fill())
}
