//! casync.

use super::peer::{Kind, Peer, Place, Sheet, version};
use super::process::Pipeline;
use crate::Result;
use std::path::PathBuf;

/// casync with zstd.
pub struct Casync {
    version: String,
}

/// casync, if it is there.
pub fn found() -> Result<Option<Casync>> {
    Ok(version("casync", "--version")?.map(|version| Casync { version }))
}

impl Casync {
    fn call(place: &Place, pipeline: Pipeline, command: &str, day: usize) -> Pipeline {
        let index: PathBuf = place.repository().join(format!("day{day}.caidx"));
        let mut store = std::ffi::OsString::from("--store=");
        store.push(place.repository().join("chunks.castr"));
        pipeline
            .run(["casync", "--with=unix", "--compression=zstd"])
            .argument(store)
            .argument(command)
            .argument(index)
    }
}

impl Peer for Casync {
    fn sheet(&self) -> Sheet {
        Sheet {
            name: "casync",
            version: self.version.clone(),
            settings: "`--compression=zstd --with=unix`: zstd at its own level, content-defined chunks, 64 KiB on average, a file each, SHA-512/256, \
                       no encryption, one thread; `extract` verifies chunks"
                .to_owned(),
            kind: Kind::Deduplicating,
            level_1: false,
            fixed_32k: false,
        }
    }

    fn prepare(&self, _: &Place) -> Vec<Pipeline> {
        Vec::new()
    }

    fn back_up(&self, place: &Place, day: usize) -> Pipeline {
        Self::call(place, place.at_input(), "make", day).argument(place.input_name())
    }

    fn restore(&self, place: &Place, day: usize) -> Pipeline {
        Self::call(place, Pipeline::within(&place.restored()), "extract", day).argument(".")
    }
}
