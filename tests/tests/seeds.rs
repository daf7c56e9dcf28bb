//! The seeds of the fuzz targets are files that the engine of today reads.
//!
//! `REEL_WRITE_SEEDS=1` writes them anew; a change of the format needs that.

use reel_engine::memory::Memory;
use reel_engine::pool::{Catalogs, MemoryShelf};
use reel_engine::progress::Monitor;
use reel_engine::verify::verify;
use reel_formats::ese::PAGE_SIZES;
use reel_formats::ese::database::Database;
use reel_formats::ese::log::record::{RecordType, TYPES_END, record_len};
use reel_formats::ese::page::checksum::{PageState, verify as page_state};
use reel_formats::ese::tables::Catalog;
use reel_tape::layout::block::BlockKind;
use reel_tape::layout::record::RecordKind;
use reel_tape::layout::set::SetHead;
use reel_tests::image::Image;
use reel_tests::memory::{Stream, back_up, image_of, noise, open};
use reel_tests::small;
use std::path::{Path, PathBuf};

#[path = "../../formats/tests/builder/mod.rs"]
mod builder;
#[allow(dead_code, reason = "the fuzz targets use more of it")]
#[path = "../../fuzz/src/log.rs"]
mod log;
#[path = "../../fuzz/src/replay/mod.rs"]
mod replay;
#[path = "seeds/replay.rs"]
mod replay_seeds;
#[path = "seeds/script.rs"]
mod script;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target)
}

fn write(target: &str, name: &str, parts: &[&[u8]]) {
    std::fs::create_dir_all(folder(target)).unwrap();
    std::fs::write(folder(target).join(name), parts.concat()).unwrap();
}

/// An image without the name of the machine that wrote it.
fn anonymous(image: &[u8], sets: u32) -> Image {
    let mut image = Image::parse(image);
    for set in 1..=sets {
        image.edit_records(set, BlockKind::Header, RecordKind::Set, |body| {
            let head = SetHead { host: "host".into(), ..SetHead::decode(body).unwrap() };
            *body = head.encode();
            true
        });
    }
    image
}

fn write_seeds() {
    let shelf = MemoryShelf::default();
    let mut sparse = vec![0; 40_000];
    sparse[..100].fill(7);
    let mut sparse = Stream::file("d/sparse", sparse);
    sparse.holes.push(4_096..40_000);
    let pages = small::database(0);
    let streams = [
        Stream::meta("d", reel_engine::attributes::NodeKind::Directory, None),
        Stream::file("d/a", b"some words ".repeat(50)),
        Stream::file("d/b", noise(1, 600)),
        Stream::file("d/e.edb", pages[..4 * 4096].to_vec()),
        Stream::meta("d/l", reel_engine::attributes::NodeKind::Symlink, Some("a")),
        sparse,
    ];
    back_up(&shelf, &streams);
    let first = anonymous(&image_of(&shelf), 1);
    back_up(&shelf, &streams[1..]);
    let both = anonymous(&image_of(&shelf), 2);
    let torn = first.ranges()[first.blocks_of(1, BlockKind::Segment)[0]].end;
    write("volume_open", "one-set", &[&[0], &first.bytes()]);
    write("volume_open", "one-set-blocks-mended", &[&[1], &first.bytes()]);
    write("volume_open", "two-sets-records-mended", &[&[2], &both.bytes()]);
    write("volume_open", "torn-records-mended", &[&[2], &first.bytes()[..torn]]);

    let good =
        |page: &usize| page_state(&pages[(page + 1) * 4096..][..4096], *page as u32) == PageState::Good;
    let last = (1..56usize).rfind(good).expect("a database with good pages");
    for page in [1, 2, 4, last] {
        let number = (page as u16).to_le_bytes();
        let at = (page + 1) * 4096;
        write("ese_page", &format!("page-{page}"), &[&[1], &number, &pages[at..at + 4096]]);
    }
    write("ese_page", "header", &[&[1, 0, 0], &pages[..4096]]);
    write("ese_page", "first-pages", &[&[1, 1, 0], &pages[8192..5 * 4096]]);
    write_log_seeds();
    for (name, input) in replay_seeds::all() {
        write("ese_replay", &name, &[&input]);
    }
    for size in PAGE_SIZES {
        let packed = builder::pack(size as usize, &builder::small(size as usize));
        write("ese_tables", &format!("table-{size}"), &[&packed]);
    }
    let kinds = [
        (1, BlockKind::Header, RecordKind::Set),
        (2, BlockKind::Header, RecordKind::PoolState),
        (3, BlockKind::Data, RecordKind::Frame),
        (4, BlockKind::Segment, RecordKind::Segment),
        (5, BlockKind::Recipe, RecordKind::Fragments),
        (6, BlockKind::Mark, RecordKind::End),
        (7, BlockKind::Catalog, RecordKind::Catalog),
        (9, BlockKind::Trailer, RecordKind::Trailer),
    ];
    for (decoder, blocks, kind) in kinds {
        let mut image = first.clone();
        image.edit_records(1, blocks, kind, |body| {
            write("record", &format!("{kind:?}").to_lowercase(), &[&[decoder], body]);
            true
        });
    }
}

/// Records of every type; of some also with what varies.
fn write_log_seeds() {
    let known = (0..TYPES_END).map(RecordType).filter(|kind| kind.fixed_len().is_some());
    let plain: Vec<u8> = known
        .flat_map(|kind| {
            let mut record = vec![0; kind.fixed_len().unwrap_or(1)];
            record[0] = kind.0;
            record
        })
        .collect();
    // Not those that only containers use.
    let in_logs = |first: u8, last: u8| {
        let mut records = Vec::new();
        let mut at = 0;
        while let Ok(len) = record_len(&plain[at..]) {
            if (first..=last).contains(&plain[at]) {
                records.extend_from_slice(&plain[at..at + len]);
            }
            at += len;
        }
        records
    };
    let with = |kind: RecordType, counts: &[(usize, u16)], tail: &[u8]| {
        let mut record = vec![0; kind.fixed_len().expect("a known type")];
        record[0] = kind.0;
        counts.iter().for_each(|(at, count)| record[*at..at + 2].copy_from_slice(&count.to_le_bytes()));
        record.extend_from_slice(tail);
        record
    };
    let varied = [
        with(RecordType::INSERT, &[(44, 2), (46, 3), (48, 4)], b"sxprfdata"),
        with(RecordType::REPLACE_D, &[(44, 5), (46, 150), (48, 55)], &[2, 0x20, 2, b'x', b'y']),
        with(RecordType::UNDO_INFO, &[(44, 1), (46, 1), (54, 1)], b"kbd"),
        with(RecordType::SPLIT2, &[(96, 1), (98, 1), (100, 1), (106, 4)], b"kpqpage"),
        with(RecordType::MERGE2, &[(86, 1), (92, 4)], b"kpage"),
        with(RecordType::PAGE_MOVE, &[(88, 2), (92, 2)], b"heta"),
        with(RecordType::EMPTY_TREE, &[(44, 16)], &[1; 16]),
        with(RecordType::CREATE_DB, &[(40, 4), (41, 0x0C00)], &[2, 0, 0, 0, b'a', 0, 0, 0]),
        with(RecordType::MACRO_INFO2, &[(1, 9), (3, 0)], &[1, 1, 0, 0, 0, 7, 0, 0, 0]),
        with(RecordType::EXTEND_DB, &[(1, 5)], &[1, 9, 0, 0, 0]),
        with(RecordType::TRACE, &[(3, 2)], b"hi"),
    ]
    .concat();
    write("ese_log", "records", &[&[0], &plain, &varied]);
    write("ese_log", "segments", &[&[1], &in_logs(4, 39), &varied]);
    write("ese_log", "segments-new-types", &[&[1], &in_logs(45, 66), &in_logs(78, 101)]);
    write("ese_log", "sectors", &[&[2], &in_logs(4, 39), &varied]);
    // A record in two fragments: the first fills its segment.
    let mut begin = vec![RecordType::FRAGMENT_BEGIN.0];
    begin.extend_from_slice(&5005u32.to_le_bytes());
    begin.extend_from_slice(&4049u16.to_le_bytes());
    begin.extend_from_slice(&with(RecordType::IGNORED10, &[(1, 5000)], &[7; 4044]));
    let mut rest = vec![RecordType::FRAGMENT.0];
    rest.extend_from_slice(&956u16.to_le_bytes());
    rest.extend_from_slice(&[8; 956]);
    write("ese_log", "fragments", &[&[1], &begin, &rest, &varied]);
}

fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder(target)).expect("the seeds are checked in");
    let read = |path: PathBuf| (path.display().to_string(), std::fs::read(&path).expect("a seed"));
    entries.map(|entry| read(entry.expect("an entry").path())).collect()
}

#[test]
fn the_seeds_of_the_fuzz_targets_are_small_and_good() {
    if std::env::var_os("REEL_WRITE_SEEDS").is_some() {
        write_seeds();
    }
    let mut bytes = 0;
    for (name, seed) in seeds("volume_open") {
        let pool = open(seed[1..].to_vec(), Catalogs::Scanned).unwrap_or_else(|e| panic!("{name}: {e}"));
        let report = verify(&pool, 1, Memory::DEFAULT, &Monitor::default()).unwrap();
        assert!(report.damage.is_empty() && report.hit.is_empty() && report.sets > 0, "{name}: {report:?}");
        bytes += seed.len();
    }
    for (name, seed) in seeds("ese_page") {
        let number = u32::from(u16::from_le_bytes([seed[1], seed[2]]));
        if number > 0 {
            assert_eq!(page_state(&seed[3..4099], number), PageState::Good, "{name}");
        }
        bytes += seed.len();
    }
    for (name, seed) in seeds("ese_log").iter().filter(|(_, seed)| seed[0] == 0) {
        let mut at = 1;
        while at < seed.len() {
            at += record_len(&seed[at..]).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    bytes += seeds("ese_log").iter().map(|(_, seed)| seed.len()).sum::<usize>();
    for (name, seed) in seeds("ese_replay") {
        let counts = replay::run(&seed).unwrap_or_else(|| panic!("{name}: no log"));
        let counts = counts.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(counts.applied > 1 && counts.skipped.is_empty(), "{name}: {counts:?}");
        // A check cannot tell two changes of one page by one macro from one.
        let may_be_present = name.contains("images") || seed[0] & replay::Mode::CHECK != 0;
        assert!(counts.present == 0 || may_be_present, "{name}: {counts:?}");
        bytes += seed.len();
    }
    for (name, seed) in seeds("ese_tables") {
        let database = builder::unpack(&seed);
        let database = Database::open(&database[..]).unwrap_or_else(|e| panic!("{name}: {e}"));
        let catalog = Catalog::read(&database);
        let rows: Vec<_> = catalog.tables.iter().flat_map(|table| table.rows(&database)).collect();
        assert!(rows.len() == 2 && rows.iter().all(Result::is_ok), "{name}: {rows:?}");
        bytes += seed.len();
    }
    bytes += seeds("record").iter().map(|(_, seed)| seed.len()).sum::<usize>();
    assert!(bytes < 100 << 10, "{bytes} bytes of seeds");
}

#[test]
fn undo_ends_with_an_error_where_update_counters_end() {
    let counts = replay::run(&replay_seeds::last_counters()).expect("a log");
    let error = counts.expect_err("no counter is left for undo").to_string();
    assert!(error.contains("an update counter that can be raised"), "{error}");
}
