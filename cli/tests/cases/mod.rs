//! Cases of the real engine, unpacked for the command.
#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the cases, or `None`, said loudly, where they are absent.
pub fn cases(test: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("REEL_SHARED").map_or_else(beside, PathBuf::from).join("data/ese/cases");
    if !shared.exists() {
        // Not `eprintln!`, which the harness keeps to itself when a test passes.
        let _ = writeln!(std::io::stderr(), "skipped: {test}: shared samples absent");
    }
    shared.exists().then_some(shared)
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
        let packed = fs::read(cases.join(format!("{name}.tar.zst"))).unwrap();
        let archive = zstd::decode_all(&packed[..]).unwrap();
        let text =
            |bytes: &[u8]| String::from_utf8_lossy(bytes.split(|b| *b == 0).next().unwrap()).into_owned();
        let mut at = 0;
        while at + 512 <= archive.len() && archive[at] != 0 {
            let header = &archive[at..at + 512];
            let len = usize::from_str_radix(text(&header[124..136]).trim(), 8).unwrap();
            if matches!(header[156], b'0' | 0) {
                let path = folder.path().join(text(&header[..100]));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, &archive[at + 512..][..len]).unwrap();
            }
            at += 512 + len.next_multiple_of(512);
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
