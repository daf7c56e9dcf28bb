//! A small database, and its entry in the header of a log.
//!
//! | pages | what |
//! | --- | --- |
//! | 1, 2, 3 | the database's root, its owned and available extents |
//! | 10 to 15 | a tree with leaves 11, 12, 13 and its own extents in 14 and 15 |
//! | 20 | a tree of one page |
//! | 22 | a tree of one page whose keys are not unique |
//! | 30 | a tree of one page like those of long values |
//! | the others up to 50 | zeros |

use reel_formats::ese::page::checksum::{header_xor, store};
use reel_formats::ese::page::edit::EditPage;

/// Update counter of all pages.
pub const DBTIME: u64 = 0x100;
/// The last page.
pub const LAST: u32 = 50;
/// Roots of the trees.
pub const TABLE: u32 = 10;
/// Leaves of the table, from left to right.
pub const LEAVES: [u32; 3] = [11, 12, 13];
/// Roots of the table's owned and available extents.
pub const TABLE_SPACE: [u32; 2] = [14, 15];
/// The tree of one page.
pub const SMALL: u32 = 20;
/// The tree whose keys are not unique.
pub const INDEX: u32 = 22;
/// The tree of long values.
pub const LONG_VALUES: u32 = 30;
/// Lines of each leaf of the table.
pub const LEAF_LINES: usize = 8;
/// The signature of the logs.
pub const LOG_SIGNATURE: [u8; 28] = [9; 28];
const SIGNATURE: [u8; 28] = [7; 28];

const ROOT: u32 = 0x1;
const LEAF: u32 = 0x2;
const PARENT_OF_LEAF: u32 = 0x4;
const SPACE: u32 = 0x20;
const OF_INDEX: u32 = 0x40;
const OF_LONG_VALUES: u32 = 0x80;
const NON_UNIQUE: u32 = 0x400;
const NEW_RECORDS: u32 = 0x800;

/// What the database is made for.
pub struct Base {
    /// Bytes in a page.
    pub page_size: u32,
    /// Whether it needs the logs.
    pub dirty: bool,
    /// How many logs there are.
    pub logs: u32,
}

impl Base {
    /// The bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let size = self.page_size as usize;
        let mut file = vec![0; size * (LAST as usize + 2)];
        let header = self.header();
        file[..size].copy_from_slice(&header);
        file[size..2 * size].copy_from_slice(&header);
        for mut page in self.pages() {
            let pgno = page.pgno();
            store(page.bytes_mut(), pgno).expect("a page has the length of one");
            file[(pgno as usize + 1) * size..][..size].copy_from_slice(page.bytes_mut());
        }
        file
    }

    /// The page `pgno` of [`Self::bytes`].
    pub fn page(&self, pgno: u32) -> Vec<u8> {
        let size = self.page_size as usize;
        self.bytes()[(pgno as usize + 1) * size..][..size].to_vec()
    }

    fn header(&self) -> Vec<u8> {
        let mut page = vec![0; self.page_size as usize];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(4, &0x89AB_CDEFu32.to_le_bytes());
        put(8, &0x620u32.to_le_bytes());
        put(16, &DBTIME.to_le_bytes());
        put(24, &SIGNATURE);
        put(52, &(if self.dirty { 2u32 } else { 3 }).to_le_bytes());
        put(56, &consistent(self.dirty));
        put(80, &ATTACHED);
        put(104, &1u32.to_le_bytes());
        put(108, &LOG_SIGNATURE);
        put(212, &20u32.to_le_bytes());
        put(232, &20u32.to_le_bytes());
        put(236, &self.page_size.to_le_bytes());
        if self.dirty {
            put(296, &1u32.to_le_bytes());
            put(300, &self.logs.to_le_bytes());
            put(416, &self.logs.to_le_bytes());
        }
        put(667, &1u32.to_le_bytes());
        let sum = header_xor(&page);
        page[..4].copy_from_slice(&sum.to_le_bytes());
        page
    }

    fn pages(&self) -> Vec<EditPage> {
        let own = self.tree(1, 1, ROOT | LEAF, &space_header(LAST, 0, 1, 2), &[]);
        let extent = |last: u32, pages: u32| (last.to_be_bytes().to_vec(), pages.to_le_bytes().to_vec());
        let space =
            |pgno, objid, extents: &[_]| self.tree(pgno, objid, ROOT | LEAF | SPACE, &[0; 16], extents);
        let table = [(&b"key20"[..], LEAVES[0]), (b"key40", LEAVES[1]), (b"", LEAVES[2])];
        let pointers = table.map(|(key, leaf)| (key.to_vec(), leaf.to_le_bytes().to_vec()));
        let header = space_header(6, 1, 1, TABLE_SPACE[0]);
        let mut pages = vec![
            own,
            space(2, 1, &[extent(LAST, LAST)]),
            space(3, 1, &[extent(LAST, 20)]),
            self.tree(TABLE, 7, ROOT | PARENT_OF_LEAF, &header, &pointers),
            space(TABLE_SPACE[0], 7, &[extent(15, 6)]),
            space(TABLE_SPACE[1], 7, &[]),
        ];
        for (number, pgno) in LEAVES.into_iter().enumerate() {
            let line = |line| (format!("key{}{line}", 2 * number + 1).into_bytes(), vec![b'd'; 20 + line]);
            let lines: Vec<_> = (0..LEAF_LINES).map(line).collect();
            let mut leaf = self.tree(pgno, 7, LEAF, b"key", &lines);
            leaf.set_previous(number.checked_sub(1).map_or(0, |before| LEAVES[before]));
            leaf.set_next(LEAVES.get(number + 1).copied().unwrap_or(0));
            pages.push(leaf);
        }
        let one = space_header(2, 1, 0, 1);
        let counters: Vec<_> = (b'a'..b'g').map(|key| (vec![key], vec![key; 12])).collect();
        pages.push(self.tree(SMALL, 8, ROOT | LEAF, &one, &counters));
        let entries: Vec<_> = (b'a'..b'g').map(|data| (b"same".to_vec(), vec![data; 5])).collect();
        let one_non_unique = space_header(2, 1, 2, 1);
        pages.push(self.tree(INDEX, 9, ROOT | LEAF | OF_INDEX | NON_UNIQUE, &one_non_unique, &entries));
        let mut values = Vec::new();
        for number in 1..4u32 {
            let key = number.to_be_bytes();
            values.push((key.to_vec(), [1u32, 40].map(u32::to_le_bytes).concat()));
            values.push(([key, [0; 4]].concat(), vec![b'v'; 40]));
        }
        pages.push(self.tree(LONG_VALUES, 10, ROOT | LEAF | OF_LONG_VALUES, &one, &values));
        pages
    }

    fn tree(
        &self,
        pgno: u32,
        objid: u32,
        flags: u32,
        header: &[u8],
        lines: &[(Vec<u8>, Vec<u8>)],
    ) -> EditPage {
        let made = EditPage::create(self.page_size, pgno, objid, flags | NEW_RECORDS, DBTIME);
        let mut page = made.expect("a page size");
        page.set_external_header(header).expect("an empty page has room");
        for (number, (key, data)) in lines.iter().enumerate() {
            page.insert_key(number, key, data, false).expect("few lines have room");
        }
        page
    }
}

/// (generation 1, sector 1, byte 8), where the base was attached.
const ATTACHED: [u8; 8] = [8, 0, 1, 0, 1, 0, 0, 0];

fn consistent(dirty: bool) -> [u8; 8] {
    if dirty { [0; 8] } else { [16, 0, 1, 0, 1, 0, 0, 0] }
}

/// What a root says of the space of its tree.
pub fn space_header(primary: u32, parent: u32, flags: u32, last: u32) -> [u8; 16] {
    let mut header = [0; 16];
    for (word, value) in header.chunks_mut(4).zip([primary, parent, flags, last]) {
        word.copy_from_slice(&value.to_le_bytes());
    }
    header
}

/// Writes the base as database 1 into the list of attachments of a log's header.
pub fn attach(log: &mut [u8], dirty: bool) {
    let entry = &mut log[671..671 + 66];
    entry[..4].copy_from_slice(&[1, 0, 2, 0]);
    entry[4..12].copy_from_slice(&DBTIME.to_le_bytes());
    entry[20..28].copy_from_slice(&ATTACHED);
    entry[28..36].copy_from_slice(&consistent(dirty));
    entry[36..64].copy_from_slice(&SIGNATURE);
    entry[64..].copy_from_slice(b"a\0");
}
