//! A run ends early: the image is cut, the run is cancelled, its source fails. The next run goes on from there.

use reel_engine::backup::{BackupOptions, backup};
use reel_engine::memory::Memory;
use reel_engine::pool::{Catalogs, MemoryShelf, Pool, SetStatus, Shelf};
use reel_engine::progress::Monitor;
use reel_engine::source::{Entry, Item, push};
use reel_engine::verify::verify;
use reel_engine::{Class, Error};
use reel_tape::layout::block::BlockKind;
use reel_tests::image::{Image, Object};
use reel_tests::memory::{
    Stream, back_up, back_up_with, image_of, noise, open, options, restore_and_compare,
};
use reel_tests::small;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Restores a set and gives how many of its streams came back whole.
fn whole_streams(pool: &Arc<Pool>, set: u32, streams: &[Stream]) -> usize {
    let restored = restore_and_compare(pool, pool.set(set).expect("a set of the pool"), streams).unwrap();
    restored.iter().filter(|r| r.is_whole()).count()
}

/// Bytes of the chunks of a set whose frames stand whole in the first objects of the image.
fn bytes_before(pool: &Arc<Pool>, image: &Image, set: u32, objects: usize) -> u64 {
    let Some(catalog) = pool.set(set) else { return 0 };
    let is_data = |object: &usize| image.header(*object).is_some_and(|h| h.kind == BlockKind::Data);
    let mut bytes = 0;
    for line in catalog.segments() {
        let table = catalog.segment(line.segment).unwrap().unwrap();
        for frame in &table.frames {
            // Where the record ends: its bytes run on over data blocks alone.
            let first = catalog.info.header_object as usize + frame.index.get() as usize;
            let mut left = frame.offset.get() as usize + frame.length.get() as usize;
            let mut last = first;
            for object in (first..image.set(set).end).filter(is_data) {
                last = object;
                left = left.saturating_sub(image.block(object).len() - 128);
                if left == 0 {
                    break;
                }
            }
            if last < objects {
                let chunks = &table.chunks[frame.first.get() as usize..][..frame.count.get() as usize];
                bytes += chunks.iter().map(|c| u64::from(c.length.get())).sum::<u64>();
            }
        }
    }
    bytes
}

#[test]
fn an_image_cut_anywhere_gives_back_what_is_complete_and_takes_a_new_set_that_reuses_the_rest() {
    let small = small::volume(2);
    let whole = Image::parse(&small.image);
    let pool = open(small.image.clone(), Catalogs::Cached).unwrap();
    let new: Vec<u64> = [1, 2].map(|set| pool.set(set).unwrap().info.trailer.as_ref().unwrap().new).into();
    let ranges = whole.ranges();
    let mut reused_somewhere = 0;
    for (object, range) in ranges.iter().enumerate() {
        for cut in [range.start, range.start + range.len() / 2] {
            reused_somewhere += u32::from(check_cut(&small, &whole, &pool, &new, object, cut));
        }
    }
    assert!(reused_somewhere > 20, "{reused_somewhere}");
}

/// The image is cut at a byte, so that its first `objects` objects are whole. Were chunks of the torn set used again?
fn check_cut(
    small: &small::Small,
    whole: &Image,
    before: &Arc<Pool>,
    new: &[u64],
    objects: usize,
    cut: usize,
) -> bool {
    let bytes = small.image[..cut].to_vec();
    let shelf = MemoryShelf::with_image(bytes.clone());
    let opened = open(bytes.clone(), Catalogs::Cached);
    if objects < 2 {
        // Not even the labels are there.
        assert_eq!(opened.err().expect("no labels").object(), "memory", "cut at {cut}");
        let failed = back_up_with(&shelf, &small.sets[0], &options(), &Monitor::default());
        assert!(failed.is_err() && image_of(&shelf) == bytes, "nothing is written behind missing labels");
        return false;
    }
    let pool = opened.unwrap();
    let report = verify(&pool, 1, Memory::DEFAULT, &Monitor::default()).unwrap();
    let first = whole.set(1);
    let second = whole.set(2);
    let torn = match objects {
        o if o > second.start && o < second.end => Some(2),
        o if o > first.start && o < first.end => Some(1),
        _ => None,
    };
    for (set, streams) in (1..).zip(&small.sets) {
        let last = whole.set(set).end;
        match pool.set(set) {
            Some(catalog) if objects >= last => {
                assert_eq!(catalog.info.status, SetStatus::Complete, "cut at {cut}");
                assert_eq!(whole_streams(&pool, set, streams), streams.len(), "cut at {cut}, set {set}");
            }
            Some(catalog) => {
                assert_ne!(catalog.info.status, SetStatus::Complete, "cut at {cut}");
                let complete = catalog.info.status.is_complete();
                assert!(!complete || whole_streams(&pool, set, streams) == streams.len(), "cut at {cut}");
                assert_eq!(report.unlisted_sets.is_empty(), complete, "cut at {cut}");
                assert_eq!(report.incomplete_sets.is_empty(), complete, "cut at {cut}");
            }
            None => assert!(objects <= whole.set(set).start, "cut at {cut}: set {set} is not known"),
        }
    }

    // The next run: of the day that was cut, or of the last day once more.
    let day = usize::from(objects >= first.end);
    let streams = &small.sets[day];
    let rerun = back_up(&shelf, streams);
    let number = [1, 2].into_iter().filter(|s| objects > whole.set(*s).start).max().unwrap_or(0) + 1;
    assert_eq!(rerun.set, number, "cut at {cut}");
    assert_eq!(rerun.torn_sets, torn.into_iter().collect::<Vec<_>>(), "cut at {cut}");
    let reused = bytes_before(before, whole, day as u32 + 1, objects);
    assert_eq!(rerun.new_bytes, new[day] - reused, "cut at {cut}: the chunks of whole frames are used again");

    let image = image_of(&shelf);
    let kept = whole.ranges()[..objects].last().map_or(0, |r| r.end);
    assert!(image[..kept] == small.image[..kept], "cut at {cut}: something was overwritten");
    let after = open(image, Catalogs::Cached).unwrap();
    let trailer = after.set(number).unwrap().info.trailer.as_ref().unwrap();
    let listed: Vec<_> = trailer.torn.iter().map(|entry| (entry.set, entry.last_object)).collect();
    let expected: Vec<_> = torn.map(|set| (set, objects as u64 - 1)).into_iter().collect();
    assert_eq!(listed, expected, "cut at {cut}");
    assert_eq!(whole_streams(&after, number, streams), streams.len(), "cut at {cut}");
    let report = verify(&after, 1, Memory::DEFAULT, &Monitor::default()).unwrap();
    assert!(!report.has_findings(), "cut at {cut}: {report:?}");
    torn.is_some() && reused > 0
}

#[test]
fn the_small_volume_has_a_filemark_behind_every_set() {
    let image = Image::parse(&small::volume(2).image);
    for set in [1, 2] {
        assert_eq!(image.objects[image.set(set).end], Object::Filemark);
    }
}

const MIB: u64 = 1 << 20;

/// A stream of several pieces between two small files.
fn long(bytes: &[u8]) -> Vec<Stream> {
    let between = Stream::file("t/b-long", bytes.to_vec());
    vec![Stream::file("t/a", noise(1, 5_000)), between, Stream::file("t/c", noise(2, 5_000))]
}

/// The next run after one that ended early in set 1.
fn check_next_run(shelf: &MemoryShelf, streams: &[Stream]) {
    let total: u64 = streams.iter().map(|s| s.bytes.len() as u64).sum();
    let torn = open(image_of(shelf), Catalogs::Cached).unwrap();
    assert_eq!(torn.set(1).unwrap().info.status, SetStatus::Torn);
    let rerun = back_up(shelf, streams);
    assert_eq!((rerun.set, &rerun.torn_sets[..]), (2, &[1][..]));
    assert!(
        rerun.new_bytes <= total - 7 * MIB,
        "{} of {total} bytes are new: nothing was used again",
        rerun.new_bytes
    );
    let pool = open(image_of(shelf), Catalogs::Cached).unwrap();
    assert_eq!(whole_streams(&pool, 2, streams), streams.len());
    let report = verify(&pool, 2, Memory::DEFAULT, &Monitor::default()).unwrap();
    assert!(!report.has_findings(), "{report:?}");
    assert_eq!(report.incomplete_sets, [1]);
}

#[test]
fn a_run_cancelled_while_its_source_is_read_is_used_by_the_next_one() {
    let streams = long(&noise(9, 40 << 20));
    let shelf = MemoryShelf::default();
    let monitor = Monitor::default();
    let cancel = monitor.clone();
    let mut cancelling = streams.clone();
    cancelling[1] = cancelling[1].clone().watched(move |at| {
        if at >= 24 * MIB {
            cancel.cancel();
        }
        Ok(())
    });
    let error = back_up_with(&shelf, &cancelling, &options(), &monitor).unwrap_err();
    assert_eq!(error.class(), Class::Cancelled, "{error}");
    check_next_run(&shelf, &streams);
}

#[test]
fn a_run_cancelled_from_another_thread_ends_and_is_used_by_the_next_one() {
    let streams = long(&noise(10, 40 << 20));
    let shelf = MemoryShelf::default();
    let monitor = Monitor::default();
    // The source waits for the cancel once enough of it was claimed, so that the run cannot be faster than it.
    let reader = monitor.clone();
    let mut waiting = streams.clone();
    waiting[1] = waiting[1].clone().watched(move |at| {
        while at >= 32 * MIB && !reader.is_cancelled() {
            std::thread::yield_now();
        }
        Ok(())
    });
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            while monitor.counters().done.load(Ordering::Relaxed) < 8 * MIB {
                std::thread::yield_now();
            }
            monitor.cancel();
        });
        back_up_with(&shelf, &waiting, &options(), &monitor).unwrap_err()
    });
    assert_eq!(error.class(), Class::Cancelled, "{error}");
    check_next_run(&shelf, &streams);
}

#[test]
fn a_source_that_fails_in_the_middle_leaves_an_incomplete_set_that_the_next_run_uses() {
    let streams = long(&noise(11, 40 << 20));
    let shelf = MemoryShelf::default();
    let mut failing = streams.clone();
    failing[1] = failing[1].clone().watched(|at| {
        let broken = || Error::new(Class::Io, "t/b-long", "the disk is gone").at(at);
        if at < 24 * MIB { Ok(()) } else { Err(broken()) }
    });
    // One worker, so that the pieces before the failure were written whatever the timing.
    let one = BackupOptions { threads: 1, ..options() };
    let error = back_up_with(&shelf, &failing, &one, &Monitor::default()).unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    check_next_run(&shelf, &streams);
}

#[test]
fn a_pushed_stream_given_up_fails_the_run_with_its_reason_and_the_next_run_uses_what_came() {
    let bytes = noise(12, 40 << 20);
    let shelf = MemoryShelf::default();
    let (mut writer, source) = push("t/b-long").unwrap();
    let half = bytes[..24 << 20].to_vec();
    let pushing = std::thread::spawn(move || {
        writer.write_all(&half).unwrap();
        writer.abort("the snapshot was lost");
    });
    let as_shelf: Arc<dyn Shelf> = Arc::new(shelf.clone());
    let items = std::iter::once(Item::Entry(Entry::Stream(Box::new(source))));
    let one = BackupOptions { threads: 1, ..options() };
    let error = backup(&as_shelf, Box::new(items), &one, &Monitor::default()).unwrap_err();
    pushing.join().unwrap();
    assert!(error.to_string().contains("the snapshot was lost"), "{error}");
    check_next_run(&shelf, &long(&bytes));
}
