//! `reel ese tables`: what tables a database has.

use super::stored;
use super::value::hex;
use crate::args::ese::Tables;
use crate::output::{Outcome, Report, plural, shown};
use reel_engine::{Error, Result};
use reel_formats::ese::database::{Database, DatabaseFile};
use reel_formats::ese::tables::{Catalog, Column, Index, Table};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Listing {
    file: String,
    tables: Vec<TableLine>,
    lost: Vec<String>,
    corrected: Vec<u32>,
}

#[derive(Serialize)]
struct TableLine {
    name: String,
    objid: u32,
    root: u32,
    flags: u32,
    system: bool,
    template: Option<String>,
    columns: Vec<ColumnLine>,
    indexes: Vec<IndexLine>,
    long_values: Option<LongValuesLine>,
    rows: Option<u64>,
}

#[derive(Serialize)]
struct ColumnLine {
    id: u16,
    name: String,
    r#type: String,
    codepage: Option<u32>,
    flags: u32,
    multi_valued: bool,
    max_length: u32,
    offset: Option<u16>,
    default: Option<String>,
    derived: bool,
}

#[derive(Serialize)]
struct IndexLine {
    name: String,
    objid: u32,
    root: u32,
    flags: u32,
    primary: bool,
    unique: bool,
    key: Vec<KeyLine>,
}

#[derive(Serialize)]
struct KeyLine {
    column: u16,
    name: Option<String>,
    descending: bool,
}

#[derive(Serialize)]
struct LongValuesLine {
    objid: u32,
    root: u32,
    chunk_length: Option<u32>,
}

impl TableLine {
    fn of(table: &Table) -> Self {
        Self {
            name: table.name.clone(),
            objid: table.objid,
            root: table.root,
            flags: table.flags,
            system: table.is_system(),
            template: table.template.clone(),
            columns: table.columns.iter().map(ColumnLine::of).collect(),
            indexes: table.indexes.iter().map(|index| IndexLine::of(index, table)).collect(),
            long_values: table.long_values.map(|values| LongValuesLine {
                objid: values.objid,
                root: values.root,
                chunk_length: values.chunk_len,
            }),
            rows: None,
        }
    }
}

impl ColumnLine {
    fn of(column: &Column) -> Self {
        Self {
            id: column.id,
            name: column.name.clone(),
            r#type: column.kind.to_string(),
            codepage: column.kind.is_text().then_some(column.codepage),
            flags: column.flags,
            multi_valued: column.is_multi_valued(),
            max_length: column.max_len,
            offset: column.offset,
            default: column.default.as_deref().map(hex),
            derived: column.derived,
        }
    }
}

impl IndexLine {
    fn of(index: &Index, table: &Table) -> Self {
        let key = index.key.iter().map(|key| {
            let column = table.columns.iter().find(|c| c.id == key.column && c.derived == key.derived);
            let name = column.map(|column| column.name.clone());
            KeyLine { column: key.column, name, descending: key.descending }
        });
        Self {
            name: index.name.clone(),
            objid: index.objid,
            root: index.root,
            flags: index.flags,
            primary: index.is_primary(),
            unique: index.is_unique(),
            key: key.collect(),
        }
    }
}

impl Report for Listing {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.tables.iter().map(|table| table.name.chars().count()).max().unwrap_or(0);
        for table in &self.tables {
            let (columns, indexes) = (table.columns.len() as u64, table.indexes.len() as u64);
            write!(
                out,
                "{:width$}  object {}, root page {}, {columns} column{}, {indexes} index{}",
                shown(table.name.as_bytes()),
                table.objid,
                table.root,
                plural(columns),
                if indexes == 1 { "" } else { "es" },
            )?;
            if let Some(values) = &table.long_values {
                write!(out, ", long values on page {}", values.root)?;
            }
            if let Some(rows) = table.rows {
                write!(out, ", {rows} row{}", plural(rows))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn findings(&self) -> Vec<String> {
        let corrected =
            self.corrected.iter().map(|pgno| format!("page {pgno}: one flipped bit was put right in memory"));
        self.lost.iter().cloned().chain(corrected).map(|found| format!("{}: {found}", self.file)).collect()
    }
}

/// Lists the tables.
pub fn run(args: &Tables) -> Result<Outcome> {
    let file = args.database.name();
    let database = Database::open(super::open(&args.database)?).map_err(|e| Error::inside(&file, e))?;
    let catalog = Catalog::read(&database);
    let mut lost = catalog_losses(&catalog);
    let mut tables: Vec<TableLine> = catalog.tables.iter().map(TableLine::of).collect();
    if args.count {
        for (table, line) in catalog.tables.iter().zip(&mut tables) {
            line.rows = Some(count(&database, table, &mut lost));
        }
    }
    let listing = Listing { file, tables, lost, corrected: database.corrected() };
    stored::print(args.json.report_to(), &listing, &args.database)?;
    Ok(Outcome::of(!listing.lost.is_empty() || !listing.corrected.is_empty()))
}

/// What could not be read of the catalog, as sentences.
pub fn catalog_losses(catalog: &Catalog) -> Vec<String> {
    let mut lost: Vec<String> = catalog.lost.iter().map(|lost| format!("catalog: {lost}")).collect();
    lost.extend(catalog.shadow_lost.iter().map(|lost| format!("shadow catalog: {lost}")));
    if !catalog.lost.is_empty() {
        lost.push(format!("{} rows of the catalog were taken from its shadow copy", catalog.shadow_rows));
    }
    lost
}

fn count<F: DatabaseFile>(database: &Database<F>, table: &Table, lost: &mut Vec<String>) -> u64 {
    let mut count = 0;
    for row in table.rows(database).select([]) {
        match row {
            Ok(_) => count += 1,
            Err(gone) => lost.push(format!("table {}: {gone}", shown(table.name.as_bytes()))),
        }
    }
    count
}
