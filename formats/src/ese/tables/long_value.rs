//! Long values: bytes too long for a record, cut into chunks in a tree of their own (reference, database.md section 10).

use super::compression::{self, Scheme};
use super::tree::{Entry, Tree};
use super::value::LostValue;
use crate::ese::database::{Database, DatabaseFile};
use crate::le::{u8_at, u32_at};
use std::fmt;
use std::ops::Range;

/// What a page of up to 8 KiB cannot give to a chunk.
const SMALL_PAGE_OVERHEAD: u32 = 82;
/// Chunk lengths on pages of 16 and 32 KiB: a quarter of the page.
const CHUNK_16K: u32 = 4050;
const CHUNK_32K: u32 = 8150;
/// Lost ranges that are listed; behind so many, all the rest of a value counts as lost.
const MAX_RANGES: usize = 10_000;

/// The tree of a table's long values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongValues {
    /// Page of its root.
    pub root: u32,
    /// Its object id.
    pub objid: u32,
    /// Length of a chunk, in bytes, where the catalog says it.
    pub chunk_len: Option<u32>,
}

/// Id of a long value, in the byte order of the tree's keys: 4 bytes, or 8 with the top bit set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LongValueId(Vec<u8>);

impl LongValueId {
    /// The id as a record stores it: little-endian, 4 or 8 bytes. `None` for other lengths.
    pub fn from_record(bytes: &[u8]) -> Option<Self> {
        matches!(bytes.len(), 4 | 8).then(|| Self(bytes.iter().rev().copied().collect()))
    }

    /// The id of the root node with this key; `None` if it is a chunk's or no key of such a tree.
    pub fn of_root(key: &[u8]) -> Option<Self> {
        let wide = key.first().is_some_and(|first| first & 0x80 != 0);
        (key.len() == if wide { 8 } else { 4 }).then(|| Self(key.to_vec()))
    }

    /// The id as a number: those with the top bit set are the ids of 8 bytes.
    pub fn number(&self) -> u64 {
        self.0.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The place in its value of the chunk with this key, in bytes; `None` if the chunk is not one of this value.
    pub fn chunk_offset(&self, key: &[u8]) -> Option<u32> {
        key.strip_prefix(self.0.as_slice())?.as_array().map(|offset| u32::from_be_bytes(*offset))
    }

    /// The least key that is greater than all keys of the value.
    fn end(&self) -> Option<Vec<u8>> {
        let last = self.0.iter().rposition(|byte| *byte != 0xFF)?;
        let mut end = self.0.get(..=last)?.to_vec();
        *end.last_mut()? += 1;
        Some(end)
    }
}

/// A long value as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LongValue {
    /// All of it.
    Whole(Vec<u8>),
    /// It is encrypted; these are its chunks.
    Encrypted(Vec<u8>),
    /// It is longer than was asked for: its length, in bytes.
    TooLong(u64),
    /// Parts of it are gone.
    Lost(LostValue),
}

/// What a long value's root node says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// How many records refer to it; 0 if it is deleted.
    pub references: u32,
    /// Its length, in bytes.
    pub len: u32,
    /// Its chunks are encrypted.
    pub encrypted: bool,
}

impl Root {
    /// Reads the data of a root node; `None` if it is too short.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let encrypted = u8_at(data, 8).unwrap_or(0) & 1 != 0;
        Some(Self { references: u32_at(data, 0)?, len: u32_at(data, 4)?, encrypted })
    }
}

impl LongValues {
    /// The tree.
    pub fn tree<'d, F: DatabaseFile>(&self, database: &'d Database<F>) -> Tree<'d, F> {
        Tree::new(database, self.root, self.objid)
    }

    /// Reads the value `id`, if it is not longer than `limit` bytes. Memory grows with the chunks that are there, whatever
    /// length the root claims.
    pub fn read<F: DatabaseFile>(&self, database: &Database<F>, id: &LongValueId, limit: u64) -> LongValue {
        let gone =
            |why: String| LongValue::Lost(LostValue { len: None, bytes: Vec::new(), lost: Vec::new(), why });
        let mut entries = self.tree(database).range(id.0.clone(), id.end());
        let root = loop {
            match entries.next() {
                None => return gone(format!("no long value {id} in the tree")),
                Some(Err(lost)) => return gone(lost.to_string()),
                Some(Ok(entry)) if entry.node().is_deleted() => {}
                Some(Ok(entry)) if entry.node().key() == id.0 => match Root::parse(entry.node().data()) {
                    Some(root) => break root,
                    None => {
                        return gone(format!(
                            "root of long value {id} on page {} is too short",
                            entry.pgno()
                        ));
                    }
                },
                Some(Ok(_)) => return gone(format!("long value {id} has no root")),
            }
        };
        if u64::from(root.len) > limit {
            return LongValue::TooLong(u64::from(root.len));
        }
        let mut parts = Parts::new(root, self.chunk_len(database.page_size()));
        let mut held = None;
        for entry in entries {
            match entry {
                Err(lost) => parts.wrong(lost.to_string()),
                Ok(entry) if entry.node().is_deleted() => {}
                Ok(entry) => {
                    if let Some(chunk) = parts.chunk(entry, id) {
                        // How long a chunk is can only be known with the place of the next one.
                        let next = u64::from(chunk.offset);
                        if let Some(chunk) = held.replace(chunk) {
                            parts.add(&chunk, next);
                        }
                    }
                }
            }
        }
        if let Some(chunk) = held {
            parts.add(&chunk, u64::from(root.len));
        }
        parts.finish()
    }

    fn chunk_len(&self, page_size: u32) -> u32 {
        match (self.chunk_len, page_size) {
            (Some(len), _) => len,
            (None, 32768) => CHUNK_32K,
            (None, 16384) => CHUNK_16K,
            (None, size) => size.saturating_sub(SMALL_PAGE_OVERHEAD),
        }
        .max(1)
    }
}

impl fmt::Display for LongValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A piece of a value, by where it begins in the value.
struct Chunk {
    offset: u32,
    entry: Entry,
}

/// A value that is being put together.
struct Parts {
    root: Root,
    chunk_len: u32,
    bytes: Vec<u8>,
    /// How far the value is dealt with.
    at: u64,
    /// The least place that the next chunk may have.
    seen: u64,
    lost: Vec<Range<u64>>,
    why: Option<String>,
}

impl Parts {
    fn new(root: Root, chunk_len: u32) -> Self {
        Self { root, chunk_len, bytes: Vec::new(), at: 0, seen: 0, lost: Vec::new(), why: None }
    }

    /// The chunk that this entry is, if it lies behind the ones before and inside the value.
    fn chunk(&mut self, entry: Entry, id: &LongValueId) -> Option<Chunk> {
        let key = entry.node().key();
        let Some(offset) = id.chunk_offset(&key) else {
            self.wrong(format!("page {} holds a key of {} bytes", entry.pgno(), key.len()));
            return None;
        };
        if u64::from(offset) < self.seen || offset >= self.root.len {
            self.wrong(format!("page {} holds a chunk at byte {offset} out of place", entry.pgno()));
            return None;
        }
        self.seen = u64::from(offset) + 1;
        Some(Chunk { offset, entry })
    }

    /// Adds a chunk behind which nothing is before byte `next`.
    fn add(&mut self, chunk: &Chunk, next: u64) {
        if self.lost.len() >= MAX_RANGES {
            return;
        }
        let start = u64::from(chunk.offset);
        if start > self.at {
            self.skip(start);
        }
        let room = next.saturating_sub(start);
        let usual = room.min(u64::from(self.chunk_len));
        let node = chunk.entry.node();
        let data = node.data();
        // A database may say another length than that of its older values.
        let fits = |len: usize| len as u64 == usual || len as u64 == room;
        if fits(data.len()) || self.root.encrypted {
            self.bytes.extend_from_slice(data);
            self.at = if self.root.encrypted { next } else { start + data.len() as u64 };
            return;
        }
        let wrong: &dyn fmt::Display = match compression::decompress(data) {
            Ok(plain) if fits(plain.len()) => {
                self.bytes.extend_from_slice(&plain);
                self.at = start + plain.len() as u64;
                return;
            }
            Ok(plain) => &format!("gives {} bytes in place of {usual}", plain.len()),
            Err(Scheme::Damaged | Scheme::Unknown(_)) => {
                &format!("has {} bytes in place of {usual} and does not expand", data.len())
            }
            Err(scheme) => &format!("is not decoded ({scheme})"),
        };
        self.wrong(format!("the chunk at byte {start} on page {} {wrong}", chunk.entry.pgno()));
        self.skip(start + usual);
    }

    fn skip(&mut self, to: u64) {
        match self.lost.last_mut() {
            Some(last) if last.end == self.at => last.end = to,
            _ => self.lost.push(self.at..to),
        }
        self.at = to;
    }

    fn wrong(&mut self, why: String) {
        self.why.get_or_insert(why);
    }

    fn finish(mut self) -> LongValue {
        let len = u64::from(self.root.len);
        if self.at < len {
            self.skip(len);
        }
        if self.lost.is_empty() && self.why.is_none() {
            return if self.root.encrypted {
                LongValue::Encrypted(self.bytes)
            } else {
                LongValue::Whole(self.bytes)
            };
        }
        let why = self.why.unwrap_or_else(|| "chunks are missing from the tree".into());
        LongValue::Lost(LostValue { len: Some(len), bytes: self.bytes, lost: self.lost, why })
    }
}
