//! `reel ese tables` and `rows` as a script sees them.

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

#[path = "../../formats/tests/builder/mod.rs"]
mod builder;

const PAGE: usize = 4096;

fn reel(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reel")).arg("ese").args(args).current_dir(folder).output().unwrap()
}

/// Standard output of `reel ese`, if it ends with this code, and standard error.
fn run(code: i32, args: &[&str], folder: &Path) -> (String, String) {
    let output = reel(args, folder);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "reel ese {args:?}: {err}");
    (out, err)
}

/// A folder with a database `t.edb`: a table whose second row refers to a long value that is not there.
fn database(damaged: Option<u32>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut file = builder::database(PAGE, &builder::small(PAGE));
    if let Some(pgno) = damaged {
        file[(pgno as usize + 1) * PAGE + 60] ^= 0x5A;
        file[(pgno as usize + 1) * PAGE + 61] ^= 0x5A;
    }
    std::fs::write(folder.path().join("t.edb"), file).unwrap();
    folder
}

#[test]
fn tables_are_listed_with_what_they_consist_of() {
    let folder = database(None);
    let (out, _) = run(0, &["tables", "t.edb", "--count"], folder.path());
    assert_eq!(out, "t  object 10, root page 11, 3 columns, 1 index, long values on page 15, 2 rows\n");
    let (out, _) = run(0, &["tables", "t.edb", "--json"], folder.path());
    let listing: Value = serde_json::from_str(&out).unwrap();
    let table = &listing["tables"][0];
    assert_eq!((&table["name"], &table["rows"], &table["root"]), (&json!("t"), &Value::Null, &json!(11)));
    assert_eq!(table["columns"][1]["type"], "text");
    assert_eq!(table["indexes"][0]["objid"], 12);
    assert_eq!(listing["lost"], json!([]));
}

#[test]
fn rows_are_printed_as_text_json_and_csv() {
    let folder = database(None);
    let columns = ["--columns", "Name,id"];
    let rows = |form: &[&str]| run(0, &[&["rows", "t.edb", "t"], form, &columns].concat(), folder.path()).0;
    assert_eq!(rows(&[]), "name=one\tid=1\nname=two\tid=2\n");
    assert_eq!(rows(&["--csv"]), "name,id\none,1\ntwo,2\n");
    let lines: Vec<Value> =
        rows(&["--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, [json!({"name": "one", "id": 1}), json!({"name": "two", "id": 2})]);
}

#[test]
fn what_is_lost_is_named_on_standard_error_and_in_the_exit_code() {
    let folder = database(None);
    let (out, err) = run(1, &["rows", "t.edb", "t"], folder.path());
    assert!(out.ends_with("id=2\tname=two\tdata=<lost>\n"), "{out}");
    assert!(err.contains("row 7f80000002, column data: all is lost: no long value 00000008"), "{err}");

    let folder = database(Some(11));
    let (out, err) = run(1, &["rows", "t.edb", "t"], folder.path());
    assert!(out.is_empty() && err.contains("t.edb: table t: page 11 is lost (all keys)"), "{err}");
    let (out, err) = run(1, &["tables", "t.edb", "--count"], folder.path());
    assert!(out.contains(", 0 rows\n") && err.contains("page 11 is lost"), "{err}");

    let folder = database(Some(4));
    let (_, err) = run(1, &["tables", "t.edb"], folder.path());
    assert!(err.contains("catalog: page 4 is lost") && err.contains("shadow catalog"), "{err}");
}

#[test]
fn a_table_or_column_that_is_not_there_is_a_matter_of_usage() {
    let folder = database(None);
    let (_, err) = run(2, &["rows", "t.edb", "u"], folder.path());
    assert!(err.contains("no table u"), "{err}");
    let (_, err) = run(2, &["rows", "t.edb", "t", "--columns", "none"], folder.path());
    assert!(err.contains("no column none in table t"), "{err}");
    run(2, &["rows", "t.edb", "t", "--json", "--csv"], folder.path());
}
