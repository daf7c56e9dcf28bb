//! rustic: chunks of a fixed size, and its own content-defined ones.

use super::peer::{Kind, Peer, Place, Sheet, version};
use super::process::Pipeline;
use crate::Result;

/// rustic with one of its chunkers.
pub struct Rustic {
    name: &'static str,
    version: String,
    settings: &'static [&'static str],
    chunks: &'static str,
}

const RABIN: &[&str] = &["--set-compression", "1"];
const FIXED: &[&str] =
    &["--set-compression", "1", "--set-chunker", "fixed_size", "--set-chunk-size", "32KiB"];

/// Both chunkers.
pub fn found() -> Result<Vec<Rustic>> {
    let Some(version) = version("rustic", "--version")? else { return Ok(Vec::new()) };
    let of = |name, settings, chunks| Rustic { name, version: version.clone(), settings, chunks };
    Ok(vec![
        of("rustic, fixed", FIXED, "fixed 32 KiB"),
        of("rustic, rabin", RABIN, "content-defined, 1 MiB on average (its default)"),
    ])
}

impl Rustic {
    fn call(place: &Place, pipeline: Pipeline, words: &[&str]) -> Pipeline {
        pipeline
            .run(["rustic", "--no-progress", "--log-level", "warn", "--repository"])
            .argument(place.repository())
            .argument("--cache-dir")
            .argument(place.cache())
            .arguments(words)
            .with("RUSTIC_PASSWORD", "peers")
            .with("XDG_CONFIG_HOME", place.home())
    }
}

impl Peer for Rustic {
    fn sheet(&self) -> Sheet {
        Sheet {
            name: self.name,
            version: self.version.clone(),
            settings: format!(
                "`{}`: chunks {}, SHA-256, always encrypted (AES-256, Poly1305), all cores; `restore` authenticates blobs",
                self.settings.join(" "),
                self.chunks
            ),
            kind: Kind::Deduplicating,
            level_1: true,
            fixed_32k: self.settings == FIXED,
        }
    }

    fn prepare(&self, place: &Place) -> Vec<Pipeline> {
        vec![Self::call(place, place.at_input(), &["init"]).arguments(self.settings)]
    }

    fn back_up(&self, place: &Place, _: usize) -> Pipeline {
        Self::call(place, place.at_input(), &["backup"]).argument(place.input_name())
    }

    fn restore(&self, place: &Place, _: usize) -> Pipeline {
        Self::call(place, Pipeline::within(&place.restored()), &["restore", "latest", "."])
    }
}
