//! Builds small databases page by page, good ones and others.
#![allow(dead_code, reason = "each test file uses its part")]

use reel_formats::ese::PAGE_SIZES;
use reel_formats::ese::page::checksum;

/// Page flags.
pub const ROOT: u32 = 0x1;
pub const LEAF: u32 = 0x2;
pub const PARENT_OF_LEAF: u32 = 0x4;
pub const INDEX: u32 = 0x40;
pub const LONG_VALUE: u32 = 0x80;
const NEW_RECORDS: u32 = 0x800;

/// A key and the data beside it.
pub type Node = (Vec<u8>, Vec<u8>);

/// A page with these nodes; roots get an empty space header. Nodes that find no room are left out.
pub fn page(size: usize, pgno: u32, objid: u32, flags: u32, nodes: &[Node]) -> Vec<u8> {
    let (mut page, start) = (vec![0; size], if size > 8192 { 80 } else { 40 });
    let mut at = 0;
    let mut tags = 0;
    let mut put = |bytes: &[u8]| {
        let tag = size - 4 * (tags + 1);
        if start + at + bytes.len() > tag {
            return;
        }
        page[start + at..][..bytes.len()].copy_from_slice(bytes);
        page[tag..tag + 2].copy_from_slice(&(bytes.len() as u16).to_le_bytes());
        page[tag + 2..tag + 4].copy_from_slice(&(at as u16).to_le_bytes());
        at += bytes.len();
        tags += 1;
    };
    put(if flags & ROOT == 0 { &[] } else { &[0; 16] });
    for (key, data) in nodes {
        put(&[&(key.len() as u16).to_le_bytes()[..], key, data].concat());
    }
    page[24..28].copy_from_slice(&objid.to_le_bytes());
    page[34..36].copy_from_slice(&(tags as u16).to_le_bytes());
    page[36..40].copy_from_slice(&(flags | NEW_RECORDS).to_le_bytes());
    checksum::store(&mut page, pgno).expect("a page size");
    page
}

/// A node of an internal page; an empty key stands for no bound.
pub fn child(key: &[u8], pgno: u32) -> Node {
    (key.to_vec(), pgno.to_le_bytes().to_vec())
}

/// A clean database of these pages; those between are zero.
pub fn database(size: usize, pages: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut header = vec![0; size];
    for (at, word) in [(4, 0x89AB_CDEF), (8, 0x620), (52, 3), (232, 20), (236, size as u32), (667, 1)] {
        header[at..at + 4].copy_from_slice(&u32::to_le_bytes(word));
    }
    let sum = checksum::header_xor(&header);
    header[..4].copy_from_slice(&sum.to_le_bytes());
    let last = pages.iter().map(|(pgno, _)| *pgno as usize).max().unwrap_or(0);
    let mut file = [&header[..], &header[..]].concat();
    file.resize((last + 2) * size, 0);
    for (pgno, page) in pages {
        file[(*pgno as usize + 1) * size..][..size].copy_from_slice(page);
    }
    file
}

/// A row of the catalog: table, kind, id, root or type, largest length, flags, code page, offset, name, template.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    pub table: u32,
    pub kind: u16,
    pub id: u32,
    pub root: u32,
    pub max_len: u32,
    pub flags: u32,
    pub codepage: u32,
    pub offset: u16,
    pub name: &'a str,
    pub template: &'a str,
}

impl Row<'_> {
    pub fn node(&self) -> Node {
        let mut fixed = vec![];
        fixed.extend(self.table.to_le_bytes());
        fixed.extend(self.kind.to_le_bytes());
        for number in [self.id, self.root, self.max_len, self.flags, self.codepage] {
            fixed.extend(number.to_le_bytes());
        }
        fixed.push(0);
        fixed.extend(self.offset.to_le_bytes());
        let key = [&self.table.to_be_bytes()[..], &self.kind.to_be_bytes(), &self.id.to_be_bytes()].concat();
        let variable = [self.name.as_bytes(), b"", self.template.as_bytes()];
        (key, record(&fixed, 9, if self.template.is_empty() { &variable[..1] } else { &variable }, &[]))
    }
}

/// A record of fixed columns up to `last`, none of them NULL, variable ones from 128, and tagged ones as they are given.
pub fn record(fixed: &[u8], last: u8, variable: &[&[u8]], tagged: &[u8]) -> Vec<u8> {
    let nulls = vec![0; usize::from(last).div_ceil(8)];
    let end = (4 + fixed.len() + nulls.len()) as u16;
    let mut record = vec![last, 127 + variable.len() as u8, end as u8, (end >> 8) as u8];
    record.extend(fixed);
    record.extend(nulls);
    let mut at = 0;
    for value in variable {
        at += value.len() as u16;
        record.extend(at.to_le_bytes());
    }
    record.extend(variable.concat());
    record.extend(tagged);
    record
}

/// The catalog of one table `t` (object 10, root 11) with an id, a name and a long column, an index (object 12, root 13)
/// and long values (object 14, root 15).
pub fn catalog(size: usize) -> Vec<u8> {
    page(size, 4, 2, ROOT | LEAF, &catalog_rows())
}

/// The rows of that catalog.
pub fn catalog_rows() -> Vec<Node> {
    let row = |kind, id, root, name| Row {
        table: 10,
        kind,
        id,
        root,
        max_len: 0,
        flags: 0,
        codepage: 1252,
        offset: 0,
        name,
        template: "",
    };
    let rows = [
        Row { max_len: 1, ..row(1, 10, 11, "t") },
        Row { offset: 4, ..row(2, 1, 4, "id") },
        Row { max_len: 100, ..row(2, 128, 10, "name") },
        row(2, 256, 11, "data"),
        row(3, 12, 13, "ix"),
        row(4, 14, 15, "LV"),
    ];
    rows.iter().map(Row::node).collect()
}

/// A row of that table: its long column refers to long value `lid`.
pub fn row(size: usize, id: u32, name: &str, lid: u32) -> Node {
    let flags = if size > 8192 { 0 } else { 0x4000 };
    let mut tagged = vec![0, 1];
    tagged.extend((4u16 | flags).to_le_bytes());
    tagged.push(0x05);
    tagged.extend(lid.to_le_bytes());
    let key = [&[0x7F][..], &(id ^ 0x8000_0000).to_be_bytes()].concat();
    (key, record(&id.to_le_bytes(), 1, &[name.as_bytes()], &tagged))
}

/// The root of a long value of `len` bytes.
pub fn long_root(lid: u32, len: u32) -> Node {
    (lid.to_be_bytes().to_vec(), [1u32.to_le_bytes(), len.to_le_bytes()].concat())
}

/// A chunk of a long value.
pub fn chunk(lid: u32, offset: u32, data: &[u8]) -> Node {
    ([lid.to_be_bytes(), offset.to_be_bytes()].concat(), data.to_vec())
}

/// A table with two rows, one of which has a long value of two chunks, and an index.
pub fn small(size: usize) -> Vec<(u32, Vec<u8>)> {
    let entry = (b"\x7fone".to_vec(), b"\x7f\x80\0\0\x01".to_vec());
    let first = size - 82;
    let long = [long_root(7, first as u32 + 3), chunk(7, 0, &[0x0C, 1, 2]), chunk(7, first as u32, b"end")];
    vec![
        (4, catalog(size)),
        (11, page(size, 11, 10, ROOT | LEAF, &[row(size, 1, "one", 7), row(size, 2, "two", 8)])),
        (13, page(size, 13, 12, ROOT | LEAF | INDEX, &[entry])),
        (15, page(size, 15, 14, ROOT | LEAF | LONG_VALUE, &long)),
    ]
}

/// The highest page number of a packed database.
const PACKED_LAST: u8 = 31;

/// A database for a fuzzer: the number of its page size, then each page as its number, the lengths of what stands at its
/// beginning and at its end, and these bytes.
pub fn pack(size: usize, pages: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let number = PAGE_SIZES.iter().position(|known| *known as usize == size).expect("a page size");
    let mut packed = vec![number as u8];
    for (pgno, page) in pages {
        // The longest run of zeros lies between the nodes and the tags.
        let (mut best, mut start) = (0..0, 0);
        for (at, byte) in page.iter().enumerate() {
            if *byte != 0 {
                start = at + 1;
            } else if at + 1 - start > best.len() {
                best = start..at + 1;
            }
        }
        let (front, tail) = (&page[..best.start], &page[best.end..]);
        packed.push(*pgno as u8);
        packed.extend((front.len() as u16).to_le_bytes());
        packed.extend((tail.len() as u16).to_le_bytes());
        packed.extend([front, tail].concat());
    }
    packed
}

/// The database that any bytes stand for, with all checksums right.
pub fn unpack(packed: &[u8]) -> Vec<u8> {
    let (number, mut rest) = packed.split_first().unwrap_or((&0, &[]));
    let size = PAGE_SIZES[usize::from(*number) % PAGE_SIZES.len()] as usize;
    let mut pages = Vec::new();
    while let Some(([pgno, front_low, front_high, tail_low, tail_high], body)) = rest.split_first_chunk() {
        let len = |low, high| usize::from(u16::from_le_bytes([low, high])).min(size);
        let (front, body) = body.split_at(len(*front_low, *front_high).min(body.len()));
        let (tail, body) = body.split_at(len(*tail_low, *tail_high).min(body.len()));
        let mut page = vec![0; size];
        page[..front.len()].copy_from_slice(front);
        page[size - tail.len()..].copy_from_slice(tail);
        let pgno = u32::from(pgno % (PACKED_LAST + 1)).max(1);
        page[37] |= 0x20;
        checksum::store(&mut page, pgno).expect("a page size");
        pages.push((pgno, page));
        rest = body;
    }
    database(size, &pages)
}
