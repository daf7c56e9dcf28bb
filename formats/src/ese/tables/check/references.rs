//! What refers to what: entries of indexes to rows, rows to long values, roots of long values to their chunks.

use super::finding::Kind;
use super::{Checker, index_name};
use crate::ese::database::DatabaseFile;
use crate::ese::tables::catalog::{self, Index, Table};
use crate::ese::tables::compression::{self, Scheme};
use crate::ese::tables::long_value::{LongValueId, LongValues, Root};
use crate::ese::tables::tree::{Entry, Tree};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Rows or long values of one table that are held against what refers to them.
const MAX_HELD: usize = 16 << 20;

/// References of rows to long values, by id: how many there are, and the page of the first.
type References = HashMap<u64, (u32, u32)>;

/// What is held of the rows of a table.
struct Rows {
    /// Their keys, hashed and sorted.
    keys: Vec<u64>,
    references: References,
    /// No reference can have been overlooked.
    all_known: bool,
}

impl<F: DatabaseFile> Checker<'_, F> {
    /// Checks the references of one table, as far as the trees on both ends are `whole`, which is told by their roots.
    /// They are taken out of there, so that no tree is read again and again, however often the catalog names it.
    pub(super) fn references(&mut self, table: &Table, whole: &mut HashSet<u32>) {
        if !whole.remove(&table.root) {
            return;
        }
        let Some(rows) = self.rows(table) else { return };
        for index in &table.indexes {
            if whole.remove(&index.root) {
                self.index(table, index, &rows.keys);
            }
        }
        match &table.long_values {
            Some(values) if whole.remove(&values.root) => self.long_values(table, values, rows),
            Some(_) => {}
            None => {
                if let Some((id, (_, page))) = rows.references.iter().min_by_key(|(_, (_, page))| *page) {
                    let what = format!("a row refers to long value {id:#x}, and the table has none");
                    self.of_table(Kind::LongValueMissing, *page, &table.name, what);
                }
            }
        }
    }

    fn rows(&mut self, table: &Table) -> Option<Rows> {
        let (mut keys, mut references) = (Vec::new(), References::new());
        let (mut damaged, mut old) = (false, false);
        for entry in table.tree(self.database).entries() {
            self.progress();
            if self.is_stopped() {
                return None;
            }
            // The walk found the tree whole.
            let Ok(entry) = entry else { return None };
            if entry.node().is_deleted() {
                continue;
            }
            self.report.rows += 1;
            if keys.len() >= MAX_HELD || references.len() >= MAX_HELD {
                let what = format!("more than {MAX_HELD} rows or long values: references are not checked");
                self.of_table(Kind::Unchecked, table.root, &table.name, what);
                return None;
            }
            keys.push(hash(&entry.node().key()));
            if !entry.page_flags().has_new_records() {
                old = true;
            } else if let Err(what) = refer(&entry, &mut references) {
                damaged = true;
                self.of_table(Kind::Record, entry.pgno(), &table.name, what);
            }
        }
        keys.sort_unstable();
        if old {
            let what = "records in the format of before 1999: their values are not checked".into();
            self.of_table(Kind::Unchecked, table.root, &table.name, what);
        }
        Some(Rows { keys, references, all_known: !damaged && !old })
    }

    fn index(&mut self, table: &Table, index: &Index, keys: &[u64]) {
        let (mut missing, mut first) = (0u64, None);
        for entry in Tree::new(self.database, index.root, index.objid).entries().flatten() {
            self.progress();
            if self.is_stopped() {
                return;
            }
            if entry.node().is_deleted() {
                continue;
            }
            self.report.index_entries += 1;
            if keys.binary_search(&hash(entry.node().data())).is_err() {
                missing += 1;
                first.get_or_insert(entry.pgno());
            }
        }
        if let Some(page) = first {
            let what = format!("{missing} entries for rows that the table does not have");
            self.of_table(Kind::IndexEntry, page, &index_name(table, &index.name), what);
        }
    }

    /// Checks every long value, and which of them rows refer to.
    fn long_values(&mut self, table: &Table, values: &LongValues, rows: Rows) {
        let mut references = rows.references;
        let name = format!("{}, long values", table.name);
        let mut current: Option<Value> = None;
        let (mut unused, mut unused_bytes) = (0u64, 0u64);
        for entry in values.tree(self.database).entries().flatten() {
            self.progress();
            if self.is_stopped() {
                return;
            }
            let (node, page) = (entry.node(), entry.pgno());
            if node.is_deleted() {
                continue;
            }
            let key = node.key();
            let Some(id) = LongValueId::of_root(&key) else {
                let trouble = match &mut current {
                    Some(value) => value.add(&key, &entry),
                    None => Some("a chunk before any root".to_owned()),
                };
                if let Some(what) = trouble {
                    self.of_table(Kind::LongValue, page, &name, what);
                }
                continue;
            };
            self.finish(current.take(), &name);
            self.report.long_values += 1;
            let Some(root) = Root::parse(node.data()) else {
                let what = format!("root of long value {id}: {} bytes, expected 8", node.data().len());
                self.of_table(Kind::LongValue, page, &name, what);
                continue;
            };
            let referred = references.remove(&id.number());
            match referred {
                Some(_) if root.references == 0 => {
                    let what = format!("long value {id} is deleted, and a row refers to it");
                    self.of_table(Kind::LongValueMissing, page, &name, what);
                }
                // It would go with the last reference that it counts.
                Some((count, _)) if count > root.references => {
                    let what =
                        format!("long value {id} counts {} references, {count} are there", root.references);
                    self.of_table(Kind::LongValue, page, &name, what);
                }
                Some(_) => {}
                None => {
                    unused += 1;
                    unused_bytes += u64::from(root.len);
                }
            }
            current = Some(Value::new(id, root, page));
        }
        self.finish(current, &name);
        let missing = references.len();
        if let Some((id, (_, page))) = references.into_iter().min_by_key(|(id, (_, page))| (*page, *id)) {
            let what =
                format!("{missing} long values to which rows refer are not there, the first is {id:#x}");
            self.of_table(Kind::LongValueMissing, page, &table.name, what);
        }
        if unused > 0 && rows.all_known {
            let what = format!("no row refers to {unused} long values of {unused_bytes} bytes");
            self.of_table(Kind::LongValueUnused, values.root, &name, what);
        }
    }

    /// Says what is wrong with a value whose chunks have all come.
    fn finish(&mut self, value: Option<Value>, name: &str) {
        if let Some((value, what)) = value.and_then(|value| value.finish().map(|what| (value, what))) {
            self.of_table(Kind::LongValue, value.page, name, what);
        }
    }

    fn of_table(&mut self, kind: Kind, page: u32, name: &str, what: String) {
        self.say_with(kind, Some(page), Some(name), kind.jet(), what);
    }
}

fn hash(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Adds the references of one row to long values. The error says what of its record does not add up.
fn refer(entry: &Entry, references: &mut References) -> Result<(), String> {
    let at = |error: crate::error::Error| format!("line {}: {error}", entry.line());
    let record = catalog::record(entry).map_err(at)?;
    for tagged in record.tagged() {
        let tagged = tagged.map_err(at)?;
        if tagged.null {
            continue;
        }
        for instance in tagged.instances().map_err(at)?.iter().filter(|instance| instance.separated) {
            let id = LongValueId::from_record(instance.bytes).ok_or_else(|| {
                let found = instance.bytes.len();
                format!("line {}: id of a long value of {found} bytes, expected 4 or 8", entry.line())
            })?;
            let (count, _) = references.entry(id.number()).or_insert((0, entry.pgno()));
            *count = count.saturating_add(1);
        }
    }
    Ok(())
}

/// A long value while its chunks come.
struct Value {
    id: LongValueId,
    root: Root,
    page: u32,
    /// The chunk before: where it begins, what it gives at most and whether that is all it can give.
    last: Option<Chunk>,
    /// Length of all chunks but the last, once two were seen.
    step: Option<u32>,
    /// Something was said of it already.
    told: bool,
}

struct Chunk {
    offset: u32,
    stored: u32,
    /// What it expands to, if it can be expanded; the error is a scheme that is not decoded.
    expanded: Result<u32, Scheme>,
}

impl Value {
    fn new(id: LongValueId, root: Root, page: u32) -> Self {
        Self { id, root, page, last: None, step: None, told: false }
    }

    /// Takes the next chunk; says what is wrong with it or the one before.
    fn add(&mut self, key: &[u8], entry: &Entry) -> Option<String> {
        // The chunks of a deleted value go one by one.
        if self.told || self.root.references == 0 {
            return None;
        }
        let wrong = self.next(key, entry);
        self.told = wrong.is_some();
        wrong.map(|what| format!("long value {}: {what}", self.id))
    }

    fn next(&mut self, key: &[u8], entry: &Entry) -> Option<String> {
        let Some(offset) = self.id.chunk_offset(key) else {
            return Some("a chunk of another value behind its root".into());
        };
        let expected = match (&self.last, self.step) {
            (None, _) => Some(0),
            (Some(last), Some(step)) => last.offset.checked_add(step),
            (Some(last), None) => {
                self.step = offset.checked_sub(last.offset).filter(|step| *step > 0);
                self.step.map(|_| offset)
            }
        };
        if expected != Some(offset) || offset >= self.root.len {
            let len = self.root.len;
            return Some(match expected {
                Some(at) if at != offset => format!("a chunk at byte {offset}, expected one at byte {at}"),
                _ => format!("a chunk at byte {offset}, of {len} bytes in all"),
            });
        }
        let wrong = self.last.as_ref().and_then(|last| last.gives(offset - last.offset, self.root.encrypted));
        let node = entry.node();
        let expanded = compression::decompress(node.data()).map(|plain| plain.len() as u32);
        self.last = Some(Chunk { offset, stored: node.data().len() as u32, expanded });
        wrong
    }

    /// Says what is missing at its end.
    fn finish(&self) -> Option<String> {
        if self.told || self.root.references == 0 {
            return None;
        }
        let len = self.root.len;
        let what = match &self.last {
            None if len > 0 => Some(format!("no chunks of its {len} bytes")),
            None => None,
            Some(last) => {
                let rest = len.saturating_sub(last.offset);
                match self.step {
                    Some(step) if rest > step => Some(format!(
                        "chunks for {} of {len} bytes",
                        u64::from(last.offset) + u64::from(step)
                    )),
                    _ => last.gives(rest, self.root.encrypted),
                }
            }
        };
        what.map(|what| format!("long value {}: {what}", self.id))
    }
}

impl Chunk {
    /// Why it does not give `wanted` bytes. A chunk with as many bytes as it shall give is not compressed.
    fn gives(&self, wanted: u32, encrypted: bool) -> Option<String> {
        let Self { offset, stored, expanded } = self;
        if *stored == wanted || encrypted {
            return None;
        }
        match expanded {
            Ok(len) if *len == wanted => None,
            Err(Scheme::Xpress9 | Scheme::Xpress10 | Scheme::Lz4 | Scheme::Scrubbed) if *stored < wanted => {
                None
            }
            _ => Some(format!("the chunk at byte {offset} has {stored} bytes and does not give {wanted}")),
        }
    }
}
