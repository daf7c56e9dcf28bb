//! What one walk over an image found, recalled by the next who opens it.

mod blocks;

use blocks::{block, probe};
use proptest::prelude::*;
use reel_tape::error::Error;
use reel_tape::medium::{Medium, Read, SimhTape};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

/// An image: a block of each length, a filemark where it is 0.
fn image(lengths: &[u32]) -> SimhTape<Vec<u8>> {
    let mut tape = SimhTape::from_bytes("v", Vec::new());
    for (object, length) in (0..).zip(lengths) {
        match length {
            0 => tape.write_filemark().unwrap(),
            length => tape.write(&[&block(object, *length)]).unwrap(),
        }
    }
    tape.flush().unwrap();
    tape
}

/// Labels, a set of equal blocks with a short one at its end, a set of one block.
const LENGTHS: [u32; 13] = [80, 300, 0, 500, 500, 500, 500, 500, 77, 0, 160, 0, 0];

fn parts(lengths: &[u32]) -> (Vec<u8>, Vec<u8>) {
    let tape = image(lengths);
    let walked = tape.walked().unwrap().unwrap();
    (tape.into_bytes(), walked)
}

fn all(tape: &mut SimhTape<Vec<u8>>) -> Vec<Option<Vec<u8>>> {
    let (mut found, mut buf) = (Vec::new(), Vec::new());
    tape.locate(0).unwrap();
    loop {
        match tape.read(&mut buf) {
            Ok(Read::Block(_)) => found.push(Some(buf.clone())),
            Ok(Read::Filemark) => found.push(None),
            Ok(Read::EndOfData) => return found,
            Err(error) => panic!("{error}"),
        }
    }
}

proptest! {
    #[test]
    fn a_recalled_walk_is_the_walk(
        lengths in prop::collection::vec(prop_oneof![3 => Just(64u32), 1 => 14..90u32, 1 => Just(0)], 0..60),
        more in prop::collection::vec(14..90u32, 0..5),
    ) {
        let lengths = [&lengths[..], &[40, 0]].concat();
        let (bytes, walked) = parts(&lengths);
        let mut tape = SimhTape::from_bytes("v", bytes);
        prop_assert!(tape.recall(&walked, &probe).unwrap());
        prop_assert_eq!(tape.locate_end().unwrap(), lengths.len() as u64);
        for length in &more {
            let object = tape.position();
            tape.write(&[&block(object, *length)]).unwrap();
        }
        let bytes = tape.into_bytes();
        let mut walking = SimhTape::from_bytes("v", bytes.clone());
        let mut recalling = SimhTape::from_bytes("v", bytes);
        // Behind what is known, the walk goes on.
        prop_assert!(recalling.recall(&walked, &probe).unwrap());
        prop_assert_eq!(recalling.filemarks().unwrap(), walking.filemarks().unwrap());
        for object in 0..=walking.locate_end().unwrap() {
            prop_assert_eq!(recalling.byte_address(object), walking.byte_address(object));
        }
        prop_assert_eq!(all(&mut recalling), all(&mut walking));
    }
}

#[test]
fn equal_blocks_take_no_more_room_than_one() {
    let few = parts(&[&[80, 0][..], &[500; 5], &[0]].concat()).1;
    let many = parts(&[&[80, 0][..], &[500; 2000], &[0]].concat()).1;
    assert_eq!(few.len(), many.len());
}

#[test]
fn what_does_not_fit_the_image_is_not_recalled() {
    let (bytes, walked) = parts(&LENGTHS);
    let recalls = |bytes: &[u8], walked: &[u8]| {
        let mut tape = SimhTape::from_bytes("v", bytes.to_vec());
        let recalled = tape.recall(walked, &probe).unwrap();
        // Whatever it was told, it comes to the end of its data.
        let _ = tape.locate_end();
        recalled
    };
    assert!(recalls(&bytes, &walked));
    for at in 0..walked.len() {
        let mut changed = walked.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(!recalls(&bytes, &changed), "byte {at} was changed");
        assert!(!recalls(&bytes, &walked[..at]), "cut to {at} bytes");
    }
    for cut in 1..200 {
        assert!(!recalls(&bytes[..bytes.len() - cut], &walked), "the image is {cut} bytes shorter");
    }
    // The last block is another one, has another place or length, or no filemarks behind it.
    let mut lengths = LENGTHS;
    lengths[3] = 502;
    assert!(!recalls(&parts(&lengths).0, &walked));
    for back in [2, 8, 12, 100, 100 + 60, 176] {
        let mut changed = bytes.clone();
        let at = changed.len() - back;
        changed[at] ^= 0x10;
        assert!(!recalls(&changed, &walked), "{back} bytes before the end");
    }
    assert!(!recalls(&[], &walked) && !recalls(&bytes, &[]));
}

#[test]
fn nothing_is_told_of_an_image_without_an_end_or_with_damage() {
    assert_eq!(image(&[]).walked().unwrap(), None);
    assert_eq!(image(&[80, 0, 500]).walked().unwrap(), None, "a file that is still written");
    assert_eq!(image(&[0, 0]).walked().unwrap(), None, "no block");
    let (mut bytes, _) = parts(&LENGTHS);
    bytes[84] ^= 1;
    let mut tape = SimhTape::from_bytes("v", bytes);
    while tape.locate_end().is_err() && tape.skip_damage(&probe).unwrap().is_some() {}
    assert!(!tape.damage().is_empty());
    assert_eq!(tape.walked().unwrap(), None);
}

#[test]
fn a_leading_word_that_broke_since_is_mended_by_the_trailing_one() {
    let (good, walked) = parts(&LENGTHS);
    let mut walking = SimhTape::from_bytes("v", good.clone());
    walking.locate_end().unwrap();
    let offset = walking.byte_address(5).unwrap() as usize;
    let end = walking.byte_address(6).unwrap() as usize;
    let read = |bytes: Vec<u8>| {
        let mut tape = SimhTape::from_bytes("v", bytes);
        assert!(tape.recall(&walked, &probe).unwrap());
        tape.locate(5).unwrap();
        let mut buf = Vec::new();
        let found = tape.read(&mut buf).map(|_| buf);
        assert_eq!(tape.position(), 6);
        (found, tape.damage().len())
    };
    // Another length, no length at all, a filemark, a longer one.
    for word in [498u32, 0xF000_0001, 0, 4000] {
        let mut bytes = good.clone();
        bytes[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
        let (found, damage) = read(bytes.clone());
        assert_eq!((found.unwrap(), damage), (block(5, 500), 1), "{word:x}");
        bytes[end - 4..end].fill(0xEE);
        let (found, damage) = read(bytes);
        assert!(matches!(found, Err(Error::Medium { object: 5, .. })), "{word:x}: both words");
        assert_eq!(damage, 0);
    }
    let mut bytes = good;
    bytes[end - 4..end].fill(0xEE);
    assert_eq!(read(bytes).0.unwrap(), block(5, 500), "the leading word is enough");
}

/// An image that counts how often it is read.
struct Counted<'a>(Vec<u8>, &'a AtomicU32);

impl reel_tape::medium::simh::Store for Counted<'_> {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read_at(offset, buf)
    }

    fn write_at(&mut self, _: u64, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_recalled_image_is_opened_with_a_few_reads() {
    let (bytes, walked) = parts(&[&[80, 0][..], &[70_000; 200], &[0]].concat());
    let reads = AtomicU32::new(0);
    let mut tape = SimhTape::over("v", Counted(bytes, &reads), true).unwrap();
    assert!(tape.recall(&walked, &probe).unwrap());
    assert_eq!(tape.locate_end().unwrap(), 203);
    drop(tape);
    let reads = reads.into_inner();
    assert!(reads < 10, "{reads} reads");
}
