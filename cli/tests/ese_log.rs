//! `reel ese log` as a script sees it.

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[path = "../../formats/tests/log_writer/mod.rs"]
mod log_writer;

use log_writer::{SEGMENT, Writer, ignorable};

/// Standard output of `reel ese log e.log`, if it ends with this code, and standard error.
fn run(code: i32, args: &[&str], folder: &Path) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
    let output = command.args(["ese", "log", "e.log"]).args(args).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "reel ese log {args:?}: {err}");
    (out, err)
}

/// A folder with a log `e.log` of three records, the second in segments 1 to 3. The bits are flipped.
fn log(flipped: &[usize]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::new();
    writer.write(&[5, 7, 0, 0x21]);
    writer.write(&ignorable(&[1; 9000]));
    writer.write(&[9, 7, 0, 0, 0x10, 0, 0, 0]);
    let (mut file, _) = writer.finish();
    flipped.iter().for_each(|bit| file[bit / 8] ^= 1 << (bit % 8));
    std::fs::write(folder.path().join("e.log"), file).unwrap();
    folder
}

#[test]
fn records_are_counted_and_listed() {
    let folder = log(&[]);
    let (out, _) = run(0, &[], folder.path());
    assert!(out.contains("complete, ends at 00000005,0004,0000\n"), "{out}");
    assert!(out.contains("Ignored10           1         9005       9005\n"), "{out}");
    let (out, _) = run(0, &["--to", "5,1,2C"], folder.path());
    let begin = ">00000005,0001,0000 Begin     (7,from:1,to:3)\n";
    assert_eq!(out, format!("{begin}>00000005,0001,002C Ignored10 (lrtyp = 82, 9000 bytes)\n"));
    let (out, _) = run(0, &["--from", "5,1,2D", "--json"], folder.path());
    let line: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&line["name"], &line["session"], &line["bytes"]), (&json!("Commit0"), &json!(7), &json!(8)));
}

#[test]
fn damage_is_a_finding_and_a_wrong_file_an_error() {
    let at = (2 * SEGMENT + 500) * 8;
    let folder = log(&[at]);
    let (out, _) = run(1, &["--json"], folder.path());
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["corrected"], json!([{"sector": 2, "bit": 4000}]));
    assert_eq!((&report["status"], &report["records"]), (&json!("complete"), &json!(3)));
    assert!(run(1, &[], folder.path()).1.contains("1 flipped bit put right"));

    let folder = log(&[at, at + 100]);
    let (out, err) = run(1, &["--from", "0,0,0"], folder.path());
    assert_eq!(out.lines().count(), 1, "the record before the damage: {out}");
    assert!(err.contains("sector 0x2") && err.contains("ESE error -501"), "{err}");

    std::fs::write(folder.path().join("e.log"), "no log").unwrap();
    assert!(run(3, &[], folder.path()).1.contains("log header at byte 0"));
    assert!(run(2, &["--from", "5"], folder.path()).1.contains("GENERATION,SECTOR,BYTE"));
}
