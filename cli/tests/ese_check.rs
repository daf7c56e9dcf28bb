//! `reel ese k`, `space` and `check` as a script sees them.

#[path = "../../formats/tests/samples/mod.rs"]
mod samples;

use reel_workload::Store;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGE: usize = 32768;

/// A generated database in a folder.
fn database(folder: &Path, damage: impl FnOnce(&mut [u8])) -> PathBuf {
    let store = Store::new(5, 8 << 20);
    let mut bytes = vec![0; store.len() as usize];
    store.read_at(&mut bytes, 0);
    damage(&mut bytes);
    let path = folder.join("store.edb");
    fs::write(&path, bytes).unwrap();
    path
}

/// Runs `reel ese` and gives its standard output if it ends with this code.
fn reel(code: i32, args: &[&str], file: &Path) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_reel")).arg("ese").args(args).arg(file).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "reel ese {args:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(code: i32, args: &[&str], file: &Path) -> Value {
    serde_json::from_str(&reel(code, &[args, &["--json"]].concat(), file)).unwrap()
}

#[test]
fn a_good_database_passes_k_with_its_figures() {
    let folder = tempfile::tempdir().unwrap();
    let file = database(folder.path(), |_| {});
    let text = reel(0, &["k", "--threads", "2"], &file);
    assert!(text.contains("pages seen: 254\n") && text.contains("bad checksums: 0\n"), "{text}");
    assert!(text.contains("both copies are good"), "{text}");
    let report = json(0, &["k"], &file);
    assert_eq!((&report["pages"], &report["bytes"]), (&254.into(), &(8 << 20).into()));
    assert_eq!(report["faulty"], Value::Array(Vec::new()));
}

#[test]
fn a_damaged_database_fails_k_and_each_bad_page_has_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = database(folder.path(), |bytes| {
        bytes[PAGE + 20] ^= 1;
        bytes[(40 + 1) * PAGE + 900] ^= 0x21;
        bytes[(41 + 1) * PAGE + 900] ^= 0x20;
        bytes.copy_within(44 * PAGE..45 * PAGE, 45 * PAGE);
    });
    let text = reel(1, &["k"], &file);
    assert!(text.contains("page 40: checksum of block 0: stored 0x"), "{text}");
    assert!(text.contains("page 41: one flipped bit, 5 of byte 900\n"), "{text}");
    assert!(text.contains("page 44: page number: found 43, expected 44 (-1118)\n"), "{text}");
    assert!(text.contains("its shadow is bad (-1018)\n"), "{text}");
    let report = json(1, &["k"], &file);
    let counts = ["bad_checksums", "correctable", "wrong_numbers"].map(|field| report[field].clone());
    assert_eq!(counts, [1, 1, 1].map(Value::from));
    assert_eq!(report["faulty"][0]["jet"], -1018);
    assert_eq!(report["shadow_header_bad"], true);
}

#[test]
fn a_file_that_is_no_database_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("noise");
    fs::write(&file, vec![7; 100_000]).unwrap();
    let error = &json(3, &["k"], &file)["error"];
    assert_eq!((&error["class"], &error["jet"]), (&"checksum".into(), &(-1018).into()));
    reel(2, &["k"], &folder.path().join("absent"));
}

/// The recovered database of a case of the engine's, if the shared samples are there.
fn case(test: &str, name: &str) -> Option<Vec<u8>> {
    let archive = samples::read(&samples::path(test, &format!("data/ese/cases/{name}.tar.zst"))?);
    let found = samples::tar_files(&archive).into_iter().find(|(path, _)| path.ends_with("expected/a.edb"));
    Some(found.expect("the case has a recovered database").1.to_vec())
}

#[test]
fn the_space_of_all_trees_is_listed_with_its_totals() {
    let Some(bytes) = case("the_space_of_all_trees_is_listed_with_its_totals", "space-4k") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.edb");
    fs::write(&file, bytes).unwrap();
    let report = json(0, &["space"], &file);
    assert_eq!((&report["file_pages"], &report["owned"]), (&2814.into(), &2814.into()));
    let trees = report["trees"].as_array().unwrap();
    let of = |name: &str| trees.iter().find(|tree| tree["name"] == name).unwrap();
    assert_eq!((&of("c16")["owned"], &of("c16")["multiple_extents"]), (&16.into(), &false.into()));
    assert_eq!((&of("deep2")["owned"], &of("deep2")["available"]), (&66.into(), &63.into()));
    assert_eq!(of("Name")["kind"], "index");
    let text = reel(0, &["space"], &file);
    assert!(text.contains("MSysObjectsShadow") && text.contains("2814 pages of 4096 bytes"), "{text}");
}

#[test]
fn a_structure_that_is_whole_passes_and_one_that_is_not_is_told_with_its_meaning() {
    let test = "a_structure_that_is_whole_passes_and_one_that_is_not_is_told_with_its_meaning";
    let Some(mut bytes) = case(test, "space-4k") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.edb");
    fs::write(&file, &bytes).unwrap();
    let report = json(0, &["check"], &file);
    assert_eq!((&report["errors"], &report["warnings"]), (&0.into(), &0.into()));
    assert_eq!(report["findings"][0]["kind"], "leaked");
    // A page of the catalog.
    bytes[(4 + 1) * 4096 + 100] ^= 0x11;
    fs::write(&file, &bytes).unwrap();
    let report = json(1, &["check"], &file);
    let finding = &report["findings"][0];
    assert_eq!((&finding["kind"], &finding["jet"]), (&"unreadable-page".into(), &(-1018).into()));
    assert_eq!((&finding["page"], &finding["tree"]), (&4.into(), &"MSysObjects".into()));
    let text = reel(1, &["check"], &file);
    assert!(text.contains("unreadable-page, MSysObjects, page 4: "), "{text}");
    assert!(text.contains("restore the database from a backup"), "{text}");
}
