//! The message table and its folder index (reference, database.md section 9).
//!
//! Columns and their places are those that [`crate::catalog`] describes.

use crate::content::{self, Kind};
use crate::layout::Tree;
use crate::page::{NODE_COST, PageWriter, node, node_count};
use crate::random::{Random, hash};
use crate::store::Store;

/// The fixed columns end here; two bytes of null bits follow.
const FIXED_END: usize = 42;
const RECORD_HEAD: [u8; 4] = [9, 132, 44, 0];
/// Days from the start of the date column's calendar to 2026.
const DATE: f64 = 46_023.0;
/// A key shares all but its last byte with the other keys of its page.
const MESSAGE_PREFIX: usize = 9;
const FOLDER_PREFIX: usize = 10;
/// A folder key's own bytes: a date, newest first.
const FOLDER_SUFFIX: usize = 9;
/// The most records that one byte of the key can number.
const MOST_RECORDS: u32 = 250;

/// A signed 32-bit column in a key.
fn segment(value: u32) -> [u8; 5] {
    let [a, b, c, d] = (value ^ 0x8000_0000).to_be_bytes();
    [0x7F, a, b, c, d]
}

/// The key of record `record` of a leaf: mailbox and document number.
pub(crate) fn message_key(extent: u32, leaf: u32, record: u32) -> [u8; 10] {
    let mut key = [0; 10];
    key[..5].copy_from_slice(&segment(1 + extent / 4));
    key[5..].copy_from_slice(&segment((extent * 64 + leaf) << 8 | record));
    key
}

/// The first bytes of all keys of a leaf of the folder index: mailbox and folder.
fn folder_prefix(extent: u32, leaf: u32) -> [u8; 10] {
    let mut key = [0; 10];
    key[..5].copy_from_slice(&segment(1 + extent));
    key[5..].copy_from_slice(&segment(1 + leaf));
    key
}

/// The descending date of entry `age` ticks from the newest.
fn folder_suffix(age: u64) -> [u8; FOLDER_SUFFIX] {
    let mut suffix = [0x80; FOLDER_SUFFIX];
    suffix[1..].copy_from_slice(&(0x3F19_0000_0000_0000 + age).to_be_bytes());
    suffix
}

/// The first key of a leaf of the folder index.
pub(crate) fn folder_key(extent: u32, leaf: u32) -> Vec<u8> {
    [&folder_prefix(extent, leaf)[..], &folder_suffix(0)].concat()
}

/// The prefix that a leaf's external header holds.
pub(crate) fn leaf_prefix(tree: Tree, extent: u32, leaf: u32) -> Vec<u8> {
    match tree {
        Tree::Messages => message_key(extent, leaf, 0)[..MESSAGE_PREFIX].to_vec(),
        Tree::Folders => folder_prefix(extent, leaf).to_vec(),
        Tree::LongValues => Vec::new(),
    }
}

/// The parts of a record behind its fixed columns.
struct Record {
    variable: Vec<Vec<u8>>,
    /// Column number and value with its header byte, by column.
    tagged: Vec<(u16, Vec<u8>)>,
}

impl Record {
    /// The whole record, `fixed` in front; small pages mark in the offset that a header byte is there.
    fn bytes(&self, fixed: &[u8; FIXED_END], small: bool) -> Vec<u8> {
        let mut record = fixed.to_vec();
        record.extend([0, 0xFE]);
        let mut end = 0;
        for value in &self.variable {
            end += value.len() as u16;
            record.extend(end.to_le_bytes());
        }
        record.extend(self.variable.iter().flatten());
        let mut at = 4 * self.tagged.len() as u16;
        for (column, value) in &self.tagged {
            record.extend(column.to_le_bytes());
            record.extend((at | if small { 0x4000 } else { 0 }).to_le_bytes());
            at += value.len() as u16;
        }
        record.extend(self.tagged.iter().flat_map(|(_, value)| value));
        record
    }
}

/// A tagged value that only names a long value.
fn separated(lid: u32) -> Vec<u8> {
    let [a, b, c, d] = lid.to_le_bytes();
    vec![0x05, a, b, c, d]
}

impl Store {
    /// The long values that the messages of leaf `leaf` name: bodies, and attachments.
    fn named_values(&self, extent: u32, leaf: u32) -> (Vec<u32>, Vec<u32>) {
        let slots = crate::values::Cut::of(self.page_size()).slots;
        let (mut bodies, mut attachments) = (Vec::new(), Vec::new());
        for holder in Tree::values_named_by(extent) {
            let values = self.values(holder).skip_while(|value| value.slot < leaf * slots);
            for value in values.take_while(|value| value.slot < (leaf + 1) * slots) {
                match Kind::of(value.content) {
                    Kind::Body => bodies.push(value.lid),
                    _ => attachments.push(value.lid),
                }
            }
        }
        (bodies, attachments)
    }

    /// A text of `low` to `high` bytes.
    fn text(&self, random: &mut Random, low: u32, high: u32) -> Vec<u8> {
        let mut text = vec![0; random.between(low, high) as usize];
        self.dictionary().text(random, &mut text);
        text
    }

    fn address(&self, random: &mut Random) -> Vec<u8> {
        let mut address = self.dictionary().word(random).to_vec();
        address.push(b'.');
        address.extend(self.dictionary().word(random));
        address.extend(b"@mail.example");
        address
    }

    /// Adds the records of leaf `leaf` of the message table, as many as it holds.
    pub(crate) fn fill_messages(&self, writer: &mut PageWriter, extent: u32, leaf: u32) {
        let mut random = Random::new(hash(&[self.seed(), 0x3E, u64::from(extent), u64::from(leaf)]));
        let (bodies, attachments) = self.named_values(extent, leaf);
        let small = self.page_size() <= 8192;
        let longest = (self.page_size() / 8).min(1100);
        for line in 0..MOST_RECORDS {
            let key = message_key(extent, leaf, line);
            let place = line as usize;
            let mut headers = vec![0; 1 + random.between(longest / 3, longest) as usize];
            headers[0] = 0x01;
            content::headers(self.dictionary(), &mut random, &mut headers[1..]);
            let mut tagged = vec![(256, headers)];
            tagged.extend(bodies.get(place).map(|&lid| (257, separated(lid))));
            tagged.extend(attachments.get(place).map(|&lid| (258, separated(lid))));
            let mut ids = vec![0; 36];
            random.fill(&mut ids);
            let conversation = ids.split_off(20);
            let (sender, recipients) = (self.address(&mut random), self.address(&mut random));
            let variable = vec![ids, conversation, sender, recipients, self.text(&mut random, 10, 60)];

            let date = DATE + f64::from(leaf) + f64::from(random.below(86_400)) / 86_400.0;
            let mut fixed = [0; FIXED_END];
            fixed[..4].copy_from_slice(&RECORD_HEAD);
            fixed[4..8].copy_from_slice(&(1 + extent / 4).to_le_bytes());
            fixed[8..12].copy_from_slice(&((extent * 64 + leaf) << 8 | line).to_le_bytes());
            fixed[12..16].copy_from_slice(&random.between(1, 14).to_le_bytes());
            fixed[16..24].copy_from_slice(&date.to_le_bytes());
            fixed[24..32].copy_from_slice(&date.to_le_bytes());
            fixed[32..36].copy_from_slice(&random.between(2000, 60_000).to_le_bytes());
            fixed[36..40].copy_from_slice(&random.below(4).to_le_bytes());
            fixed[40] = random.below(3) as u8;
            fixed[41] = if attachments.len() > place { 0xFF } else { 0 };
            let record = Record { variable, tagged }.bytes(&fixed, small);

            let suffix = &key[MESSAGE_PREFIX..];
            if writer.room() < NODE_COST + 2 + suffix.len() + record.len() {
                break;
            }
            writer.push(MESSAGE_PREFIX, suffix, &record);
        }
    }

    /// Marks some messages as read, moves them to another folder, and says when.
    pub(crate) fn edit_messages(page: &mut [u8], random: &mut Random, day: u32) {
        let count = node_count(page) as u32;
        for _ in 0..random.between(1, 4) {
            let data = node(page, random.below(count) as usize).data;
            let record = &mut page[data];
            let modified = DATE + 100.0 + f64::from(day) + f64::from(random.below(86_400)) / 86_400.0;
            record[12..16].copy_from_slice(&random.between(1, 14).to_le_bytes());
            record[24..32].copy_from_slice(&modified.to_le_bytes());
            record[36] ^= 1;
        }
    }

    /// Adds the entries of leaf `leaf` of the folder index.
    pub(crate) fn fill_folders(&self, writer: &mut PageWriter, extent: u32, leaf: u32) {
        let mut random = Random::new(hash(&[self.seed(), 0xF0, u64::from(extent), u64::from(leaf)]));
        let mut age = 0;
        while writer.room() >= NODE_COST + 2 + FOLDER_SUFFIX + 10 + self.page_size() as usize / 16 {
            let document = message_key(2 * extent, leaf, random.below(25));
            writer.push(FOLDER_PREFIX, &folder_suffix(age), &document);
            age += u64::from(random.between(1, 1 << 20)) << 12;
        }
    }

    /// Deletes some entries; one that was deleted before comes back.
    pub(crate) fn edit_folders(page: &mut [u8], random: &mut Random) {
        let count = node_count(page) as u32;
        for _ in 0..random.between(1, 6) {
            node(page, random.below(count) as usize).toggle_deleted(page);
        }
    }
}
