//! Who has a chunk already: digest to name, within the index's share of the memory.
//!
//! A digest has one answer, its newest name. The index is a cache that is filled from the catalogs, newest set first, and
//! then in claim order; where its share is used up, a duplicate is not found and is stored again.

pub mod previous;

use crate::digest::Digest;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A chunk's name: set, segment of the set, index in the segment. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Set number.
    pub set: u32,
    /// Segment of the set.
    pub segment: u32,
    /// Index in the segment.
    pub index: u32,
}

/// The bytes of a digest are a hash already.
#[derive(Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(word) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*word);
        }
    }
}

type Shard = HashMap<Digest, Name, BuildHasherDefault<DigestHasher>>;
const SHARDS: usize = 256;
/// Bytes of a slot of the standard map: key, value and one control byte, at its load of 7/8.
const BYTES_PER_CAPACITY: usize = (size_of::<(Digest, Name)>() + 1) * 8 / 7 + 1;

/// The index.
pub struct Index {
    // Shards grow one at a time, so that growing never needs the whole table twice.
    shards: Vec<Shard>,
    bytes: usize,
    limit: usize,
    left_out: u64,
}

impl Index {
    /// An index that takes up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Index { shards: (0..SHARDS).map(|_| Shard::default()).collect(), bytes: 0, limit, left_out: 0 }
    }

    /// The name of a digest.
    pub fn get(&self, digest: &Digest) -> Option<Name> {
        self.shards[usize::from(digest[0])].get(digest).copied()
    }

    /// Adds a digest that has no name here yet; one that has keeps it. Says whether the name is found from now on.
    pub fn add(&mut self, digest: &Digest, name: Name) -> bool {
        let shard = &mut self.shards[usize::from(digest[0])];
        if shard.len() == shard.capacity() {
            if shard.contains_key(digest) {
                return true;
            }
            let before = shard.capacity();
            // The standard map doubles; while it does, the old table stands beside the new one.
            let more = before.max(14) * BYTES_PER_CAPACITY;
            if self.bytes + more + before * BYTES_PER_CAPACITY > self.limit {
                self.left_out += 1;
                return false;
            }
            shard.reserve(1);
            self.bytes += (shard.capacity() - before) * BYTES_PER_CAPACITY;
        }
        shard.entry(*digest).or_insert(name);
        true
    }

    /// Chunks that found no room.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Bytes taken.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_digest_stays_and_the_share_is_kept() {
        let mut index = Index::new(1 << 20);
        let digest = |i: u32| crate::digest::of(&i.to_le_bytes());
        let name = |index| Name { set: 1, segment: 0, index };
        assert!(index.add(&digest(0), name(0)));
        assert!(index.add(&digest(0), name(9)));
        assert_eq!(index.get(&digest(0)), Some(name(0)));
        let found = (1..100_000).filter(|i| index.add(&digest(*i), name(*i))).count();
        assert!(found > 8_000, "{found}");
        assert!(index.bytes() <= 1 << 20);
        assert_eq!(index.left_out() as usize, 99_999 - found);
    }
}
