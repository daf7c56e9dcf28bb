//! `reel ese` on databases that lie in a pool, and `reel ese diff`.

use reel_workload::Store;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const PAGE: u64 = 32768;
const NAME: &str = "store/mail.edb";

/// A folder with a pool of two days of a store, and the second day's file.
struct Bench {
    folder: tempfile::TempDir,
}

struct Run {
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

impl Bench {
    fn new(bytes: u64) -> Bench {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        let monday = Store::new(3, bytes);
        fs::create_dir(bench.path("store")).unwrap();
        for store in [&monday, &monday.next_day(30, 20)] {
            store.write_to(&fs::File::create(bench.path(NAME)).unwrap()).unwrap();
            bench.reel(0, &["backup", "--pool", "pool", "store"]);
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `reel` in the folder and gives its output if it ends with this code.
    fn reel(&self, code: i32, args: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
        command.args(args).current_dir(self.folder.path()).env("REEL_CACHE", self.path("cache"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "reel {args:?}: {err}");
        Run { out: String::from_utf8(output.stdout).unwrap(), err }
    }

    /// Runs `reel ese diff` on the pool's stream.
    fn diff(&self, code: i32, args: &[&str]) -> Run {
        let stored = ["ese", "diff", "--pool", "pool", "--stream", NAME];
        self.reel(code, &[&stored[..], args].concat())
    }

    fn flip(&self, name: &str, at: u64) {
        let file = fs::File::options().read(true).write(true).open(self.path(name)).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
    }
}

#[test]
fn a_stored_database_is_read_like_a_file() {
    let bench = Bench::new(8 << 20);
    let stored = bench.reel(0, &["ese", "mh", "--pool", "pool", "--stream", NAME]);
    assert_eq!(stored.out, bench.reel(0, &["ese", "mh", NAME]).out);
    assert!(stored.err.starts_with("reel: store/mail.edb in set 2: read "), "{}", stored.err);
    assert!(stored.err.contains(" in 1 locate of "), "{}", stored.err);
    for set in ["1", "latest"] {
        bench.reel(0, &["ese", "mh", "--pool", "pool", "--stream", NAME, "--set", set]);
    }
}

#[test]
fn a_small_table_of_a_large_stored_database_costs_a_small_share_of_it() {
    let bench = Bench::new(64 << 20);
    let stored = |args: &[&str]| bench.reel(0, &[args, &["--pool", "pool", "--stream", NAME]].concat());
    let tables = stored(&["ese", "tables", "--json"]).json();
    let read = &tables["read"];
    let (bytes, length) = (read["bytes"].as_u64().unwrap(), read["stream_bytes"].as_u64().unwrap());
    assert_eq!(length, fs::metadata(bench.path(NAME)).unwrap().len());
    assert!(bytes > 0 && bytes < length / 20, "{bytes} of {length} bytes");
    assert!(read["locates"].as_u64().unwrap() <= 4, "{read}");

    let of_file = bench.reel(0, &["ese", "tables", "--json", NAME]).json();
    assert_eq!((&of_file["tables"], &of_file["read"]), (&tables["tables"], &Value::Null));
    let rows = stored(&["ese", "rows", "--json", "MSysObjects"]);
    assert_eq!(rows.out, bench.reel(0, &["ese", "rows", "--json", NAME, "MSysObjects"]).out);
    // "read 1.0 MB in 2 locates of 67.1 MB"
    let told = rows.err.split_once(": read ").unwrap().1;
    let (amount, unit) = told.split_once(" in ").unwrap().0.split_once(' ').unwrap();
    let megabytes: f64 = if unit == "MB" { amount.parse().unwrap() } else { 1.0 };
    assert!(megabytes < length as f64 / 1e6 / 10.0, "{told}");
}

#[test]
fn all_rows_and_pages_of_a_stored_database_are_those_of_the_file() {
    let bench = Bench::new(8 << 20);
    let tables = bench.reel(0, &["ese", "tables", "--json", NAME]).json();
    for table in tables["tables"].as_array().unwrap() {
        let table = table["name"].as_str().unwrap();
        let stored = bench.reel(0, &["ese", "rows", "--json", "--pool", "pool", "--stream", NAME, table]);
        assert!(stored.out == bench.reel(0, &["ese", "rows", "--json", NAME, table]).out, "{table}");
    }
    let checked = |args: &[&str]| bench.reel(0, &[&["ese", "k", "--json"], args].concat()).json();
    let (stored, file) = (checked(&["--pool", "pool", "--stream", NAME]), checked(&[NAME]));
    for field in ["pages", "good", "uninitialised", "bytes", "owned_end", "highest_dbtime"] {
        assert_eq!(stored[field], file[field], "{field}");
    }
    assert!(stored["read"]["bytes"].as_u64().unwrap() > 0 && file["read"].is_null());
}

#[test]
fn damage_on_the_volume_costs_the_rows_that_it_hits_and_is_named() {
    let bench = Bench::new(8 << 20);
    let mut images = fs::read_dir(bench.path("pool")).unwrap().map(|e| e.unwrap().path());
    let volume = images.find(|path| path.extension().is_some_and(|e| e == "tap")).unwrap();
    let volume = volume.strip_prefix(bench.folder.path()).unwrap().to_str().unwrap().to_owned();
    let length = fs::metadata(bench.path(&volume)).unwrap().len();
    let messages = ["ese", "rows", "--json", "--pool", "pool", "--stream", NAME, "--set", "1", "messages"];
    let whole = bench.reel(0, &messages);
    bench.flip(&volume, length / 2);
    let hit = bench.reel(1, &messages);
    assert!(hit.err.contains(".tap: object "), "{}", hit.err);
    let rows: std::collections::HashSet<_> = whole.out.lines().collect();
    let left = hit.out.lines().filter(|row| rows.contains(row)).count();
    assert!(left > 0 && left < rows.len(), "{left} of {} rows", rows.len());
}

#[test]
fn a_stream_that_is_not_there_is_answered_with_what_is_near() {
    let bench = Bench::new(4 << 20);
    let run = bench.reel(2, &["ese", "mh", "--pool", "pool", "--stream", "mail.edb"]);
    assert!(run.err.contains("near are store/mail.edb"), "{}", run.err);
    bench.reel(2, &["ese", "mh", "--pool", "pool", "--stream", NAME, "--set", "9"]);
    bench.reel(2, &["ese", "mh", "--pool", "pool", "--stream", NAME, NAME]);
    bench.reel(2, &["ese", "mh", "--pool", "pool"]);
    bench.reel(2, &["ese", "mh"]);
}

#[test]
fn what_was_restored_differs_in_nothing_until_a_page_is_changed() {
    let bench = Bench::new(8 << 20);
    bench.reel(0, &["restore", "--pool", "pool", "--to", "out"]);
    let run = bench.diff(0, &["out/store/mail.edb"]);
    assert!(run.out.contains(" 0 differ, 0 only in A, 0 only in B"), "{}", run.out);
    assert!(run.err.contains("read 0.0 MB in 0 locates"), "{}", run.err);

    // A page of the long values, whose leaves are the most.
    let whole = bench.diff(0, &["--json", "out/store/mail.edb"]).json();
    assert_eq!((&whole["equal"], &whole["a"]["read"]["bytes"]), (&true.into(), &0.into()));
    bench.flip("out/store/mail.edb", 101 * PAGE + 5000);
    let changed = bench.diff(1, &["--json", "out/store/mail.edb"]).json();
    let differing = &changed["differing"];
    assert_eq!((&differing["pages"], &differing["ranges"][0]["first"]), (&1.into(), &100.into()));
    let trees = changed["trees"].as_array().unwrap();
    assert_eq!((trees.len(), &trees[0]["differing"]), (1, &1.into()));
    assert_eq!(trees[0]["objid"], differing["ranges"][0]["objid"]);
    assert!(trees[0]["table"].is_string(), "{trees:?}");
    let text = bench.diff(1, &["out/store/mail.edb"]).out;
    assert!(text.lines().any(|line| line.starts_with("differ: page 100: ")), "{text}");

    bench.flip("out/store/mail.edb", 20);
    let run = bench.diff(1, &["out/store/mail.edb"]);
    assert!(run.out.contains("\nthe header pages differ\n"), "{}", run.out);
}

#[test]
fn two_sets_are_compared_as_two_files_are_and_by_numbers_without_reading() {
    let bench = Bench::new(8 << 20);
    for set in ["1", "2"] {
        bench.reel(0, &["restore", "--pool", "pool", "--to", set, "--set", set]);
    }
    let files = bench.reel(1, &["ese", "diff", "--json", "1/store/mail.edb", "2/store/mail.edb"]).json();
    let sets = bench.diff(1, &["--set", "1", "--set", "2", "--json"]).json();
    for field in ["compared", "header_differs", "differing", "only_a", "only_b", "unknown", "trees"] {
        assert_eq!(files[field], sets[field], "{field}");
    }
    let numbers = bench.diff(1, &["--set", "1", "--set", "2", "--json", "--numbers-only"]).json();
    assert_eq!(numbers["differing"]["pages"], sets["differing"]["pages"]);
    for side in ["a", "b"] {
        assert_eq!(numbers[side]["read"]["bytes"], 0);
    }

    // What the store itself says of its days.
    let tuesday = Store::new(3, 8 << 20).next_day(30, 20);
    let changed: Vec<u32> = tuesday.changed_pages().collect();
    let ranges = sets["differing"]["ranges"].as_array().unwrap();
    let number = |range: &Value, field: &str| range[field].as_u64().unwrap() as u32;
    let found: Vec<u32> =
        ranges.iter().flat_map(|r| number(r, "first")..number(r, "first") + number(r, "count")).collect();
    assert_eq!(found, changed);
    let back = bench.diff(1, &["--set", "2", "--set", "1", "--json"]).json();
    assert_eq!((&back["only_a"]["pages"], &back["only_b"]["pages"]), (&sets["only_b"]["pages"], &0.into()));
}

#[test]
fn a_comparison_that_lacks_a_side_or_has_one_too_many_is_a_usage_error() {
    let bench = Bench::new(4 << 20);
    bench.reel(2, &["ese", "diff", NAME]);
    bench.diff(2, &[]);
    bench.diff(2, &["--set", "1"]);
    bench.diff(2, &[NAME, NAME]);
    bench.diff(2, &["--set", "1", "--set", "2", NAME]);
    bench.diff(2, &["--set", "1", "--set", "2", "--set", "2"]);
    let run = bench.diff(2, &["--json"]);
    assert_eq!(run.json()["error"]["class"], "argument");
    let help = bench.reel(0, &["ese", "diff", "--help"]).out;
    assert!(help.contains("--set 3 --set 4"), "{help}");
}
