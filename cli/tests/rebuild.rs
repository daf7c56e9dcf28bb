//! `reel rebuild` on what the real engine wrote: where the engine recovers, so do we; where it refuses, we do, with its
//! number.

mod cases;

use cases::{ALL, Case, FIXED, cases};
use std::fs;
use std::path::PathBuf;

#[test]
fn broken_chains_are_refused_where_the_engine_refuses_them_and_nothing_is_left() {
    let Some(folder) = cases("broken chains") else { return };
    // What the engine answers: redo only, full recovery (README of the cases). -579 and 0 are success.
    for (name, redo, full) in [
        ("base-too-old-8k", -1216, -1216),
        ("bitflip-middle-log-8k", 0, 0),
        ("damaged-middle-log-8k", -501, -501),
        ("foreign-log-8k", -530, -530),
        ("log-gap-8k", -515, -515),
        ("lost-tail-8k", 0, -528),
        ("lost-tail-fuzzy-8k", -543, -528),
        ("torn-bitflip-middle-8k", 0, 0),
        ("torn-damage-middle-8k", -501, -501),
        ("torn-half-sector-8k", 0, 0),
        ("torn-zeroed-tail-8k", 0, 0),
    ] {
        let case = Case::open(&folder, name);
        let base = fs::read(case.path("base/a.edb")).unwrap();
        for (expected, undo) in [(redo, &["--no-undo", "--overwrite"][..]), (full, &["--overwrite"])] {
            let _ = fs::remove_dir_all(case.path("out"));
            let args = [&ALL[..], undo].concat();
            if expected == 0 {
                case.json(0, &args);
                assert!(case.path("out/a.edb").exists(), "{name}");
            } else {
                let answer = case.json(3, &args);
                assert_eq!(answer["error"]["jet"], expected, "{name}: {answer}");
                let left = fs::read_dir(case.path("out")).map_or(0, Iterator::count);
                assert_eq!(left, 0, "{name}: something is left");
            }
        }
        assert!(fs::read(case.path("base/a.edb")).unwrap() == base, "{name}: the base was changed");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_databases() {
    let Some(folder) = cases("threads") else { return };
    for name in ["fuzzy-mix-4k", "multidb-8k", "createdb-32k"] {
        let case = Case::open(&folder, name);
        let from: &[&str] =
            if name.starts_with("createdb") { &["--from-empty"] } else { &["--base", "base"] };
        let mut made: Vec<Vec<(PathBuf, Vec<u8>)>> = Vec::new();
        for threads in ["1", "2", "7"] {
            let to = format!("out-{threads}");
            let rest = ["--logs", "logs", "--to", &to, "--threads", threads];
            case.json(0, &[from, &rest, &FIXED].concat());
            let mut files: Vec<_> =
                fs::read_dir(case.path(&to)).unwrap().map(|e| e.unwrap().path()).collect();
            files.sort();
            let read = |path: &PathBuf| (path.file_name().unwrap().into(), fs::read(path).unwrap());
            made.push(files.iter().map(read).collect());
        }
        assert!(!made[0].is_empty(), "{name}");
        assert!(made.windows(2).all(|pair| pair[0] == pair[1]), "{name}");
    }
}

#[test]
fn a_plan_and_a_check_write_nothing_and_say_what_is_in_the_way() {
    let Some(folder) = cases("plan and check") else { return };
    let case = Case::open(&folder, "log-gap-8k");
    let plan = case.json(1, &["--base", "base", "--logs", "logs", "--plan"]);
    assert_eq!((plan["first_generation"].as_u64(), plan["last_generation"].as_u64()), (Some(2), Some(6)));
    assert_eq!(plan["refusals"][0]["jet"], -515);
    let case = Case::open(&folder, "base-too-old-8k");
    let plan = case.json(1, &["--base", "base", "--logs", "logs", "--plan"]);
    assert_eq!(plan["refusals"][0]["jet"], -1216, "what the logs list as attached is part of the plan");
    let case = Case::open(&folder, "undo-8k");
    let found = case.json(0, &["--base", "base", "--logs", "logs", "--check"]);
    assert_eq!(found["databases"][0]["misfits"], 0);
    assert!(found["databases"][0]["would_apply"].as_u64().unwrap() > 5000);
    // Of another database nothing fits.
    let other = Case::open(&folder, "tiny-8k");
    let foreign = other.path("base/a.edb");
    let output = case.rebuild(&["--base", foreign.to_str().unwrap(), "--logs", "logs", "--to", "out"]);
    assert_eq!(output.status.code(), Some(3), "logs of another sequence end in failure");
    assert!(String::from_utf8_lossy(&output.stderr).contains("-539"));
    assert!(!case.path("out/a.edb").exists());
}

#[test]
fn an_existing_database_is_replaced_only_when_asked_for() {
    let Some(folder) = cases("overwrite") else { return };
    let case = Case::open(&folder, "tiny-8k");
    fs::create_dir(case.path("out")).unwrap();
    fs::write(case.path("out/a.edb"), "precious").unwrap();
    let refused = case.json(2, &ALL);
    assert!(refused["error"]["message"].as_str().unwrap().contains("--overwrite"));
    assert_eq!(fs::read(case.path("out/a.edb")).unwrap(), b"precious");
    case.json(0, &[&ALL[..], &["--overwrite"]].concat());
    assert!(fs::read(case.path("out/a.edb")).unwrap().len() > 1000);
}

#[test]
fn a_rebuild_ends_where_it_is_asked_to_and_goes_on_from_there() {
    let Some(folder) = cases("until") else { return };
    let case = Case::open(&folder, "undo-8k");
    let part = |until: &str, more: &[&str]| case.json(0, &[&ALL[..], &["--until", until], more].concat());
    let whole = part("28", &["--overwrite"]);
    let standby = part("20", &["--overwrite", "--no-undo"]);
    assert_eq!(standby["databases"][0]["state"], "Dirty Shutdown");
    assert!(whole["records"].as_u64() > standby["records"].as_u64());
    let on = case.json(0, &["--base", "out", "--logs", "logs", "--to", "done"]);
    assert_eq!(on["databases"][0]["state"], "Clean Shutdown");
    assert_eq!(on["position"], whole["position"]);
    assert!(!case.path("done/a.edb.reel-undo").exists());
    let position = part("00000014,0003,0000", &["--overwrite"]);
    // The record behind it begins later, at 3,71.
    assert_eq!(position["position"], "(0x14,1,0)");
    // Later than all, and earlier than all.
    part("2036-01-01T00:00:00Z", &["--overwrite"]);
    let early = case.json(3, &[&ALL[..], &["--until", "2016-01-01T00:00:00Z", "--overwrite"]].concat());
    assert_eq!(early["error"]["jet"], -1216);
    let beyond = case.json(3, &[&ALL[..], &["--until", "99", "--overwrite"]].concat());
    assert_eq!(beyond["error"]["jet"], -528);
}

#[test]
fn databases_are_rebuilt_from_logs_alone_if_these_begin_with_generation_one() {
    let Some(folder) = cases("from empty") else { return };
    let case = Case::open(&folder, "createdb-32k");
    let made = case.json(0, &["--from-empty", "--logs", "logs", "--to", "out"]);
    assert_eq!(made["databases"][0]["state"], "Clean Shutdown");
    fs::remove_file(case.path("logs/edb00000001.log")).unwrap();
    let refused = case.json(3, &["--from-empty", "--logs", "logs", "--to", "other"]);
    assert_eq!(refused["error"]["jet"], -528);
    assert_eq!(refused["error"]["object"], "edb00000001.log");
}
