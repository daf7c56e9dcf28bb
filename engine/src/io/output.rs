//! Files that are filled in any order, by any thread: their long whole blocks by direct requests behind the workers, the rest
//! through the page cache.
//!
//! No block goes both ways: the parts of a block that several writes share are parts for each of them.

use super::behind::{Room, WriteBehind};
use super::{Io, reopen};
use crate::error::{Error, Result};
use crate::memory::Memory;
use rustix::fs::{Advice, OFlags};
use std::fs::{File, OpenOptions};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Places and lengths of direct requests are multiples of it.
pub(super) const BLOCK: u64 = 4096;
/// Fewer bytes are better gathered by the page cache.
const SHORTEST: usize = 64 << 10;
/// Bytes of one stretch after which their way to the disk begins: what waits until the end is waited for.
const WRITEBACK: u64 = 8 << 20;

/// Opens files for writing in the way that was asked for. They share one queue of direct requests.
pub(crate) struct Outputs {
    io: Io,
    /// Bytes that the queue may hold.
    share: usize,
    behind: OnceLock<Option<WriteBehind>>,
}

impl Outputs {
    /// Files of one run. `memory` bounds what all of them together write behind.
    ///
    /// # Errors
    /// With [`Io::Uring`] where the kernel does not give io_uring.
    pub fn new(io: Io, memory: Memory) -> Result<Outputs> {
        io.check()?;
        Ok(Outputs { io, share: memory.write_behind(), behind: OnceLock::new() })
    }

    /// `file`, which is called `path` in messages. `reserved`: it has its length and all space that will be written to, so that direct
    /// requests need not wait for each other.
    pub fn file(&self, file: File, path: PathBuf, reserved: bool) -> Arc<OutputFile> {
        let direct = if reserved && self.behind().is_some() {
            reopen(&file, OpenOptions::new().write(true), OFlags::DIRECT).ok().map(Arc::new)
        } else {
            None
        };
        Arc::new(OutputFile { file, path, direct, lately: Mutex::default() })
    }

    /// Writes all of `bytes` at `offset`, or takes them to be written before [`Outputs::finish`] returns.
    pub fn write(&self, file: &Arc<OutputFile>, bytes: &[u8], offset: u64) -> Result<()> {
        let whole = whole_blocks(offset, bytes.len());
        match self.behind() {
            Some(behind) if file.direct.is_some() && whole.len() >= SHORTEST && behind.is_open() => {
                let (before, rest) = bytes.split_at(whole.start);
                let (blocks, after) = rest.split_at(whole.len());
                file.write_plainly(before, offset)?;
                behind.write(file, blocks, offset + whole.start as u64)?;
                file.write_plainly(after, offset + whole.end as u64)
            }
            _ => file.write_plainly(bytes, offset),
        }
    }

    /// Memory in which bytes are to be made that go to these places, so that they need not be copied: where most of them will be
    /// written from there. Errors as with [`Outputs::write`].
    pub fn room(&self, pieces: &[Piece]) -> Result<Option<Room<'_>>> {
        let mut begins = pieces.iter().filter(|p| p.direct_blocks().is_some()).map(Piece::begin);
        let Some(begin) = begins.next().filter(|begin| begins.all(|other| other == *begin)) else {
            return Ok(None);
        };
        self.behind().filter(|behind| behind.is_open()).map(|behind| behind.room(begin)).transpose()
    }

    /// Returns when all that was taken is written, though not durable.
    pub fn finish(&self) -> Result<()> {
        self.behind.get().and_then(Option::as_ref).map_or(Ok(()), WriteBehind::finish)
    }

    fn behind(&self) -> Option<&WriteBehind> {
        let make = || match self.io {
            Io::Auto | Io::Uring => WriteBehind::new(self.share).ok(),
            Io::Plain | Io::Mmap => None,
        };
        self.behind.get_or_init(make).as_ref()
    }
}

impl Room<'_> {
    /// Writes pieces of its bytes, like [`Outputs::write`].
    pub(crate) fn write(self, pieces: &[Piece]) -> Result<()> {
        let mut direct = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let Piece { file, offset, range } = piece;
            let bytes = self.bytes().get(range.clone()).unwrap_or_default();
            let whole = piece.direct_blocks().filter(|_| piece.begin() == self.begin()).unwrap_or(0..0);
            let (before, rest) = bytes.split_at(whole.start);
            file.write_plainly(before, *offset)?;
            file.write_plainly(&rest[whole.len()..], offset + whole.end as u64)?;
            if !whole.is_empty() {
                let blocks = range.start + whole.start..range.start + whole.end;
                direct.push(Piece { file: file.clone(), offset: offset + whole.start as u64, range: blocks });
            }
        }
        self.send(direct)
    }
}

/// The blocks that `length` bytes at `offset` cover whole, as a range of these bytes.
fn whole_blocks(offset: u64, length: usize) -> Range<usize> {
    let start = (offset.next_multiple_of(BLOCK) - offset) as usize;
    let end = length.saturating_sub(((offset + length as u64) % BLOCK) as usize);
    if start < end { start..end } else { 0..0 }
}

/// A range of the bytes in some memory, and where they go.
pub(crate) struct Piece {
    /// The file.
    pub file: Arc<OutputFile>,
    /// Where the first byte goes in it.
    pub offset: u64,
    /// The bytes.
    pub range: Range<usize>,
}

impl Piece {
    /// Where in a block byte 0 of the memory has to stand for the blocks of the piece to begin where blocks do.
    fn begin(&self) -> usize {
        let (block, start) = (BLOCK as usize, self.range.start);
        ((self.offset % BLOCK) as usize + block - start % block) % block
    }

    /// The blocks of the piece, as a range of its bytes, if they are worth a direct request.
    fn direct_blocks(&self) -> Option<Range<usize>> {
        let whole = whole_blocks(self.offset, self.range.len());
        (self.file.direct.is_some() && whole.len() >= SHORTEST).then_some(whole)
    }
}

/// A file that is open for writing, and what was written to it lately.
pub(crate) struct OutputFile {
    file: File,
    path: PathBuf,
    direct: Option<Arc<File>>,
    lately: Mutex<Lately>,
}

impl OutputFile {
    /// The file as it is open for direct writes.
    pub(super) fn direct(&self) -> Option<&Arc<File>> {
        self.direct.as_ref()
    }

    /// Writes through the page cache.
    pub(super) fn write_plainly(&self, bytes: &[u8], offset: u64) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file
            .write_all_at(bytes, offset)
            .map_err(|e| Error::io(self.path.display().to_string(), "cannot write", e).at(offset))?;
        let written = offset..offset + bytes.len() as u64;
        let full = self.lately.lock().unwrap_or_else(PoisonError::into_inner).add(written);
        if let Some(range) = full {
            // Starts the writing of dirty pages without waiting. A refusal changes nothing but speed.
            let length = NonZeroU64::new(range.end - range.start);
            let _ = rustix::fs::fadvise(&self.file, range.start, length, Advice::DontNeed);
        }
        Ok(())
    }
}

/// A stretch of a file that is being written, not always from front to back: workers take turns.
#[derive(Default)]
struct Lately {
    range: Range<u64>,
    bytes: u64,
}

impl Lately {
    /// Adds what was written. Gives the stretch once it is long enough, and begins another. Where writes are scattered there
    /// is no stretch, and the kernel gathers them better.
    fn add(&mut self, written: Range<u64>) -> Option<Range<u64>> {
        let bytes = self.bytes + (written.end - written.start);
        let joined = match self.bytes {
            0 => written.clone(),
            _ => self.range.start.min(written.start)..self.range.end.max(written.end),
        };
        if joined.end - joined.start > 4 * WRITEBACK {
            *self = Lately { bytes: written.end - written.start, range: written };
            return None;
        }
        if bytes >= WRITEBACK {
            *self = Lately::default();
            return Some(joined);
        }
        *self = Lately { range: joined, bytes };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;

    fn noise(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(b"output").finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn whole_blocks_are_those_that_the_bytes_cover() {
        for (offset, length, blocks) in [
            (0, 4096, 0..4096),
            (0, 4095, 0..0),
            (1, 4096, 0..0),
            (1, 8191, 4095..8191),
            (4095, 8194, 1..8193),
            (8192, 0, 0..0),
            (100, 50, 0..0),
        ] {
            assert_eq!(whole_blocks(offset, length), blocks, "{length} bytes at {offset}");
        }
    }

    /// A file in which space for `bytes` is reserved, filled with them by three threads in pieces of many lengths.
    fn fill(outputs: &Outputs, path: &std::path::Path, bytes: &[u8]) -> Arc<OutputFile> {
        let file = File::create(path).unwrap();
        file.set_len(bytes.len() as u64).unwrap();
        let flags = rustix::fs::FallocateFlags::empty();
        let reserved = rustix::fs::fallocate(&file, flags, 0, bytes.len() as u64).is_ok();
        let file = outputs.file(file, path.to_owned(), reserved);
        let lengths = [70_001, 4096, 262_144, 1, 300_000, 65_536, 4095, 131_073].into_iter().cycle();
        let pieces: Vec<_> = lengths
            .scan(0, |at, length| {
                let begin = *at;
                *at = bytes.len().min(begin + length);
                (begin < *at).then_some(begin..*at)
            })
            .collect();
        std::thread::scope(|scope| {
            for first in 0..3 {
                let (pieces, file) = (&pieces, &file);
                scope.spawn(move || {
                    for piece in pieces.iter().skip(first).step_by(3) {
                        outputs.write(file, &bytes[piece.clone()], piece.start as u64).unwrap();
                    }
                });
            }
        });
        file
    }

    #[test]
    fn pieces_of_any_length_from_several_threads_make_the_file_by_every_way() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = noise((30 << 20) + 777);
        for io in [Io::Plain, Io::Auto] {
            let path = folder.path().join(format!("{io:?}"));
            let outputs = Outputs::new(io, Memory::DEFAULT).unwrap();
            fill(&outputs, &path, &bytes);
            outputs.finish().unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{io:?}");
        }
    }

    /// A file whose direct requests are all refused: that side of it is open for reading only.
    fn refusing(file: File, path: &std::path::Path) -> Arc<OutputFile> {
        let direct = Some(Arc::new(File::open(path).unwrap()));
        Arc::new(OutputFile { file, path: path.to_owned(), direct, lately: Mutex::default() })
    }

    #[test]
    fn what_is_refused_is_written_plainly_or_its_error_names_file_and_offset() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let bytes = noise(20 << 20);
        let outputs = Outputs::new(Io::Auto, Memory::DEFAULT).unwrap();
        let Some(behind) = outputs.behind() else {
            eprintln!("skipped: what_is_refused_is_written_plainly_...: the system gives no io_uring");
            return;
        };
        let file = refusing(File::create(&path).unwrap(), &path);
        for (number, piece) in bytes.chunks(1 << 18).enumerate() {
            outputs.write(&file, piece, (number << 18) as u64).unwrap();
        }
        outputs.finish().unwrap();
        assert!(!behind.is_open());
        assert!(std::fs::read(&path).unwrap() == bytes);

        // All pieces of a buffer whose first request is refused.
        let mut room = behind.room(0).unwrap();
        room.bytes_mut()[..1 << 18].copy_from_slice(&bytes[..1 << 18]);
        let half = 1 << 17;
        let place = |range: Range<usize>, offset| Piece { file: file.clone(), offset, range };
        room.write(&[place(0..half, 1 << 21), place(half..2 * half, 1 << 20)]).unwrap();
        outputs.finish().unwrap();
        let found = std::fs::read(&path).unwrap();
        assert!(
            found[1 << 21..][..half] == bytes[..half] && found[1 << 20..][..half] == bytes[half..][..half]
        );

        let outputs = Outputs::new(Io::Auto, Memory::DEFAULT).unwrap();
        let file = refusing(File::open(&path).unwrap(), &path);
        let written = outputs.write(&file, &bytes[..1 << 18], 1 << 18).and_then(|()| outputs.finish());
        let error = written.unwrap_err();
        assert_eq!((error.class(), error.position()), (Class::Io, Some(1 << 18)), "{error}");
        assert!(error.object().ends_with("/a") && error.sentence().starts_with("cannot write"), "{error}");
    }

    #[test]
    fn bytes_made_in_rooms_reach_their_places_also_with_more_threads_than_buffers() {
        const FRAME: usize = 200_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let bytes = noise(300 * FRAME);
        let outputs = Outputs::new(Io::Auto, Memory::new(Memory::SMALLEST).unwrap()).unwrap();
        let file = fill(&outputs, &path, &vec![0; bytes.len()]);
        outputs.finish().unwrap();
        let frame = |number: usize| {
            let (begin, frame) = (number * FRAME, &bytes[number * FRAME..][..FRAME]);
            let piece = |range: Range<usize>| Piece {
                file: file.clone(),
                offset: (begin + range.start) as u64,
                range,
            };
            // One goes to two places of which the second begins in the middle of a block, the next has bytes that nobody wants.
            let pieces = [piece(0..90_001), piece(90_001 + number % 2 * 20_000..FRAME)];
            match outputs.room(&pieces).unwrap() {
                // As where what was made is not what was promised.
                Some(_) if number.is_multiple_of(7) => {}
                Some(mut room) => {
                    room.bytes_mut()[..FRAME].copy_from_slice(frame);
                    room.write(&pieces).unwrap();
                    outputs.write(&file, &frame[90_001..110_001], (begin + 90_001) as u64).unwrap();
                    return;
                }
                None => {}
            }
            outputs.write(&file, frame, begin as u64).unwrap();
        };
        std::thread::scope(|scope| {
            for first in 0..40 {
                scope.spawn(move || (first..300).step_by(40).for_each(frame));
            }
        });
        outputs.finish().unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes);
    }

    #[test]
    fn a_room_is_given_where_all_long_pieces_can_be_written_from_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let outputs = Outputs::new(Io::Auto, Memory::DEFAULT).unwrap();
        let file = fill(&outputs, &path, &vec![0; 4 << 20]);
        if file.direct.is_none() {
            eprintln!("skipped: a_room_is_given_...: the system gives no io_uring or no direct requests");
            return;
        }
        let piece = |offset, range| Piece { file: file.clone(), offset, range };
        let begin = |pieces: &[Piece]| outputs.room(pieces).unwrap().map(|room| room.begin());
        assert_eq!(begin(&[piece(8192, 0..131_072)]), Some(0));
        assert_eq!(begin(&[piece(5000, 1000..131_072)]), Some(4000));
        assert_eq!(begin(&[piece(100, 200..140_000)]), Some(3996));
        assert_eq!(begin(&[piece(8192, 0..131_072), piece(1 << 20, 135_168..262_144)]), Some(0));
        assert_eq!(begin(&[piece(8192, 0..131_072), piece((1 << 20) + 1, 135_168..262_144)]), None);
        assert_eq!(begin(&[piece(8192, 0..131_072), piece((1 << 20) + 1, 135_168..145_000)]), Some(0));
        assert_eq!(begin(&[piece(8192, 0..32_768)]), None);
        let buffered = outputs.file(File::create(folder.path().join("b")).unwrap(), "b".into(), false);
        assert_eq!(begin(&[Piece { file: buffered, offset: 0, range: 0..262_144 }]), None);
    }

    #[test]
    fn stretches_are_given_once_and_scattered_writes_never() {
        let mut lately = Lately::default();
        let step = WRITEBACK / 4;
        assert_eq!(lately.add(2 * step..3 * step), None);
        assert_eq!(lately.add(0..step), None);
        assert_eq!(lately.add(3 * step..4 * step), None);
        assert_eq!(lately.add(step..2 * step), Some(0..4 * step));
        for far in 1..100 {
            assert_eq!(lately.add(far * 5 * WRITEBACK..far * 5 * WRITEBACK + step), None);
        }
    }
}
