//! The models of whole runs: which stages a byte of backup and restore passes through.

use crate::limits::Limits;
use crate::model::Model;
use crate::stages::Stages;
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
pub fn pages(limits: &Limits, share: &Shares) -> Model {
    let model =
        Model::default().stage("read", limits.read, 1.0).stage("hash", limits.stages.hash, share.data);
    capped(with_new(model, limits, &limits.stages, share), limits, share)
}

/// Backup of any other file: its cut points have to be found. `stages` are those of the same data.
pub fn content(limits: &Limits, stages: &Stages, share: &Shares) -> Model {
    let model = Model::default().stage("read", limits.read, 1.0).stage("cdc", stages.cdc, share.data).stage(
        "hash",
        stages.hash_chunks,
        share.data,
    );
    capped(with_new(model, limits, stages, share), limits, share)
}

/// Backup of which hardly anything is new: what all cores read, or hash (and cut, in any file but those with pages); the copy
/// that read(2) makes is what is left.
pub fn unchanged(limits: &Limits, share: &Shares, has_pages: bool) -> Model {
    let stages = &limits.stages;
    let model = if has_pages {
        Model::default().stage("hash", stages.hash, share.data)
    } else {
        Model::default().stage("cdc", stages.cdc, share.data).stage("hash", stages.hash_chunks, share.data)
    };
    model.cap("read", limits.read_all, 1.0)
}

fn with_new(model: Model, limits: &Limits, stages: &Stages, share: &Shares) -> Model {
    match share.compression {
        Compression::None => {
            model.stage("copy", limits.copy, share.new).stage("write", limits.write, share.stored)
        }
        compression @ Compression::Zstd(_) => {
            model.stage("zstd", stages.level(compression).compress, share.new)
        }
    }
}

fn capped(model: Model, limits: &Limits, share: &Shares) -> Model {
    model.cap("read", limits.read_all, 1.0).cap("durable write", limits.write_durable, share.stored).cap(
        "copy",
        limits.copy_all,
        1.0,
    )
}

/// Restore to files of a set whose frames hold `decoded` bytes for each byte that is wanted.
pub fn restore_files(limits: &Limits, compression: Compression, decoded: f64) -> Model {
    restore_nowhere(limits, compression, decoded).stage("write", limits.write, 1.0).cap(
        "durable write",
        limits.write_durable,
        1.0,
    )
}

/// Restore of which the bytes are dropped.
pub fn restore_nowhere(limits: &Limits, compression: Compression, decoded: f64) -> Model {
    let stages = &limits.stages;
    Model::default().stage("decode", stages.level(compression).decode, decoded).stage(
        "hash",
        stages.hash,
        1.0,
    )
}
