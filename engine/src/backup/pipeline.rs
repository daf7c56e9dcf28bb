//! The pipeline: workers that carry a piece from end to end, a claim in piece order, and one writer.
//!
//! Only finished pieces cross a channel, and no more of them exist than the memory bound allows: a worker takes a new piece
//! only when the writer is near enough. The order of everything that decides bytes is that of the pieces.

use super::claim::Claim;
use super::piece;
use super::pieces::{Piece, Pieces};
use super::window::{self, Handover};
use super::writer::{PieceDone, Writer};
use crate::chunk::gear::Gear;
use crate::error::{Class, Error, Result};
use crate::frame::{Compression, FrameEncoder};
use crate::progress::Monitor;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What the workers of a run share.
struct Shared<'a> {
    pieces: Mutex<Pieces<'a>>,
    turns: Mutex<Turns>,
    turned: Condvar,
    /// Memory of records that were written, for the next ones.
    spare: Mutex<Vec<Vec<u8>>>,
    set: u32,
    gear: Gear<'static>,
    compression: Compression,
    /// Pieces that may be under way at once.
    window: u64,
    monitor: &'a Monitor,
}

struct Turns {
    /// What windows that found their place left for the next ones, by the number of the piece that takes it.
    handovers: BTreeMap<u64, Handover>,
    claim: Claim,
    /// Number of the piece that claims next.
    claims: u64,
    /// Number of pieces that were written.
    written: u64,
    stopped: Option<Stop>,
}

/// Why a run stopped.
enum Stop {
    Failed(Error),
    /// A worker panicked.
    Gone,
}

/// What came out of a run.
pub struct Outcome<'a> {
    /// The pieces, for what they found.
    pub pieces: Pieces<'a>,
    /// The claim, for its counts.
    pub claim: Claim,
    /// The run was cancelled before everything was read.
    pub cancelled: bool,
}

/// Runs all of `pieces` through to `writer`.
pub fn run<'a>(
    pieces: Pieces<'a>,
    claim: Claim,
    writer: &mut Writer,
    set: u32,
    compression: Compression,
    workers: usize,
    monitor: &'a Monitor,
) -> Result<Outcome<'a>> {
    let shared = Shared {
        gear: pieces.gear(),
        pieces: Mutex::new(pieces),
        turns: Mutex::new(Turns { handovers: BTreeMap::new(), claim, claims: 0, written: 0, stopped: None }),
        turned: Condvar::new(),
        spare: Mutex::default(),
        set,
        compression,
        window: workers as u64 + 2,
        monitor,
    };
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..workers {
            let sender = sender.clone();
            let shared = &shared;
            scope.spawn(move || {
                let leaving = Leaving(shared);
                let outcome = shared.work(&sender);
                std::mem::forget(leaving);
                if let Err(error) = outcome {
                    shared.stop(Stop::Failed(error));
                }
            });
        }
        drop(sender);
        if let Err(error) = shared.write(&receiver, writer) {
            shared.stop(Stop::Failed(error));
        }
    });
    let turns = shared.turns.into_inner().unwrap_or_else(PoisonError::into_inner);
    match turns.stopped {
        Some(Stop::Failed(error)) => Err(error),
        Some(Stop::Gone) => Err(Error::new(Class::Internal, "backup", "a worker ended unexpectedly")),
        None => Ok(Outcome {
            pieces: shared.pieces.into_inner().unwrap_or_else(PoisonError::into_inner),
            claim: turns.claim,
            cancelled: monitor.is_cancelled(),
        }),
    }
}

/// Stops the run where a worker panics, so that nobody waits for its turn for ever.
struct Leaving<'s, 'a>(&'s Shared<'a>);

impl Drop for Leaving<'_, '_> {
    fn drop(&mut self) {
        self.0.stop(Stop::Gone);
    }
}

impl Shared<'_> {
    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, why: Stop) {
        let mut turns = self.turns();
        if turns.stopped.is_none() {
            turns.stopped = Some(why);
        }
        self.turned.notify_all();
    }

    /// Waits until `ready`; `None` where the run stopped.
    fn wait(&self, ready: impl Fn(&Turns) -> bool) -> Option<MutexGuard<'_, Turns>> {
        let mut turns = self.turns();
        while turns.stopped.is_none() && !ready(&turns) {
            turns = self.turned.wait(turns).unwrap_or_else(PoisonError::into_inner);
        }
        turns.stopped.is_none().then_some(turns)
    }

    fn work(&self, sender: &Sender<PieceDone>) -> Result<()> {
        let mut encoder = FrameEncoder::new(self.compression)?;
        let mut buffer = Vec::new();
        while let Some(piece) = self.take(std::mem::take(&mut buffer))? {
            let number = piece.number;
            let Some(piece) = self.placed(piece)? else { return Ok(()) };
            let mut cut = piece::cut(piece, &self.gear)?;
            let claimed = {
                let Some(mut turns) = self.wait(|t| t.claims == number) else { return Ok(()) };
                let claimed = turns.claim.piece(&mut cut)?;
                turns.claims += 1;
                self.turned.notify_all();
                claimed
            };
            let new = claimed.new.iter().map(|at| {
                let chunk = &cut.chunks[*at];
                chunk.at..chunk.at + chunk.length as usize
            });
            let mut records = self.spare().pop().unwrap_or_default();
            records.clear();
            let bytes = &cut.piece.buffer;
            let frames =
                encoder.encode(self.set, claimed.segment, claimed.first, bytes, new, &mut records)?;
            let done = PieceDone::new(&mut cut, claimed, records, frames)?;
            self.monitor.counters().done.fetch_add(done.bytes, Ordering::Relaxed);
            if sender.send(done).is_err() {
                return Ok(());
            }
            buffer = cut.piece.buffer;
        }
        Ok(())
    }

    /// A piece whose chunks are those of the whole stream: a window waits for the one before it. `None` where the run stopped.
    fn placed(&self, mut piece: Piece) -> Result<Option<Piece>> {
        let Some(chain) = window::scan(&mut piece, &self.gear)? else { return Ok(Some(piece)) };
        let number = piece.number;
        let is_first = piece.members.iter().any(|member| member.window.start == 0);
        let before = if is_first {
            Handover::default()
        } else {
            let Some(mut turns) = self.wait(|t| t.handovers.contains_key(&number)) else { return Ok(None) };
            turns.handovers.remove(&number).unwrap_or_default()
        };
        if let Some(after) = window::join(&mut piece, chain, &self.gear, before) {
            self.turns().handovers.insert(number + 1, after);
            self.turned.notify_all();
        }
        Ok(Some(piece))
    }

    /// The next piece, once the writer is near enough.
    fn take(&self, buffer: Vec<u8>) -> Result<Option<Piece>> {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        let next = pieces.next_number();
        if self.wait(|t| next < t.written + self.window).is_none() || self.monitor.is_cancelled() {
            return Ok(None);
        }
        pieces.next_piece(buffer)
    }

    /// Writes the pieces in order, as they come.
    fn write(&self, receiver: &Receiver<PieceDone>, writer: &mut Writer) -> Result<()> {
        let mut early = BTreeMap::new();
        let mut next = 0;
        for done in receiver {
            early.insert(done.number, done);
            while let Some(done) = early.remove(&next) {
                let records = writer.piece(done)?;
                self.spare().push(records);
                next += 1;
                self.turns().written = next;
                self.turned.notify_all();
                self.monitor.counters().stored.store(writer.stored(), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}
