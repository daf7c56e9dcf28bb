//! `tar` into `zstd`: no deduplication, so every day is a full backup again.

use super::peer::{Kind, Peer, Place, Sheet, version};
use super::process::Pipeline;
use crate::{Result, machine};
use std::path::PathBuf;

/// The name of the row that a backup must not be slower than.
pub const FAST: &str = "tar, zstd -1 -T2";

/// `tar | zstd` with a level and a number of threads.
pub struct Tar {
    name: &'static str,
    version: String,
    level: &'static str,
    threads: &'static str,
}

/// Level 1 with two threads and with all, and zstd's own level with all.
pub fn found() -> Result<Vec<Tar>> {
    let (Some(_), Some(version)) = (version("tar", "--version")?, version("zstd", "--version")?) else {
        return Ok(Vec::new());
    };
    let of = |name, level, threads| Tar { name, version: version.clone(), level, threads };
    let mut rows = vec![of(FAST, "-1", "-T2")];
    if machine::cores() != 2 {
        rows.push(of("tar, zstd -1 -T0", "-1", "-T0"));
    }
    rows.push(of("tar, zstd -3 -T0", "-3", "-T0"));
    Ok(rows)
}

impl Tar {
    fn archive(place: &Place, day: usize) -> PathBuf {
        place.repository().join(format!("day{day}.tar.zst"))
    }
}

impl Peer for Tar {
    fn sheet(&self) -> Sheet {
        let (level, threads) = (self.level, self.threads);
        Sheet {
            name: self.name,
            version: self.version.clone(),
            settings: format!(
                "`tar | zstd {level} {threads}`, restored with `zstd -d | tar`; everything again each day; checksum of 32 bits; no encryption"
            ),
            kind: Kind::Stream,
            level_1: level == "-1",
            fixed_32k: false,
        }
    }

    fn prepare(&self, _: &Place) -> Vec<Pipeline> {
        Vec::new()
    }

    fn back_up(&self, place: &Place, day: usize) -> Pipeline {
        place
            .at_input()
            .run(["tar", "-cf", "-"])
            .argument(place.input_name())
            .run(["zstd", "-q", self.level, self.threads, "-o"])
            .argument(Self::archive(place, day))
    }

    fn restore(&self, place: &Place, day: usize) -> Pipeline {
        Pipeline::within(&place.restored())
            .run(["zstd", "-q", "-dc"])
            .argument(Self::archive(place, day))
            .run(["tar", "-xf", "-"])
    }
}
