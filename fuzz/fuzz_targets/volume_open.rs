//! Bytes as a `.tap` image: opened from its catalogs and by a scan, listed, verified and restored to nowhere.
//!
//! The first byte chooses whether the checksums are made right before: 0 no, 1 those of blocks, 2 those of records too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reel_engine::memory::Memory;
use reel_engine::plan::Plan;
use reel_engine::pool::{Catalogs, MemoryShelf, Pool};
use reel_engine::progress::Monitor;
use reel_engine::restore::{RestoreOptions, pass, restore_stream};
use reel_engine::{Result, list, verify};
use std::io;
use std::sync::Arc;

/// Images above this are not tried: what a large one does, a small one does sooner.
const MOST_BYTES: usize = 256 << 10;
/// Bytes that an ordered restore may put out: a hole has any length.
const MOST_OUT: usize = 1 << 20;

struct Nowhere;

impl pass::Sink for Nowhere {
    fn write(&self, _: u32, _: u64, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

struct Bounded(usize);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn try_pool(image: &[u8], catalogs: Catalogs) -> Result<()> {
    let pool = Arc::new(Pool::open_shelf(Arc::new(MemoryShelf::with_image(image.to_vec())), None, catalogs)?);
    let monitor = Monitor::default();
    for set in pool.sets() {
        let _ = list::streams(set, |_| Ok(()));
        let Ok(plan) = Plan::new(&pool, set, Memory::DEFAULT, |_| true) else { continue };
        let _ = pass::run(&pool, &plan, &Nowhere, 1, Memory::DEFAULT, &monitor);
        let options = RestoreOptions { set: set.set().to_string(), ..RestoreOptions::default() };
        if let Some(stream) = plan.streams.last() {
            let _ = restore_stream(&pool, &stream.head.name, &mut Bounded(MOST_OUT), &options, &monitor);
        }
    }
    verify::verify(&pool, 1, Memory::DEFAULT, &monitor).map(drop)
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, image)) = data.split_first() else { return };
    if image.len() > MOST_BYTES {
        return;
    }
    let mut image = image.to_vec();
    if *mode > 0 {
        reel_fuzz::mend_image(&mut image, *mode > 1);
    }
    for catalogs in [Catalogs::Cached, Catalogs::Scanned] {
        let _ = try_pool(&image, catalogs);
    }
});
