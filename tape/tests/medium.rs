//! The rules of sequential access, on every medium alike, and the faults of the medium in memory.

use proptest::prelude::*;
use reel_tape::error::{Class, Error};
use reel_tape::medium::{Fault, Medium, MemoryMedium, Read, SimhTape};

/// Every kind of medium, blank.
fn blank(append_only: bool) -> Vec<Box<dyn Medium>> {
    vec![
        Box::new(MemoryMedium::new("memory").append_only(append_only)),
        Box::new(SimhTape::from_bytes("image", Vec::new()).append_only(append_only)),
    ]
}

/// `abc`, filemark, `d`, `ef`, filemark.
fn filled(append_only: bool) -> Vec<Box<dyn Medium>> {
    let mut media = blank(append_only);
    for medium in &mut media {
        medium.write(&[b"a", b"", b"bc"]).unwrap();
        medium.write_filemark().unwrap();
        medium.write(&[b"d"]).unwrap();
        medium.write(&[b"ef"]).unwrap();
        medium.write_filemark().unwrap();
        medium.flush().unwrap();
    }
    media
}

/// All objects from the beginning: data, or `None` for a filemark. Unreadable ones are left out.
fn objects(medium: &mut dyn Medium) -> Vec<Option<Vec<u8>>> {
    medium.locate(0).unwrap();
    let (mut objects, mut buf) = (Vec::new(), Vec::new());
    loop {
        match medium.read(&mut buf) {
            Ok(Read::Block(length)) => {
                assert_eq!(length, buf.len());
                objects.push(Some(buf.clone()));
            }
            Ok(Read::Filemark) => objects.push(None),
            Ok(Read::EndOfData) => return objects,
            Err(error) => assert_eq!(error.class(), Class::Medium, "{error}"),
        }
    }
}

#[test]
fn objects_are_read_in_order_and_the_end_of_data_does_not_move() {
    for mut medium in filled(true) {
        assert_eq!(
            objects(&mut *medium),
            [Some(b"abc".to_vec()), None, Some(b"d".to_vec()), Some(b"ef".to_vec()), None]
        );
        let mut buf = vec![1];
        for _ in 0..2 {
            assert_eq!(medium.position(), 5);
            assert_eq!(medium.read(&mut buf).unwrap(), Read::EndOfData);
            assert!(buf.is_empty());
        }
    }
}

#[test]
fn locate_beyond_the_end_fails_and_stands_at_the_end() {
    for mut medium in filled(true) {
        medium.locate(3).unwrap();
        let mut buf = Vec::new();
        assert_eq!(medium.read(&mut buf).unwrap(), Read::Block(2));
        medium.locate(5).unwrap();
        let error = medium.locate(6).unwrap_err();
        assert!(matches!(error, Error::BeyondEnd { object: 6, end: 5, .. }), "{error}");
        assert_eq!(medium.position(), 5);
        assert_eq!(medium.locate_end().unwrap(), 5);
        assert!(medium.locate(u64::MAX).is_err());
    }
}

#[test]
fn writing_before_the_end_discards_all_that_follows() {
    for at in 0..=5u64 {
        for filemark in [false, true] {
            for mut medium in filled(false) {
                let mut expected = objects(&mut *medium);
                medium.locate(at).unwrap();
                expected.truncate(at as usize);
                if filemark {
                    medium.write_filemark().unwrap();
                    expected.push(None);
                } else {
                    medium.write(&[b"new"]).unwrap();
                    expected.push(Some(b"new".to_vec()));
                }
                assert_eq!(medium.position(), at + 1);
                assert_eq!(medium.read(&mut Vec::new()).unwrap(), Read::EndOfData);
                assert!(matches!(medium.locate(at + 2), Err(Error::BeyondEnd { .. })));
                assert_eq!(objects(&mut *medium), expected);
            }
        }
    }
}

#[test]
fn an_append_only_medium_refuses_to_write_before_the_end() {
    for mut medium in filled(true) {
        let before = objects(&mut *medium);
        for at in 0..5 {
            medium.locate(at).unwrap();
            assert_eq!(medium.write(&[b"x"]).unwrap_err().class(), Class::State);
            assert_eq!(medium.write_filemark().unwrap_err().class(), Class::State);
            assert_eq!(medium.position(), at);
        }
        assert_eq!(objects(&mut *medium), before);
        medium.write(&[b"x"]).unwrap();
        assert_eq!(medium.position(), 6);
    }
}

#[test]
fn spacing_forward_stops_behind_the_mark_and_backward_before_it() {
    for mut medium in filled(true) {
        medium.locate(0).unwrap();
        medium.space_filemarks(1).unwrap();
        assert_eq!(medium.position(), 2);
        medium.space_filemarks(1).unwrap();
        assert_eq!(medium.position(), 5);
        medium.space_filemarks(-1).unwrap();
        assert_eq!(medium.position(), 4);
        medium.space_filemarks(-1).unwrap();
        assert_eq!(medium.position(), 1);
        medium.space_filemarks(0).unwrap();
        assert_eq!(medium.position(), 1);
        let error = medium.space_filemarks(5).unwrap_err();
        assert!(matches!(error, Error::MarksMissing { object: 5, missing: 3, .. }), "{error}");
        assert_eq!(medium.position(), 5);
        let error = medium.space_filemarks(i64::MIN).unwrap_err();
        assert!(matches!(error, Error::MarksMissing { object: 0, .. }), "{error}");
        assert_eq!(medium.position(), 0);
        assert_eq!(medium.filemarks().unwrap(), [1, 4]);
        assert_eq!(medium.position(), 0);
    }
}

#[test]
fn blocks_of_no_bytes_or_too_many_are_refused() {
    for mut medium in blank(true) {
        assert_eq!(medium.write(&[]).unwrap_err().class(), Class::Argument);
        assert_eq!(medium.write(&[b"", b""]).unwrap_err().class(), Class::Argument);
        let half = vec![0; 1 << 23];
        assert_eq!(medium.write(&[&half, &half]).unwrap_err().class(), Class::Argument);
        assert_eq!(medium.locate_end().unwrap(), 0);
        medium.write(&[&half, &half[1..]]).unwrap();
        medium.locate(0).unwrap();
        assert_eq!(medium.read(&mut Vec::new()).unwrap(), Read::Block((1 << 24) - 1));
    }
}

#[test]
fn readable_objects_are_not_skipped_as_damage() {
    for mut medium in filled(true) {
        medium.locate(3).unwrap();
        assert_eq!(medium.skip_damage(&|_| None).unwrap(), Some(3));
        medium.locate(5).unwrap();
        assert_eq!(medium.skip_damage(&|_| None).unwrap(), None);
        assert!(medium.damage().is_empty());
    }
}

fn memory() -> MemoryMedium {
    let mut medium = MemoryMedium::new("memory");
    for block in [b"aa", b"bb", b"cc"] {
        medium.write(&[block]).unwrap();
        medium.write_filemark().unwrap();
    }
    medium.flush().unwrap();
    medium
}

#[test]
fn an_unreadable_object_is_reported_and_passed() {
    let mut medium = memory();
    medium.inject(Fault::Unreadable { object: 2 }).unwrap();
    medium.locate(2).unwrap();
    let error = medium.read(&mut Vec::new()).unwrap_err();
    assert!(matches!(error, Error::Medium { object: 2, .. }), "{error}");
    assert_eq!(medium.position(), 3);
    assert_eq!(objects(&mut medium).len(), 5);
}

#[test]
fn faults_of_the_medium_change_what_is_read() {
    let after = |fault| {
        let mut medium = memory();
        medium.inject(fault).unwrap();
        objects(&mut medium)
    };
    let (a, b, c) = (Some(b"aa".to_vec()), Some(b"bb".to_vec()), Some(b"cc".to_vec()));
    assert_eq!(after(Fault::Flipped { object: 2, byte: 3, mask: 1 })[2], Some(b"bc".to_vec()));
    assert_eq!(after(Fault::Shortened { object: 2, length: 1 })[2], Some(b"b".to_vec()));
    assert_eq!(after(Fault::Vanished { object: 1 }), [a.clone(), b.clone(), None, c.clone(), None]);
    assert_eq!(after(Fault::LostTail { object: 3 }), [a.clone(), None, b.clone()]);
    assert_eq!(after(Fault::Duplicated { object: 0 })[..3], [a.clone(), a, None]);
    let mut medium = memory();
    for fault in [
        Fault::Unreadable { object: 6 },
        Fault::Flipped { object: 1, byte: 0, mask: 1 },
        Fault::Vanished { object: u64::MAX },
    ] {
        assert_eq!(medium.inject(fault).unwrap_err().class(), Class::Argument);
    }
}

#[test]
fn a_lost_buffer_surfaces_at_the_flush_and_takes_all_since_the_last_one() {
    let mut medium = memory();
    medium.locate_end().unwrap();
    medium.inject(Fault::BufferLost { after: 10 }).unwrap();
    medium.write(&[b"dd"]).unwrap();
    assert_eq!(medium.flush().unwrap_err().class(), Class::Io);
    assert_eq!(medium.position(), 6);
    assert_eq!(objects(&mut medium).len(), 6);
}

#[test]
fn a_lost_buffer_surfaces_some_objects_later() {
    let mut medium = memory();
    medium.locate_end().unwrap();
    medium.inject(Fault::BufferLost { after: 2 }).unwrap();
    medium.write(&[b"dd"]).unwrap();
    medium.write(&[b"ee"]).unwrap();
    assert_eq!(medium.write_filemark().unwrap_err().class(), Class::Io);
    assert_eq!(medium.locate_end().unwrap(), 6);
}

#[test]
fn a_power_loss_keeps_what_was_flushed() {
    for (kept, torn, left) in [(0, false, 6), (1, false, 7), (2, true, 7), (9, true, 7), (0, true, 6)] {
        let mut medium = memory();
        medium.locate_end().unwrap();
        medium.write(&[b"dd"]).unwrap();
        medium.write(&[b"ee"]).unwrap();
        medium.inject(Fault::PowerLoss { kept, torn }).unwrap();
        assert_eq!(objects(&mut medium).len(), left, "kept {kept}, torn {torn}");
    }
}

#[test]
fn a_full_medium_refuses_blocks_and_takes_filemarks() {
    let mut medium = memory();
    medium.locate_end().unwrap();
    medium.inject(Fault::NoSpace { bytes: 9 }).unwrap();
    medium.write(&[b"dd"]).unwrap();
    let error = medium.write(&[b"ee"]).unwrap_err();
    assert!(matches!(error, Error::NoSpace { object: 7, .. }), "{error}");
    medium.write_filemark().unwrap();
    medium.flush().unwrap();
    assert_eq!(objects(&mut medium).len(), 8);
}

#[test]
fn a_write_protected_medium_refuses_to_write() {
    let mut medium = memory();
    medium.locate_end().unwrap();
    medium.set_read_only(true);
    assert!(medium.read_only());
    assert_eq!(medium.write_filemark().unwrap_err().class(), Class::State);
}

#[derive(Debug, Clone)]
enum Act {
    Write(Vec<u8>),
    Mark,
    Read,
    Locate(u64),
    Space(i64),
    Flush,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 1..300).prop_map(Act::Write),
        1 => Just(Act::Mark),
        2 => Just(Act::Read),
        2 => (0u64..30).prop_map(Act::Locate),
        1 => (-3i64..4).prop_map(Act::Space),
        1 => Just(Act::Flush),
    ]
}

fn perform(medium: &mut dyn Medium, act: &Act) -> String {
    let mut buf = Vec::new();
    let answer = match act {
        Act::Write(block) => medium.write(&[&block[..1], &block[1..]]).map(|()| None),
        Act::Mark => medium.write_filemark().map(|()| None),
        Act::Read => medium.read(&mut buf).map(Some),
        Act::Locate(object) => medium.locate(*object).map(|()| None),
        Act::Space(n) => medium.space_filemarks(*n).map(|()| None),
        Act::Flush => medium.flush().map(|()| None),
    };
    format!("{:?} {buf:?} {}", answer.map_err(|error| error.class()), medium.position())
}

proptest! {
    #[test]
    fn an_image_behaves_like_the_medium_in_memory(acts in prop::collection::vec(act(), 0..60), append_only: bool) {
        let mut memory = MemoryMedium::new("m").append_only(append_only);
        let mut image = SimhTape::from_bytes("m", Vec::new()).append_only(append_only);
        for act in &acts {
            prop_assert_eq!(perform(&mut memory, act), perform(&mut image, act));
        }
        let expected = objects(&mut memory);
        prop_assert_eq!(&objects(&mut image), &expected);
        let mut again = SimhTape::from_bytes("m", image.into_bytes());
        prop_assert_eq!(again.filemarks().unwrap(), memory.filemarks().unwrap());
        prop_assert_eq!(&objects(&mut again), &expected);
        let mut fresh = SimhTape::from_bytes("m", again.into_bytes());
        prop_assert_eq!(&objects(&mut fresh), &expected);
    }
}
