//! `reel rebuild` once more: over what it made before, and after it was killed.

mod cases;

use cases::{ALL, Case, FIXED, cases};
use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Instant;

/// The same logs over `out`, the result of a rebuild before.
const AGAIN: [&str; 6] = ["--base", "out", "--logs", "logs", "--to", "again"];

#[test]
fn the_same_logs_over_a_result_without_undo_change_nothing() {
    let Some(folder) = cases("over a result without undo") else { return };
    for (name, page_size) in [("undo-8k", 8192), ("fuzzy-mix-4k", 4096), ("multidb-8k", 8192)] {
        let case = Case::open(&folder, name);
        let first = case.json(0, &[&ALL[..], &["--no-undo"], &FIXED].concat());
        let changes = |report: &serde_json::Value, of| {
            let databases = report["databases"].as_array().unwrap();
            databases.iter().map(|database| database[of].as_u64().unwrap()).sum::<u64>()
        };
        assert!(changes(&first, "applied") > 0, "{name}");
        let again = case.json(0, &[&AGAIN[..], &["--no-undo"], &FIXED].concat());
        assert_eq!(changes(&again, "applied"), 0, "{name}: {again}");
        assert!(changes(&again, "present") > 0, "{name}: {again}");
        for entry in fs::read_dir(case.path("out")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "edb") {
                // Both copies of the header come first.
                let pages = |path| fs::read(path).unwrap().split_off(2 * page_size);
                let again = case.path("again").join(path.file_name().unwrap());
                assert!(pages(path.clone()) == pages(again), "{}: a page was changed", path.display());
            }
        }
    }
}

#[test]
fn a_recovered_database_is_refused_by_the_logs_that_it_left() {
    let Some(folder) = cases("over a recovered result") else { return };
    // These end in a crash; what recovery made of them begins logs of its own.
    for name in ["undo-8k", "fuzzy-mix-4k", "multidb-8k"] {
        let case = Case::open(&folder, name);
        case.json(0, &ALL);
        let recovered = fs::read(case.path("out/a.edb")).unwrap();
        let engine = ["--base", "expected", "--logs", "logs", "--to", "again"];
        for (of, args) in [("ours", AGAIN), ("the engine's", engine)] {
            for undo in [&["--no-undo"][..], &[]] {
                let refused = case.json(3, &[&args[..], undo].concat());
                assert_eq!(refused["error"]["jet"], -1216, "{name}, {of}: {refused}");
                assert_eq!(fs::read_dir(case.path("again")).map_or(0, Iterator::count), 0, "{name}, {of}");
            }
        }
        assert!(fs::read(case.path("out/a.edb")).unwrap() == recovered, "{name}: the base was changed");
    }
    // This ends in a clean shutdown: the database is what the logs left, and stays so.
    let case = Case::open(&folder, "tiny-8k");
    case.json(0, &ALL);
    let again = case.json(0, &AGAIN);
    assert_eq!(again["databases"][0]["state"], "Clean Shutdown");
    assert!(fs::read(case.path("out/a.edb")).unwrap() == fs::read(case.path("again/a.edb")).unwrap());
}

#[test]
fn after_a_kill_at_any_moment_the_next_run_makes_the_same_database() {
    let Some(folder) = cases("kill") else { return };
    let case = Case::open(&folder, "fuzzy-mix-4k");
    let args = [&ALL[..], &FIXED].concat();
    let begun = Instant::now();
    case.json(0, &args);
    let whole = begun.elapsed();
    let expected = fs::read(case.path("out/a.edb")).unwrap();
    let mut killed = 0;
    for part in 0..12 {
        fs::remove_dir_all(case.path("out")).unwrap();
        let mut run = case.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(whole * part / 10);
        let _ = run.kill();
        killed += u32::from(!run.wait().unwrap().success());
        if let Ok(found) = fs::read(case.path("out/a.edb")) {
            assert!(found == expected, "killed after {part} tenths: an incomplete database has its name");
        }
        case.json(0, &[&args[..], &["--overwrite"]].concat());
        assert!(fs::read(case.path("out/a.edb")).unwrap() == expected, "killed after {part} tenths");
    }
    assert!(killed > 0, "every run was over before it could be killed");
}
