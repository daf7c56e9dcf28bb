//! A stream that is read anywhere gives what a restore gives, whatever is damaged: the same bytes, and the same ranges are lost.

use reel_engine::memory::Memory;
use reel_engine::plan::lose;
use reel_engine::pool::{Catalogs, Pool};
use reel_engine::restore::read_at::{Promise, StoredStream};
use reel_formats::ese::database::DatabaseFile;
use reel_tape::layout::block::{BlockKind, HEADER_LEN};
use reel_tape::layout::segment::Segment;
use reel_tests::image::{Image, Object};
use reel_tests::memory::{Restored, Stream, open, restore_and_compare};
use reel_tests::small;
use std::ops::Range;
use std::sync::Arc;

/// Short enough that no chunk is read whole.
const PIECE: usize = 500;

/// Reads a stream piece by piece and says which ranges cannot be read.
fn unreadable(stored: &StoredStream, expected: &[u8]) -> Vec<Range<u64>> {
    let mut lost = Vec::new();
    for at in (0..expected.len()).step_by(PIECE) {
        let piece = &expected[at..expected.len().min(at + PIECE)];
        let mut bytes = vec![0; PIECE];
        match stored.read_at(at as u64, &mut bytes) {
            Ok(count) => assert!(bytes.get(..count) == Some(piece), "wrong bytes at {at}"),
            Err(_) => lose(&mut lost, at as u64..(at + piece.len()) as u64),
        }
    }
    lost
}

/// Ranges, made wider to whole pieces.
fn in_pieces(ranges: &[Range<u64>], length: u64) -> Vec<Range<u64>> {
    let (piece, mut wide) = (PIECE as u64, Vec::new());
    for range in ranges {
        lose(&mut wide, range.start / piece * piece..(range.end.div_ceil(piece) * piece).min(length));
    }
    wide
}

/// Holds all streams of a set, read anywhere, against their restore. Answers how many bytes were lost.
fn compare(pool: &Arc<Pool>, set: u32, streams: &[Stream], restored: &[Restored], what: &str) -> u64 {
    let mut bytes_lost = 0;
    for one in restored {
        let name = String::from_utf8_lossy(&one.plan.head.name);
        let Some(stream) = streams.iter().find(|s| s.name == one.plan.head.name) else { continue };
        let has_bytes = !stream.bytes.is_empty();
        let opened = StoredStream::open(pool, &set.to_string(), &stream.name, Memory::DEFAULT);
        if !has_bytes || one.plan.root_differs {
            continue;
        }
        let stored = opened.unwrap_or_else(|e| panic!("{what}: {name}: {e}"));
        assert_eq!(stored.len(), one.plan.length, "{what}: {name}");
        let expected = stream.bytes.as_slice();
        let expected = &expected[..expected.len().min(one.plan.length as usize)];
        let lost = in_pieces(&one.lost, one.plan.length);
        assert_eq!(unreadable(&stored, expected), lost, "{what}: {name}, set {set}");
        bytes_lost += one.lost.iter().map(|range| range.end - range.start).sum::<u64>();
        check_promises(&stored, expected, &one.lost, &format!("{what}: {name}"));
    }
    bytes_lost
}

/// What the catalogs promise covers the stream, is true, and leaves out only what is lost.
fn check_promises(stored: &StoredStream, expected: &[u8], lost: &[Range<u64>], what: &str) {
    let mut next = 0;
    let each = |at: u64, length: u64, promise| {
        assert_eq!(at, next, "{what}");
        next = at + length;
        let bytes = &expected[at as usize..next as usize];
        match promise {
            Promise::Chunk(digest) => assert!(reel_engine::digest::of(bytes) == digest, "{what}, byte {at}"),
            Promise::Zeros => assert!(bytes.iter().all(|byte| *byte == 0), "{what}, byte {at}"),
            Promise::Unknown => {
                assert!(lost.iter().any(|lost| lost.start <= at && next <= lost.end), "{what}, byte {at}");
            }
        }
        Ok(())
    };
    stored.promises(0..stored.len(), each).unwrap();
    assert_eq!(next, stored.len(), "{what}");
}

#[test]
fn a_damaged_block_costs_a_reader_what_it_costs_a_restore() {
    let small = small::volume(2);
    let whole = Image::parse(&small.image);
    let mut bytes_lost = 0;
    for object in 2..whole.objects.len() {
        let Object::Block(block) = &whole.objects[object] else { continue };
        let mut image = whole.clone();
        image.block_mut(object)[HEADER_LEN + (block.len() - HEADER_LEN) / 2] ^= 0x55;
        let pool = open(image.bytes(), Catalogs::Cached).unwrap();
        for (set, streams) in (1..).zip(&small.sets) {
            let restored = restore_and_compare(&pool, pool.set(set).unwrap(), streams).unwrap();
            bytes_lost += compare(&pool, set, streams, &restored, &format!("block {object}"));
        }
    }
    assert!(bytes_lost > 100_000, "{bytes_lost}");
}

#[test]
fn chunks_whose_entries_are_lost_cost_a_reader_what_they_cost_a_restore() {
    let small = small::volume(2);
    let whole = Image::parse(&small.image);
    let segments = open(small.image.clone(), Catalogs::Cached).unwrap();
    let made_again = |pool: &Arc<Pool>, set: u32| {
        let lost = |s: &Segment| s.chunks.iter().any(|chunk| chunk.length.get() == 0);
        let catalog = pool.set(set).unwrap();
        catalog.segments().iter().any(|line| lost(&catalog.segment(line.segment).unwrap().unwrap()))
    };
    let mut unknown = 0;
    for set in [1, 2] {
        assert!(!made_again(&segments, set));
        for object in whole.blocks_of(set, BlockKind::Data) {
            let mut image = whole.clone();
            // The segments are lost in both their places, and with a block of frames what they said of it.
            for kind in [BlockKind::Segment, BlockKind::Catalog] {
                for object in whole.blocks_of(set, kind) {
                    image.block_mut(object)[HEADER_LEN] ^= 0x55;
                }
            }
            image.block_mut(object)[HEADER_LEN + 9] ^= 0x55;
            let pool = open(image.bytes(), Catalogs::Scanned).unwrap();
            unknown += u32::from(made_again(&pool, set));
            for (set, streams) in (1..).zip(&small.sets) {
                let Some(catalog) = pool.set(set) else { continue };
                let restored = restore_and_compare(&pool, catalog, streams).unwrap();
                compare(&pool, set, streams, &restored, &format!("block {object} and all segments"));
            }
        }
    }
    assert!(unknown > 5, "{unknown}");
}
