//! What is backed up, day by day: a folder whose files become those of the next day.

use crate::Result;
use reel_workload::Store;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of 1,000 pages so many change in a day.
pub const CHANGED_PER_MILLE: u32 = 30;

/// Where the days of an input come from. It is opened anew in each round, and gives the same bytes each time.
pub enum Source {
    /// A generated store of so many bytes.
    Generated(u64),
    /// The packed mail store of the samples, whose `unpack.sh` is in this folder.
    Mailstore(PathBuf),
}

impl Source {
    /// What the input is, in words.
    pub fn name(&self) -> String {
        match self {
            Source::Generated(bytes) => format!("{} MiB", bytes >> 20),
            Source::Mailstore(_) => "mail store with logs".to_owned(),
        }
    }

    /// Whether what is measured with it is judged.
    pub fn judged(&self) -> bool {
        matches!(self, Source::Generated(_))
    }

    /// The input, before day 0, below `parent`.
    pub fn open(&self, parent: &Path) -> Result<Input> {
        match self {
            Source::Generated(bytes) => Input::generated(parent, *bytes),
            Source::Mailstore(packed) => Input::mailstore(parent, packed),
        }
    }
}

/// A folder with one database, and its logs where it has some.
pub struct Input {
    folder: PathBuf,
    days: Days,
    next: usize,
}

enum Days {
    /// A generated store.
    Generated(Store),
    /// Folders `day0` and so on, where the mail store of the samples was unpacked.
    Unpacked(PathBuf),
}

impl Input {
    /// A generated store of `bytes` bytes, below `parent`.
    pub fn generated(parent: &Path, bytes: u64) -> Result<Input> {
        Self::new(parent, Days::Generated(Store::new(1, bytes)))
    }

    /// The days of the sample mail store, whose `unpack.sh` is in `packed`; below `parent`.
    fn mailstore(parent: &Path, packed: &Path) -> Result<Input> {
        let unpacked = parent.join("days");
        let script = packed.join("unpack.sh");
        if !Command::new(&script).arg(&unpacked).stdout(std::io::stderr()).status()?.success() {
            return Err(format!("{} failed", script.display()).into());
        }
        Self::new(parent, Days::Unpacked(unpacked))
    }

    fn new(parent: &Path, days: Days) -> Result<Input> {
        let folder = parent.join("store");
        fs::create_dir(&folder)?;
        Ok(Input { folder, days, next: 0 })
    }

    /// The folder that is backed up.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the files those of the next day, the first time those of day 0.
    pub fn advance(&mut self) -> Result<()> {
        let day = self.next;
        self.next += 1;
        match &mut self.days {
            Days::Generated(store) => {
                let path = self.folder.join("mail.edb");
                let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
                if day == 0 {
                    store.write_to(&file)?;
                } else {
                    let next = store.next_day(CHANGED_PER_MILLE, 0);
                    next.update_file(store, &file)?;
                    *store = next;
                }
            }
            Days::Unpacked(days) => {
                let from = days.join(format!("day{day}"));
                copy(&from, &self.folder)?;
                if from.join("logs").exists() {
                    copy(&from.join("logs"), &self.folder)?;
                }
            }
        }
        Ok(())
    }
}

/// Copies the files of a folder, not what is in its folders.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
