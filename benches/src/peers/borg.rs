//! BorgBackup: chunks of a fixed size, and its own content-defined ones.

use super::peer::{Kind, Peer, Place, Sheet, version};
use super::process::Pipeline;
use crate::Result;

/// Borg with one of its chunkers.
pub struct Borg {
    name: &'static str,
    version: String,
    chunker: &'static str,
    chunks: &'static str,
}

/// Both chunkers.
pub fn found() -> Result<Vec<Borg>> {
    let Some(version) = version("borg", "--version")? else { return Ok(Vec::new()) };
    let of = |name, chunker, chunks| Borg { name, version: version.clone(), chunker, chunks };
    Ok(vec![
        of("borg, fixed", "fixed,32768", "fixed 32 KiB"),
        of("borg, buzhash", "buzhash,19,23,21,4095", "content-defined, 2 MiB on average (its default)"),
    ])
}

impl Borg {
    fn with_own_folders(place: &Place, pipeline: Pipeline) -> Pipeline {
        pipeline
            .with("BORG_BASE_DIR", place.home())
            .with("BORG_CACHE_DIR", place.cache())
            .with("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
    }

    fn archive(place: &Place, day: usize) -> String {
        format!("{}::day{day}", place.repository().display())
    }
}

impl Peer for Borg {
    fn sheet(&self) -> Sheet {
        Sheet {
            name: self.name,
            version: self.version.clone(),
            settings: format!(
                "`--compression zstd,1 --chunker-params {}`, `--encryption none`: chunks {}, SHA-256, one thread; restored with `extract`, which verifies chunks",
                self.chunker, self.chunks
            ),
            kind: Kind::Deduplicating,
            level_1: true,
            fixed_32k: self.chunker == "fixed,32768",
        }
    }

    fn prepare(&self, place: &Place) -> Vec<Pipeline> {
        let init =
            place.at_input().run(["borg", "init", "--encryption", "none"]).argument(place.repository());
        vec![Self::with_own_folders(place, init)]
    }

    fn back_up(&self, place: &Place, day: usize) -> Pipeline {
        let create = place
            .at_input()
            .run(["borg", "create", "--compression", "zstd,1", "--chunker-params", self.chunker])
            .argument(Self::archive(place, day))
            .argument(place.input_name());
        Self::with_own_folders(place, create)
    }

    fn restore(&self, place: &Place, day: usize) -> Pipeline {
        let extract =
            Pipeline::within(&place.restored()).run(["borg", "extract"]).argument(Self::archive(place, day));
        Self::with_own_folders(place, extract)
    }
}
