//! Why a log is still needed, or that nothing known needs it.

use reel_formats::ese::checkpoint::Checkpoint;
use reel_formats::ese::header::DatabaseHeader;
use reel_formats::ese::log::chain::Chain;
use reel_formats::ese::log::need::{self, Need};

/// Something that may need logs.
#[derive(Debug, Clone)]
pub struct Witness {
    /// How messages name it: a file, or a stream and its set.
    pub name: String,
    /// Its header.
    pub header: DatabaseHeader,
}

/// Why a log is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The database is not consistent without it.
    Required,
    /// It holds committed work for the database.
    Committed,
    /// It brings the database forward to what came later.
    Forward,
    /// Recovery after a crash begins at the checkpoint, in or before this log.
    Checkpoint,
    /// It is the log that is being written.
    Current,
}

/// Who needs a log, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The name of the database or checkpoint; empty where the log stands for itself.
    pub by: String,
    /// Why.
    pub reason: Reason,
}

/// What is known of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is needed.
    Needed(Vec<Claim>),
    /// Nothing that was looked at needs it, but not everything could be looked at.
    Unknown,
    /// Nothing needs it, and all that may need it was looked at.
    Removable,
}

/// What is known of each log of a chain, in its order, and the sentences for which nothing may be called removable.
///
/// `doubts` are what could not be read; they, and what this finds itself, turn *removable* into *unknown*.
pub fn verdicts(
    chain: &Chain,
    witnesses: &[Witness],
    checkpoints: &[(String, Checkpoint)],
    doubts: &[String],
) -> (Vec<Verdict>, Vec<String>) {
    let mut claims = claims_of_databases(chain, witnesses);
    let checkpoints = checkpoints.iter().filter(|(_, found)| found.log_signature == chain.signature);
    claims.extend(checkpoints.map(|(name, found)| Claims {
        by: name.clone(),
        need: Need { from: found.checkpoint.generation, required: 0, committed: 0 },
        otherwise: Reason::Checkpoint,
    }));
    let doubts: Vec<String> = doubts.iter().cloned().chain(doubts_of(chain, witnesses)).collect();
    let current = chain.has_current().then(|| chain.last_generation());
    let judge = |generation: u32| {
        let mut needed: Vec<Claim> = claims.iter().filter_map(|claim| claim.on(generation)).collect();
        if current == Some(generation) {
            needed.push(Claim { by: String::new(), reason: Reason::Current });
        }
        match (needed.is_empty(), doubts.is_empty()) {
            (false, _) => Verdict::Needed(needed),
            (true, false) => Verdict::Unknown,
            (true, true) => Verdict::Removable,
        }
    };
    (chain.logs.iter().map(|log| judge(log.generation())).collect(), doubts)
}

/// What one witness claims of the logs of a chain.
struct Claims {
    by: String,
    need: Need,
    /// The reason for logs behind what is required and committed.
    otherwise: Reason,
}

impl Claims {
    fn on(&self, generation: u32) -> Option<Claim> {
        let reason = match self.need.reason(generation)? {
            need::Reason::Required => Reason::Required,
            need::Reason::Committed => Reason::Committed,
            need::Reason::Forward => self.otherwise,
        };
        Some(Claim { by: self.by.clone(), reason })
    }
}

fn claims_of_databases(chain: &Chain, witnesses: &[Witness]) -> Vec<Claims> {
    let attached = chain.attached();
    let need = |header: &DatabaseHeader| {
        if header.log_signature == chain.signature {
            return Some(Need::of(header));
        }
        // Attached by these logs, but its header was not written since.
        let entry = attached.iter().find(|entry| entry.signature == header.signature)?;
        Some(Need { from: entry.generation, required: 0, committed: 0 })
    };
    let claims = |witness: &Witness| {
        let need = need(&witness.header)?;
        Some(Claims { by: witness.name.clone(), need, otherwise: Reason::Forward })
    };
    witnesses.iter().filter_map(claims).collect()
}

/// Why nothing of a chain may be called removable.
fn doubts_of(chain: &Chain, witnesses: &[Witness]) -> Vec<String> {
    let mut doubts = Vec::new();
    if !witnesses.iter().any(|witness| witness.header.log_signature == chain.signature) {
        doubts.push("no database of these logs was found (--base names more places)".to_owned());
    }
    let is_found = |signature| witnesses.iter().any(|witness| witness.header.signature == signature);
    for entry in chain.attached().iter().filter(|entry| !is_found(entry.signature)) {
        doubts.push(format!("{} is attached by these logs and was not found (--base names it)", entry.path));
    }
    let breaks = chain.findings.iter().filter(|finding| finding.kind.is_break());
    doubts.extend(breaks.map(ToString::to_string));
    if !chain.has_current() {
        doubts.push("the log being written is not there: what it attaches is not known".to_owned());
    }
    doubts
}
