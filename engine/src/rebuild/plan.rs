//! What a rebuild will do, and why it cannot: decided from headers alone (reference, replay.md section 8).

use super::bases::{self, Base};
use super::logs::{self, LogPath};
use super::{RebuildOptions, Until};
use crate::error::{Class, Error, Result};
use reel_formats::error::Error as FormatError;
use reel_formats::ese::header::{DatabaseHeader, DatabaseState};
use reel_formats::ese::log::chain::{Chain, Finding, FindingKind, Member};
use reel_formats::ese::log::need::Need;
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::log::{LogEnd, LogStatus};
use reel_formats::ese::position::Signature;
use reel_formats::ese::replay::check_listed;
use std::ops::RangeInclusive;

const JET_MISSING_LOG_FILE: i32 = -528;
const JET_LOG_SET_MISMATCH: i32 = -539;
const JET_REQUIRED_LOGS_MISSING: i32 = -543;
const JET_COMMITTED_LOGS_MISSING: i32 = -582;
const JET_INVALID_DATABASE_VERSION: i32 = -1209;
const JET_LOG_FILE_CORRUPT: i32 = -501;
const JET_TORN_IN_BACKUP_SET: i32 = -570;
const JET_TORN_IN_HARD_RECOVERY: i32 = -571;
const JET_CORRUPT_IN_BACKUP_SET: i32 = -573;
const JET_CORRUPT_IN_HARD_RECOVERY: i32 = -574;
/// The newest format of a database that replay was held against the engine with.
const NEWEST_FORMAT: (u32, u32) = (0x620, 290);

/// Why a rebuild ends where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// With the log that was being written.
    CurrentLog,
    /// With the last log that is there; the one that was being written is not.
    LastLog,
    /// Where the order of the logs is broken.
    Break(String),
    /// Where it was asked to.
    Asked,
}

/// Something that forbids a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The file or the database.
    pub object: String,
    /// What is wrong, in a sentence.
    pub sentence: String,
    /// The error number that administrators know.
    pub jet: Option<i32>,
}

impl From<FormatError> for Refusal {
    fn from(error: FormatError) -> Self {
        let jet = error.jet();
        match error {
            FormatError::Format { object, found, expected, .. } => {
                Refusal { object, sentence: format!("found {found}, expected {expected}"), jet }
            }
            other => Refusal { object: "rebuild".into(), sentence: other.to_string(), jet },
        }
    }
}

/// What a rebuild will do.
#[derive(Clone, Debug)]
pub struct RebuildPlan {
    /// Its bases.
    pub bases: Vec<Base>,
    /// The logs to replay, in order.
    pub logs: Vec<LogPath>,
    /// Why it ends with the last of them.
    pub stop: Stop,
    /// What forbids it.
    pub refusals: Vec<Refusal>,
    /// The log sequence.
    pub signature: Signature,
}

impl RebuildPlan {
    /// Makes the plan. Writes nothing and reads headers only; what forbids the rebuild is in the plan.
    ///
    /// # Errors
    /// Bases or logs that are not there or cannot be read.
    pub fn make(options: &RebuildOptions) -> Result<Self> {
        let bases = bases::find(&options.bases, options.is_hard())?;
        let (mut plan, chain) = Self::ordered(options, bases)?;
        let from = first_generation(&chain, &plan.bases, options, &mut plan.refusals);
        let last = plan.take(&chain, from, options);
        for base in &plan.bases {
            judge_base(base, last, options, &mut plan.refusals);
            if let Some(first) = plan.logs.first() {
                let listed = check_listed(&base.name, &base.header, &first.header);
                plan.refusals.extend(listed.err().map(Refusal::from));
            }
        }
        Ok(plan)
    }

    /// The same for a check: all logs of the sequence up to the first break, whatever the bases need of them.
    pub fn make_for_check(options: &RebuildOptions) -> Result<Self> {
        let bases = bases::find(&options.bases, options.is_hard())?;
        let (mut plan, chain) = Self::ordered(options, bases)?;
        let options = RebuildOptions { hard: true, ..options.clone() };
        plan.take(&chain, chain.first_generation(), &options);
        Ok(plan)
    }

    /// A plan without logs yet, and the sequence that they come from.
    fn ordered(options: &RebuildOptions, bases: Vec<Base>) -> Result<(Self, Chain)> {
        let found = logs::find(&options.logs)?;
        let chains = Chain::build(found.iter().map(|(_, member)| member.clone()).collect());
        let mut refusals = Vec::new();
        let chain = choose(&chains, &bases, &mut refusals).clone();
        let path_of = |member: &Member| {
            let same = |(log, _): &&(LogPath, Member)| {
                log.header == member.header && log.path.ends_with(&member.name)
            };
            found.iter().find(same).map(|(log, _)| log.clone())
        };
        let logs = chain.logs.iter().filter_map(path_of).collect();
        let plan = Self { bases, logs, stop: Stop::Asked, refusals, signature: chain.signature };
        Ok((plan, chain))
    }

    /// Keeps the logs from generation `from` to where the rebuild ends, and answers that.
    fn take(&mut self, chain: &Chain, from: u32, options: &RebuildOptions) -> u32 {
        let (last, stop) = last_generation(chain, from, options, &mut self.refusals);
        self.stop = stop;
        self.logs.retain(|log| (from..=last).contains(&log.header.generation));
        last
    }

    /// Refuses if anything forbids it: the first reason, as an error.
    pub fn refuse(&self) -> Result<()> {
        match self.refusals.first() {
            None => Ok(()),
            Some(Refusal { object, sentence, jet }) => {
                let class = jet.map_or(Class::State, Error::class_of_jet);
                let error = Error::new(class, object, sentence);
                Err(jet.map_or(error.argument_if_missing(), |jet| {
                    Error::new(class, object, sentence).with_jet(jet)
                }))
            }
        }
    }

    /// Generations that are replayed; `None` if there are none.
    pub fn generations(&self) -> Option<RangeInclusive<u32>> {
        Some(self.logs.first()?.header.generation..=self.logs.last()?.header.generation)
    }

    /// Bytes of the logs.
    pub fn log_bytes(&self) -> u64 {
        self.logs.iter().map(|log| log.header.file_len()).sum()
    }

    /// Refuses a log that is torn or patched where the reference does not allow it (log.md section 4.1). What can be read
    /// of a damaged one is replayed first: its records end with an error.
    pub(super) fn accept(&self, name: &str, log: &LogFile, options: &RebuildOptions) -> Result<()> {
        let generation = log.header().generation;
        let is_last = self.logs.last().is_some_and(|last| last.header.generation == generation);
        let LogEnd { status, patched, .. } = log.end();
        if is_last && !options.is_hard() {
            return Ok(());
        }
        let (torn, corrupt) = self.numbers(generation, options);
        let refuse = |sentence: &str, jet| Err(Error::new(Class::Format, name, sentence).with_jet(jet));
        match status {
            _ if !patched.is_empty() => {
                refuse("its last write was torn, which only the log that was being written may be", torn)
            }
            LogStatus::Torn { sentence, .. } if !is_last => refuse(sentence, corrupt),
            _ => Ok(()),
        }
    }

    /// The error of a log whose records end in damage, with the number that its place gives it.
    pub(super) fn damage(
        &self,
        name: &str,
        log: &LogFile,
        error: FormatError,
        options: &RebuildOptions,
    ) -> Error {
        let is_damage = error.jet() == Some(JET_LOG_FILE_CORRUPT) && log.end().status.is_corrupt();
        let error = Error::inside(name, error);
        if is_damage { error.with_jet(self.numbers(log.header().generation, options).1) } else { error }
    }

    /// The numbers for a torn and for a damaged log in the place of this generation.
    fn numbers(&self, generation: u32, options: &RebuildOptions) -> (i32, i32) {
        let in_set = self.bases.iter().any(|base| {
            let backup = base.header.current_full_backup;
            let high = backup.high_generation.max(base.header.max_required);
            backup.low_generation > 0 && (backup.low_generation..=high).contains(&generation)
        });
        match (in_set, options.is_hard()) {
            (true, _) => (JET_TORN_IN_BACKUP_SET, JET_CORRUPT_IN_BACKUP_SET),
            (false, true) => (JET_TORN_IN_HARD_RECOVERY, JET_CORRUPT_IN_HARD_RECOVERY),
            (false, false) => (JET_LOG_FILE_CORRUPT, JET_LOG_FILE_CORRUPT),
        }
    }
}

/// The sequence that the bases belong to; without a base, the longest.
fn choose<'c>(chains: &'c [Chain], bases: &[Base], refusals: &mut Vec<Refusal>) -> &'c Chain {
    let longest = chains.first().expect("logs were found, so there is a chain");
    let of = |base: &Base| chains.iter().find(|chain| chain.signature == base.header.log_signature);
    let Some(chain) = bases.iter().find_map(of) else { return longest };
    for base in bases.iter().filter(|base| of(base).is_some_and(|other| other.signature != chain.signature)) {
        refusals.push(Refusal {
            object: base.name.clone(),
            sentence: "it belongs to another sequence of logs than the other bases: rebuild it by itself"
                .into(),
            jet: Some(JET_LOG_SET_MISMATCH),
        });
    }
    chain
}

/// Where replay begins.
fn first_generation(
    chain: &Chain,
    bases: &[Base],
    options: &RebuildOptions,
    refusals: &mut Vec<Refusal>,
) -> u32 {
    let first = chain.first_generation();
    if options.from_empty {
        if first > 1 {
            refusals.push(Refusal {
                object: chain.name_of(1),
                sentence: format!(
                    "missing: without a base the logs must begin with generation 1, these begin with {first}"
                ),
                jet: Some(JET_MISSING_LOG_FILE),
            });
        }
        return 1;
    }
    let mut from = u32::MAX;
    for base in bases {
        let need = Need::of(&base.header);
        if base.header.log_signature != chain.signature {
            from = from.min(first);
        } else if need.from < first && base.header.min_required > 0 {
            refusals.push(Refusal {
                object: base.name.clone(),
                sentence: format!(
                    "it needs the logs from generation {} on; {} is missing",
                    need.from,
                    chain.name_of(need.from)
                ),
                jet: Some(JET_REQUIRED_LOGS_MISSING),
            });
            from = from.min(first);
        } else {
            from = from.min(need.from.max(first));
        }
    }
    from.min(chain.last_generation())
}

/// Where it ends, and why there.
fn last_generation(
    chain: &Chain,
    from: u32,
    options: &RebuildOptions,
    refusals: &mut Vec<Refusal>,
) -> (u32, Stop) {
    let end = chain.last_generation();
    let asked = match options.until {
        Until::Generation(generation) => generation,
        Until::Position(position) => position.generation,
        Until::EndOfLogs | Until::Time(_) => u32::MAX,
    };
    let refusal = |finding: &Finding| Refusal {
        object: finding.name.clone(),
        sentence: finding.sentence(),
        jet: finding.kind.jet(),
    };
    if let Some(broken) = chain.first_break_from(from).filter(|broken| broken.generation <= asked) {
        let last = broken.generation.saturating_sub(1);
        if !options.is_hard() || last < from || asked != u32::MAX {
            refusals.push(refusal(broken));
        }
        return (last, Stop::Break(broken.to_string()));
    }
    if asked != u32::MAX && asked > end {
        refusals.push(Refusal {
            object: "until".into(),
            sentence: format!("generation {asked} cannot be reached: the logs end with {end}"),
            jet: Some(JET_MISSING_LOG_FILE),
        });
        return (end, Stop::Asked);
    }
    if asked != u32::MAX {
        return (asked, Stop::Asked);
    }
    let no_current = chain.findings.iter().find(|finding| finding.kind == FindingKind::NoCurrent);
    match no_current {
        None => (end, Stop::CurrentLog),
        Some(finding) => {
            if !options.is_hard() && options.undo && !options.allow_loss {
                refusals.push(Refusal {
                    object: finding.name.clone(),
                    sentence:
                        "the log that was being written is missing: --hard if these logs are from a backup, \
                               --allow-loss if it is lost"
                            .into(),
                    jet: Some(JET_MISSING_LOG_FILE),
                });
            }
            (end, Stop::LastLog)
        }
    }
}

/// What forbids to rebuild from this base.
fn judge_base(base: &Base, last: u32, options: &RebuildOptions, refusals: &mut Vec<Refusal>) {
    let DatabaseHeader { version, update_major, max_required, max_committed, state, .. } = base.header;
    let mut refuse =
        |sentence: String, jet| refusals.push(Refusal { object: base.name.clone(), sentence, jet });
    if (version, update_major) > NEWEST_FORMAT {
        let (known, newest) = NEWEST_FORMAT;
        let sentence = format!(
            "its format {version:#x},{update_major} is newer than {known:#x},{newest}, up to which replay is known to be right"
        );
        refuse(sentence, Some(JET_INVALID_DATABASE_VERSION));
    }
    if matches!(state, DatabaseState::IncrementalReseedInProgress | DatabaseState::RevertInProgress) {
        refuse(format!("its state is {state}: logs do not help"), None);
    }
    if max_required > last {
        let sentence = format!("it needs the logs up to generation {max_required}; they end with {last}");
        refuse(sentence, Some(JET_REQUIRED_LOGS_MISSING));
    } else if max_committed > last && !options.allow_loss {
        let sentence = format!(
            "logs up to generation {max_committed} hold committed work for it, and they end with {last}: \
             --allow-loss does without"
        );
        refuse(sentence, Some(JET_COMMITTED_LOGS_MISSING));
    }
}
