//! Tables of real databases: rows, values and index entries are those that the engine itself gives.

#[path = "samples/rows.rs"]
mod rows;
mod samples;

use reel_formats::ese::database::Database;
use reel_formats::ese::tables::{Catalog, ColumnType, Table, Value};
use rows::compare;
use std::path::Path;

/// Cases whose size makes them tests of speed.
const LARGE: [&str; 2] = ["perf-32k", "perf2-32k"];

#[test]
fn rows_and_index_entries_are_those_that_the_engine_gives() {
    let Some(folder) = samples::path("engine rows", "data/ese/cases") else { return };
    let (mut databases, mut rows, mut entries) = (0, 0, 0);
    for path in samples::files(&folder) {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".tar.zst").filter(|name| !LARGE.contains(name)) else { continue };
        let archive = samples::read(&path);
        let files = samples::tar_files(&archive);
        let file =
            |wanted: &str| files.iter().find(|(found, _)| found.ends_with(wanted)).map(|(_, bytes)| *bytes);
        for (listing, bytes) in &files {
            let Some((_, database)) = listing.split_once("/oracle/rows/") else { continue };
            let database = database.strip_suffix(".jsonl").expect("the listing of a database");
            let bytes = std::str::from_utf8(bytes).expect("the listing is text");
            let file = file(&format!("/expected/{database}")).expect("the database of a listing");
            let counts = compare(&format!("{name}/{database}"), file, bytes);
            databases += 1;
            rows += counts.0;
            entries += counts.1;
        }
    }
    println!("{databases} databases, {rows} rows, {entries} index entries");
    assert!(databases >= 30, "only {databases} databases");
}

/// Run with the folder that `unpack.sh` of the mail store fills.
#[test]
#[ignore = "needs REEL_MAILSTORE, 250 MB unpacked"]
fn rows_of_the_mail_store_are_those_that_the_engine_gives() {
    let folder = std::env::var_os("REEL_MAILSTORE").expect("REEL_MAILSTORE names the unpacked mail store");
    let read = |path: &str| std::fs::read(Path::new(&folder).join(path)).expect("the mail store is unpacked");
    let listing = String::from_utf8(read("rows-day2.jsonl")).expect("the listing is text");
    let (rows, entries) = compare("mail store", &read("day2/mail01.edb"), &listing);
    println!("{rows} rows, {entries} index entries");
    assert_eq!(rows, 40 + 560 + 9437 + 1240);
}

/// Tables and counts of their rows that a samples' README gives, by file.
fn user_rows(readme: &str) -> Vec<(String, Vec<(String, u64)>)> {
    let (_, section) = readme.split_once("## Rows of the user tables").expect("the section is there");
    let parse = |line: &str| {
        let (file, tables) = line.strip_prefix("- ")?.split_once(": ")?;
        let table = |text: &str| {
            let (name, count) = text.trim().strip_suffix(" ...").unwrap_or(text.trim()).rsplit_once(' ')?;
            Some((name.to_string(), count.parse().ok()?))
        };
        Some((file.to_string(), tables.split(", ").filter_map(table).collect()))
    };
    section.lines().filter_map(parse).collect()
}

/// The number of rows that both readers found in all tables of a file; that of libesedb where they differ.
fn all_rows(readme: &str, file: &str) -> u64 {
    let line =
        readme.lines().find(|line| line.starts_with(&format!("| {file} |"))).expect("a line of the file");
    let cell = line.split('|').map(str::trim).nth(10).expect("a cell of rows");
    let digits: String =
        cell.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a count")
}

fn count(database: &Database<&[u8]>, table: &Table, name: &Path) -> u64 {
    let rows =
        table.rows(database).map(|row| row.unwrap_or_else(|lost| panic!("{}: {lost}", name.display())));
    rows.map(|row| {
        for value in &row.values {
            assert!(!matches!(value, Value::Lost(_)), "{}: {}: {value:?}", name.display(), table.name);
        }
        1
    })
    .sum()
}

#[test]
fn tables_of_other_software_have_the_rows_that_other_readers_count() {
    let Some(folder) = samples::path("rows of samples", "data/samples/ese") else { return };
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("the README is readable");
    for (name, tables) in user_rows(&readme) {
        let bytes = samples::read(&folder.join(&name));
        let database = Database::open(&bytes[..]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let catalog = Catalog::read(&database);
        assert!(catalog.lost.is_empty(), "{name}: {:?}", catalog.lost);
        for (table, rows) in tables {
            let found = catalog.table(&table).unwrap_or_else(|| panic!("{name}: no table {table}"));
            let live = count(&database, found, Path::new(&name));
            // One of the readers counts what is flagged deleted.
            let with_deleted = found.rows(&database).with_deleted().count() as u64;
            assert!(rows == live || rows == with_deleted, "{name}: {table}: {live} rows, not {rows}");
        }
        let all: u64 = catalog.tables.iter().map(|table| count(&database, table, Path::new(&name))).sum();
        assert_eq!(all, all_rows(&readme, &name), "{name}");
        for table in &catalog.tables {
            for column in &table.columns {
                assert!(!matches!(column.kind, ColumnType::Other(_)), "{name}: {column:?}");
            }
        }
    }
}
