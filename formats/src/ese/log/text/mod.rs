//! Records as lines of text, in the manner of the engine's own listings.
//!
//! Update counters, transactions and sessions are hexadecimal, pages, lines and sizes decimal, as the engine shows them.

mod changes;
mod environment;

use super::record::{PageOp, Record};
use crate::ese::position::{LgPos, LogTime, Signature};
use std::fmt;

/// One record as one line, for instance `>00000001,0002,0032 Begin0    (5,from:0,to:1) 4`.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Where it stands.
    pub position: LgPos,
    /// The record.
    pub record: &'a Record<'a>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LgPos { generation, sector, byte } = self.position;
        write!(f, ">{generation:08X},{sector:04X},{byte:04X} {:<9} ", self.record.kind())?;
        write_fields(f, self.record)
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, record: &Record<'_>) -> fmt::Result {
    match record {
        Record::Nop | Record::End | Record::ShutDownMark => Ok(()),
        Record::Nop2 { len } => {
            write!(f, "(lrtyp = {}, {} bytes)", record.kind().0, len.saturating_sub(5))
        }
        Record::Ignorable { kind, bytes } => write!(f, "(lrtyp = {}, {} bytes)", kind.0, bytes.len()),
        Record::MultiSector { forward_sector, forward_byte, checksum } => {
            write!(f, "(forward:{forward_sector:X}:{forward_byte:X},checksum:{checksum:08x})")
        }
        Record::Checksum { bytes } => write!(f, "({} bytes)", bytes.len()),
        Record::FragmentBegin { total, piece } => write!(f, "({} of {total} bytes)", piece.len()),
        Record::Fragment { piece } => write!(f, "({} bytes)", piece.len()),

        Record::Begin { procid, from, levels, trx, .. } => {
            write!(f, "({procid:x},from:{from},to:{})", from.saturating_add(*levels))?;
            write_trx(f, *trx)
        }
        Record::Commit { procid, to, trx } => {
            write!(f, "({procid:x},to:{to})")?;
            write_trx(f, *trx)
        }
        Record::Rollback { procid, levels } => write!(f, "({procid:x},{levels})"),
        Record::Refresh { procid, trx } => write!(f, "({procid:x}) {trx:x}"),
        Record::PrepCommit { procid, data } => write!(f, "({procid:x},{})", data.len()),
        Record::PrepRollback { procid } | Record::ForceWriteLog { procid } => write!(f, "({procid:x})"),
        Record::CommitCtx { procid, context } => write!(f, "({procid:x},{})", context.len()),
        Record::MacroBegin { procid, dbtime }
        | Record::MacroCommit { procid, dbtime }
        | Record::MacroAbort { procid, dbtime } => write!(f, "({procid:x}) {dbtime:x}"),
        Record::MacroInfo { dbid, pages } => {
            // The older form was only used for the first database.
            let dbid = dbid.unwrap_or(1);
            pages.iter().try_for_each(|pgno| write!(f, "[{dbid}:{pgno}],"))
        }
        Record::JetOp { procid, op } => write!(f, "({procid:x}) {op}"),
        Record::Trace { procid, text } => write!(f, "({procid:x}) {}", Plain(&text.to_text())),
        Record::ForceLogRollover { procid, text } => {
            write!(f, "({procid:x}) {}", Plain(&text.to_text()))
        }
        _ if environment::write(f, record)? => Ok(()),
        _ => changes::write(f, record),
    }
}

fn write_trx(f: &mut fmt::Formatter<'_>, trx: Option<u32>) -> fmt::Result {
    trx.map_or(Ok(()), |trx| write!(f, " {trx:x}"))
}

/// Text from a file, with what would disturb a terminal made visible.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| {
            if char.is_control() { write!(f, "{}", char.escape_default()) } else { write!(f, "{char}") }
        })
    }
}

/// A position inside a line: `(8,1A,0)`.
struct Short(LgPos);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:X},{:X},{:X})", self.0.generation, self.0.sector, self.0.byte)
    }
}

/// A time inside a line, without its zone.
struct Moment(LogTime);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        f.write_str(text.rsplit_once(' ').map_or(text.as_str(), |(moment, _)| moment))
    }
}

/// A signature inside a line.
struct Signed<'a>(&'a Signature);

impl fmt::Display for Signed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        if self.0.computer[0] == 0 { f.write_str("<None>") } else { Ok(()) }
    }
}

/// What most changes of a page begin with: `dbtime,before,trx:level(session,`.
struct Change<'a>(&'a PageOp);

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PageOp { procid, dbtime, dbtime_before, trx, level, .. } = self.0;
        write!(f, "{dbtime:x},{dbtime_before:x},{trx:x}:{level}({procid:x},")
    }
}

/// `[database:page:line]`.
struct LinePlace<'a>(&'a PageOp);

impl fmt::Display for LinePlace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:{}:{}]", self.0.dbid, self.0.pgno, self.0.line)
    }
}

/// The flags of a change that a type of record shows, one letter each of `uvdstc`: unique, versioned, deleted, space tree,
/// system task, concurrent create index.
struct Flags<'a>(&'a PageOp, &'a str);

impl fmt::Display for Flags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.0.flags;
        for (index, letter) in self.1.chars().enumerate() {
            if index > 0 {
                f.write_str(":")?;
            }
            let word = |is_set, yes, no| if is_set { yes } else { no };
            f.write_str(match letter {
                'u' => word(flags.is_unique(), "U", "NU"),
                'v' => word(flags.is_versioned(), "V", "NV"),
                'd' => word(flags.is_deleted(), "D", "ND"),
                's' => word(flags.is_space_tree(), "SP", "NSP"),
                't' => word(flags.is_system_task(), "SYS", "USR"),
                _ => word(flags.is_concurrent_create_index(), "CI", "NCI"),
            })?;
        }
        Ok(())
    }
}
