//! The command as a script sees it: exit codes, standard output, standard error.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with a pool, something to back up, and a cache of its own.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        fs::create_dir_all(store.join("inner")).unwrap();
        let mixed: Vec<u8> =
            (0..300_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        fs::write(store.join("mixed.bin"), mixed).unwrap();
        fs::write(store.join("inner/note.txt"), "a note").unwrap();
        Bench { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reel"));
        command.args(args).current_dir(self.folder.path()).env("REEL_CACHE", self.path("cache"));
        command
    }

    /// Runs `reel` in the folder and gives its output if it ends with this code.
    fn reel(&self, code: i32, args: &[&str]) -> Run {
        check(code, args, self.command(args).stdin(Stdio::null()).output().unwrap())
    }

    fn reel_with_input(&self, code: i32, args: &[&str], input: &[u8]) -> Run {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        check(code, args, child.wait_with_output().unwrap())
    }

    fn store_in_pool(&self) {
        self.reel(0, &["backup", "--pool", "pool", "--name", "first", "store"]);
    }

    fn volume(&self) -> PathBuf {
        let mut images = fs::read_dir(self.path("pool")).unwrap().map(|e| e.unwrap().path());
        images.find(|p| p.extension().is_some_and(|e| e == "tap")).unwrap()
    }
}

struct Run {
    out: Vec<u8>,
    err: String,
}

impl Run {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Standard output as the one JSON object that it is.
    fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap()
    }
}

fn check(code: i32, args: &[&str], output: Output) -> Run {
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "reel {args:?}: {err}");
    Run { out: output.stdout, err }
}

fn same(left: &Path, right: &Path) {
    for name in ["mixed.bin", "inner/note.txt"] {
        assert!(fs::read(left.join(name)).unwrap() == fs::read(right.join(name)).unwrap(), "{name}");
    }
}

/// An ESE database with valid pages.
fn database(path: &Path) {
    reel_workload::Store::new(3, 4 << 20)
        .with_page_size(4096)
        .write_to(&fs::File::create(path).unwrap())
        .unwrap();
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_was_backed_up_is_restored() {
    let bench = Bench::new();
    bench.store_in_pool();
    bench.reel(0, &["restore", "--pool", "pool", "--to", "out"]);
    same(&bench.path("store"), &bench.path("out/store"));
    let run = bench.reel(0, &["verify", "--pool", "pool"]);
    assert!(run.text().contains("0 hit"), "{}", run.text());
}

#[test]
fn a_second_backup_of_the_same_files_stores_nothing_new() {
    let bench = Bench::new();
    bench.store_in_pool();
    let report = bench.reel(0, &["backup", "--pool", "pool", "--json", "store"]).json();
    assert_eq!((&report["set"], &report["new_bytes"]), (&2.into(), &0.into()));
    assert_eq!(report["input_bytes"], 1_200_006);
}

#[test]
fn standard_input_is_backed_up_and_put_out_again() {
    let bench = Bench::new();
    let input = b"dump ".repeat(100_000);
    bench.reel_with_input(0, &["backup", "--pool", "p.tap", "--stdin-name", "dump.sql", "-"], &input);
    assert!(bench.path("p.tap").is_file());
    let run = bench.reel(0, &["restore", "--pool", "p.tap", "--stdout", "dump.sql"]);
    assert!(run.out == input && run.err.is_empty(), "{}", run.err);
    let run = bench.reel(0, &["restore", "--pool", "p.tap", "--stdout", "dump.sql", "--json"]);
    let report: Value = serde_json::from_str(&run.err).unwrap();
    assert!(run.out == input && report["bytes"] == 500_000, "{}", run.err);
}

#[test]
fn sets_and_their_streams_are_listed() {
    let bench = Bench::new();
    bench.store_in_pool();
    let run = bench.reel(0, &["list", "--pool", "pool"]);
    assert!(run.text().contains("\"first\""), "{}", run.text());
    let listed = bench.reel(0, &["list", "--pool", "pool", "--json"]).json();
    assert_eq!((&listed["sets"][0]["set"], &listed["sets"][0]["complete"]), (&1.into(), &true.into()));
    assert_eq!(listed["pool"]["name"], "reelmover");
    assert_eq!(
        (&listed["sets"][0]["streams"], &listed["sets"][0]["input_bytes"]),
        (&4.into(), &1_200_006.into())
    );
    fs::remove_dir_all(bench.path("cache")).unwrap();
    assert_eq!(bench.reel(0, &["list", "--pool", "pool", "--json"]).json(), listed);
    for set in ["1", "first", "latest"] {
        let listed = bench.reel(0, &["list", "--pool", "pool", "--set", set, "--json"]).json();
        let names: Vec<_> = listed["streams"].as_array().unwrap().iter().map(|s| s["name"].clone()).collect();
        assert_eq!(names, ["store", "store/inner", "store/inner/note.txt", "store/mixed.bin"]);
        assert_eq!(listed["streams"][2]["length"], 6);
    }
    let run = bench.reel(0, &["list", "--pool", "pool", "--set", "1"]);
    assert!(
        run.text().lines().any(|l| l.starts_with("directory") && l.ends_with("store/inner")),
        "{}",
        run.text()
    );
}

#[test]
fn bad_pages_are_reported_by_number_and_the_file_restores_as_it_was_read() {
    let bench = Bench::new();
    database(&bench.path("store/mail.edb"));
    for page in [5, 20, 21] {
        // Page 1 stands behind the header page and its shadow.
        flip(&bench.path("store/mail.edb"), (page + 1) * 4096 + 100);
    }
    let run = bench.reel(1, &["backup", "--pool", "pool", "store"]);
    let lines: Vec<_> = run.err.lines().collect();
    assert_eq!(
        lines,
        [
            "reel: store/mail.edb: page 5: checksum (-1018)",
            "reel: store/mail.edb: pages 20 to 21: checksum (-1018)"
        ]
    );
    assert!(run.text().contains("3 bad"), "{}", run.text());
    let report = bench.reel(1, &["backup", "--pool", "pool", "--json", "store"]).json();
    assert_eq!(
        (&report["databases"][0]["bad"], &report["databases"][0]["failing"][1]["count"]),
        (&3.into(), &2.into())
    );
    let listed = bench.reel(0, &["list", "--pool", "pool", "--set", "latest", "--json"]).json();
    let pages: Vec<_> =
        listed["streams"].as_array().unwrap().iter().filter(|s| s["format"] == "ese-database").collect();
    assert!(pages.len() == 1 && pages[0]["pages"]["bad"] == 3, "{listed}");
    bench.reel(0, &["restore", "--pool", "pool", "--to", "out", "*.edb"]);
    assert!(
        fs::read(bench.path("store/mail.edb")).unwrap()
            == fs::read(bench.path("out/store/mail.edb")).unwrap()
    );
    let run = bench.reel(3, &["backup", "--pool", "strict", "--on-bad-page", "fail", "--json", "store"]);
    assert_eq!(run.json()["error"]["jet"], -1018);
}

#[test]
fn a_damaged_block_fails_verify_and_the_restore_of_what_it_holds() {
    let bench = Bench::new();
    bench.store_in_pool();
    let volume = bench.volume();
    let length = fs::metadata(&volume).unwrap().len() as usize;
    flip(&volume, length / 2);
    let report = bench.reel(1, &["verify", "--pool", "pool", "--json"]).json();
    assert!(!report["damage"].as_array().unwrap().is_empty());
    assert_eq!(report["hit"][0]["stream"], "store/mixed.bin");
    let run = bench.reel(1, &["scan", "--pool", "pool"]);
    assert!(run.text().contains("damage: "), "{}", run.text());
    let run = bench.reel(3, &["restore", "--pool", "pool", "--to", "out", "--keep-partial"]);
    assert!(run.err.contains("store/mixed.bin: not restored whole"), "{}", run.err);
    assert!(bench.path("out/store/mixed.bin.reel-partial").is_file());
    assert!(!bench.path("out/store/mixed.bin").exists());
    bench.reel(0, &["restore", "--pool", "pool", "--to", "other", "note.txt"]);
    bench.reel(3, &["restore", "--pool", "pool", "--stdout", "store/mixed.bin"]);
}

#[test]
fn what_cannot_be_backed_up_is_a_finding() {
    let bench = Bench::new();
    let _socket = std::os::unix::net::UnixListener::bind(bench.path("store/socket")).unwrap();
    let run = bench.reel(1, &["backup", "--pool", "pool", "store"]);
    assert!(run.err.starts_with("reel: store/socket: "), "{}", run.err);
    let report = bench.reel(1, &["backup", "--pool", "pool", "--json", "store"]).json();
    assert_eq!(report["findings"][0]["kind"], "refused");
    bench.reel(0, &["backup", "--pool", "pool", "--exclude", "socket", "store"]);
}

#[test]
fn info_says_what_a_file_is() {
    let bench = Bench::new();
    database(&bench.path("a.edb"));
    let run = bench.reel(0, &["info", "a.edb"]);
    assert!(run.text().contains("ESE database"), "{}", run.text());
    bench.store_in_pool();
    let facts = bench.reel(0, &["info", "--json", "pool"]).json();
    assert!(facts["facts"].as_array().unwrap().iter().any(|f| f["label"] == "sets"), "{facts}");
}

#[test]
fn what_is_asked_for_and_cannot_be_is_a_usage_error() {
    let bench = Bench::new();
    bench.store_in_pool();
    fs::create_dir_all(bench.path("other/store")).unwrap();
    let wrong: [&[&str]; 18] = [
        &[],
        &["backup", "store"],
        &["backup", "--pool", "pool"],
        &["backup", "--pool", "pool", "-"],
        &["backup", "--pool", "pool", "--stdin-name", "x", "store"],
        &["backup", "--pool", "pool", "--name", "12", "store"],
        &["backup", "--pool", "pool", "--name", "latest", "store"],
        &["backup", "--pool", "pool", "--level", "20", "store"],
        &["backup", "--pool", "pool", "--memory", "1MiB", "store"],
        &["backup", "--pool", "pool", "--threads", "0", "store"],
        &["backup", "--pool", "pool", "store", "other/store"],
        &["backup", "--pool", "/dev/null", "store"],
        &["backup", "--pool", "/dev/nst-not-there", "store"],
        &["restore", "--pool", "pool"],
        &["restore", "--pool", "pool", "--to", "x", "--stdout", "store/mixed.bin"],
        &["restore", "--pool", "pool", "--to", "x", "--set", "7"],
        &["list", "--pool", "nowhere"],
        &["verify", "--pool", "nowhere.tap"],
    ];
    for args in wrong {
        let run = bench.reel(2, args);
        assert!(run.err.starts_with("reel: ") && run.out.is_empty(), "{args:?}: {}", run.err);
    }
    let run = bench.reel(2, &["backup", "--pool", "pool", "store", "other/store"]);
    assert!(run.err.contains("other/store has") || run.err.contains("other/store: has"), "{}", run.err);
}

#[test]
fn existing_files_are_replaced_only_when_asked_to() {
    let bench = Bench::new();
    bench.store_in_pool();
    fs::create_dir_all(bench.path("out/store")).unwrap();
    fs::write(bench.path("out/store/mixed.bin"), "precious").unwrap();
    bench.reel(2, &["restore", "--pool", "pool", "--to", "out"]);
    assert_eq!(fs::read(bench.path("out/store/mixed.bin")).unwrap(), b"precious");
    bench.reel(0, &["restore", "--pool", "pool", "--to", "out", "--overwrite"]);
    same(&bench.path("store"), &bench.path("out/store"));
}

#[test]
fn errors_are_one_json_object_with_json() {
    let bench = Bench::new();
    let run = bench.reel(2, &["list", "--pool", "nowhere", "--json"]);
    assert_eq!(run.json()["error"]["class"], "argument");
    assert!(run.err.starts_with("reel: nowhere: "), "{}", run.err);
    let run = bench.reel(2, &["list", "--json"]);
    assert_eq!(run.json()["error"]["object"], "command line");
    let run = bench.reel(2, &["backup", "--pool", "pool", "--json", "missing"]);
    assert_eq!(
        (&run.json()["error"]["class"], &run.json()["error"]["object"]),
        (&"argument".into(), &"missing".into())
    );
}

#[test]
fn runs_with_the_same_clock_and_seed_write_the_same_volume() {
    let bench = Bench::new();
    for (pool, threads) in [("one/p.tap", "1"), ("two/q.tap", "2")] {
        fs::create_dir_all(bench.path(pool).parent().unwrap()).unwrap();
        let clock = "2024-02-29T12:00:00Z";
        bench.reel(
            0,
            &[
                "backup",
                "--pool",
                pool,
                "--threads",
                threads,
                "--clock",
                clock,
                "--seed",
                "5",
                "--level",
                "-3",
                "store",
            ],
        );
    }
    assert!(fs::read(bench.path("one/p.tap")).unwrap() == fs::read(bench.path("two/q.tap")).unwrap());
    let listed = bench.reel(0, &["list", "--pool", "one/p.tap", "--json"]).json();
    assert_eq!(listed["sets"][0]["started"], "2024-02-29T12:00:00Z");
}

#[test]
fn an_interrupted_backup_leaves_an_incomplete_set_that_is_restored_by_its_number_only() {
    let bench = Bench::new();
    bench.store_in_pool();
    let args = ["backup", "--pool", "pool", "--stdin-name", "dump", "-"];
    let mut command = bench.command(&args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes: Vec<u8> =
        (0..5_000_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    input.write_all(&bytes).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut told = String::new();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    errors.read_line(&mut told).unwrap();
    assert!(told.starts_with("reel: stopping at the next safe point"), "{told}");
    // It may be gone already.
    let _ = input.write_all(&bytes);
    drop(input);
    errors.read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{told}");
    assert!(told.contains("set 2 is incomplete"), "{told}");

    let listed = bench.reel(0, &["list", "--pool", "pool", "--json"]).json();
    assert_eq!(
        (&listed["sets"][0]["complete"], &listed["sets"][1]["complete"]),
        (&true.into(), &false.into())
    );
    bench.reel(0, &["restore", "--pool", "pool", "--to", "latest"]);
    same(&bench.path("store"), &bench.path("latest/store"));
    let run = bench.reel(1, &["restore", "--pool", "pool", "--to", "torn", "--set", "2"]);
    assert!(run.err.contains("set 2: it is incomplete"), "{}", run.err);
}

#[test]
fn help_completions_and_the_manual_come_from_the_flags() {
    let bench = Bench::new();
    let run = bench.reel(0, &["--help"]);
    assert!(run.text().contains("Exit codes"), "{}", run.text());
    for shell in ["bash", "zsh", "fish"] {
        assert!(bench.reel(0, &["completions", shell]).text().contains("keep-partial"), "{shell}");
    }
    assert!(bench.reel(0, &["man"]).text().contains("reel"));
    assert!(bench.reel(0, &["man", "restore"]).text().contains("keep\\-partial"));
    bench.reel(2, &["man", "nothing"]);
}

#[test]
fn a_small_demo_ends_in_success_and_leaves_what_it_was_told_to_keep() {
    let bench = Bench::new();
    let run = bench.reel(0, &["demo", "--size", "8MiB", "--keep", "demo"]);
    assert!(run.text().contains("byte for byte"), "{}", run.text());
    assert!(bench.path("demo/store/mail.edb").is_file() && bench.path("demo/restored").is_dir());
    bench.reel(2, &["demo", "--size", "8MiB", "--keep", "demo"]);
    let report = bench.reel(0, &["demo", "--size", "8MiB", "--json"]).json();
    assert_eq!(report["bad_pages"], 0);
}

#[test]
fn a_smaller_index_says_what_it_left_out() {
    let bench = Bench::new();
    let backup = |share: &str, code| {
        bench.reel(
            code,
            &["backup", "--pool", "pool", "--index-memory", share, "--json", "store", "store/mixed.bin"],
        )
    };
    let first = backup("0", 0).json();
    assert_eq!(first["unindexed_chunks"], first["new_chunks"]);
    // All but the first chunk may have been there already; the file that comes twice was.
    let bytes = |field: &str| first[field].as_u64().unwrap();
    assert!(bytes("unsure_bytes") >= bytes("new_bytes") / 2 && bytes("unsure_bytes") < bytes("new_bytes"));
    assert!(bytes("new_bytes") > 2_000_000);
    let whole = backup("1MiB", 0).json();
    assert_eq!((&whole["unindexed_chunks"], &whole["unsure_bytes"]), (&0.into(), &0.into()));
    assert!(backup("500MiB", 2).json()["error"]["message"].as_str().unwrap().contains("at most 464 MiB"));
}
