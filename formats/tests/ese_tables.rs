//! Tables of real databases: rows, values and index entries are those that the engine itself gives.

mod samples;

use reel_formats::ese::database::Database;
use reel_formats::ese::tables::{Catalog, ColumnType, Index, Table, Value};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Cases whose size makes them tests of speed.
const LARGE: [&str; 2] = ["perf-32k", "perf2-32k"];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A value as the engine's listing shows it; `None` for NULL.
fn shown(value: &Value, multi_valued: bool) -> Option<Json> {
    let one = |value: &Value| match value {
        Value::Bit(bit) => json!(bit),
        Value::U8(number) => json!(number),
        Value::I16(number) => json!(number),
        Value::U16(number) => json!(number),
        Value::I32(number) => json!(number),
        Value::U32(number) => json!(number),
        other => {
            let bytes = other.stored_bytes().unwrap_or_else(|| panic!("{other:?} is not given whole"));
            if bytes.len() > 64 {
                json!({"len": bytes.len(), "sha256": hex(&Sha256::digest(&bytes))})
            } else {
                json!(hex(&bytes))
            }
        }
    };
    match value {
        Value::Null => None,
        Value::Multi(values) => Some(values.iter().map(one).collect()),
        value if multi_valued => Some(json!([one(value)])),
        value => Some(one(value)),
    }
}

/// How the catalog's flags of a column say what an application asked for.
const GRBITS: [(u32, u32); 7] = [
    (0x01, 0x04),
    (0x02, 0x08),
    (0x04, 0x10),
    (0x08, 0x400),
    (0x20, 0x800),
    (0x40, 0x4000),
    (0x1000, 0x80000),
];

fn grbit(id: u16, flags: u32) -> u32 {
    let place = match id {
        0..128 => 1,
        128..256 => 0,
        _ => 2,
    };
    GRBITS.iter().filter(|(flag, _)| flags & flag != 0).fold(place, |sum, (_, bit)| sum | bit)
}

fn described(table: &Table) -> Json {
    let column = |column: &reel_formats::ese::tables::Column| {
        let codepage = if column.kind.is_text() { column.codepage } else { 0 };
        json!({"name": column.name, "id": column.id, "coltyp": column.kind.number(), "cp": codepage,
            "grbit": grbit(column.id, column.flags)})
    };
    let mut indexes: Vec<&Index> = table.indexes.iter().collect();
    indexes.sort_by_key(|index| index.name.clone());
    let kinds = |index: &Index| (index.is_unique(), index.is_primary());
    json!({
        "table": table.name,
        "columns": table.columns.iter().map(column).collect::<Vec<_>>(),
        "indexes": indexes.iter().map(|index| json!({"name": index.name, "kinds": kinds(index)})).collect::<Vec<_>>(),
    })
}

/// The engine's line of a table, with that of an index's grbits which the catalog keeps.
fn described_by_the_engine(mut line: Json) -> Json {
    for index in line["indexes"].as_array_mut().expect("a list of indexes") {
        let grbit = index["grbit"].as_u64().expect("a number");
        *index = json!({"name": index["name"], "kinds": (grbit & 1 != 0, grbit & 2 != 0)});
    }
    line
}

/// Compares a database with the engine's listing, line by line; answers how many rows and index entries there were.
fn compare(name: &str, file: &[u8], listing: &str) -> (u64, u64) {
    let database = Database::open(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    let catalog = Catalog::read(&database);
    assert!(catalog.lost.is_empty(), "{name}: {:?}", catalog.lost);
    let (mut rows, mut entries) = (None, BTreeMap::new());
    let (mut row_count, mut entry_count) = (0, 0);
    let mut tables = BTreeSet::new();
    for line in listing.lines() {
        let line: Json = serde_json::from_str(line).expect("the listing is JSON lines");
        let text = |key: &str| line.get(key).and_then(Json::as_str);
        if let Some(table) = text("table") {
            let table = catalog.table(table).unwrap_or_else(|| panic!("{name}: no table {table}"));
            tables.insert(table.objid);
            rows = Some((table, table.rows(&database), 0));
            assert_eq!(described(table), described_by_the_engine(line), "{name}");
        } else if text("t").is_some() {
            let (table, rows, count) = rows.as_mut().expect("a table's line comes first");
            let row = rows.next().unwrap_or_else(|| panic!("{name}: too few rows in {}", table.name));
            let row = row.unwrap_or_else(|lost| panic!("{name}: {}: {lost}", table.name));
            let mut found = Map::new();
            found.insert("t".into(), json!(table.name));
            found.insert("bm".into(), json!(hex(&row.bookmark)));
            for (column, value) in table.columns.iter().zip(&row.values) {
                if let Some(value) = shown(value, column.is_multi_valued()) {
                    found.insert(column.name.clone(), value);
                }
            }
            assert_eq!(Json::Object(found), line, "{name}: row {count} of {}", table.name);
            *count += 1;
        } else if let Some(ended) = text("end") {
            let (table, mut rows, count) = rows.take().expect("a table's line comes first");
            assert_eq!((table.name.as_str(), Some(count)), (ended, line["rows"].as_u64()), "{name}");
            assert!(rows.next().is_none(), "{name}: too many rows in {ended}");
            row_count += count;
        } else if let Some(index) = text("ix") {
            let entries = entries.entry(index.to_string()).or_insert_with(|| {
                let (table, index) = index.split_once('.').expect("a table and an index");
                let table = catalog.table(table).expect("a table that was listed");
                let index = table.indexes.iter().find(|found| found.name == index).expect("an index of it");
                index.entries(&database, table)
            });
            let entry = entries.next().unwrap_or_else(|| panic!("{name}: too few entries in {index}"));
            let entry = entry.unwrap_or_else(|lost| panic!("{name}: {index}: {lost}"));
            let found = json!({"ix": index, "k": hex(&entry.key), "bm": hex(&entry.bookmark)});
            assert_eq!(found, line, "{name}");
            entry_count += 1;
        } else if let Some(index) = text("ixend") {
            let mut ended = entries.remove(index);
            assert!(
                ended.as_mut().is_none_or(|rest| rest.next().is_none()),
                "{name}: too many entries in {index}"
            );
        } else {
            panic!("{name}: a line of unknown kind");
        }
    }
    assert!(entries.is_empty(), "{name}: an index whose end is not listed");
    for table in &catalog.tables {
        assert!(table.is_system() || tables.contains(&table.objid), "{name}: {} is not listed", table.name);
    }
    (row_count, entry_count)
}

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
