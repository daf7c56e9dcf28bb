//! Cases of the real engine, unpacked for the command.
#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../../../formats/tests/samples/mod.rs"]
mod samples;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the cases, or `None`, said loudly, where they are absent.
pub fn cases(test: &str) -> Option<PathBuf> {
    samples::path(test, "data/ese/cases")
}

/// A case, unpacked.
pub struct Case {
    folder: tempfile::TempDir,
    name: String,
}

impl Case {
    /// Unpacks case `name`.
    pub fn open(cases: &Path, name: &str) -> Case {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in samples::tar_files(&samples::read(&cases.join(format!("{name}.tar.zst")))) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Case { folder, name: name.to_owned() }
    }

    /// A file of the case.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(&self.name).join(name)
    }

    /// Runs `reel rebuild` in the case's folder.
    pub fn rebuild(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// `reel rebuild` with the case's folder as its own.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
        command.arg("rebuild").args(args).current_dir(self.folder.path().join(&self.name));
        command
    }

    /// Runs it with `--json`; it must end with `code`.
    pub fn json(&self, code: i32, args: &[&str]) -> Value {
        let output = self.rebuild(&[args, &["--json"]].concat());
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{}: {args:?}: {err}", self.name);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{}: {e}: {err}", self.name))
    }
}

/// What every run on a base needs.
pub const ALL: [&str; 6] = ["--base", "base", "--logs", "logs", "--to", "out"];
/// Makes two runs equal by their bytes.
pub const FIXED: [&str; 4] = ["--clock", "1700000000000000000", "--seed", "5"];
