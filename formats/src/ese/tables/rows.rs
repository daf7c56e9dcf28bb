//! Rows of a table and entries of an index, in key order.

use super::catalog::{self, Column, Index, Table};
use super::compression::{self, Scheme};
use super::long_value::{LongValue, LongValueId};
use super::record::{FIRST_TAGGED, Field, Instance, Record, Tagged};
use super::tree::{Entries, Entry, Lost, Tree};
use super::value::{LostValue, Value};
use crate::error::Error;
use crate::ese::database::{Database, DatabaseFile};
use std::collections::BTreeMap;

/// The most bytes of long values that one row is given with, unless [`Rows::limit`] says otherwise.
const LONG_VALUES_LIMIT: u64 = 1 << 30;
/// The id of the first variable column.
const FIRST_VARIABLE: u16 = 128;

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The primary key, normalised: what secondary indexes refer to.
    pub bookmark: Vec<u8>,
    /// The values of the columns of [`Rows::columns`], in that order.
    pub values: Vec<Value>,
    /// Deleted, and not yet cleaned up. Such rows come only where [`Rows::with_deleted`] asked for them.
    pub deleted: bool,
    /// The page that it stands on.
    pub pgno: u32,
}

/// An entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The normalised key.
    pub key: Vec<u8>,
    /// The primary key of its row.
    pub bookmark: Vec<u8>,
    /// The page that it stands on.
    pub pgno: u32,
}

impl Table {
    /// Its records as a tree.
    pub fn tree<'d, F: DatabaseFile>(&self, database: &'d Database<F>) -> Tree<'d, F> {
        Tree::new(database, self.root, self.objid)
    }

    /// Its rows in the order of the primary key, with all columns.
    pub fn rows<'d, F: DatabaseFile>(&'d self, database: &'d Database<F>) -> Rows<'d, F> {
        let columns = (0..self.columns.len()).collect();
        Rows {
            database,
            table: self,
            entries: self.tree(database).entries(),
            columns,
            tagged: BTreeMap::new(),
            with_deleted: false,
            limit: LONG_VALUES_LIMIT,
        }
        .indexed()
    }
}

impl Index {
    /// Its entries in the order of their keys. Those of a primary index are the rows' own keys.
    pub fn entries<'d, F: DatabaseFile>(
        &self,
        database: &'d Database<F>,
        table: &Table,
    ) -> impl Iterator<Item = Result<IndexEntry, Box<Lost>>> + use<'d, F> {
        let primary = self.is_primary();
        let tree = if primary { table.tree(database) } else { Tree::new(database, self.root, self.objid) };
        let live =
            tree.entries().filter(|entry| entry.as_ref().map_or(true, |entry| !entry.node().is_deleted()));
        live.map(move |entry| {
            let entry = entry?;
            let (key, node) = (entry.node().key(), entry.node());
            let bookmark = if primary { key.clone() } else { node.data().to_vec() };
            Ok(IndexEntry { key, bookmark, pgno: entry.pgno() })
        })
    }
}

/// The rows of a table; see [`Table::rows`]. What cannot be read comes as an error in its place, and the rows go on.
pub struct Rows<'d, F> {
    database: &'d Database<F>,
    table: &'d Table,
    entries: Entries<'d, F>,
    /// Places in the table's columns.
    columns: Vec<usize>,
    /// Places in `columns` of the tagged ones among them, by whether they are derived, and id.
    tagged: BTreeMap<(bool, u16), usize>,
    with_deleted: bool,
    limit: u64,
}

impl<'d, F: DatabaseFile> Rows<'d, F> {
    /// Only these columns, by their places in [`Table::columns`]; others are not read. Places that the table does not
    /// have are left out.
    pub fn select(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        let known = self.table.columns.len();
        self.columns = columns.into_iter().filter(|place| *place < known).collect();
        self.indexed()
    }

    /// Rows that are flagged deleted as well.
    pub fn with_deleted(mut self) -> Self {
        self.with_deleted = true;
        self
    }

    /// The most bytes of long values that one row is given with; what would pass it comes as [`Value::Lost`], which says
    /// how long it is. Default 1 GiB.
    pub fn limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// The columns of which rows have values.
    pub fn columns(&self) -> impl Iterator<Item = &'d Column> + use<'_, 'd, F> {
        self.columns.iter().filter_map(|place| self.table.columns.get(*place))
    }

    fn indexed(mut self) -> Self {
        let tagged = self.columns().enumerate().filter(|(_, column)| column.id >= FIRST_TAGGED);
        self.tagged = tagged.map(|(place, column)| ((column.derived, column.id), place)).collect();
        self
    }

    fn row(&self, entry: &Entry) -> Result<Row, Error> {
        let record = catalog::record(entry)?;
        let mut reader = RowReader { rows: self, room: self.limit };
        let columns = self.columns();
        let mut values = columns.map(|column| untagged(&record, column)).collect::<Result<Vec<_>, _>>()?;
        for tagged in record.tagged() {
            let tagged = tagged?;
            // Tables made before derived ids existed count on from those of their template.
            let by_id = |derived| self.tagged.get(&(derived, tagged.id));
            let place = by_id(tagged.derived)
                .or_else(|| self.table.template.as_ref().and_then(|_| by_id(!tagged.derived)));
            let column = place.and_then(|place| self.table.columns.get(*self.columns.get(*place)?));
            if let (Some(place), Some(column)) = (place, column)
                && let Some(value) = values.get_mut(*place)
            {
                *value = reader.tagged(&tagged, column)?;
            }
        }
        let bookmark = entry.node().key();
        Ok(Row { bookmark, values, deleted: entry.node().is_deleted(), pgno: entry.pgno() })
    }
}

impl<F: DatabaseFile> Iterator for Rows<'_, F> {
    type Item = Result<Row, Box<Lost>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(lost) => return Some(Err(lost)),
            };
            if self.with_deleted || !entry.node().is_deleted() {
                return Some(self.row(&entry).map_err(|error| catalog::lost(&entry, error)));
            }
        }
    }
}

/// The value of a fixed or variable column, or the default of a tagged one.
fn untagged(record: &Record<'_>, column: &Column) -> Result<Value, Error> {
    let field = if column.id >= FIRST_TAGGED {
        Field::Default
    } else if column.id >= FIRST_VARIABLE {
        record.variable(column.id)?
    } else {
        let len = column.kind.value_len().unwrap_or(column.max_len as usize);
        record.fixed(column.id, column.offset.unwrap_or(0), len)?
    };
    Ok(match field {
        Field::Bytes(bytes) => Value::new(column.kind, column.codepage, bytes),
        Field::Null => Value::Null,
        Field::Default => match &column.default {
            Some(bytes) if !column.has_computed_default() => Value::new(column.kind, column.codepage, bytes),
            _ => Value::Null,
        },
    })
}

/// Reads the tagged values of one row.
struct RowReader<'r, 'd, F> {
    rows: &'r Rows<'d, F>,
    /// Bytes of long values that the row may still take.
    room: u64,
}

impl<F: DatabaseFile> RowReader<'_, '_, F> {
    fn tagged(&mut self, tagged: &Tagged<'_>, column: &Column) -> Result<Value, Error> {
        if tagged.null {
            return Ok(Value::Null);
        }
        if tagged.flags.is_encrypted() && !tagged.flags.is_separated() {
            return Ok(Value::NotDecoded { scheme: Scheme::Encrypted, bytes: tagged.bytes.to_vec() });
        }
        let instances = tagged.instances()?;
        let mut values: Vec<Value> =
            instances.iter().map(|instance| self.instance(instance, column)).collect();
        Ok(if values.len() == 1 { values.remove(0) } else { Value::Multi(values) })
    }

    fn instance(&mut self, instance: &Instance<'_>, column: &Column) -> Value {
        if instance.separated {
            return self.long_value(instance.bytes, column);
        }
        if !instance.compressed {
            return Value::new(column.kind, column.codepage, instance.bytes);
        }
        match compression::decompress(instance.bytes) {
            Ok(plain) => Value::new(column.kind, column.codepage, &plain),
            Err(scheme) => Value::NotDecoded { scheme, bytes: instance.bytes.to_vec() },
        }
    }

    fn long_value(&mut self, id: &[u8], column: &Column) -> Value {
        let lost =
            |len, why| Value::Lost(Box::new(LostValue { len, bytes: Vec::new(), lost: Vec::new(), why }));
        let Some(id) = LongValueId::from_record(id) else {
            return lost(None, format!("the id of a long value has {} bytes", id.len()));
        };
        let Some(long_values) = &self.rows.table.long_values else {
            return lost(None, format!("there is no tree for long value {id}"));
        };
        let value = long_values.read(self.rows.database, &id, self.room);
        let taken = match &value {
            LongValue::Whole(bytes) | LongValue::Encrypted(bytes) => bytes.len(),
            LongValue::Lost(value) => value.bytes.len(),
            LongValue::TooLong(_) => 0,
        };
        self.room = self.room.saturating_sub(taken as u64);
        match value {
            LongValue::Whole(bytes) => Value::long(column.kind, column.codepage, bytes),
            LongValue::Encrypted(bytes) => Value::NotDecoded { scheme: Scheme::Encrypted, bytes },
            LongValue::Lost(value) => Value::Lost(Box::new(value)),
            LongValue::TooLong(len) => {
                let room = self.room;
                lost(Some(len), format!("long value {id} has {len} bytes, and {room} are left for its row"))
            }
        }
    }
}
