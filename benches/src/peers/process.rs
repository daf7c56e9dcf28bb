//! Other programs, run and measured.
//!
//! Each program of a pipeline is started by a small process of its own (this binary again, [`step`]), because the system
//! tells of a process only what its children used in all: a process with one child knows what that one used.

use crate::Result;
use nix::sys::resource::{UsageWho, getrusage};
use rustix::fs::syncfs;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The word that starts this binary as [`step`].
pub const STEP: &str = "--peers-step";

/// Programs that run side by side, the output of each the input of the next.
pub struct Pipeline {
    folder: PathBuf,
    programs: Vec<Vec<OsString>>,
    variables: Vec<(&'static str, OsString)>,
}

/// What a pipeline took.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    /// Seconds until all programs had ended and what they wrote was on the disk.
    pub wall: f64,
    /// CPU seconds of the programs and of what they started.
    pub cpu: f64,
    /// Most bytes of memory: the sum of the programs' peaks.
    pub peak: u64,
}

/// What one program took.
#[derive(Deserialize, Serialize)]
struct Used {
    cpu: f64,
    peak: u64,
}

impl Pipeline {
    /// Programs that work in `folder`.
    pub fn within(folder: &Path) -> Pipeline {
        Pipeline { folder: folder.to_owned(), programs: Vec::new(), variables: Vec::new() }
    }

    /// And this one: its name and its arguments.
    pub fn run<W: Into<OsString>>(mut self, words: impl IntoIterator<Item = W>) -> Pipeline {
        self.programs.push(Vec::new());
        self.arguments(words)
    }

    /// And this argument for the last of them.
    pub fn argument(mut self, word: impl Into<OsString>) -> Pipeline {
        self.programs.last_mut().expect("an argument follows its program").push(word.into());
        self
    }

    /// And these.
    pub fn arguments<W: Into<OsString>>(self, words: impl IntoIterator<Item = W>) -> Pipeline {
        words.into_iter().fold(self, Pipeline::argument)
    }

    /// With a variable of the environment.
    pub fn with(mut self, variable: &'static str, value: impl Into<OsString>) -> Pipeline {
        self.variables.push((variable, value.into()));
        self
    }

    /// Runs the programs, then waits until the file system of their folder holds all that they wrote. What the last one
    /// prints is dropped; messages go where this process's go.
    pub fn measure(&self) -> Result<Cost> {
        let reports = tempfile::tempdir()?;
        let report = |at: usize| reports.path().join(at.to_string());
        let disk = File::open(&self.folder)?;
        let started = Instant::now();
        let (mut running, mut input) = (Vec::new(), Stdio::null());
        for (at, words) in self.programs.iter().enumerate() {
            let last = at + 1 == self.programs.len();
            let mut child = Command::new(std::env::current_exe()?)
                .arg(STEP)
                .arg(report(at))
                .args(words)
                .current_dir(&self.folder)
                .envs(self.variables.iter().map(|(name, value)| (name, value)))
                .stdin(input)
                .stdout(if last { Stdio::null() } else { Stdio::piped() })
                .spawn()?;
            input = child.stdout.take().map_or_else(Stdio::null, Stdio::from);
            running.push(child);
        }
        // All have ended before one that failed is told: none may run on beside what is measured next.
        let ends = running.iter_mut().map(Child::wait).collect::<std::io::Result<Vec<_>>>()?;
        for (status, words) in ends.iter().zip(&self.programs) {
            if !status.success() {
                return Err(format!("{words:?} ended with {status}").into());
            }
        }
        syncfs(&disk)?;
        let mut cost = Cost { wall: started.elapsed().as_secs_f64(), ..Cost::default() };
        for at in 0..self.programs.len() {
            let used: Used = serde_json::from_slice(&fs::read(report(at))?)?;
            cost.cpu += used.cpu;
            cost.peak += used.peak;
        }
        Ok(cost)
    }
}

/// Runs the program named after the report's path and writes into the report what it took; gives whether it succeeded.
pub fn step(words: &[String]) -> Result<bool> {
    let [report, program, arguments @ ..] = words else {
        return Err(format!("{STEP}: expected a report and a program").into());
    };
    let status = Command::new(program).args(arguments).status().map_err(|e| format!("{program}: {e}"))?;
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds =
        [used.user_time(), used.system_time()].map(|t| t.tv_sec() as f64 + t.tv_usec() as f64 * 1e-6);
    let used = Used { cpu: seconds.iter().sum(), peak: (used.max_rss() as u64) << 10 };
    fs::write(report, serde_json::to_vec(&used)?)?;
    Ok(status.success())
}
