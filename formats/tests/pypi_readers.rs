//! Two independent readers from the Python package index, libesedb and dissect.esedb. The samples are read by them and by
//! this crate: all rows and values must be the same. Rebuilt databases must have the rows for them that the engine
//! recovered. Skipped where they cannot be installed.

#[path = "samples/case.rs"]
mod case;
#[path = "samples/rebuild.rs"]
mod rebuild;
mod samples;

use case::cases;
use reel_formats::ese::database::Database;
use reel_formats::ese::tables::{Catalog, ColumnType, Row, Rows, Value};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A Python with both readers, and the folder that it is in; `None`, said loudly, where it cannot be had.
static PYTHON: LazyLock<Option<(PathBuf, TempDir)>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let environment = folder.path().join("venv");
    let succeeds = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let python = environment.join("bin/python");
    let installed = succeeds(Command::new("python3").arg("-m").arg("venv").arg(&environment))
        && succeeds(
            Command::new(&python)
                .args(["-m", "pip", "-q", "install", "--retries", "1"])
                .args(["libesedb-python", "dissect.esedb"]),
        );
    if !installed {
        samples::skipped("readers of the package index", "no python3, or no way to install them");
    }
    installed.then_some((python, folder))
});

/// The script that reads with both; `None` where it cannot run.
fn script() -> Option<Command> {
    let (python, _) = PYTHON.as_ref()?;
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/read_ese.py"));
    Some(command)
}

/// A value as the script shows it.
fn shown(value: &Value, kind: ColumnType) -> Option<String> {
    if let Value::Multi(values) = value {
        let all: Option<Vec<String>> = values.iter().map(|value| shown(value, kind)).collect();
        return all.map(|all| all.join(","));
    }
    let bytes = value.stored_bytes()?;
    let zeros = if matches!(kind, ColumnType::LongBinary | ColumnType::LongText) {
        bytes.iter().rev().take_while(|byte| **byte == 0).count()
    } else {
        0
    };
    Some(hex(&bytes[..bytes.len() - zeros]))
}

/// The digest that the script gives a value; `None` for what this crate does not give whole.
fn digest(value: &Value, kind: ColumnType) -> Option<String> {
    shown(value, kind).map(|text| hex(&Sha256::digest(text.as_bytes()))[..16].to_string())
}

/// What the script said of a file.
#[derive(Default)]
struct Theirs {
    /// Rows by table, as libesedb counts them.
    counts: BTreeMap<String, u64>,
    /// Records by table, those flagged deleted among them, as dissect.esedb counts them.
    with_deleted: BTreeMap<String, u64>,
    /// Key and digests of each record, by table, as dissect.esedb reads them.
    records: BTreeMap<String, Vec<(String, Json)>>,
    /// Digests of the long values of live rows, by table and number of the row, as libesedb reads them.
    long_values: BTreeMap<(String, u64), Json>,
}

fn theirs(lines: &str) -> BTreeMap<String, Theirs> {
    let mut files: BTreeMap<String, Theirs> = BTreeMap::new();
    for line in lines.lines() {
        let line: Json = serde_json::from_str(line).expect("the script prints JSON lines");
        let text = |key: &str| line[key].as_str().expect("a text").to_string();
        let file = files.entry(text("file")).or_default();
        if let Some(rows) = line["rows"].as_u64() {
            file.counts.insert(text("table"), rows);
        } else if let Some(records) = line["records"].as_u64() {
            file.with_deleted.insert(text("table"), records);
        } else if let Some(row) = line["row"].as_u64() {
            file.long_values.insert((text("table"), row), line["values"].clone());
        } else {
            file.records.entry(text("table")).or_default().push((text("key"), line["values"].clone()));
        }
    }
    files
}

#[derive(Default, Debug)]
struct Compared {
    rows: u64,
    values: u64,
    /// Values that dissect.esedb failed to read, or read otherwise than libesedb and this crate.
    failed: u64,
    different: Vec<String>,
}

impl Compared {
    fn row(&mut self, place: &str, rows: &Rows<'_, &[u8]>, row: &Row, theirs: &Json, long_values: &Json) {
        for (column, value) in rows.columns().zip(&row.values) {
            let theirs = theirs.get(&column.name).and_then(Json::as_str);
            self.values += u64::from(theirs.is_some() || !value.is_null());
            let ours = digest(value, column.kind);
            if theirs == ours.as_deref() {
                continue;
            }
            let by_libesedb = long_values[&column.name].as_str();
            if theirs == Some("!") || (ours.is_some() && ours.as_deref() == by_libesedb) {
                self.failed += 1;
            } else {
                self.different.push(format!("{place}.{}", column.name));
            }
        }
        self.rows += 1;
    }
}

#[test]
fn all_rows_and_values_are_those_that_two_other_readers_find() {
    let Some(samples) = samples::path("readers of the package index", "data/samples/ese") else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(mut command) = script() else { return };
    let mut files = BTreeMap::new();
    for path in samples::files(&samples) {
        if path.extension().is_some_and(|extension| extension == "zst") {
            let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
            let bytes = samples::read(&path);
            std::fs::write(folder.path().join(&name), &bytes).expect("the folder takes files");
            command.arg(folder.path().join(&name));
            files.insert(name, bytes);
        }
    }
    let output = command.output().expect("the script starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = theirs(std::str::from_utf8(&output.stdout).expect("the script prints text"));
    assert_eq!(theirs.len(), files.len());

    let mut compared = Compared::default();
    for (name, bytes) in &files {
        let database = Database::open(&bytes[..]).expect("a good header");
        let (catalog, theirs) = (Catalog::read(&database), &theirs[name]);
        let ours: BTreeMap<_, _> = catalog
            .tables
            .iter()
            .map(|table| (table.name.clone(), table.rows(&database).count() as u64))
            .collect();
        assert_eq!(ours, theirs.counts, "{name}: rows by table");
        for table in &catalog.tables {
            let long_values = &theirs.long_values;
            let theirs = theirs.records.get(&table.name).map_or(&[][..], Vec::as_slice);
            let rows: Vec<Row> =
                table.rows(&database).with_deleted().map(|row| row.expect("a good row")).collect();
            assert_eq!(rows.len(), theirs.len(), "{name}: {}", table.name);
            let mut live = 0;
            for (number, (row, (key, values))) in rows.iter().zip(theirs).enumerate() {
                let place = format!("{name}: {}, row {number}", table.name);
                assert!(&hex(&row.bookmark) == key, "{place}: keys differ");
                let long_values = (!row.deleted).then(|| long_values.get(&(table.name.clone(), live)));
                let long_values = long_values.flatten().unwrap_or(&Json::Null);
                compared.row(&place, &table.rows(&database), row, values, long_values);
                live += u64::from(!row.deleted);
            }
        }
    }
    let Compared { rows, values, failed, different } = &compared;
    println!("{rows} rows, {values} values, {failed} of which dissect.esedb did not read right");
    assert!(
        different.is_empty(),
        "{} values differ: {:#?}",
        different.len(),
        &different[..different.len().min(40)]
    );
}

/// Rows by table, as a listing of the engine's rows ends them.
fn listed_counts(listing: &str) -> BTreeMap<String, u64> {
    let ends = listing.lines().filter(|line| line.starts_with(r#"{"end""#)).map(|line| {
        let line: Json = serde_json::from_str(line).expect("a line is JSON");
        let table = line["end"].as_str().expect("a name").to_owned();
        (table, line["rows"].as_u64().expect("a number"))
    });
    ends.collect()
}

#[test]
fn both_readers_find_the_rows_of_the_engine_in_rebuilt_databases() {
    let (mut databases, mut tables, mut rows, mut flagged) = (0, 0, 0, 0);
    for case in cases("readers of rebuilt databases", |name| !name.starts_with("perf")) {
        let listings = case.under("oracle/rows");
        if listings.is_empty() {
            continue;
        }
        let Some(mut command) = script() else { return };
        command.arg("--counts");
        let (made, _) =
            rebuild::replay(&case, true, rebuild::AMPLE).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, file) in &made {
            std::fs::write(folder.path().join(name), file.bytes()).expect("the folder takes files");
            command.arg(folder.path().join(name));
        }
        let output = command.output().expect("the script starts");
        assert!(output.status.success(), "{}: {}", case.name, String::from_utf8_lossy(&output.stderr));
        let theirs = theirs(std::str::from_utf8(&output.stdout).expect("the script prints text"));
        for (listing, lines) in listings {
            let name = listing.strip_suffix(".jsonl").expect("the listing of a database");
            let expected = listed_counts(std::str::from_utf8(lines).expect("the listing is text"));
            let (theirs, bytes) = (&theirs[name], made[name].bytes());
            let database = Database::open(&bytes[..]).expect("a good header");
            let catalog = Catalog::read(&database);
            for (table, count) in expected {
                let place = format!("{}: {name}: {table}", case.name);
                assert_eq!(theirs.counts.get(&table), Some(&count), "{place}, by libesedb");
                let ours = catalog.tables.iter().find(|ours| ours.name == table);
                let ours = ours.unwrap_or_else(|| panic!("{place}: no such table"));
                // The engine may leave no record in a node that it flags (space-4k, page 546).
                let is_live = |row: &Result<Row, _>| row.as_ref().is_ok_and(|row| !row.deleted);
                let deleted = ours.rows(&database).with_deleted().filter(|row| !is_live(row)).count();
                let all = count + deleted as u64;
                assert_eq!(theirs.with_deleted.get(&table), Some(&all), "{place}, by dissect.esedb");
                tables += 1;
                rows += count;
                flagged += deleted;
            }
            databases += 1;
        }
    }
    println!("{rows} rows in {tables} tables of {databases} databases, and {flagged} flagged deleted");
}
