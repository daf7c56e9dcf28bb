//! The catalog: which tables a database has, with their columns, indexes and long values (reference, database.md
//! section 8).

use super::long_value::LongValues;
use super::record::{FIRST_TAGGED, Field, Record};
use super::text::{self, WINDOWS_1252};
use super::tree::{Bounds, Entry, Lost, Tree};
use super::value::ColumnType;
use crate::error::Error;
use crate::ese::database::{Database, DatabaseFile};
use crate::le::{u16_at, u32_at};
use std::collections::BTreeMap;

/// Object id and root page of the catalog, and of its shadow copy.
pub(super) const CATALOG: (u32, u32) = (2, 4);
pub(super) const SHADOW: (u32, u32) = (3, 24);
/// Where the catalog's own fixed columns lie, by id from 1, and how long they are: what its rows say of it is not so.
const LAYOUT: [(u16, usize); 13] = [
    (4, 4),
    (8, 2),
    (10, 4),
    (14, 4),
    (18, 4),
    (22, 4),
    (26, 4),
    (30, 1),
    (31, 2),
    (33, 4),
    (37, 2),
    (39, 4),
    (43, 8),
];
/// The engine's limit on variable columns, in bytes; names, defaults and keys are such.
const VARIABLE_MAX: usize = 255;
const SYSTEM_OBJECT: u32 = 0x8000_0000;
/// Column type of a column that was deleted and keeps its id.
const NO_TYPE: u32 = 0;

/// What a database holds.
#[derive(Debug, Default)]
pub struct Catalog {
    /// All tables, in the order of their object ids, those of the system among them.
    pub tables: Vec<Table>,
    /// What could not be read of the catalog; its shadow copy was then asked for the same keys.
    pub lost: Vec<Box<Lost>>,
    /// What could not be read of the shadow copy.
    pub shadow_lost: Vec<Box<Lost>>,
    /// Rows that were taken from the shadow copy.
    pub shadow_rows: u64,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its object id.
    pub objid: u32,
    /// Page of the root of its records.
    pub root: u32,
    /// Flags as the catalog has them.
    pub flags: u32,
    /// The table from which it has its first columns.
    pub template: Option<String>,
    /// Its columns: those of its template first, then by id.
    pub columns: Vec<Column>,
    /// Its indexes, by object id.
    pub indexes: Vec<Index>,
    /// Its long values, if it has had any.
    pub long_values: Option<LongValues>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its id: fixed columns from 1, variable ones from 128, tagged ones from 256.
    pub id: u16,
    /// Its name.
    pub name: String,
    /// Type of its values.
    pub kind: ColumnType,
    /// Code page of text.
    pub codepage: u32,
    /// Flags as the catalog has them.
    pub flags: u32,
    /// The most bytes that a value may have; 0 for no limit but that of the type.
    pub max_len: u32,
    /// Where a fixed column lies in the record, in bytes.
    pub offset: Option<u16>,
    /// What rows have that were made before the column was, or leave it out.
    pub default: Option<Vec<u8>>,
    /// It comes from the table's template.
    pub derived: bool,
}

/// An index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Its object id.
    pub objid: u32,
    /// Page of its root: that of the table for a primary index.
    pub root: u32,
    /// Flags as the catalog has them.
    pub flags: u32,
    /// The columns of its keys.
    pub key: Vec<KeyColumn>,
}

/// A column of an index's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Id of the column.
    pub column: u16,
    /// Greatest first.
    pub descending: bool,
    /// It is a column of the table's template.
    pub derived: bool,
}

/// What an object id stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object<'c> {
    /// The records of a table.
    Table(&'c Table),
    /// A secondary index of a table.
    Index(&'c Table, &'c Index),
    /// The long values of a table.
    LongValues(&'c Table),
}

impl Table {
    /// Whether the engine keeps it for itself.
    pub fn is_system(&self) -> bool {
        self.flags & SYSTEM_OBJECT != 0
    }
}

impl Column {
    /// Whether a row may have several values of it.
    pub fn is_multi_valued(&self) -> bool {
        self.flags & 0x08 != 0
    }

    /// Whether its default is computed by the application, so that only the application knows it.
    pub fn has_computed_default(&self) -> bool {
        self.flags & 0x80 != 0
    }
}

impl Index {
    /// Whether the records of the table are kept in its order.
    pub fn is_primary(&self) -> bool {
        self.flags & 0x20 != 0
    }

    /// Whether two rows cannot have the same key.
    pub fn is_unique(&self) -> bool {
        self.flags & 0x01 != 0
    }
}

impl Catalog {
    /// Reads the catalog. What is damaged of it is taken from the shadow copy; what neither has is missing from the
    /// tables, and [`Self::lost`] and [`Self::shadow_lost`] say what it was.
    pub fn read<F: DatabaseFile>(database: &Database<F>) -> Self {
        let mut catalog = Self::default();
        let mut tables = BTreeMap::new();
        for row in rows(database, CATALOG) {
            match row {
                Ok((_, row)) => row.add_to(&mut tables),
                Err(lost) => catalog.lost.push(lost),
            }
        }
        if !catalog.lost.is_empty() {
            for row in rows(database, SHADOW) {
                match row {
                    Ok((key, row)) if catalog.lost.iter().any(|lost| lost.bounds.contains(&key)) => {
                        row.add_to(&mut tables);
                        catalog.shadow_rows += 1;
                    }
                    Ok(_) => {}
                    Err(lost) => catalog.shadow_lost.push(lost),
                }
            }
        }
        catalog.tables = finish(tables);
        catalog
    }

    /// The table of this name, whatever the case of ASCII letters, as in the engine.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name))
    }

    /// What each object id stands for.
    pub fn objects(&self) -> BTreeMap<u32, Object<'_>> {
        let mut objects = BTreeMap::new();
        for table in &self.tables {
            objects.insert(table.objid, Object::Table(table));
            for index in table.indexes.iter().filter(|index| !index.is_primary()) {
                objects.insert(index.objid, Object::Index(table, index));
            }
            if let Some(values) = &table.long_values {
                objects.insert(values.objid, Object::LongValues(table));
            }
        }
        objects
    }
}

/// A table while its rows come.
#[derive(Default)]
struct Parts {
    table: Option<Row>,
    columns: BTreeMap<u32, Column>,
    indexes: BTreeMap<u32, Index>,
    long_values: Option<LongValues>,
}

fn finish(parts: BTreeMap<u32, Parts>) -> Vec<Table> {
    let mut tables: Vec<Table> = parts.into_iter().filter_map(|(objid, parts)| parts.finish(objid)).collect();
    let with_columns: BTreeMap<String, Vec<Column>> = tables
        .iter()
        .filter_map(|table| table.template.as_ref())
        .filter_map(|name| tables.iter().find(|table| table.name.eq_ignore_ascii_case(name)))
        .map(|table| (table.name.to_ascii_lowercase(), table.columns.clone()))
        .collect();
    for table in &mut tables {
        let template = table.template.as_ref().and_then(|name| with_columns.get(&name.to_ascii_lowercase()));
        if let Some(template) = template {
            let derived = template.iter().map(|column| Column { derived: true, ..column.clone() });
            table.columns.splice(0..0, derived);
        }
    }
    tables
}

impl Parts {
    /// The table, if the row of the table itself is there.
    fn finish(self, objid: u32) -> Option<Table> {
        let row = self.table?;
        let mut columns: Vec<Column> = self.columns.into_values().collect();
        if matches!(objid, o if o == CATALOG.0 || o == SHADOW.0) {
            for column in &mut columns {
                column.offset = LAYOUT.get(usize::from(column.id).wrapping_sub(1)).map(|(offset, _)| *offset);
            }
        }
        Some(Table {
            name: row.name,
            objid,
            root: row.root_or_type,
            flags: row.flags,
            template: row.template,
            columns,
            indexes: self.indexes.into_values().collect(),
            long_values: self.long_values,
        })
    }
}

/// A row of the catalog.
struct Row {
    table: u32,
    kind: u16,
    id: u32,
    root_or_type: u32,
    max_len: u32,
    flags: u32,
    codepage: u32,
    offset: Option<u16>,
    chunk_len: Option<u32>,
    name: String,
    template: Option<String>,
    default: Option<Vec<u8>>,
    key: Vec<KeyColumn>,
}

impl Row {
    fn parse(record: &Record<'_>) -> Result<Self, Error> {
        let fixed = |id: u16| {
            let (offset, len) = LAYOUT[usize::from(id) - 1];
            match record.fixed(id, offset, len)? {
                Field::Bytes(bytes) => Ok(Some(bytes)),
                Field::Null | Field::Default => Ok::<_, Error>(None),
            }
        };
        let number = |id| Ok::<_, Error>(fixed(id)?.and_then(|bytes| u32_at(bytes, 0)));
        let variable = |id: u16| match record.variable(id)? {
            Field::Bytes(bytes) if bytes.len() > VARIABLE_MAX => {
                let found = format_args!("{} bytes of column {id}", bytes.len());
                Err(Error::format("catalog row", 0, found, "at most 255"))
            }
            Field::Bytes(bytes) if !bytes.is_empty() => Ok(Some(bytes)),
            _ => Ok(None),
        };
        let name = |id| Ok::<_, Error>(variable(id)?.map(|bytes| text::decode(bytes, WINDOWS_1252)));
        Ok(Self {
            table: number(1)?.unwrap_or(0),
            kind: fixed(2)?.and_then(|bytes| u16_at(bytes, 0)).unwrap_or(0),
            id: number(3)?.unwrap_or(0),
            root_or_type: number(4)?.unwrap_or(0),
            max_len: number(5)?.unwrap_or(0),
            flags: number(6)?.unwrap_or(0),
            codepage: number(7)?.unwrap_or(0),
            offset: fixed(9)?.and_then(|bytes| u16_at(bytes, 0)),
            chunk_len: number(12)?.filter(|len| *len > 0),
            name: name(128)?.unwrap_or_default(),
            template: name(130)?,
            default: variable(131)?.map(<[u8]>::to_vec),
            key: variable(132)?.unwrap_or(&[]).chunks_exact(4).filter_map(KeyColumn::parse).collect(),
        })
    }

    fn add_to(self, tables: &mut BTreeMap<u32, Parts>) {
        let parts = tables.entry(self.table).or_default();
        match self.kind {
            1 => parts.table = Some(self),
            2 if self.root_or_type != NO_TYPE => {
                if let Ok(id) = u16::try_from(self.id) {
                    parts.columns.insert(self.id, self.column(id));
                }
            }
            3 => {
                let Self { id: objid, root_or_type: root, flags, name, key, .. } = self;
                parts.indexes.insert(objid, Index { name, objid, root, flags, key });
            }
            4 => {
                let (root, objid, chunk_len) = (self.root_or_type, self.id, self.chunk_len);
                parts.long_values = Some(LongValues { root, objid, chunk_len });
            }
            // Callbacks, and kinds that are obsolete.
            _ => {}
        }
    }

    fn column(self, id: u16) -> Column {
        let kind = ColumnType::from_number(self.root_or_type);
        Column {
            id,
            name: self.name,
            kind,
            codepage: self.codepage,
            flags: self.flags,
            max_len: self.max_len,
            offset: self.offset.filter(|_| id < FIRST_TAGGED / 2),
            default: self.default,
            derived: false,
        }
    }
}

impl KeyColumn {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let flags = bytes.first()?;
        Some(Self { column: u16_at(bytes, 2)?, descending: flags & 0x40 != 0, derived: flags & 0x80 != 0 })
    }
}

/// The rows of the catalog or of its shadow copy, with their keys.
fn rows<F: DatabaseFile>(
    database: &Database<F>,
    (objid, root): (u32, u32),
) -> impl Iterator<Item = Result<(Vec<u8>, Row), Box<Lost>>> {
    let entries = Tree::new(database, root, objid).entries();
    let live = entries.filter(|entry| entry.as_ref().map_or(true, |entry| !entry.node().is_deleted()));
    live.map(|entry| {
        let entry = entry?;
        let row = record(&entry).and_then(|record| Row::parse(&record));
        row.map(|row| (entry.node().key(), row)).map_err(|error| lost(&entry, error))
    })
}

/// The record of an entry of a table.
pub(super) fn record(entry: &Entry) -> Result<Record<'_>, Error> {
    if !entry.page_flags().has_new_records() {
        let found = "a record in the format of before 1999";
        return Err(Error::format(format_args!("page {}", entry.pgno()), 36, found, "today's format"));
    }
    Record::parse(entry.node().data(), entry.on_large_page())
}

/// One entry that cannot be used.
pub(super) fn lost(entry: &Entry, error: Error) -> Box<Lost> {
    let bounds = Bounds::of_key(entry.node().key());
    Box::new(Lost { pgno: entry.pgno(), parent: 0, bounds, error })
}
