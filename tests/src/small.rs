//! What the damage tests back up: two days of a few small streams of every kind.

use crate::memory::{Stream, back_up, image_of, noise};
use reel_engine::attributes::NodeKind;
use reel_engine::pool::MemoryShelf;
use reel_workload::Store;
use std::sync::Arc;

/// A small volume and what is on it.
pub struct Small {
    /// The image.
    pub image: Vec<u8>,
    /// The streams of set 1, set 2 and so on.
    pub sets: Vec<Vec<Stream>>,
}

/// The bytes of the smallest generated database: 57 pages of 4 KiB.
pub fn database(day: u32) -> Vec<u8> {
    let mut store = Store::new(3, 57 * 4096).with_page_size(4096);
    for _ in 0..day {
        store = store.next_day(200, 0);
    }
    let mut bytes = vec![0; store.len() as usize];
    store.read_at(&mut bytes, 0);
    bytes
}

/// The streams of a day, from 0.
pub fn streams(day: u32) -> Vec<Stream> {
    let mut sparse = vec![0; 300_000];
    sparse[..4_000].copy_from_slice(&noise(4, 4_000));
    sparse[290_000..].copy_from_slice(&noise(5, 10_000));
    let mut sparse = Stream::file("tree/sparse", sparse);
    sparse.holes.push(4_096..286_720);
    let mut text =
        Stream::file("tree/a.txt", format!("day {day}: words, and words. ").repeat(100).into_bytes());
    text.attributes.xattrs.push((b"user.note".to_vec(), b"kept".to_vec()));
    let mut copy = text.clone();
    copy.name = b"tree/b.txt".to_vec();
    // Pages of the database in another order: runs of one chunk each.
    let pages = database(day);
    let mut shuffled = pages[..8192].to_vec();
    for page in [9usize, 5, 12, 7, 15, 3] {
        shuffled.extend_from_slice(&pages[page * 4096..][..4096]);
    }
    vec![
        Stream::meta("tree", NodeKind::Directory, None),
        text,
        copy,
        Stream::file("tree/c.bin", noise(u64::from(day), 20_000)),
        Stream::file("tree/empty", Vec::new()),
        Stream::meta("tree/hard", NodeKind::HardLink, Some("tree/a.txt")),
        Stream::meta("tree/link", NodeKind::Symlink, Some("../elsewhere")),
        sparse,
        Stream::file("tree/store.edb", pages),
        Stream::file("tree/zigzag.edb", shuffled),
    ]
}

/// Backs up so many days.
pub fn volume(days: u32) -> Small {
    let shelf = MemoryShelf::default();
    let mut sets = Vec::new();
    for day in 0..days {
        let streams = streams(day);
        back_up(&shelf, &streams);
        sets.push(streams);
    }
    Small { image: image_of(&shelf), sets }
}

/// Streams by name, for looking one up.
pub fn named<'a>(streams: &'a [Stream], name: &[u8]) -> Option<&'a Arc<Vec<u8>>> {
    streams.iter().find(|s| s.name == name).map(|s| &s.bytes)
}
