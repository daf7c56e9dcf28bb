//! Reading ahead of the workers: direct reads of the blocks that come next, some at once, until all buffers have one.
//!
//! Files are read from front to back by several workers, each in a window of its own, so blocks are asked for nearly in order.
//! Each file has a plan: the next block to read, and holes are passed over. Whoever asks moves the plan on as far as buffers
//! are free, waits for its block, copies it, and frees the buffer when it has read its end. A block that the plan has not come
//! to goes first. Nobody waits for a buffer: what is not there is read plainly, so that a worker that went away holds up none.
//! Files of one run share the buffers.

use super::plain::within;
use super::uring::{Buffer, Pages, Ring};
use super::{PlainFile, PositionedRead, reopen};
use crate::error::Result;
use rustix::fs::{OFlags, SeekFrom};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of a block: one request. A multiple of every device's sector.
const BLOCK: u64 = 256 << 10;
/// Most blocks that are here or under way, and fewest.
const MOST: usize = 128;
const FEWEST: usize = 16;
/// Blocks that the plans have under way at once while the disk is slower than the workers: with all 128, the virtual disk that
/// this was measured on needs a third more time. For every `RELAXED` blocks that wait here it may be one more: then the workers
/// are slower, and while they are busy with what they took nobody asks.
const DEPTH: usize = 16;
const RELAXED: usize = 4;
/// A reader so many times all buffers away from the plan has left it.
const FAR: u64 = 4;

/// A file and a block of it.
type Key = (u64, u64);

/// What all files of a run share.
pub(super) struct ReadAhead {
    state: Mutex<State>,
    landed: Condvar,
}

struct State {
    ring: Ring<Key>,
    slots: u64,
    free: Vec<Buffer>,
    blocks: BTreeMap<Key, Block>,
    plans: BTreeMap<u64, Plan>,
    next_file: u64,
    /// Somebody waits in the kernel, and takes what is done.
    waiting: bool,
    /// The kernel does not answer any more.
    broken: bool,
}

/// A block that was asked of the kernel.
enum Block {
    Flying,
    Here { buffer: Buffer, length: usize },
}

/// How a file is read ahead.
struct Plan {
    file: Arc<File>,
    size: u64,
    /// The next block to be read.
    next: u64,
    /// Up to here the file is known to have data.
    data_end: u64,
    /// Blocks from `next` on that were asked for before the plan came to them.
    passed: BTreeSet<u64>,
}

impl ReadAhead {
    /// A read-ahead that holds about `share` bytes.
    ///
    /// # Errors
    /// Where the kernel gives no io_uring.
    pub fn new(share: usize) -> io::Result<ReadAhead> {
        let slots = (share / BLOCK as usize).clamp(FEWEST, MOST);
        let (ring, free) = Ring::new(slots as u16, BLOCK as usize, Pages::Huge)?;
        let state = State {
            ring,
            slots: slots as u64,
            free,
            blocks: BTreeMap::new(),
            plans: BTreeMap::new(),
            next_file: 0,
            waiting: false,
            broken: false,
        };
        Ok(ReadAhead { state: Mutex::new(state), landed: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a block once it is there; `None` if it was not read ahead. `moves`: the plan follows.
    fn take(&self, key: Key, moves: bool) -> Option<(Buffer, usize)> {
        let mut state = self.state();
        state.land();
        if moves {
            state.follow(key);
        }
        loop {
            match state.blocks.get(&key) {
                None => return None,
                Some(Block::Here { .. }) => match state.blocks.remove(&key) {
                    Some(Block::Here { buffer, length }) => return Some((buffer, length)),
                    _ => return None,
                },
                Some(Block::Flying) if state.broken => return None,
                Some(Block::Flying) if state.waiting => {
                    state = self.landed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Some(Block::Flying) => {
                    let waiter = state.ring.waiter();
                    state.waiting = true;
                    drop(state);
                    let waited = waiter.wait();
                    state = self.state();
                    state.waiting = false;
                    state.broken = waited.is_err();
                    state.land();
                    state.fill(key.0);
                    self.landed.notify_all();
                }
            }
        }
    }

    /// Gives back what was taken: to be asked for again, or `done` with.
    fn give_back(&self, key: Key, buffer: Buffer, length: usize, done: bool) {
        let mut state = self.state();
        if done {
            state.free.push(buffer);
            state.fill(key.0);
        } else {
            state.blocks.insert(key, Block::Here { buffer, length });
        }
    }
}

impl State {
    /// Takes what the kernel has done, unless somebody waits for it there.
    fn land(&mut self) {
        if self.waiting || self.ring.flying() == 0 {
            return;
        }
        let State { ring, free, blocks, plans, .. } = self;
        ring.land(|landed| {
            let key = landed.tag;
            match (plans.get_mut(&key.0), landed.result) {
                (Some(_), Ok(length)) => {
                    blocks.insert(key, Block::Here { buffer: landed.buffer, length });
                }
                (plan, _) => {
                    // Plain reading gives the bytes or says what is wrong; so it does with the rest of the file.
                    if let Some(plan) = plan {
                        plan.next = u64::MAX;
                    }
                    blocks.remove(&key);
                    free.push(landed.buffer);
                }
            }
        });
    }

    /// Moves the plan of a file on. The block that is asked for goes first if the plan has not come to it.
    fn follow(&mut self, key: Key) {
        let (file, block) = key;
        let far = FAR * self.slots;
        let Some(plan) = self.plans.get_mut(&file) else { return };
        let is_far = block.checked_sub(plan.next).is_some_and(|blocks| blocks > far);
        if is_far {
            plan.next = block;
            plan.passed.clear();
        }
        // Blocks that border on a hole may never be read to their end.
        self.leave_behind(file, if is_far { block } else { block.saturating_sub(far) });
        self.fill(file);
        let Some(plan) = self.plans.get_mut(&file) else { return };
        if block >= plan.next && !self.blocks.contains_key(&key) {
            plan.passed.insert(block);
            if self.ask(key) {
                self.ring.submit();
            }
        }
    }

    /// Frees the buffers of a file's blocks before `block`.
    fn leave_behind(&mut self, file: u64, block: u64) {
        let here =
            self.blocks.range((file, 0)..(file, block)).filter(|(_, b)| matches!(b, Block::Here { .. }));
        let keys: Vec<Key> = here.map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(Block::Here { buffer, .. }) = self.blocks.remove(&key) {
                self.free.push(buffer);
            }
        }
    }

    /// Asks the kernel for the next blocks of a file, as far as buffers are free and the disk has not enough to do.
    fn fill(&mut self, file: u64) {
        let mut any = false;
        while self.ring.flying() < DEPTH + self.blocks.len().saturating_sub(self.ring.flying()) / RELAXED
            && !self.free.is_empty()
            && let Some(block) = self.plans.get_mut(&file).and_then(Plan::next_block)
            && self.ask((file, block))
        {
            any = true;
        }
        if any {
            self.ring.submit();
        }
    }

    /// Puts the read of a block into the queue, if a buffer is free.
    fn ask(&mut self, key: Key) -> bool {
        let Some(plan) = self.plans.get(&key.0) else { return false };
        let Some(buffer) = self.free.pop() else { return false };
        // The last request asks for whole sectors too, and gets what is there.
        match self.ring.read(buffer, plan.file.clone(), key.1 * BLOCK, BLOCK as usize, key) {
            Ok(()) => {
                self.blocks.insert(key, Block::Flying);
                true
            }
            Err((buffer, _)) => {
                self.free.push(buffer);
                false
            }
        }
    }
}

impl Plan {
    /// The next block that is to be read; moves behind it.
    fn next_block(&mut self) -> Option<u64> {
        loop {
            let offset = self.next.checked_mul(BLOCK).filter(|offset| *offset < self.size)?;
            if offset >= self.data_end && !self.find_data(offset) {
                self.next = u64::MAX;
                return None;
            }
            let block = self.next;
            self.next += 1;
            if !self.passed.remove(&block) {
                return Some(block);
            }
        }
    }

    /// Moves to the first block at or behind `offset` with data. `false`: there is none.
    fn find_data(&mut self, offset: u64) -> bool {
        let seek = |to| rustix::fs::seek(&self.file, to);
        match seek(SeekFrom::Data(offset)) {
            Ok(data) if data < self.size => {
                self.next = self.next.max(data / BLOCK);
                let hole = seek(SeekFrom::Hole(data)).unwrap_or(self.size);
                // A file that changes must not stop the plan.
                self.data_end = hole.max(data + 1);
                true
            }
            Ok(_) | Err(rustix::io::Errno::NXIO) => false,
            // The file system cannot tell: all of it is data.
            Err(_) => {
                self.data_end = self.size;
                true
            }
        }
    }
}

/// A file that is read ahead.
pub(super) struct AheadFile {
    ahead: Arc<ReadAhead>,
    id: u64,
    plain: Arc<PlainFile>,
}

impl AheadFile {
    /// Opens `plain` once more for direct reading; `None` where its file system does not allow that.
    pub fn open(ahead: &Arc<ReadAhead>, plain: &Arc<PlainFile>) -> Option<AheadFile> {
        let flags = OFlags::DIRECT | OFlags::NONBLOCK;
        let open = |flags| reopen(plain.file(), OpenOptions::new().read(true), flags);
        let file = open(flags | OFlags::NOATIME).or_else(|_| open(flags)).ok()?;
        let mut state = ahead.state();
        let id = state.next_file;
        state.next_file += 1;
        let plan =
            Plan { file: Arc::new(file), size: plain.size(), next: 0, data_end: 0, passed: BTreeSet::new() };
        state.plans.insert(id, plan);
        drop(state);
        Some(AheadFile { ahead: ahead.clone(), id, plain: plain.clone() })
    }
}

impl PositionedRead for AheadFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize> {
        let size = self.plain.size();
        let buf = within(buf, offset, size);
        // Short reads are looks at a header or a page somewhere; the file's reading goes by whole blocks.
        let moves = buf.len() as u64 >= BLOCK;
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let (block, inside) = (at / BLOCK, (at % BLOCK) as usize);
            let end = buf.len().min(done + BLOCK as usize - inside);
            let part = &mut buf[done..end];
            let mut got = 0;
            if let Some((buffer, length)) = self.ahead.take((self.id, block), moves) {
                let here = buffer.bytes().get(inside..length).unwrap_or_default();
                got = here.len().min(part.len());
                part[..got].copy_from_slice(&here[..got]);
                let is_end = inside + part.len() == BLOCK as usize || offset + end as u64 == size;
                self.ahead.give_back((self.id, block), buffer, length, is_end);
            }
            if got < part.len() {
                // Not read ahead, or the file ends here by now: that is for plain reading to say.
                got += self.plain.read_at(&mut part[got..], at + got as u64)?;
                if got < part.len() {
                    return Ok(done + got);
                }
            }
            done = end;
        }
        Ok(done)
    }
}

impl Drop for AheadFile {
    /// Frees the file's buffers; those that the kernel still has are freed when they are done.
    fn drop(&mut self) {
        let mut state = self.ahead.state();
        state.plans.remove(&self.id);
        state.leave_behind(self.id, u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const LENGTH: usize = (70 << 20) + 12_345;

    /// A file, what is in it, and a read-ahead; `None`, said loudly, where there is no io_uring.
    fn file(test: &str) -> Option<(Arc<ReadAhead>, Arc<PlainFile>, Vec<u8>)> {
        let Ok(ahead) = ReadAhead::new(8 << 20) else {
            eprintln!("skipped: {test}: the system gives no io_uring");
            return None;
        };
        let mut bytes = vec![0; LENGTH];
        blake3::Hasher::new().update(b"ahead").finalize_xof().fill(&mut bytes);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let plain = PlainFile::new(file, "test".into(), LENGTH as u64);
        Some((Arc::new(ahead), Arc::new(plain), bytes))
    }

    fn check(file: &AheadFile, bytes: &[u8], offset: usize, length: usize) {
        let mut found = vec![0; length];
        let expected = bytes.get(offset..).unwrap_or_default();
        let expected = &expected[..length.min(expected.len())];
        assert_eq!(file.read_at(&mut found, offset as u64).unwrap(), expected.len(), "at {offset}");
        assert!(&found[..expected.len()] == expected, "{length} bytes at {offset}");
    }

    /// Every buffer is free or with the kernel once no file is open.
    fn assert_all_back(ahead: &ReadAhead) {
        let mut state = ahead.state();
        while state.ring.flying() > 0 {
            state.ring.waiter().wait().unwrap();
            state.land();
        }
        assert_eq!(state.free.len() as u64, state.slots);
        assert!(state.blocks.is_empty() && state.plans.is_empty());
    }

    #[test]
    fn blocks_are_under_way_before_they_are_asked_for() {
        let Some((ahead, plain, bytes)) = file("blocks_are_under_way_before_they_are_asked_for") else {
            return;
        };
        let file = AheadFile::open(&ahead, &plain).unwrap();
        let step = 512 << 10;
        let mut end = 0;
        for offset in (0..LENGTH).step_by(step) {
            check(&file, &bytes, offset, step);
            end = (offset + step).min(LENGTH);
            let state = ahead.state();
            let plan = state.plans.get(&file.id).unwrap();
            let blocks = LENGTH.div_ceil(BLOCK as usize) as u64;
            let read = (offset + step) as u64 / BLOCK;
            assert!(plan.passed.is_empty(), "all of them were read ahead");
            let (least, most) = (read + DEPTH as u64, read + state.slots);
            assert!((least.min(blocks)..=most).contains(&plan.next.min(blocks)), "behind {offset}");
        }
        assert_eq!(end, LENGTH);
        drop(file);
        assert_all_back(&ahead);
    }

    #[test]
    fn windows_of_several_threads_and_looks_anywhere_give_the_bytes_of_the_file() {
        let test = "windows_of_several_threads_and_looks_anywhere_give_the_bytes_of_the_file";
        let Some((ahead, plain, bytes)) = file(test) else { return };
        let file = AheadFile::open(&ahead, &plain).unwrap();
        let other = AheadFile::open(&ahead, &plain).unwrap();
        std::thread::scope(|scope| {
            for first in [3, 0, 2, 1] {
                let (file, other, bytes) = (&file, &other, &bytes);
                scope.spawn(move || {
                    for window in (first..9).step_by(4) {
                        for offset in ((window * 8) << 20..((window + 1) * 8) << 20).step_by(512 << 10) {
                            check(file, bytes, offset, 512 << 10);
                            check(file, bytes, (offset * 7 + 13) % LENGTH, 40_000);
                            check(other, bytes, (offset * 5) % LENGTH, 300_001);
                        }
                    }
                });
            }
        });
        for offset in [LENGTH - 1, LENGTH, LENGTH + 1, usize::MAX >> 1] {
            check(&file, &bytes, offset, 1 << 20);
        }
        drop((file, other));
        assert_all_back(&ahead);
    }

    #[test]
    fn a_plan_passes_over_holes() {
        let Ok(ahead) = ReadAhead::new(8 << 20) else {
            eprintln!("skipped: a_plan_passes_over_holes: the system gives no io_uring");
            return;
        };
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 34).unwrap();
        let place = (1 << 33) + 5_000_000;
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![7; 3_000_000], place).unwrap();
        let plain = Arc::new(PlainFile::new(file, "test".into(), 1 << 34));
        let has_holes = plain.seek(SeekFrom::Data(0), 0).unwrap().is_some_and(|data| data > 0);
        if !has_holes {
            eprintln!("skipped: a_plan_passes_over_holes: the file system tells no holes");
            return;
        }
        let ahead = Arc::new(ahead);
        let file = AheadFile::open(&ahead, &plain).unwrap();
        let mut found = vec![1; BLOCK as usize];
        assert_eq!(file.read_at(&mut found, 0).unwrap(), found.len());
        assert!(found.iter().all(|byte| *byte == 0));
        let state = ahead.state();
        let first = state.blocks.keys().next().unwrap().1;
        assert_eq!(first, place / BLOCK, "the first block with data is under way");
    }
}
