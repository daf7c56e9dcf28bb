//! restic.

use super::peer::{Kind, Peer, Place, Sheet, printed, version};
use super::process::Pipeline;
use crate::Result;

/// restic with its fastest compression.
pub struct Restic {
    version: String,
    compression: &'static str,
}

/// restic, if it is there; older ones have no `fastest`.
pub fn found() -> Result<Option<Restic>> {
    let Some(version) = version("restic", "version")? else { return Ok(None) };
    let help = printed("restic", &["backup", "--help"])?.unwrap_or_default();
    let compression = if help.contains("fastest") { "fastest" } else { "auto" };
    Ok(Some(Restic { version, compression }))
}

impl Restic {
    fn call(place: &Place, pipeline: Pipeline, words: &[&str]) -> Pipeline {
        pipeline
            .run(["restic", "--quiet", "--repo"])
            .argument(place.repository())
            .arguments(words)
            .with("RESTIC_CACHE_DIR", place.cache())
            .with("RESTIC_PASSWORD", "peers")
    }
}

impl Peer for Restic {
    fn sheet(&self) -> Sheet {
        Sheet {
            name: "restic",
            version: self.version.clone(),
            settings: format!(
                "`--compression {}` (a zstd encoder of its own, whose levels are not those of libzstd): content-defined chunks, 1 MiB on average, SHA-256, always encrypted (AES-256, Poly1305), all cores; `restore` verifies blobs",
                self.compression
            ),
            kind: Kind::Deduplicating,
            level_1: false,
            fixed_32k: false,
        }
    }

    fn prepare(&self, place: &Place) -> Vec<Pipeline> {
        vec![Self::call(place, place.at_input(), &["init"])]
    }

    fn back_up(&self, place: &Place, _: usize) -> Pipeline {
        let backup = ["backup", "--compression", self.compression];
        Self::call(place, place.at_input(), &backup).argument(place.input_name())
    }

    fn restore(&self, place: &Place, _: usize) -> Pipeline {
        Self::call(place, Pipeline::within(&place.restored()), &["restore", "latest", "--target", "."])
    }
}
