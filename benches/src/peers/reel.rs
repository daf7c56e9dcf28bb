//! Our own command, from the same build.

use super::peer::{Kind, Peer, Place, Sheet, version};
use super::process::Pipeline;
use crate::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name in the rows.
pub const NAME: &str = "reel";

/// `reel` with its defaults.
pub struct Reel {
    program: PathBuf,
    version: String,
}

/// The command beside this one.
pub fn found() -> Result<Reel> {
    let program = std::env::current_exe()?.with_file_name("reel");
    let version = version(&program.to_string_lossy(), "--version")?.ok_or(
        "the command reel is not beside this one: build it with `cargo build --release -p reel-cli`",
    )?;
    Ok(Reel { program, version })
}

impl Reel {
    /// Backs `input` up into a pool, with the same settings; gives the report as JSON.
    pub fn report(&self, pool: &Path, cache: &Path, input: &Path) -> Result<Vec<u8>> {
        let output = Command::new(&self.program)
            .args(["backup", "--json", "--pool"])
            .args([pool, input])
            .env("REEL_CACHE", cache)
            .stderr(Stdio::inherit())
            .output()?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(format!("reel ended with {}", output.status).into())
        }
    }

    fn call(&self, place: &Place, pipeline: Pipeline, words: &[&str]) -> Pipeline {
        pipeline
            .run([&self.program])
            .arguments(words)
            .argument("--pool")
            .argument(place.repository())
            .with("REEL_CACHE", place.cache())
    }
}

impl Peer for Reel {
    fn sheet(&self) -> Sheet {
        Sheet {
            name: NAME,
            version: self.version.clone(),
            settings: "defaults (`--level 1 --memory 512MiB`): database pages as chunks, other files content-defined, 16 KiB on average, BLAKE3, no \
                       encryption, all cores; page checksums verified; syncs what it writes; `restore` verifies chunks and streams"
                .to_owned(),
            kind: Kind::Reel,
            level_1: true,
            fixed_32k: true,
        }
    }

    fn prepare(&self, _: &Place) -> Vec<Pipeline> {
        Vec::new()
    }

    fn back_up(&self, place: &Place, _: usize) -> Pipeline {
        self.call(place, place.at_input(), &["backup"]).argument(place.input_name())
    }

    fn restore(&self, place: &Place, _: usize) -> Pipeline {
        self.call(place, Pipeline::within(&place.restored()), &["restore", "--to", "."])
    }
}
