//! Checkpoint files: where redo may start (reference, checkpoint.md).

use super::attachment::{self, Attachment};
use super::environment::Environment;
use super::file_type;
use super::page::checksum::header_xor;
use super::position::{LgPos, LogTime, Signature};
use crate::error::{Error, Result};
use crate::le::{Fields, bytes_at};

/// Length of one of the two copies, in bytes.
pub const COPY_LEN: usize = 4096;
const JET_CHECKPOINT_CORRUPT: i32 = -533;
const HAS_ATTACHMENTS: u8 = 1;
const ATTACHMENTS_AT: usize = 679;

/// What a checkpoint file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Redo may start here.
    pub checkpoint: LgPos,
    /// Where it has to start for the data alone, the flush map left aside.
    pub consistency: LgPos,
    /// The checkpoint when the last full backup was made.
    pub last_full_backup_checkpoint: LgPos,
    /// Last full backup.
    pub full_backup: LgPos,
    /// When the last full backup was made.
    pub full_backup_time: LogTime,
    /// Last incremental backup.
    pub incremental_backup: LgPos,
    /// When the last incremental backup was made.
    pub incremental_backup_time: LogTime,
    /// The log sequence that it belongs to.
    pub log_signature: Signature,
    /// The parameters of the instance that wrote it.
    pub environment: Environment,
    /// The databases attached at the checkpoint; `None` where the writer did not record them.
    pub attachments: Option<Vec<Attachment>>,
}

impl Checkpoint {
    /// Reads a checkpoint from the file's first 8,192 bytes, from the first of its two copies whose checksum is good.
    /// The error is JET_errCheckpointCorrupt (-533).
    pub fn parse(file: &[u8]) -> Result<Self> {
        let copy = copies(file).into_iter().flatten().find(|copy| is_good(copy));
        let Some(copy) = copy else {
            let found = format_args!("{} bytes without a good copy", file.len());
            return Err(Error::format("checkpoint", 0, found, "a copy with a good checksum and file type 4")
                .with_jet(JET_CHECKPOINT_CORRUPT));
        };
        let fields = Fields(copy);
        let attachments = if fields.u8(647) & HAS_ATTACHMENTS == 0 {
            None
        } else {
            let list = attachment::read_list(copy, ATTACHMENTS_AT, "checkpoint");
            Some(list.map_err(|error| error.with_jet(JET_CHECKPOINT_CORRUPT))?)
        };
        Ok(Self {
            last_full_backup_checkpoint: fields.lgpos(4),
            checkpoint: fields.lgpos(12),
            log_signature: fields.signature(20),
            environment: Environment::read(copy, 48),
            full_backup: fields.lgpos(615),
            full_backup_time: fields.logtime(623),
            incremental_backup: fields.lgpos(631),
            incremental_backup_time: fields.logtime(639),
            consistency: fields.lgpos(648),
            attachments,
        })
    }
}

/// Which of the two copies in the file's first 8,192 bytes are good.
pub fn good_copies(file: &[u8]) -> [bool; 2] {
    copies(file).map(|copy| copy.is_some_and(is_good))
}

fn copies(file: &[u8]) -> [Option<&[u8]>; 2] {
    [0, COPY_LEN].map(|at| bytes_at(file, at, COPY_LEN))
}

fn is_good(copy: &[u8]) -> bool {
    let fields = Fields(copy);
    // Old writers had no file type; a copy of theirs names a place in the logs.
    let right_type = match fields.u32(file_type::AT) {
        file_type::CHECKPOINT => true,
        file_type::OLD => fields.u32(16) != 0 && fields.u32(20) != 0,
        _ => false,
    };
    fields.u32(0) == header_xor(copy) && right_type
}
