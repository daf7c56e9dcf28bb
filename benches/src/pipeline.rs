//! The models of whole runs: which stages a byte of backup and restore passes through.

use crate::model::Model;
use crate::stage::Stage;
use reel_engine::backup::BackupReport;
use reel_engine::frame::Compression;

/// Which shares of the input went through the stages.
#[derive(Debug, Clone, Copy)]
pub struct Shares {
    /// Neither zeros nor holes.
    data: f64,
    /// Chunks that the pool did not have.
    new: f64,
    /// Bytes by which the image grew.
    stored: f64,
    compression: Compression,
}

impl Shares {
    /// Everything goes through everything: for a model that has to name its stages before there is a run.
    pub fn all(compression: Compression) -> Shares {
        Shares { data: 1.0, new: 1.0, stored: 1.0, compression }
    }

    /// Those of a backup.
    pub fn of(report: &BackupReport, compression: Compression) -> Shares {
        let share = |bytes: u64| bytes as f64 / report.input_bytes as f64;
        Shares {
            data: share(report.new_bytes + report.duplicate_bytes),
            new: share(report.new_bytes),
            stored: share(report.medium_bytes),
            compression,
        }
    }
}

/// Backup of a page file: read, hash, and compress what is new; without compression it is copied together and written.
pub fn pages(share: &Shares) -> Model {
    let model = Model::default().stage(Stage::Read, 1.0).stage(Stage::HashPages, share.data);
    capped(with_new(model, share), share)
}

/// Backup of any other file: its cut points have to be found.
pub fn content(share: &Shares) -> Model {
    let model = Model::default().stage(Stage::Read, 1.0);
    capped(with_new(cut_and_hashed(model, share), share), share)
}

/// The same of what nothing makes smaller: its bytes are written as they are.
pub fn incompressible(share: &Shares) -> Model {
    content(share).stage(Stage::Write, 1.0)
}

/// Backup of any other file of which hardly anything is new: what all cores read, or cut and hash; the copy that read(2)
/// makes is what is left.
pub fn content_unchanged(share: &Shares) -> Model {
    cut_and_hashed(Model::default(), share).cap(Stage::ReadAll, 1.0)
}

/// What all cores read, or hash: page files have no target of this kind.
pub fn pages_unchanged(share: &Shares) -> Model {
    Model::default().stage(Stage::HashPages, share.data).cap(Stage::ReadAll, 1.0)
}

/// Backup of a page file that is not in the page cache: its disk may have less than the cores.
pub fn pages_cold(share: &Shares) -> Model {
    pages(share).cap(Stage::ReadCold, 1.0)
}

/// Backup of zeros: they are read, and that is all.
pub fn zeros(_: &Shares) -> Model {
    Model::default().stage(Stage::Read, 1.0).cap(Stage::ReadAll, 1.0)
}

fn cut_and_hashed(model: Model, share: &Shares) -> Model {
    model.stage(Stage::Cdc, share.data).stage(Stage::HashChunks, share.data)
}

fn with_new(model: Model, share: &Shares) -> Model {
    match share.compression {
        Compression::None => model.stage(Stage::Copy, share.new).stage(Stage::Write, share.stored),
        Compression::Zstd(level) => model.stage(Stage::Compress(level), share.new),
    }
}

fn capped(model: Model, share: &Shares) -> Model {
    model.cap(Stage::ReadAll, 1.0).cap(Stage::WriteDurable, share.stored).cap(Stage::CopyAll, 1.0)
}

/// Restore of which the bytes are dropped, of a set that was compressed at `level`, whose frames hold `decoded` bytes for
/// each byte that is wanted; `hash` is that of its chunks.
pub fn restore_nowhere(level: i32, hash: Stage, decoded: f64) -> Model {
    Model::default().stage(Stage::Decode(level), decoded).stage(hash, 1.0)
}

/// The same to files.
pub fn restore_files(level: i32, hash: Stage, decoded: f64) -> Model {
    restore_nowhere(level, hash, decoded).stage(Stage::Write, 1.0).cap(Stage::WriteDurable, 1.0)
}
