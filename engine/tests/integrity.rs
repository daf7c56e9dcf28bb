//! The check of a database's pages, from a file and on several threads.

use reel_engine::Class;
use reel_engine::integrity::integrity;
use reel_engine::memory::Memory;
use reel_engine::progress::Monitor;
use reel_formats::ese::database::{Database, DatabaseFile};
use reel_workload::Store;
use std::io;
use std::sync::atomic::Ordering;

fn store() -> Vec<u8> {
    let store = Store::new(3, 24 << 20);
    let mut bytes = vec![0; store.len() as usize];
    store.read_at(&mut bytes, 0);
    bytes
}

#[test]
fn any_number_of_threads_finds_the_same() {
    let mut bytes = store();
    for pgno in [9usize, 300, 301] {
        bytes[(pgno + 1) * 32768 + 500] ^= 0x41;
    }
    let mut found = [1, 2, 7].map(|threads| {
        let monitor = Monitor::default();
        let database = Database::open(bytes.clone()).unwrap();
        let found = integrity(&database, "store", threads, Memory::DEFAULT, &monitor).unwrap();
        assert_eq!(monitor.counters().done.load(Ordering::Relaxed), bytes.len() as u64);
        (found.tally.faulty(), found.tally.highest_dbtime, found.tally.good, found.owned_end)
    });
    assert_eq!(found[0].0.iter().map(|page| page.pgno).collect::<Vec<_>>(), [9, 300, 301]);
    found.sort_by_key(|one| one.2);
    assert!(found[0] == found[1] && found[1] == found[2]);
}

#[test]
fn a_cancelled_check_says_so() {
    let monitor = Monitor::default();
    monitor.cancel();
    let database = Database::open(store()).unwrap();
    let error = integrity(&database, "store", 2, Memory::DEFAULT, &monitor).unwrap_err();
    assert_eq!(error.class(), Class::Cancelled);
}

/// Bytes that cannot be read from a place on.
struct Torn(Vec<u8>);

impl DatabaseFile for Torn {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= 8 << 20 { Err(io::Error::other("gone")) } else { self.0.read_at(offset, buffer) }
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_with_its_place() {
    let database = Database::open(Torn(store())).unwrap();
    let error = integrity(&database, "store", 1, Memory::DEFAULT, &Monitor::default()).unwrap_err();
    assert_eq!((error.class(), error.position()), (Class::Io, Some(8 << 20)));
}
