//! Databases of noise in pools in memory, for the tests of what reads them there.
#![allow(dead_code, reason = "each test crate takes what it needs")]

use reel_engine::backup::{BackupOptions, backup};
use reel_engine::pool::{Catalogs, MemoryShelf, Pool, Shelf};
use reel_engine::progress::Monitor;
use reel_engine::source::{Tree, TreeOptions};
use std::path::Path;
use std::sync::Arc;

/// Page size of [`database`].
pub const PAGE: usize = 4096;

/// Numbers without an order.
pub struct Dice(pub u64);

impl Dice {
    /// A number below the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % limit
    }

    /// Bytes that do not become smaller.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

/// Header pages that are recognised, pages of noise and some of zeros; each day changes some.
pub fn database(pages: usize, day: u64) -> Vec<u8> {
    database_of(PAGE, pages, day)
}

/// As [`database`], with another page size.
pub fn database_of(size: usize, pages: usize, day: u64) -> Vec<u8> {
    let mut bytes = Dice(77).bytes(pages * size);
    bytes[40 * size..60 * size].fill(0);
    for header in [0, size] {
        write_header(&mut bytes[header..header + size]);
    }
    for changed in 1..=day {
        let mut dice = Dice(changed);
        for _ in 0..pages / 20 {
            let page = 10 + dice.below(pages as u64 - 10) as usize;
            let new = dice.bytes(size);
            bytes[page * size..][..size].copy_from_slice(&new);
        }
    }
    bytes
}

fn write_header(page: &mut [u8]) {
    let magic = 0x89AB_CDEF_u32;
    page.fill(0);
    page[4..8].copy_from_slice(&magic.to_le_bytes());
    page[8..12].copy_from_slice(&0x620_u32.to_le_bytes());
    let size = page.len() as u32;
    page[236..240].copy_from_slice(&size.to_le_bytes());
    let words = page.chunks(4).skip(1).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    let sum = words.fold(magic, |sum, word| sum ^ word);
    page[..4].copy_from_slice(&sum.to_le_bytes());
}

/// Backs up a file or folder in a run of its own.
pub fn back_up(shelf: &MemoryShelf, path: &Path) {
    let run = open_if_any(shelf).map_or(1, |pool| u64::from(pool.next_set()));
    let tree = Tree::new(&[path.to_owned()], TreeOptions::default()).unwrap();
    let options = BackupOptions {
        cache: None,
        clock: Some(run as i64),
        seed: Some(run),
        block_size: 16384,
        ..BackupOptions::default()
    };
    let shelf: Arc<dyn Shelf> = Arc::new(shelf.clone());
    backup(&shelf, Box::new(tree), &options, &Monitor::default()).unwrap();
}

/// Opens the pool on a shelf.
pub fn open(shelf: &MemoryShelf) -> Arc<Pool> {
    Arc::new(open_if_any(shelf).unwrap())
}

fn open_if_any(shelf: &MemoryShelf) -> Option<Pool> {
    Pool::open_if_any(Arc::new(shelf.clone()), None, Catalogs::Cached).unwrap()
}
