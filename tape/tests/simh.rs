//! SIMH images: what others wrote, files, damage, torn tails, failing stores.

mod blocks;
#[path = "../../formats/tests/samples/mod.rs"]
mod samples;

use std::io;

use blocks::{block, probe};
use proptest::prelude::*;
use reel_tape::error::{Class, Error};
use reel_tape::medium::simh::Store;
use reel_tape::medium::{Medium, Read, SimhTape};

/// Ten objects: blocks of odd and even length, filemarks at 3 and 7.
fn volume() -> (Vec<u8>, Vec<u64>) {
    let mut tape = SimhTape::from_bytes("v", Vec::new());
    for object in 0..10 {
        if object == 3 || object == 7 {
            tape.write_filemark().unwrap();
        } else {
            tape.write(&[&block(object, 40 + object as u32)]).unwrap();
        }
    }
    let offsets = (0..=10).map(|object| tape.byte_address(object).unwrap()).collect();
    (tape.into_bytes(), offsets)
}

/// Reads to the end over all damage: block by its own number, or the number of a filemark.
fn survivors<S: Store>(tape: &mut SimhTape<S>) -> Vec<u64> {
    let (mut found, mut buf) = (Vec::new(), Vec::new());
    // An image this small never needs so many turns.
    for _ in 0..100_000 {
        let at = tape.position();
        match tape.read(&mut buf) {
            Ok(Read::Block(_)) if buf == block(at, buf.len() as u32) => found.push(at),
            Ok(Read::Filemark) => found.push(at),
            Ok(Read::EndOfData) => return found,
            Ok(Read::Block(_)) | Err(Error::Medium { .. }) => {}
            Err(Error::Format { .. }) => {
                if tape.skip_damage(&probe).unwrap().is_none() {
                    return found;
                }
            }
            Err(error) => panic!("unexpected: {error}"),
        }
    }
    panic!("reading does not end");
}

#[test]
fn a_broken_leading_or_trailing_word_costs_no_object() {
    let (bytes, offsets) = volume();
    for object in [0u64, 1, 5, 9] {
        let leading = offsets[object as usize];
        let trailing = offsets[object as usize + 1] - 4;
        for word in [leading, trailing] {
            let mut bytes = bytes.clone();
            bytes[word as usize] ^= 0x55;
            let mut tape = SimhTape::from_bytes("v", bytes);
            assert_eq!(survivors(&mut tape), (0..10).collect::<Vec<_>>(), "object {object}, word at {word}");
            let damage = tape.damage()[0];
            assert_eq!((damage.object_from, damage.object_to), (object, object));
            assert_eq!(tape.damage().len(), 1);
            tape.locate(object).unwrap();
            let mut buf = Vec::new();
            tape.read(&mut buf).unwrap();
            assert_eq!(buf, block(object, 40 + object as u32));
        }
    }
}

#[test]
fn a_destroyed_stretch_is_passed_and_remembered() {
    let (mut bytes, offsets) = volume();
    bytes[offsets[1] as usize..offsets[4] as usize + 20].fill(0xEE);
    let mut tape = SimhTape::from_bytes("v", bytes);
    assert!(tape.locate_end().is_err());
    assert_eq!(tape.position(), 1);
    assert_eq!(tape.skip_damage(&probe).unwrap(), Some(5));
    let damage = tape.damage()[0];
    assert_eq!((damage.object_from, damage.object_to), (1, 5));
    assert_eq!((damage.byte_from, damage.byte_to), (offsets[1], offsets[5]));
    assert_eq!(tape.locate_end().unwrap(), 10);
    assert_eq!(tape.filemarks().unwrap(), [7]);
    tape.locate(2).unwrap();
    let error = tape.read(&mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Medium { object: 2, .. }), "{error}");
    assert_eq!(tape.position(), 5);
    tape.space_filemarks(-1).unwrap_err();
    assert_eq!(tape.position(), 0);
    tape.locate(0).unwrap();
    assert_eq!(survivors(&mut tape), [0, 5, 6, 7, 8, 9]);
}

#[test]
fn zeros_in_place_of_blocks_do_not_shift_the_numbers_behind() {
    let (mut bytes, offsets) = volume();
    bytes[offsets[4] as usize..offsets[6] as usize - 10].fill(0);
    let mut tape = SimhTape::from_bytes("v", bytes);
    let found = survivors(&mut tape);
    for object in [0, 1, 2, 3, 6, 7, 8, 9] {
        assert!(found.contains(&object), "{object} of {found:?}");
    }
    assert_eq!(tape.locate_end().unwrap(), 10);
}

#[test]
fn missing_bytes_in_a_block_cost_that_block_alone() {
    let (bytes, offsets) = volume();
    for gone in 1..30 {
        let mut bytes = bytes.clone();
        let at = offsets[4] as usize + 18;
        bytes.drain(at..at + gone);
        let found = survivors(&mut SimhTape::from_bytes("v", bytes));
        for object in [0, 1, 2, 3, 5, 6, 7, 8, 9] {
            assert!(found.contains(&object), "{object} of {found:?}, {gone} bytes gone");
        }
    }
}

#[test]
fn an_absurd_object_number_is_not_believed() {
    let (mut bytes, offsets) = volume();
    bytes[offsets[5] as usize..offsets[5] as usize + 4].fill(0x99);
    let number = offsets[5] as usize + 4 + 2;
    bytes[number..number + 8].fill(0xFF);
    let mut tape = SimhTape::from_bytes("v", bytes);
    assert_eq!(survivors(&mut tape), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
}

#[test]
fn every_truncation_leaves_a_prefix_and_a_tail_that_can_be_cut() {
    let (bytes, offsets) = volume();
    for length in 0..=bytes.len() {
        let whole = offsets[1..].iter().filter(|&&end| end <= length as u64).count() as u64;
        let mut tape = SimhTape::from_bytes("v", bytes[..length].to_vec());
        assert_eq!(survivors(&mut tape), (0..whole).collect::<Vec<_>>(), "length {length}");
        let torn = length as u64 - offsets[whole as usize];
        assert_eq!(tape.torn_tail(), (torn > 0).then_some((offsets[whole as usize], torn)));
        if torn > 0 {
            assert_eq!(tape.write(&[b"x"]).unwrap_err().class(), Class::State);
        }
        tape.cut_torn_tail(&probe).unwrap();
        assert_eq!(tape.torn_tail(), None);
        assert_eq!(tape.locate_end().unwrap(), whole);
        tape.write_filemark().unwrap();
        assert_eq!(tape.into_bytes().len() as u64, offsets[whole as usize] + 4);
    }
}

#[test]
fn no_changed_byte_makes_it_panic_or_costs_a_block_elsewhere() {
    let (bytes, offsets) = volume();
    for at in 0..bytes.len() {
        for mask in [0x01, 0x80, 0xFF, bytes[at]] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            let mut tape = SimhTape::from_bytes("v", changed.clone());
            let found = survivors(&mut tape);
            let hit = offsets.iter().filter(|&&offset| offset <= at as u64).count() as u64 - 1;
            for object in (0..10).filter(|&object| object != hit) {
                // A filemark that turned into a marker has vanished: only the numbers in the blocks can tell.
                let shifted = object > hit && (hit == 3 || hit == 7) && matches!(changed[at] >> 4, 7 | 15);
                assert!(found.contains(&object) || shifted, "{object} of {found:?}, byte {at} ^ {mask:02x}");
            }
            tape.locate(0).unwrap();
            survivors(&mut tape);
        }
    }
}

#[test]
fn damage_with_a_finished_block_behind_it_is_not_cut_off() {
    let (mut bytes, offsets) = volume();
    bytes[offsets[6] as usize] ^= 1;
    let mut tape = SimhTape::from_bytes("v", bytes.clone());
    assert!(tape.locate_end().is_err());
    assert_eq!(tape.torn_tail(), Some((offsets[6], offsets[10] - offsets[6])));
    assert_eq!(tape.cut_torn_tail(&probe).unwrap_err().class(), Class::State);
    assert_eq!(tape.skip_damage(&probe).unwrap(), Some(6));
    assert_eq!(tape.locate_end().unwrap(), 10);
    tape.write(&[&block(10, 50)]).unwrap();
    let after = tape.into_bytes();
    assert_eq!(after[..bytes.len()], bytes);
    assert_eq!(after.len(), bytes.len() + 58);
}

#[test]
fn a_tape_opened_for_reading_is_never_changed() {
    let (bytes, _) = volume();
    let torn = bytes[..bytes.len() - 1].to_vec();
    let mut tape = SimhTape::over("v", torn, true).unwrap();
    assert!(tape.locate_end().is_err());
    assert_eq!(tape.cut_torn_tail(&probe).unwrap_err().class(), Class::State);
    assert_eq!(tape.write_filemark().unwrap_err().class(), Class::State);
    tape.flush().unwrap();
    assert!(tape.read_only());
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn what_is_no_object_is_passed_over_and_bad_records_are_unreadable() {
    let mut bytes = words(&[4, 0x61616161, 4, 0x1000_0004, 7, 0x1000_0004, 0xE000_0003, 9, 0xE000_0003]);
    bytes.extend(words(&[0x7000_0001, 0xFFFF_FFFE, 0xFFFF_FFFE, 0x8000_0004, 5, 0x8000_0004]));
    bytes.extend(words(&[0x8000_0000, 0x8000_0000, 0]));
    // Half a gap, then a record, the end of the medium, and what the format calls undefined.
    bytes.extend_from_slice(&[0xFF, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF]);
    bytes.extend(words(&[3, 0x0062_6262, 3, 0xFFFF_FFFF, 3, 3, 3]));
    let mut tape = SimhTape::from_bytes("v", bytes);
    let mut buf = Vec::new();
    assert_eq!(tape.read(&mut buf).unwrap(), Read::Block(4));
    for object in [1, 2] {
        let error = tape.read(&mut buf).unwrap_err();
        assert!(matches!(error, Error::Medium { object: found, .. } if found == object), "{error}");
        assert_eq!(tape.position(), object + 1);
    }
    assert_eq!(tape.read(&mut buf).unwrap(), Read::Filemark);
    assert_eq!(tape.read(&mut buf).unwrap(), Read::Block(3));
    assert_eq!(buf, b"bbb");
    assert_eq!(tape.read(&mut buf).unwrap(), Read::EndOfData);
    assert_eq!(tape.position(), 5);
    // Bytes behind the end of the medium would be in the way.
    assert_eq!(tape.write(&[b"x"]).unwrap_err().class(), Class::State);
}

#[test]
fn a_record_longer_than_a_block_can_be_is_unreadable_and_passed() {
    let length = 1u32 << 24;
    let mut bytes = words(&[length]);
    bytes.resize(4 + length as usize, 0);
    bytes.extend(words(&[length, 0]));
    let mut tape = SimhTape::from_bytes("v", bytes);
    assert_eq!(tape.read(&mut Vec::new()).unwrap_err().class(), Class::Medium);
    assert_eq!(tape.read(&mut Vec::new()).unwrap(), Read::Filemark);
}

#[test]
fn a_hole_in_the_file_does_not_become_filemarks_without_bound() {
    let mut tape = SimhTape::from_bytes("v", vec![0; 1 << 20]);
    assert_eq!(tape.locate_end().unwrap_err().class(), Class::Format);
    assert_eq!(tape.position(), 65536);
    assert_eq!(tape.skip_damage(&probe).unwrap(), None);
    assert_eq!(tape.locate_end().unwrap(), 65536);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_read_on_without_end(
        parts in prop::collection::vec(
            prop_oneof![
                any::<u32>().prop_map(|word| words(&[word])),
                prop::sample::select(vec![0, 8, 0x8000_0008, 0x7000_0000, 0xFFFF_FFFE, 0xFFFE_FFFF])
                    .prop_map(|word| words(&[word])),
                (0u64..40, 14u32..60).prop_map(|(object, length)| block(object, length)),
                (0u64..40, 14u32..30).prop_map(|(object, half)| {
                    [words(&[half * 2]), block(object, half * 2), words(&[half * 2])].concat()
                }),
            ],
            0..40,
        )
    ) {
        let mut tape = SimhTape::from_bytes("v", parts.concat());
        survivors(&mut tape);
        let end = tape.locate_end().unwrap();
        for n in [1, 100, -1, -100] {
            let _ = tape.space_filemarks(n);
            prop_assert!(tape.position() <= end);
        }
        let objects = tape.filemarks().unwrap();
        prop_assert!(objects.is_sorted());
        let _ = tape.cut_torn_tail(&probe);
    }
}

/// A disk of so many bytes, whose next sync may fail, and which may take what it has no room for until it writes it.
#[derive(Default)]
struct Disk {
    bytes: Vec<u8>,
    room: usize,
    sync_fails: bool,
    /// What was taken and not written, if it writes behind.
    behind: Option<Vec<u8>>,
}

impl Store for Disk {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.bytes.read_at(offset, buf)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        if let Some(behind) = &mut self.behind {
            assert_eq!(offset, (self.bytes.len() + behind.len()) as u64);
            behind.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let taken = bytes.len().min(self.room - self.bytes.len());
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.write_at(offset, &bytes[..taken])
    }

    fn length(&self) -> io::Result<u64> {
        self.bytes.length()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        Store::truncate(&mut self.bytes, length)
    }

    fn settle(&mut self) -> io::Result<()> {
        let Some(behind) = &mut self.behind else { return Ok(()) };
        let behind = std::mem::take(behind);
        let taken = behind.len().min(self.room - self.bytes.len());
        self.bytes.extend_from_slice(&behind[..taken]);
        if taken < behind.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.sync_fails { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
    }
}

#[test]
fn a_full_disk_keeps_the_whole_objects_that_it_took() {
    // Room for 3 blocks of 58 bytes, and for bytes of the fourth.
    let behind = [None, Some(Vec::new())];
    for (room, behind) in (174..232).flat_map(|room| behind.clone().map(|behind| (room, behind))) {
        let disk = Disk { room, behind, ..Disk::default() };
        let mut tape = SimhTape::over("disk", disk, false).unwrap();
        for object in 0..5 {
            tape.write(&[&block(object, 50)]).unwrap();
        }
        let error = tape.flush().unwrap_err();
        assert!(matches!(error, Error::NoSpace { object: 3, .. }), "{error}");
        assert_eq!(tape.torn_tail().is_some(), room > 174);
        tape.cut_torn_tail(&probe).unwrap();
        tape.locate(0).unwrap();
        assert_eq!(survivors(&mut tape), [0, 1, 2]);
    }
}

#[test]
fn a_disk_that_is_full_inside_a_long_block_keeps_those_before() {
    // Three blocks of 100,010 bytes; the disk is full at each end of what is gathered and around it.
    for border in (200_020..300_030).step_by(4096).map(|at| at / 4096 * 4096) {
        for room in [border - 1, border, border + 1] {
            if !(200_020..300_030).contains(&room) {
                continue;
            }
            let mut tape = SimhTape::over("disk", Disk { room, ..Disk::default() }, false).unwrap();
            let mut written = Ok(());
            for object in 0..3 {
                let block = block(object, 100_002);
                written = tape.write(&[&block[..128], &block[128..50_000], &block[50_000..]]);
                assert!(object == 2 || written.is_ok());
            }
            let error = written.and_then(|()| tape.flush()).unwrap_err();
            assert!(matches!(error, Error::NoSpace { object: 2, .. }), "room for {room}: {error}");
            assert_eq!(tape.torn_tail().is_some(), room > 200_020);
            tape.cut_torn_tail(&probe).unwrap();
            tape.locate(0).unwrap();
            assert_eq!(survivors(&mut tape), [0, 1], "room for {room}");
        }
    }
}

#[test]
fn after_a_failed_flush_nothing_more_is_written() {
    let disk = Disk { room: 1000, sync_fails: true, ..Disk::default() };
    let mut tape = SimhTape::over("disk", disk, false).unwrap();
    tape.write(&[&block(0, 50)]).unwrap();
    assert_eq!(tape.flush().unwrap_err().class(), Class::Io);
    assert_eq!(tape.write_filemark().unwrap_err().class(), Class::State);
    assert_eq!(tape.flush().unwrap_err().class(), Class::State);
}

#[test]
fn a_file_is_written_closed_torn_cut_and_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume.tap");
    let big = vec![7u8; 700_001];
    let mut tape = SimhTape::create_new(&path).unwrap();
    for _ in 0..20 {
        tape.write(&[&big[..16], &big[16..]]).unwrap();
    }
    tape.write_filemark().unwrap();
    tape.flush().unwrap();
    drop(tape);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 20 * 700_010 + 4);
    assert_eq!(SimhTape::create_new(&path).unwrap_err().class(), Class::Io);

    let file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    io::Write::write_all(&mut &file, &words(&[700_001, 1, 2])).unwrap();
    let mut tape = SimhTape::open_write(&path).unwrap();
    assert_eq!(tape.torn_tail(), Some((20 * 700_010 + 4, 12)));
    tape.cut_torn_tail(&probe).unwrap();
    assert_eq!(tape.locate_end().unwrap(), 21);
    tape.write(&[b"more"]).unwrap();
    tape.flush().unwrap();

    let mut tape = SimhTape::open_read(&path).unwrap();
    tape.locate(19).unwrap();
    let mut buf = Vec::new();
    assert_eq!(tape.read(&mut buf).unwrap(), Read::Block(700_001));
    assert!(buf == big);
    assert_eq!(tape.read(&mut buf).unwrap(), Read::Filemark);
    assert_eq!(tape.read(&mut buf).unwrap(), Read::Block(4));
    assert_eq!(tape.read(&mut buf).unwrap(), Read::EndOfData);
    assert_eq!(SimhTape::open_read(folder.path()).unwrap_err().class(), Class::State);
}

#[test]
fn images_that_others_wrote_have_the_records_and_marks_that_others_found() {
    let test = "images_that_others_wrote_have_the_records_and_marks_that_others_found";
    let Some(samples) = samples::path(test, "data/samples/tape/simh") else {
        return;
    };
    // Name, records, filemarks, data bytes, shortest and longest record, as the samples' README gives them.
    let expected = [
        ("cdc1700-custom2-sysdat.tap.zst", 2922, 2, 233_760, 80, 80),
        ("cdc1700-custom3-sysdat.tap.zst", 2817, 2, 225_360, 80, 80),
        ("i650-soaplib.tap", 10, 4, 1000, 100, 100),
        ("sel32-diag.tap.zst", 5326, 74, 4_101_888, 204, 7680),
    ];
    for (name, records, marks, bytes, shortest, longest) in expected {
        let mut image = std::fs::read(samples.join(name)).unwrap();
        if name.ends_with("zst") {
            image = zstd::decode_all(&image[..]).unwrap();
        }
        let mut tape = SimhTape::from_bytes(name, image);
        let (mut lengths, mut found_marks, mut buf) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let at = tape.position();
            match tape.read(&mut buf).unwrap() {
                Read::Block(length) => lengths.push(length),
                Read::Filemark => found_marks.push(at),
                Read::EndOfData => break,
            }
        }
        assert_eq!((lengths.len(), found_marks.len()), (records, marks), "{name}");
        assert_eq!(lengths.iter().sum::<usize>(), bytes, "{name}");
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&shortest), Some(&longest)), "{name}");
        assert_eq!(tape.filemarks().unwrap(), found_marks, "{name}");
        assert_eq!(tape.torn_tail(), None, "{name}");
    }
}
