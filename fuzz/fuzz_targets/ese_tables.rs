//! Bytes as a small database whose checksums are right: its catalog, tables, indexes and long values, and its check.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reel_formats::ese::database::{Database, DatabaseFile};
use reel_formats::ese::tables::check::check;
use reel_formats::ese::tables::long_value::{LongValue, LongValueId};
use reel_formats::ese::tables::{Catalog, Table, Value};

#[path = "../../formats/tests/builder/mod.rs"]
mod builder;

/// Pages that name each other make many rows of few bytes; so many of each table tell enough.
const ROWS: usize = 200;
const TABLES: usize = 20;
const LONG_VALUES_LIMIT: u64 = 1 << 20;

fn bytes_of(value: &Value) -> u64 {
    match value {
        Value::Multi(values) => values.iter().map(bytes_of).sum(),
        Value::Lost(lost) => {
            let ranges = &lost.lost;
            assert!(ranges.is_sorted_by(|a, b| a.end < b.start), "{ranges:?}");
            let gone: u64 = ranges.iter().map(|range| range.end - range.start).sum();
            assert!(lost.len.is_none_or(|len| ranges.is_empty() || gone + lost.bytes.len() as u64 == len));
            lost.bytes.len() as u64
        }
        Value::Binary(bytes) | Value::Text { bytes, .. } => {
            let _ = value.text();
            bytes.len() as u64
        }
        _ => 0,
    }
}

fn read_table<F: DatabaseFile>(database: &Database<F>, table: &Table) {
    for row in table.rows(database).with_deleted().limit(LONG_VALUES_LIMIT).take(ROWS) {
        match row {
            Ok(row) => {
                assert_eq!(row.values.len(), table.columns.len());
                let bytes: u64 = row.values.iter().map(bytes_of).sum();
                // Values that lie in the record, each of whose instances may expand.
                assert!(bytes <= LONG_VALUES_LIMIT + 4096 * 65_536, "{bytes} bytes");
            }
            Err(lost) => drop(lost.to_string()),
        }
    }
    for index in &table.indexes {
        let _ = index.entries(database, table).take(ROWS).count();
    }
    let Some(values) = &table.long_values else { return };
    for entry in values.tree(database).entries().take(ROWS).flatten() {
        if let Some(id) = LongValueId::of_root(&entry.node().key())
            && let LongValue::Whole(bytes) = values.read(database, &id, LONG_VALUES_LIMIT)
        {
            assert!(bytes.len() as u64 <= LONG_VALUES_LIMIT);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let file = builder::unpack(data);
    let database = Database::open(&file[..]).expect("the header is right");
    let catalog = Catalog::read(&database);
    let _ = catalog.objects();
    for table in catalog.tables.iter().take(TABLES) {
        read_table(&database, table);
    }
    check(&database, &mut |_| true).expect("nobody stops it");
});
