//! What is held against each other where content is cut: by the table row, and by the bench of the kernels alone.

use fastcdc::v2020::{MASKS, cut_gear, get_gear_with_seed};
use reel_engine::chunk::chain::Cut;
use reel_engine::chunk::gear::{self, Gear, Params};
use reel_engine::chunk::guide::Guide;
use reel_engine::digest;
use reel_engine::index::Name;
use reel_engine::index::previous::Known;
use std::hint::black_box;

/// The gear table of the `fastcdc` crate, and the sizes of a pool with the crate's masks of level 2 for them.
pub fn crate_table() -> (Box<[u64; 256]>, Params) {
    let params = Params::new([gear::MIN, gear::AVERAGE, gear::MAX], MASKS[16], MASKS[12])
        .expect("the sizes of a pool are good for any mask");
    (get_gear_with_seed(0).0, params)
}

/// Cuts all of `bytes` by a gear table with the `fastcdc` crate.
pub fn by_crate(table: &[u64; 256], params: &Params, bytes: &[u8]) {
    let shifted = table.map(|g| g << 1);
    let (before, after) = params.masks();
    let (low, middle, high) = (params.min(), params.average(), params.max());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (_, at) =
            cut_gear(rest, low, middle, high, before, after, before << 1, after << 1, table, &shifted);
        rest = &rest[black_box(at)..];
    }
}

/// Lengths of the content-defined chunks of some bytes.
pub fn lengths(gear: &Gear, bytes: &[u8]) -> Vec<u32> {
    let mut lengths = Vec::with_capacity(bytes.len() / gear.params().min());
    gear.cuts(black_box(bytes), bytes.len(), &mut lengths);
    lengths
}

/// What the recipe of a version tells: its chunks.
pub fn recipe(gear: &Gear, bytes: &[u8]) -> Vec<Known> {
    let name = Name { set: 1, segment: 0, index: 0 };
    let mut end = 0;
    let chunk = |length: u32| {
        let offset = end;
        end += length as usize;
        Known { offset: offset as u64, length, digest: digest::of(&bytes[offset..end]), name }
    };
    lengths(gear, bytes).into_iter().map(chunk).collect()
}

/// Hashes chunks and does nothing else.
pub fn hash(chunks: &[Known], bytes: &[u8]) {
    for chunk in chunks {
        let begin = chunk.offset as usize;
        black_box(digest::of(&bytes[begin..begin + chunk.length as usize]));
    }
}

/// Cuts and hashes all of `bytes` along the recipe of an earlier version, into `found`.
///
/// # Panics
/// The versions have too little in common.
pub fn along(gear: &Gear, recipe: &[Known], bytes: &[u8], found: &mut Vec<Cut>) {
    found.clear();
    let end = Guide::new(gear, recipe, 0, 0).cut(black_box(bytes), 0, bytes.len(), found);
    assert_eq!(end, bytes.len(), "the guide was lost");
}
