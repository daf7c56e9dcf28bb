//! The reference's own checkers find nothing wrong with stores and logs.

#[path = "../../../formats/tests/samples/mod.rs"]
mod samples;

use std::path::{Path, PathBuf};
use std::process::Command;

use reel_workload::{Logs, Store};

const MIB: u64 = 1 << 20;

/// The folder of the checkers, if it and Python are there.
fn checkers(test: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("REEL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let tools = shared.join("tools");
    if !tools.join("check_pages.py").exists() {
        samples::skipped(test, "shared samples absent");
        return None;
    }
    if Command::new("python3").arg("--version").output().is_err() {
        samples::skipped(test, "python3 absent");
        return None;
    }
    Some(tools)
}

/// Runs a checker and answers its line for each file; fails if it found anything.
fn run(checker: PathBuf, files: &[PathBuf]) -> String {
    let output =
        Command::new("python3").arg("-B").arg(checker).args(files).output().expect("python3 was there");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
    report
}

#[test]
fn the_page_checker_finds_nothing_wrong() {
    let Some(tools) = checkers("the_page_checker_finds_nothing_wrong") else { return };
    let folder = tempfile::tempdir().unwrap();
    for size in [4096, 8192, 16384, 32768] {
        let first = Store::new(21, 8 * MIB).with_page_size(size);
        let third = first.next_day(30, 25).next_day(200, 60);
        let path = folder.path().join(format!("{size}.edb"));
        third.write_to(&std::fs::File::create(&path).unwrap()).unwrap();
        let report = run(tools.join("check_pages.py"), &[path]);
        for kind in ["index leaf", "table leaf", "long value leaf", "long value internal"] {
            assert!(report.contains(kind), "{report}");
        }
    }
}

#[test]
fn the_log_checker_finds_nothing_wrong_over_three_days() {
    let Some(tools) = checkers("the_log_checker_finds_nothing_wrong_over_three_days") else { return };
    let folder = tempfile::tempdir().unwrap();
    for size in [4096, 32768] {
        let first = Store::new(22, 8 * MIB).with_page_size(size).with_logs(1, 2 * MIB);
        let second = first.next_day(30, 25).with_logs(3, 3 * MIB);
        let third = second.next_day(30, 0);
        let mut files = Vec::new();
        for day in [&first, &second, &third] {
            files.extend(day.logs().write_to(folder.path(), 0, u32::MAX).unwrap());
        }
        assert_eq!(files.len(), 6);
        let report = run(tools.join("check_logs.py"), &files);
        assert!(report.contains("\"clean_end\": true"), "{report}");
        assert!(!report.contains("\"longer_than_a_segment\": 0,"), "{report}");
    }
}

#[test]
fn logs_may_begin_at_any_generation() {
    let Some(tools) = checkers("logs_may_begin_at_any_generation") else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(23, 8 * MIB).next_day(30, 30);
    let files = Logs::for_day(&store, 0xF_FFFE, 4 * MIB).write_to(folder.path(), 0, u32::MAX).unwrap();
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    assert_eq!(names, ["edbFFFFE.log", "edbFFFFF.log", "edb00100000.log", "edb00100001.log"]);
    run(tools.join("check_logs.py"), &files);
}
