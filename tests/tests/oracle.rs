//! The oracle against itself: what it writes reads back, by the catalog and without it.

use reel_tape::layout::block::{BlockHeader, BlockKind};
use reel_tape::layout::recipe::{Cut, NodeKind, PageReport, StreamHead};
use reel_tape::medium::{Fault, Medium, MemoryMedium, Read, SimhTape};
use reel_tests::oracle::{self, OraclePool, OracleRun, OracleSet, OracleStream};

/// Bytes that do not compress, different for each seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn file(name: impl Into<Vec<u8>>, bytes: Vec<u8>) -> OracleStream {
    let head = StreamHead { name: name.into(), kind: NodeKind::File, ..StreamHead::default() };
    OracleStream { head, bytes, ..OracleStream::default() }
}

fn entry(name: &str, kind: NodeKind) -> OracleStream {
    let mut entry = file(name, Vec::new());
    entry.head.kind = kind;
    entry
}

/// Writes sets one after the other and checks that each reads back, by the catalog and by a scan.
fn write_sets(medium: &mut dyn Medium, sets: &[&[OracleStream]]) -> Vec<OracleSet> {
    let mut pool = OraclePool::default();
    let mut run = OracleRun::example();
    for (at, streams) in sets.iter().enumerate() {
        if at == 0 {
            oracle::write_volume(medium, &mut pool, &run, streams).unwrap();
        } else {
            run.set_head.set += 1;
            run.set_head.session += 1;
            run.pool_state = None;
            oracle::append_set(medium, &mut pool, &run, streams).unwrap();
        }
    }
    let read = oracle::read_volume(medium).unwrap();
    assert_eq!(read.len(), sets.len());
    for (set, written) in read.iter().zip(sets) {
        assert_eq!(set.streams.len(), written.len());
        for (stream, written) in set.streams.iter().zip(*written) {
            let name = String::from_utf8_lossy(&stream.head.name);
            let cut = written.pages.map_or(Cut::Content, Cut::Pages);
            assert_eq!(stream.head, StreamHead { cut, ..written.head.clone() });
            assert!(stream.bytes == written.bytes, "{name}");
            assert_eq!(stream.end.pages, written.page_report, "{name}");
            assert_eq!(stream.end.changed, written.changed, "{name}");
        }
    }
    let without_trailers: Vec<OracleSet> =
        read.iter().cloned().map(|set| OracleSet { trailer: None, ..set }).collect();
    assert!(oracle::scan(medium).unwrap() == without_trailers, "the scan finds what the catalogs say");
    read
}

fn figures(set: &OracleSet) -> (u32, u64, u64) {
    let trailer = set.trailer.as_ref().unwrap();
    (trailer.segments, trailer.input, trailer.new)
}

/// Kinds of the blocks of a medium, a filemark as none.
fn kinds(medium: &mut dyn Medium) -> Vec<Option<BlockKind>> {
    let mut kinds = Vec::new();
    let mut block = Vec::new();
    medium.locate(0).unwrap();
    loop {
        match medium.read(&mut block).unwrap() {
            Read::EndOfData => return kinds,
            Read::Filemark => kinds.push(None),
            Read::Block(80) => {}
            Read::Block(_) => kinds.push(Some(BlockHeader::decode(&block).unwrap().0.kind)),
        }
    }
}

fn tape() -> MemoryMedium {
    MemoryMedium::new("tape")
}

#[test]
fn a_small_set_has_its_blocks_in_order() {
    use BlockKind::*;
    let mut tape = tape();
    write_sets(&mut tape, &[&[entry("d", NodeKind::Directory), file("d/f", noise(1, 5000))], &[]]);
    let expected = [
        [Some(Label), None].as_slice(),
        &[Header, Data, Data, Segment, Recipe, Mark, Catalog, Trailer].map(Some),
        &[None],
        &[Header, Mark, Catalog, Trailer].map(Some),
        &[None],
    ];
    assert_eq!(kinds(&mut tape), expected.concat());
}

#[test]
fn duplicates_within_and_across_sets_are_stored_once() {
    let mut changed = noise(1, 300_000);
    changed.splice(100_000..100_000, *b"inserted");
    let first = [
        entry("dir", NodeKind::Directory),
        file("dir/a", noise(1, 300_000)),
        file("dir/b", noise(1, 300_000)),
        file("dir/empty", Vec::new()),
        entry("dir/link", NodeKind::Symlink),
        entry("dir/other", NodeKind::HardLink),
    ];
    let second = [file("dir/a", noise(1, 300_000)), file("dir/c", changed)];
    let read = write_sets(&mut tape(), &[&first, &second, &second]);
    assert_eq!(figures(&read[0]), (1, 600_000, 300_000));
    let (segments, input, new) = figures(&read[1]);
    assert_eq!((segments, input), (1, 600_008));
    assert!((8..=131_080).contains(&new), "{new}");
    assert_eq!(figures(&read[2]), (0, 600_008, 0));
}

#[test]
fn zeros_and_holes_are_not_stored_and_cross_windows_and_parts() {
    // Data, then zeros over the first window's border, a hole that begins and ends inside chunks, data again.
    let mut bytes = noise(2, 19 << 20);
    bytes[6 << 20..10 << 20].fill(0);
    let hole = (11 << 20) + 5..(15 << 20) + 7;
    bytes[hole.clone()].fill(0);
    let tail = (18 << 20) + 9..19 << 20;
    bytes[tail.clone()].fill(0);
    let holes = [hole, tail].map(|hole| hole.start as u64..hole.end as u64);
    let sparse =
        |name: &str, pages| OracleStream { holes: holes.to_vec(), pages, ..file(name, bytes.clone()) };
    let streams = [
        sparse("content", None),
        sparse("pages", Some(8192)),
        file("nothing but zeros", vec![0; 9 << 20]),
        OracleStream {
            holes: vec![0..2 << 20, 3 << 20..5 << 20],
            ..file("holes and zeros", vec![0; 5 << 20])
        },
    ];
    let read = write_sets(&mut tape(), &[&streams, &streams]);
    let (segments, input, new) = figures(&read[0]);
    assert_eq!((segments, input), (1, 52 << 20));
    assert!(new < 23 << 20, "{new}");
    assert_eq!(figures(&read[1]).2, 0);
    let [content, pages, ..] = &read[0].streams[..] else { panic!("four streams were written") };
    assert_ne!(content.end.root, pages.end.root);
    assert_eq!(content.end.root, read[1].streams[0].end.root);
}

#[test]
fn a_page_stream_keeps_its_pages_and_its_report() {
    let report = PageReport { good: 700, bad: 1, past_end: 2, owned_end: 9, ..PageReport::default() };
    let mut bytes = noise(3, 700 * 4096 + 100);
    let page = |name: &str, bytes: &Vec<u8>| OracleStream {
        pages: Some(4096),
        page_report: report.clone(),
        changed: true,
        ..file(name, bytes.clone())
    };
    let before = page("db", &bytes);
    bytes[50 * 4096] ^= 1;
    let read = write_sets(&mut tape(), &[&[before], &[page("db", &bytes)]]);
    assert_eq!(figures(&read[1]).2, 4096);
    assert_eq!(read[1].trailer.as_ref().unwrap().bad_pages, 3);
}

#[test]
fn segments_close_at_64_mib_of_input_or_65_536_new_chunks() {
    let long = [file("long", noise(4, 70 << 20)), file("tail", noise(5, 10))];
    let read = write_sets(&mut tape(), &[&long, &long]);
    assert_eq!(figures(&read[0]), (2, (70 << 20) + 10, (70 << 20) + 10));
    assert_eq!(figures(&read[1]).0, 0);
    // Sixteen pieces of 4,096 streams fill the first segment.
    let tiny: Vec<OracleStream> =
        (0..66_000u32).map(|n| file(n.to_string(), n.to_be_bytes().map(|b| b ^ 0x55).to_vec())).collect();
    assert_eq!(figures(&write_sets(&mut tape(), &[&tiny])[0]), (2, 264_000, 264_000));
}

#[test]
fn five_thousand_tiny_files_share_pieces_and_come_back_from_an_image() {
    let tiny: Vec<OracleStream> =
        (0..5000usize).map(|n| file(format!("tiny/{n:04}"), noise(n as u64 / 2, n % 97))).collect();
    let folder = tempfile::tempdir().unwrap();
    let mut tape = SimhTape::create(folder.path().join("tiny.tap")).unwrap();
    write_sets(&mut tape, &[&tiny, &tiny]);
}

#[test]
fn checkpoints_stand_between_pieces_behind_what_they_cover() {
    let mut run = OracleRun::example();
    run.set_head.checkpoint = 3 << 20;
    run.level = None;
    let mut tape = tape();
    let streams = [file("a", noise(7, 20 << 20)), file("b", noise(8, 1000))];
    oracle::write_volume(&mut tape, &mut OraclePool::default(), &run, &streams).unwrap();
    assert_eq!(oracle::read_volume(&mut tape).unwrap()[0].streams[0].bytes, streams[0].bytes);
    let marks = kinds(&mut tape).into_iter().filter(|kind| *kind == Some(BlockKind::Mark)).count();
    assert_eq!(marks, 4, "three windows of the long stream, and the end");
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let streams = [file("a", noise(9, 20_000)), file("b", vec![7; 50_000])];
    let objects = {
        let mut tape = tape();
        write_sets(&mut tape, &[&streams]);
        kinds(&mut tape).len() as u64 + 1
    };
    for object in (0..objects).filter(|object| ![2, objects - 1].contains(object)) {
        let mut tape = tape();
        write_sets(&mut tape, &[&streams]);
        tape.inject(Fault::Flipped { object, byte: 77, mask: 0x10 }).unwrap();
        assert!(oracle::read_volume(&mut tape).is_err(), "object {object}");
    }
}
