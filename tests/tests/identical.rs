//! The engine against the oracle: the same streams give the same bytes, whatever the number of threads.

use reel_engine::attributes::{Attributes, NodeKind};
use reel_engine::backup::{BackupOptions, backup};
use reel_engine::chunk::pages::Shape;
use reel_engine::pool::{MemoryShelf, Shelf};
use reel_engine::progress::Monitor;
use reel_engine::source::{Entry, Item, PositionedRead, Source};
use reel_tape::layout::block::BlockHeader;
use reel_tape::layout::recipe::{Cut, PageReport, StreamHead};
use reel_tape::medium::{Medium, SimhTape};
use reel_tape::volume::reader;
use reel_tests::oracle::{self, OraclePool, OracleRun, OracleStream};
use std::ops::Range;
use std::sync::Arc;

/// A stream in memory, with or without reading at any place.
#[derive(Clone)]
struct Stream {
    name: Vec<u8>,
    attributes: Attributes,
    bytes: Arc<Vec<u8>>,
    holes: Vec<Range<u64>>,
    positioned: bool,
    /// Bytes by which the stream became shorter after its length was asked.
    lost: usize,
    at: usize,
}

struct Bytes(Arc<Vec<u8>>);

impl PositionedRead for Bytes {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> reel_engine::Result<usize> {
        let rest = self.0.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Source for Stream {
    fn name(&self) -> &[u8] {
        &self.name
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn len(&self) -> Option<u64> {
        self.positioned.then_some((self.bytes.len() + self.lost) as u64)
    }

    fn read(&mut self, buf: &mut [u8]) -> reel_engine::Result<usize> {
        let count = Bytes(self.bytes.clone()).read_at(buf, self.at as u64)?;
        self.at += count;
        Ok(count)
    }

    fn positioned(&self) -> Option<Arc<dyn PositionedRead>> {
        self.positioned.then(|| Arc::new(Bytes(self.bytes.clone())) as Arc<dyn PositionedRead>)
    }

    fn holes(&self, from: u64) -> reel_engine::Result<Option<Range<u64>>> {
        Ok(self.holes.iter().find(|h| h.end > from).cloned())
    }
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn stream(name: &str, bytes: Vec<u8>) -> Stream {
    Stream {
        name: name.into(),
        attributes: Attributes { kind: NodeKind::File, ..Attributes::pushed() },
        bytes: Arc::new(bytes),
        holes: Vec::new(),
        positioned: true,
        lost: 0,
        at: 0,
    }
}

/// Streams of all shapes: tiny and empty ones, long ones with zeros over window borders, holes, page files, pipes.
fn streams(day: u64) -> Vec<Stream> {
    let mut all = vec![stream("aa-empty", Vec::new()), stream("ab-one", vec![1])];
    let mut mixed = noise(1, 20_000_000);
    mixed[8_300_000..8_500_000].fill(0);
    mixed[16_500_000..17_000_000].fill(0);
    mixed[3_000_000..3_000_100].copy_from_slice(&noise(day, 100));
    all.push(stream("b-mixed", mixed.clone()));
    let mut pipe = stream("c-pipe", mixed[..17_000_000].to_vec());
    pipe.positioned = false;
    all.push(pipe);
    let mut exact = stream("d-exact-window", noise(2, 8 << 20));
    exact.positioned = day == 1;
    all.push(exact);
    let mut sparse = vec![0; 60_000_000];
    sparse[..5_000].copy_from_slice(&noise(3, 5_000));
    sparse[40_000_000..40_200_000].copy_from_slice(&noise(4, 200_000));
    let mut sparse = stream("e-sparse", sparse);
    sparse.holes = vec![8_192..39_997_440, 40_202_240..60_000_000];
    all.push(sparse);
    let mut sqlite = noise(5, 9_000_000);
    sqlite[..16].copy_from_slice(b"SQLite format 3\0");
    sqlite[16..18].copy_from_slice(&1024u16.to_be_bytes());
    sqlite[18..24].copy_from_slice(&[1, 1, 0, 64, 32, 32]);
    let at = (day * 1_000_000) as usize;
    sqlite[at..at + 50].copy_from_slice(&noise(day + 50, 50));
    sqlite[4_000_000..5_000_000].fill(0);
    all.push(stream("f-pages", sqlite));
    for i in 0..5_000 {
        all.push(stream(&format!("g-{i:05}"), noise(i % 700, (i as usize * 37) % 9_000)));
    }
    all.push(stream("h-zeros", vec![0; 9_500_001]));
    // The last bytes belong to a chunk of the window before, or to one of their own.
    for (number, behind) in [1, 3_000, 20_000, 50_000, 65_536, 70_000].into_iter().enumerate() {
        let mut tail = noise(60 + number as u64, (8 << 20) + behind);
        if number % 2 == 1 {
            tail[8_300_000..].fill(0);
        }
        let mut tail = stream(&format!("h-{number}"), tail);
        tail.holes = vec![(8 << 20) + 4096..(8 << 20) + 8192];
        tail.holes.truncate(usize::from(number == 3));
        all.push(tail);
    }
    // What an earlier version guides, in other places than before.
    let mut moved = noise(7, 26_000_000);
    moved[9_000_000..9_400_000].fill(0xFF);
    moved[20_000_000..20_300_000].fill(0);
    moved.splice(100..100, noise(8, 10 * day as usize));
    moved.splice(12_000_000..12_000_000, noise(9, 300_000 * (day as usize - 1)));
    moved.drain(18_000_000..18_000_000 + 70_000 * day as usize);
    moved[23_000_000..23_000_010].copy_from_slice(&noise(day, 10));
    all.push(stream("i-moved", moved));
    let mut other = noise(11, 10_000_000);
    if day == 2 {
        // An SQLite database for a day.
        other[..16].copy_from_slice(b"SQLite format 3\0");
        other[16..24].copy_from_slice(&[0x10, 0, 1, 1, 0, 64, 32, 32]);
    }
    all.push(stream("i-other", other));
    let mut short = stream("i-short", noise(13, 16_900_000));
    short.lost = 3_000_000;
    all.push(short);
    all.push(stream("i-text", (0..700_000u32).flat_map(|i| format!("line {i}\n").into_bytes()).collect()));
    all
}

fn oracle_stream(stream: &Stream) -> OracleStream {
    let shape = Shape::of(&stream.bytes[..stream.bytes.len().min(128 << 10)], Source::len(stream));
    let attributes = &stream.attributes;
    OracleStream {
        head: StreamHead {
            name: stream.name.clone(),
            kind: attributes.kind,
            mode: attributes.mode,
            source_length: Source::len(stream),
            recognised: shape.recognised,
            ..StreamHead::default()
        },
        bytes: [&stream.bytes[..], &vec![0; stream.lost]].concat(),
        holes: stream.holes.clone(),
        pages: match shape.cut {
            Cut::Pages(unit) => Some(unit),
            Cut::Content => None,
        },
        page_report: PageReport::default(),
        changed: false,
    }
}

fn engine_image(threads: usize, checkpoint: u64) -> Vec<u8> {
    let shelf = MemoryShelf::default();
    for day in 1..=3 {
        let items = streams(day).into_iter().map(|s| Item::Entry(Entry::Stream(Box::new(s))));
        let options = BackupOptions {
            threads,
            cache: None,
            clock: Some(5),
            seed: Some(9),
            block_size: 16_384,
            checkpoint,
            ..BackupOptions::default()
        };
        let shelf: Arc<dyn Shelf> = Arc::new(shelf.clone());
        backup(&shelf, Box::new(items), &options, &Monitor::default()).unwrap();
    }
    shelf.images().remove(0)
}

#[test]
fn the_engine_writes_the_bytes_of_the_oracle_with_any_number_of_threads() {
    let checkpoint = 9_000_000;
    let image = engine_image(2, checkpoint);
    for threads in [1, 7] {
        assert!(engine_image(threads, checkpoint) == image, "{threads} threads");
    }
    let mut tape = SimhTape::from_bytes("engine", image.clone());
    let sets = oracle::read_volume(&mut tape).unwrap();
    assert_eq!(sets.len(), 3);
    let label = reader::read_label(&mut tape).unwrap();
    let mut block = Vec::new();
    tape.locate(1).unwrap();
    tape.read(&mut block).unwrap();
    let session = BlockHeader::decode(&block).unwrap().0.session;

    let mut expected = SimhTape::from_bytes("oracle", Vec::new());
    let mut pool = OraclePool::default();
    for (day, set) in (1..).zip(&sets) {
        let run = OracleRun {
            label: label.clone(),
            set_head: set.head.clone(),
            session,
            level: Some(1),
            finished: 5,
            pool_state: (day == 1)
                .then(|| reel_tape::layout::set::PoolState { next_set: 2, entries: Vec::new() }),
            torn: Vec::new(),
        };
        let streams: Vec<_> = streams(day).iter().map(oracle_stream).collect();
        if day == 1 {
            oracle::write_volume(&mut expected, &mut pool, &run, &streams).unwrap();
        } else {
            oracle::append_set(&mut expected, &mut pool, &run, &streams).unwrap();
        }
    }
    let expected = expected.into_bytes();
    let differs = image.iter().zip(&expected).position(|(a, b)| a != b);
    assert!(differs.is_none() && image.len() == expected.len(), "first difference at byte {differs:?}");
}
