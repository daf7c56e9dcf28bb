//! A window of a file that is cut by its content. Its worker reads it and finds its chunks before it is known where the first of
//! them begins: that says the window before. Its chain of chunks is then joined to the true one, which is short work, so that
//! windows are cut side by side and every chunk is that of one scan of the whole stream.

use super::piece::read_in_steps;
use super::pieces::{Bytes, Cuts, Ending, Member, Piece};
use crate::chunk::chain::{Chain, Cut};
use crate::chunk::gear::{self, Gear};
use crate::chunk::guide::{Guide, PLAIN_CHUNKS};
use crate::error::Result;
use crate::root::Nothing;
use reel_formats::ese::page::checksum::is_zero;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

/// What the reader knows of a window's stream.
pub struct Open {
    /// Bytes of the stream.
    pub stream_length: u64,
    /// The reader hands out no other window behind it.
    pub last: bool,
    /// What the windows of the stream tell each other.
    pub trail: Arc<Trail>,
}

/// How the guide of a stream fares. It decides how fast windows are cut, never where.
#[derive(Default)]
pub struct Trail {
    /// How much further back than in the earlier version bytes were found last.
    shift: AtomicI64,
    /// Chunks to be cut without a guide.
    plain: AtomicU32,
}

impl Trail {
    /// How much further back than in the earlier version bytes were found last.
    pub fn shift(&self) -> i64 {
        self.shift.load(Ordering::Relaxed)
    }
}

/// What a window leaves to the next one.
#[derive(Default)]
pub struct Handover {
    /// Where the next chunk begins in the stream.
    next: u64,
    /// What the last chunk, which is nothing, covers of the next window.
    lead: Option<(Nothing, u64)>,
    /// The stream's end, if it has not ended.
    end: Option<Ending>,
}

/// Reads the window that a piece may be, and finds its chunks as if one began where a guess puts it. `None`: it is no window.
pub fn scan(piece: &mut Piece, gear: &Gear) -> Result<Option<Chain>> {
    let [member] = &piece.members[..] else { return Ok(None) };
    let Cuts::Window(Open { trail, .. }) = &member.cuts else { return Ok(None) };
    let mut chain = Chain::default();
    let Bytes::There(source) = &member.bytes else { return Ok(Some(chain)) };
    let starts = (member.window.end - member.window.start) as usize;
    let plain = trail.plain.load(Ordering::Relaxed);
    let known = if member.guided && plain == 0 { &member.previous[..] } else { &[] };
    let mut guide = Guide::new(gear, known, member.offset, trail.shift());
    chain.start = guide.first();
    let mut at = chain.start;
    // The guide goes with the reading, while the cache holds the bytes.
    read_in_steps(&**source, member.offset, member.length, &mut piece.buffer, |bytes, _| {
        let is_all = bytes.len() as u64 == member.length;
        let decided = if is_all { starts } else { bytes.len().saturating_sub(gear::MAX) };
        at = guide.cut(bytes, at, decided.min(starts), &mut chain.cuts);
        true
    })?;
    scan_on(gear, &piece.buffer, at, starts, &mut chain.cuts);
    trail.shift.store(guide.shift(), Ordering::Relaxed);
    let left = if guide.gave_up() { PLAIN_CHUNKS } else { plain.saturating_sub(chain.cuts.len() as u32) };
    trail.plain.store(left, Ordering::Relaxed);
    Ok(Some(chain))
}

/// The chunks of a whole stream, or of one that begins with a chunk.
pub fn content(member: &Member, bytes: &[u8], gear: &Gear) -> Vec<Cut> {
    let known = if member.guided { &member.previous[..] } else { &[] };
    let mut guide = Guide::new(gear, known, member.offset, 0);
    let mut cuts = Vec::new();
    let at = guide.cut(bytes, 0, bytes.len(), &mut cuts);
    scan_on(gear, bytes, at, bytes.len(), &mut cuts);
    cuts
}

/// Appends the chunks that a guide left to a scan.
fn scan_on(gear: &Gear, bytes: &[u8], at: usize, starts: usize, cuts: &mut Vec<Cut>) {
    if at < starts {
        let mut lengths = Vec::new();
        gear.cuts(&bytes[at..], starts - at, &mut lengths);
        cuts.extend(lengths.into_iter().map(Cut::plain));
    }
}

/// Puts the window that a piece is in its place behind the one before, whose handover it takes; gives that for the next one, if
/// there is one.
pub fn join(piece: &mut Piece, chain: Chain, gear: &Gear, before: Handover) -> Option<Handover> {
    let member = piece.members.first_mut()?;
    let Cuts::Window(Open { stream_length, last, .. }) = member.cuts else { return None };
    let starts = (member.window.end - member.window.start) as usize;
    let start = (before.next - member.window.start) as usize;
    let cuts = match member.bytes {
        Bytes::Nothing => {
            let cut = gear::cut_of_zeros();
            vec![Cut::plain(cut as u32); starts.saturating_sub(start).div_ceil(cut)]
        }
        _ => chain.from_start(gear, &piece.buffer, start, starts),
    };
    let length = cuts.iter().map(|cut| u64::from(cut.length)).sum();
    if let Bytes::There(_) = member.bytes {
        member.bytes = Bytes::Here(start..start + length as usize);
    }
    member.offset = before.next;
    member.length = length;
    member.cuts = Cuts::Lengths(cuts);
    member.lead = before.lead.map(|(kind, lead)| (kind, lead.min(starts as u64)));
    let mut after = Handover {
        next: before.next + length,
        lead: lead_of(member, &piece.buffer),
        end: before.end.or(member.end.take()),
    };
    if after.next == stream_length {
        member.window.end = stream_length;
        member.end = after.end.take();
    }
    if length == 0 {
        // The stream ended with a chunk of the window before.
        piece.members.clear();
    }
    (!last).then_some(after)
}

/// What the member's last chunk covers behind its window, where that chunk is nothing.
pub fn lead_of(member: &Member, buffer: &[u8]) -> Option<(Nothing, u64)> {
    let end = member.offset + member.length;
    let beyond = end.checked_sub(member.window.end).filter(|b| *b > 0)?;
    let Cuts::Lengths(cuts) = &member.cuts else { return None };
    let last = cuts.last()?.length;
    let begin = end - u64::from(last);
    if member.holes.iter().any(|h| h.start <= begin && end <= h.end) {
        return Some((Nothing::Hole, beyond));
    }
    let Bytes::Here(range) = &member.bytes else { return None };
    let chunk = buffer.get(range.end - last as usize..range.end)?;
    is_zero(chunk).then_some((Nothing::Zero, beyond))
}
