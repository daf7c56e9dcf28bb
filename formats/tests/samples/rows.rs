//! Rows and index entries of a database held against the engine's own listing of them.

use reel_formats::ese::database::Database;
use reel_formats::ese::tables::{Catalog, Index, Table, Value};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

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
pub fn compare(name: &str, file: &[u8], listing: &str) -> (u64, u64) {
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
