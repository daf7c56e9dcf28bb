//! The catalog: one row for each table, column, index and long-value tree (reference, database.md section 8).

use crate::layout::Tree;
use crate::page::{Head, LEAF, NODE_COST, PARENT, PageWriter, ROOT, capacity};
use crate::tree::space_header;

/// The catalog itself and its shadow: number, root, pages that it owns from the root on, pages for more leaves.
pub(crate) struct Place {
    pub(crate) objid: u32,
    pub(crate) root: u32,
    pub(crate) pages: u32,
    first_leaf: u32,
}

pub(crate) const CATALOG: Place = Place { objid: 2, root: 4, pages: 20, first_leaf: 13 };
pub(crate) const SHADOW: Place = Place { objid: 3, root: 24, pages: 8, first_leaf: 27 };
/// The catalog's two secondary indexes, which are left empty: number and root.
pub(crate) const INDEXES: [(u32, u32); 2] = [(4, 7), (5, 10)];

const LATIN: u32 = 1252;
const BIT: u32 = 1;
const U8: u32 = 2;
const I16: u32 = 3;
const I32: u32 = 4;
const DATE: u32 = 8;
const BINARY: u32 = 9;
const TEXT: u32 = 10;
const LONG_BINARY: u32 = 11;
const LONG_TEXT: u32 = 12;
const U16: u32 = 17;

/// The catalog's own columns: number, type, name.
const CATALOG_COLUMNS: [(u32, u32, &str); 28] = [
    (1, I32, "ObjidTable"),
    (2, I16, "Type"),
    (3, I32, "Id"),
    (4, I32, "ColtypOrPgnoFDP"),
    (5, I32, "SpaceUsage"),
    (6, I32, "Flags"),
    (7, I32, "PagesOrLocale"),
    (8, BIT, "RootFlag"),
    (9, I16, "RecordOffset"),
    (10, I32, "LCMapFlags"),
    (11, U16, "KeyMost"),
    (12, I32, "LVChunkMax"),
    (128, TEXT, "Name"),
    (129, BINARY, "Stats"),
    (130, TEXT, "TemplateTable"),
    (131, BINARY, "DefaultValue"),
    (132, BINARY, "KeyFldIDs"),
    (133, BINARY, "VarSegMac"),
    (134, BINARY, "ConditionalColumns"),
    (135, BINARY, "TupleLimits"),
    (136, BINARY, "Version"),
    (137, BINARY, "SortID"),
    (256, LONG_BINARY, "CallbackData"),
    (257, LONG_BINARY, "CallbackDependencies"),
    (258, LONG_BINARY, "SeparateLV"),
    (259, LONG_BINARY, "SpaceHints"),
    (260, LONG_BINARY, "SpaceDeferredLVHints"),
    (261, LONG_BINARY, "LocaleName"),
];

/// The columns of the message table: number, type, name, place of a fixed column in the record.
const MESSAGE_COLUMNS: [(u32, u32, &str, u16); 17] = [
    (1, I32, "mailbox", 4),
    (2, I32, "document", 8),
    (3, I32, "folder", 12),
    (4, DATE, "received", 16),
    (5, DATE, "modified", 24),
    (6, I32, "size", 32),
    (7, I32, "flags", 36),
    (8, U8, "importance", 40),
    (9, BIT, "attached", 41),
    (128, BINARY, "message_id", 0),
    (129, BINARY, "conversation_id", 0),
    (130, TEXT, "sender", 0),
    (131, TEXT, "recipients", 0),
    (132, TEXT, "subject", 0),
    (256, LONG_TEXT, "headers", 0),
    (257, LONG_TEXT, "body", 0),
    (258, LONG_BINARY, "attachment", 0),
];

#[derive(Clone, Copy)]
enum RowKind {
    Table = 1,
    Column = 2,
    Index = 3,
    LongValue = 4,
}

/// One row of the catalog.
struct Row<'a> {
    table: u32,
    kind: RowKind,
    id: u32,
    /// Columns 4 to 7: type or root page, space, flags, pages or locale.
    numbers: [u32; 4],
    /// Of a fixed column: its place in a record.
    offset: Option<u16>,
    /// Of an index: its columns, descending ones marked.
    columns: &'a [(u8, u16)],
    name: &'a str,
}

fn segment32(value: u32) -> [u8; 5] {
    let [a, b, c, d] = (value ^ 0x8000_0000).to_be_bytes();
    [0x7F, a, b, c, d]
}

impl Row<'_> {
    /// The key: table, kind, number.
    fn key(&self) -> Vec<u8> {
        let [a, b] = (self.kind as u16 ^ 0x8000).to_be_bytes();
        [&segment32(self.table)[..], &[0x7F, a, b], &segment32(self.id)].concat()
    }

    fn bytes(&self, small_pages: bool) -> Vec<u8> {
        let last_fixed: u8 = match self.kind {
            RowKind::Table => 8,
            RowKind::Column if self.offset.is_some() => 9,
            RowKind::Column | RowKind::LongValue => 7,
            RowKind::Index => 10,
        };
        let mut fixed = self.table.to_le_bytes().to_vec();
        fixed.extend((self.kind as u16).to_le_bytes());
        fixed.extend(self.id.to_le_bytes());
        fixed.extend(self.numbers.iter().flat_map(|number| number.to_le_bytes()));
        // Column 8 says that the name is in the index of root objects; only tables have it.
        let mut nulls: u16 = 0xFFFF << last_fixed | 0x80;
        if last_fixed >= 8 {
            fixed.push(if last_fixed == 8 { 0xFF } else { 0 });
            nulls ^= if last_fixed == 8 { 0x80 } else { 0 };
        }
        if last_fixed >= 9 {
            fixed.extend(self.offset.unwrap_or(0).to_le_bytes());
            nulls |= if self.offset.is_none() { 0x100 } else { 0 };
        }
        if last_fixed >= 10 {
            fixed.extend(0x0003_0401u32.to_le_bytes());
        }
        fixed.extend(&nulls.to_le_bytes()[..usize::from(last_fixed).div_ceil(8)]);

        let last_variable = if self.columns.is_empty() { 128 } else { 132 };
        let mut row = vec![last_fixed, last_variable];
        row.extend((4 + fixed.len() as u16).to_le_bytes());
        row.extend(fixed);
        let named = self.name.len() as u16;
        row.extend(named.to_le_bytes());
        if !self.columns.is_empty() {
            row.extend([(named | 0x8000).to_le_bytes(); 3].as_flattened());
            row.extend((named + 4 * self.columns.len() as u16).to_le_bytes());
        }
        row.extend(self.name.as_bytes());
        for (flags, column) in self.columns {
            row.extend([*flags, 0]);
            row.extend(column.to_le_bytes());
        }
        if !self.columns.is_empty() {
            row.extend(261u16.to_le_bytes());
            row.extend((4 | if small_pages { 0x4000u16 } else { 0 }).to_le_bytes());
            row.push(0x01);
            row.extend("en-US".encode_utf16().flat_map(u16::to_le_bytes));
        }
        row
    }
}

fn table(objid: u32, root: u32, system: bool, name: &str) -> Row<'_> {
    let numbers = [root, 80, if system { 0xC000_0000 } else { 0 }, 16];
    Row { table: objid, kind: RowKind::Table, id: objid, numbers, offset: None, columns: &[], name }
}

fn column(table: u32, (id, kind, name, offset): (u32, u32, &str, u16)) -> Row<'_> {
    let most = match kind {
        BIT | U8 => 1,
        I16 | U16 => 2,
        I32 => 4,
        DATE => 8,
        LONG_TEXT | LONG_BINARY => 0,
        _ => 255,
    };
    let page = if matches!(kind, TEXT | LONG_TEXT) { LATIN } else { 0 };
    let offset = (id < 128).then_some(offset);
    Row { table, kind: RowKind::Column, id, numbers: [kind, most, 0, page], offset, columns: &[], name }
}

fn index<'a>(table: u32, id: u32, root: u32, flags: u32, columns: &'a [(u8, u16)], name: &'a str) -> Row<'a> {
    Row { table, kind: RowKind::Index, id, numbers: [root, 80, flags, 0x100], offset: None, columns, name }
}

/// All rows by key.
fn rows(small_pages: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
    let catalog_key: &[_] = &[(0, 1), (0, 2), (0, 3)];
    let mut rows = Vec::new();
    for (place, name) in [(&CATALOG, "MSysObjects"), (&SHADOW, "MSysObjectsShadow")] {
        rows.push(table(place.objid, place.root, true, name));
        // The engine stores 4 as the place of every column of the catalog itself.
        rows.extend(CATALOG_COLUMNS.map(|(id, kind, name)| column(place.objid, (id, kind, name, 4))));
        rows.push(index(place.objid, place.objid, place.root, 0x31, catalog_key, "Id"));
    }
    rows.push(index(2, INDEXES[0].0, INDEXES[0].1, 0x11, &[(0, 1), (0, 2), (0, 128)], "Name"));
    rows.push(index(2, INDEXES[1].0, INDEXES[1].1, 0x09, &[(0, 8), (0, 128)], "RootObjects"));

    let objid = Tree::Messages.objid();
    rows.push(table(objid, Tree::Messages.root(), false, "messages"));
    rows.extend(MESSAGE_COLUMNS.map(|described| column(objid, described)));
    rows.push(index(objid, objid, Tree::Messages.root(), 0x2F, &[(0, 1), (0, 2)], "primary"));
    let (folders, folder_key) = (Tree::Folders, [(0, 1), (0, 3), (0x40, 4)]);
    rows.push(index(objid, folders.objid(), folders.root(), 0x0E, &folder_key, "by_folder"));
    rows.push(Row {
        table: objid,
        kind: RowKind::LongValue,
        id: Tree::LongValues.objid(),
        numbers: [Tree::LongValues.root(), 100, 0, 1],
        offset: None,
        columns: &[],
        name: "LV",
    });
    let mut rows: Vec<_> = rows.iter().map(|row| (row.key(), row.bytes(small_pages))).collect();
    rows.sort();
    rows
}

/// The rows as they are spread over the leaves of a page size.
fn leaves(page_size: u32) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut leaves = vec![Vec::new()];
    // A root has 16 more bytes and the tag of its header.
    let most = capacity(page_size) - 20;
    let mut used = 0;
    for row in rows(page_size <= 8192) {
        let cost = NODE_COST + row.0.len() + row.1.len();
        if used + cost > most {
            leaves.push(Vec::new());
            used = 0;
        }
        used += cost;
        leaves.last_mut().expect("there is a leaf from the start").push(row);
    }
    leaves
}

/// Pages of `place` behind its indexes and leaves that are free: the last of them, and how many.
pub(crate) fn free(place: &Place, page_size: u32) -> (u32, u32) {
    let leaves = leaves(page_size).len() as u32;
    let used = if leaves == 1 { 0 } else { leaves };
    let last = place.root + place.pages - 1;
    (last, last + 1 - place.first_leaf - used)
}

/// Writes page `pgno` of `place`, root or leaf; answers false if the catalog does not need that page.
pub(crate) fn write(page: &mut [u8], head: Head, place: &Place, pgno: u32) -> bool {
    let leaves = leaves(page.len() as u32);
    let count = leaves.len() as u32;
    let external = space_header(place.pages, 1, true, place.root + 1);
    if pgno == place.root && count > 1 {
        let mut writer = PageWriter::new(page, Head { flags: head.flags | ROOT | PARENT, ..head }, &external);
        for leaf in 0..count {
            let bound = leaves.get(leaf as usize + 1).map_or(&[][..], |behind| &behind[0].0);
            writer.push(0, bound, &(place.first_leaf + leaf).to_le_bytes());
        }
        writer.finish();
        return true;
    }
    let leaf = if pgno == place.root { 0 } else { pgno.wrapping_sub(place.first_leaf) };
    let Some(rows) = leaves.get(leaf as usize).filter(|_| pgno == place.root || count > 1) else {
        return false;
    };
    let (flags, external, neighbours) = if pgno == place.root {
        (LEAF | ROOT, &external[..], (0, 0))
    } else {
        let prev = if leaf > 0 { pgno - 1 } else { 0 };
        (LEAF, &[][..], (prev, if leaf + 1 < count { pgno + 1 } else { 0 }))
    };
    let head = Head { flags: head.flags | flags, prev: neighbours.0, next: neighbours.1, ..head };
    let mut writer = PageWriter::new(page, head, external);
    for (key, row) in rows {
        writer.push(0, key, row);
    }
    writer.finish();
    true
}
