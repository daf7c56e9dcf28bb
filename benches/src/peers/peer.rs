//! What a program that backs up has to tell to be measured.

use super::process::Pipeline;
use super::{alone, borg, bupstash, casync, reel, restic, rustic, tar};
use crate::Result;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program with its settings.
pub trait Peer {
    /// What is printed of it.
    fn sheet(&self) -> Sheet;

    /// What makes an empty repository, which is not measured.
    fn prepare(&self, place: &Place) -> Vec<Pipeline>;

    /// Backs up the input.
    fn back_up(&self, place: &Place, day: usize) -> Pipeline;

    /// Restores what was backed up on a day below the folder `place.restored()`, which is there and empty.
    fn restore(&self, place: &Place, day: usize) -> Pipeline;
}

/// What is printed of a peer, and what it is held against.
#[derive(Clone, Debug, Serialize)]
pub struct Sheet {
    /// Name in the rows.
    pub name: &'static str,
    /// What the program says of itself.
    pub version: String,
    /// Level of compression, size of chunks, encryption, threads, syncing.
    pub settings: String,
    /// What it is.
    pub kind: Kind,
    /// It compresses with zstd at level 1.
    pub level_1: bool,
    /// Its chunks are 32 KiB at fixed offsets.
    pub fixed_32k: bool,
}

impl Sheet {
    /// The program whose settings these are: the name up to a comma.
    pub fn program(&self) -> &'static str {
        self.name.split(',').next().unwrap_or(self.name)
    }
}

/// What a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// Ours.
    Reel,
    /// Stores each chunk once.
    Deduplicating,
    /// Writes everything each day.
    Stream,
    /// No program: the disk alone.
    Disk,
}

/// Where a peer works.
pub struct Place {
    home: PathBuf,
    input: PathBuf,
}

impl Place {
    /// Below `home`, which need not be there; the input is a folder.
    pub fn new(home: PathBuf, input: &Path) -> Place {
        Place { home, input: input.to_owned() }
    }

    /// The folder of everything that the peer keeps.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// What is counted as stored. The peer makes it, or it is there and empty.
    pub fn repository(&self) -> PathBuf {
        self.home.join("repository")
    }

    /// What the peer keeps to be faster the next time.
    pub fn cache(&self) -> PathBuf {
        self.home.join("cache")
    }

    /// Where the peer restores to.
    pub fn restored(&self) -> PathBuf {
        self.home.join("restored")
    }

    /// The folder that is backed up.
    pub fn input(&self) -> &Path {
        &self.input
    }

    /// The name of the input in the folder that [`Place::at_input`] works in.
    pub fn input_name(&self) -> &Path {
        self.input.file_name().map_or(&self.input, Path::new)
    }

    /// A pipeline in the folder where the input is.
    pub fn at_input(&self) -> Pipeline {
        Pipeline::within(self.input.parent().unwrap_or(&self.input))
    }
}

/// The programs that are looked for beside ours.
pub const PROGRAMS: [&str; 6] = ["restic", "rustic", "borg", "bupstash", "casync", "tar"];

/// The peers that are there.
pub struct Found {
    /// Those that run; ours is the first, then the disk alone.
    pub peers: Vec<Box<dyn Peer>>,
    /// The names of those that do not, because they were not asked for.
    pub left_out: Vec<&'static str>,
}

impl Found {
    /// Our own command, the disk alone, then the peers that the PATH holds: those of the programs `only`, or all of them if it is empty.
    pub fn on_the_path(only: &[String]) -> Result<Found> {
        if let Some(name) = only.iter().find(|name| !PROGRAMS.contains(&name.as_str())) {
            return Err(format!("{name} is no peer; there are {}", PROGRAMS.join(", ")).into());
        }
        let (peers, others) = found()?.into_iter().partition::<Vec<_>, _>(|peer| {
            let sheet = peer.sheet();
            matches!(sheet.kind, Kind::Reel | Kind::Disk)
                || only.is_empty()
                || only.iter().any(|name| name == sheet.program())
        });
        Ok(Found { peers, left_out: others.iter().map(|peer| peer.sheet().name).collect() })
    }
}

/// Our own command, the disk alone, then the peers that the PATH holds; those that it does not are named on standard error.
fn found() -> Result<Vec<Box<dyn Peer>>> {
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(reel::found()?), Box::new(alone::found()?)];
    if let Some(restic) = restic::found()? {
        peers.push(Box::new(restic));
    }
    for rustic in rustic::found()? {
        peers.push(Box::new(rustic));
    }
    for borg in borg::found()? {
        peers.push(Box::new(borg));
    }
    if let Some(bupstash) = bupstash::found()? {
        peers.push(Box::new(bupstash));
    }
    if let Some(casync) = casync::found()? {
        peers.push(Box::new(casync));
    }
    for tar in tar::found()? {
        peers.push(Box::new(tar));
    }
    Ok(peers)
}

/// The first line that a program prints of its version; `None`, said loudly, where it is not on the PATH.
pub fn version(program: &str, flag: &str) -> Result<Option<String>> {
    Ok(printed(program, &[flag])?
        .map(|text| text.lines().next().unwrap_or_default().trim_matches(['*', ' ']).to_owned()))
}

/// What a program prints; `None`, said loudly, where it is not on the PATH.
pub fn printed(program: &str, arguments: &[&str]) -> Result<Option<String>> {
    match Command::new(program).args(arguments).output() {
        Ok(output) => Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not on the PATH");
            Ok(None)
        }
        Err(error) => Err(format!("{program}: {error}").into()),
    }
}
