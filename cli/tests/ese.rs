//! `reel ese` as an administrator sees it: headers, chains of logs, and who needs a log.

#[path = "../../formats/tests/samples/mod.rs"]
mod samples;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder with a made database and logs, or one with the files of a case of the engine's.
struct Bench {
    folder: tempfile::TempDir,
}

struct Run {
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("one JSON object")
    }

    /// The verdicts of `reel ese logs --json`.
    fn verdicts(&self) -> Vec<(String, String)> {
        let json = self.json();
        let logs = json["logs"].as_array().expect("a list of logs");
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        logs.iter().map(|log| (text(&log["file"]), text(&log["verdict"]))).collect()
    }
}

impl Bench {
    /// A clean database that was attached in generation 3 and closed in 5, and its logs.
    fn made() -> Bench {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        let store = reel_workload::Store::new(32, 8 << 20).with_logs(1, 2 << 20);
        let store = store.next_day(30, 30).with_logs(3, 3 << 20);
        fs::create_dir(bench.path("store")).unwrap();
        store.write_to(&fs::File::create(bench.path("store/priv.edb")).unwrap()).unwrap();
        store.logs().write_to(&bench.path("store"), 0, u32::MAX).unwrap();
        bench
    }

    /// A case of the engine's, or `None` where the samples are absent.
    fn case(test: &str, name: &str) -> Option<Bench> {
        let archive = samples::read(&samples::path(test, &format!("data/ese/cases/{name}.tar.zst"))?);
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        for (path, bytes) in samples::tar_files(&archive) {
            let (_, path) = path.trim_start_matches("./").split_once('/').expect("a folder of the case");
            let path = bench.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `reel` in the folder and gives its output if it ends with this code.
    fn reel(&self, code: i32, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
        command.args(args).current_dir(self.folder.path()).env("REEL_CACHE", self.path("cache"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "reel {args:?}: {out}{err}");
        Run { out, err }
    }
}

fn damage(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    // Not the same in every word: that would leave the XOR of the words as it was.
    bytes[at..at + 40].iter_mut().zip(1..).for_each(|(byte, number): (_, u8)| *byte ^= number);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_header_is_listed_in_the_engines_words_and_as_json() {
    let bench = Bench::made();
    let run = bench.reel(0, &["ese", "mh", "store/priv.edb"]);
    assert!(run.out.contains("\n            State: Clean Shutdown\n"), "{}", run.out);
    assert!(run.out.contains("\n         cbDbPage: 32768\n"), "{}", run.out);
    let json = bench.reel(0, &["ese", "mh", "store/priv.edb", "--json"]).json();
    assert_eq!((json["state"].as_str(), json["page_size"].as_u64()), (Some("Clean Shutdown"), Some(32768)));
    assert_eq!(json["scrub_time"], Value::Null);
    assert_eq!(json["previous_full_backup"]["log_generations"]["low"], 0);
}

#[test]
fn a_database_with_a_bad_header_page_is_listed_from_the_shadow_copy() {
    let bench = Bench::made();
    let good = bench.reel(0, &["ese", "mh", "store/priv.edb"]);
    damage(&bench.path("store/priv.edb"), 100);
    let run = bench.reel(1, &["ese", "mh", "store/priv.edb"]);
    assert_eq!(run.out, good.out);
    assert!(run.err.contains("the header page is bad"), "{}", run.err);
    damage(&bench.path("store/priv.edb"), 32768 + 100);
    let run = bench.reel(3, &["ese", "mh", "store/priv.edb", "--json"]);
    assert_eq!(run.json()["error"]["jet"], -1018);
    bench.reel(2, &["ese", "mh", "no such file"]);
}

#[test]
fn a_log_is_listed_with_its_end() {
    let bench = Bench::made();
    let run = bench.reel(0, &["ese", "ml", "store/edb00004.log"]);
    assert!(run.out.contains("      Base name: edb\n"), "{}", run.out);
    assert!(run.out.contains("\n      lGeneration: 4 (0x4)\n"), "{}", run.out);
    assert!(run.out.contains("\n      Last Lgpos: (0x4,"), "{}", run.out);
    damage(&bench.path("store/edb00004.log"), 3 * 4096 + 100);
    let run = bench.reel(1, &["ese", "ml", "store/edb00004.log"]);
    assert!(run.out.contains("Log damaged (unusable). Last Lgpos: (0x4,3,0). Error -501."), "{}", run.out);
}

#[test]
fn a_checkpoint_is_listed_from_its_good_copy() {
    let test = "a_checkpoint_is_listed_from_its_good_copy";
    let Some(bench) = Bench::case(test, "fuzzy-mix-4k") else { return };
    let run = bench.reel(0, &["ese", "mk", "base/edb.chk"]);
    assert!(run.out.contains("      Checkpoint: (0x"), "{}", run.out);
    let json = bench.reel(0, &["ese", "mk", "base/edb.chk", "--json"]).json();
    assert_eq!(json["attachments"][0]["dbid"], 1);
    assert_eq!(json["full_backup"], Value::Null);
    damage(&bench.path("base/edb.chk"), 100);
    let damaged = bench.reel(1, &["ese", "mk", "base/edb.chk"]);
    assert_eq!(damaged.out, run.out);
}

#[test]
fn the_logs_of_a_folder_are_checked_and_say_what_they_bring_forward() {
    let bench = Bench::made();
    let run = bench.reel(0, &["ese", "ml", "store"]);
    assert!(run.out.contains("logs 0x3 to 0x5, 3 of them"), "{}", run.out);
    fs::remove_file(bench.path("store/edb00004.log")).unwrap();
    let run = bench.reel(1, &["ese", "ml", "store"]);
    assert!(run.err.contains("edb00004.log: missing"), "{}", run.err);
}

#[test]
fn a_dirty_database_is_told_which_logs_it_needs_and_which_is_missing() {
    let test = "a_dirty_database_is_told_which_logs_it_needs_and_which_is_missing";
    let Some(bench) = Bench::case(test, "fuzzy-mix-4k") else { return };
    let json = bench.reel(0, &["ese", "ml", "logs", "--base", "base", "--json"]).json();
    let outlook = &json["databases"][0]["outlook"];
    assert_eq!((&outlook["from"], &outlook["required"]), (&Value::from(0x26), &Value::from(0x35)));
    assert_eq!((&outlook["consistent"], &outlook["obstacle"]), (&Value::from(true), &Value::Null));
    fs::remove_file(bench.path("logs/edb00000030.log")).unwrap();
    let run = bench.reel(1, &["ese", "ml", "logs", "--base", "base/a.edb"]);
    assert!(run.err.contains("edb00000030.log: missing (ESE error -515)"), "{}", run.err);
    assert!(run.out.contains("needs 0x26 to 0x35: cannot be made consistent"), "{}", run.out);
}

#[test]
fn logs_that_nothing_needs_are_removable_and_only_while_all_is_known() {
    let test = "logs_that_nothing_needs_are_removable_and_only_while_all_is_known";
    let Some(bench) = Bench::case(test, "undo-8k") else { return };
    let why = ["ese", "logs", "--why", "logs", "--base", "base", "--json"];
    let verdicts = bench.reel(0, &why).verdicts();
    let count = |verdicts: &[(String, String)], wanted: &str| {
        verdicts.iter().filter(|(_, verdict)| verdict == wanted).count()
    };
    // The base was closed in generation 8, and the log being written is 0x1c.
    assert_eq!(verdicts.len(), 28);
    assert_eq!((count(&verdicts, "removable"), count(&verdicts, "needed")), (7, 21));
    assert!(verdicts[..7].iter().all(|(_, verdict)| verdict == "removable"), "{verdicts:?}");

    // Without the database nobody knows.
    let run = bench.reel(1, &["ese", "logs", "--why", "logs", "--json"]);
    assert_eq!(count(&run.verdicts(), "removable"), 0);
    assert!(run.err.is_empty(), "{}", run.err);
    // A log that cannot be read might say that a database was attached.
    for at in [100, 3 * 4096 + 100] {
        let log = bench.path("logs/edb00000003.log");
        let good = fs::read(&log).unwrap();
        damage(&log, at);
        assert_eq!(count(&bench.reel(1, &why).verdicts(), "removable"), 0, "damage at {at}");
        fs::write(&log, good).unwrap();
    }
    // A database that is there, but of which both headers are bad.
    fs::copy(bench.path("base/a.edb"), bench.path("base/b.edb")).unwrap();
    for at in [100, 8192 + 100] {
        damage(&bench.path("base/b.edb"), at);
    }
    assert_eq!(count(&bench.reel(1, &why).verdicts(), "removable"), 0);
}

#[test]
fn a_backup_set_needs_the_logs_that_bring_its_databases_forward() {
    let test = "a_backup_set_needs_the_logs_that_bring_its_databases_forward";
    let Some(bench) = Bench::case(test, "undo-8k") else { return };
    bench.reel(0, &["backup", "--pool", "pool", "base"]);
    // What the engine made of the base is clean at the end of all logs.
    let present = ["ese", "logs", "--why", "logs", "--base", "expected", "--json"];
    let run = bench.reel(0, &present);
    let removable = |run: &Run| run.json()["removable"].as_u64();
    assert_eq!(removable(&run), Some(27));
    let with_pool = [&present[..], &["--pool", "pool"]].concat();
    let run = bench.reel(0, &with_pool);
    assert_eq!(removable(&run), Some(7));
    let json = run.json();
    assert_eq!(json["logs"][7]["needed_by"][0]["name"], "base/a.edb in set 1");
    assert_eq!(json["logs"][7]["needed_by"][0]["reason"], "forward");
}
