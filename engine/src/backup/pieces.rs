//! Reads streams and hands them on in pieces: the chunks that start in one 8 MiB window of a stream, or several short
//! streams together (`docs/format.md` section 12). One reader, behind a lock; what a worker can read by itself is left to it.

use super::long::{Long, owned_end};
use super::window::Open;
use crate::chunk::chain;
use crate::chunk::gear::Gear;
use crate::chunk::pages::{HEAD, Shape};
use crate::error::{Class, Error, Result};
use crate::index::previous::{Known, PreviousRecipes};
use crate::root::Nothing;
use crate::source::{Entry, Finding, FindingKind, Item, PositionedRead, Source};
use reel_tape::layout::recipe::{Cut, MAX_STREAM, StreamHead};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

/// Bytes of a window.
pub const WINDOW: u64 = 8 << 20;
/// Most entries that share a piece.
const MAX_MEMBERS: usize = 4096;

/// Where a member's bytes are.
pub enum Bytes {
    /// In the piece's buffer.
    Here(Range<usize>),
    /// Still in the source: the worker reads them, and the piece has no other member.
    There(Arc<dyn PositionedRead>),
    /// Nowhere: a hole.
    Nothing,
}

/// Where a member's chunks begin and end.
pub enum Cuts {
    /// To be found by the worker, in the member's bytes alone.
    Content,
    /// These.
    Lengths(Vec<chain::Cut>),
    /// To be found by the worker, once the window before says where the first of them begins. Until then `offset` and `length` say
    /// what is to be read.
    Window(Open),
    /// Units of so many bytes.
    Pages(u32),
}

/// The end of a stream, with what is left to ask its source.
pub struct Ending {
    /// Length of the stream in bytes.
    pub length: u64,
    /// Asked whether it changed once all its bytes were read.
    pub source: Option<Box<dyn Source>>,
}

/// A stream, or what of it belongs to one window.
pub struct Member {
    /// Number of the stream in the set.
    pub stream: u32,
    /// Name and attributes, with its first member.
    pub head: Option<Box<StreamHead>>,
    /// Last page that a database owns; 0: not known, or no database.
    pub owned_end: u32,
    /// The stream's shape.
    pub shape: Shape,
    /// First byte in the stream that belongs to the member's chunks.
    pub offset: u64,
    /// Bytes of its chunks.
    pub length: u64,
    /// Where the member's bytes are.
    pub bytes: Bytes,
    /// Where its chunks begin and end.
    pub cuts: Cuts,
    /// The window in the stream; it ends with the stream where that ends with the member.
    pub window: Range<u64>,
    /// What the chunk before, which is nothing, covers of this window.
    pub lead: Option<(Nothing, u64)>,
    /// Ranges of the stream that hold no data.
    pub holes: Vec<Range<u64>>,
    /// What the previous recipe says of the window, or more.
    pub previous: Vec<Known>,
    /// The previous recipe is of a version that was cut by its content, and may guide the cutting.
    pub guided: bool,
    /// The stream ends with this member.
    pub end: Option<Ending>,
}

/// The unit of parallel work.
pub struct Piece {
    /// Its place among the pieces, from 0.
    pub number: u64,
    /// The streams that it is made of.
    pub members: Vec<Member>,
    /// Bytes of the members; of what its worker reads, those that may be new.
    pub buffer: Vec<u8>,
}

/// An entry whose first bytes were looked at.
enum Looked {
    Short(Short),
    Long(Box<Long>),
}

struct Short {
    head: Box<StreamHead>,
    shape: Shape,
    bytes: Vec<u8>,
    source: Option<Box<dyn Source>>,
}

/// Hands on pieces.
pub struct Pieces<'a> {
    items: Box<dyn Iterator<Item = Item> + Send + 'a>,
    previous: PreviousRecipes,
    findings: Vec<Finding>,
    next_number: u64,
    next_stream: u32,
    /// An entry that was taken but did not fit into the piece before.
    waiting: Option<Looked>,
    long: Option<Box<Long>>,
    done: bool,
    gear: Gear<'static>,
}

impl<'a> Pieces<'a> {
    /// Pieces of what `items` deliver.
    pub fn new(
        items: Box<dyn Iterator<Item = Item> + Send + 'a>,
        previous: PreviousRecipes,
        gear: Gear<'static>,
    ) -> Self {
        Pieces {
            items,
            previous,
            findings: Vec::new(),
            next_number: 0,
            next_stream: 0,
            waiting: None,
            long: None,
            done: false,
            gear,
        }
    }

    /// Number of the next piece.
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// How content is cut.
    pub fn gear(&self) -> Gear<'static> {
        self.gear
    }

    /// What could not be backed up, so far; each is given once.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// The next piece, its bytes in `buffer`, which may still hold those of an earlier one; `None` at the end.
    pub fn next_piece(&mut self, mut buffer: Vec<u8>) -> Result<Option<Piece>> {
        let mut members = Vec::new();
        if self.long.is_none() {
            buffer.clear();
            self.short_members(&mut members, &mut buffer)?;
        }
        if members.is_empty() {
            let Some(mut long) = self.long.take() else { return Ok(None) };
            let member = long.next_window(&mut self.previous, &self.gear, &mut buffer)?;
            if !long.is_read() {
                self.long = Some(long);
            }
            members.push(member);
        }
        let number = self.next_number;
        self.next_number += 1;
        Ok(Some(Piece { number, members, buffer }))
    }

    /// Fills a piece with short streams, up to a long one or the end.
    fn short_members(&mut self, members: &mut Vec<Member>, buffer: &mut Vec<u8>) -> Result<()> {
        while members.len() < MAX_MEMBERS {
            let looked = match self.waiting.take() {
                Some(looked) => looked,
                None => match self.next_entry()? {
                    Some(looked) => looked,
                    None => return Ok(()),
                },
            };
            match looked {
                Looked::Long(long) if members.is_empty() => {
                    self.long = Some(long);
                    return Ok(());
                }
                Looked::Short(short)
                    if members.is_empty() || buffer.len() + short.bytes.len() <= WINDOW as usize =>
                {
                    let member = self.short(short, buffer)?;
                    members.push(member);
                }
                other => {
                    self.waiting = Some(other);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn short(&mut self, short: Short, buffer: &mut Vec<u8>) -> Result<Member> {
        let Short { head, shape, bytes, source } = short;
        let length = bytes.len() as u64;
        let mut previous = Vec::new();
        let mut guided = false;
        if length > 0
            && let Some(mut cursor) = self.previous.find(&head.name)?
        {
            self.previous.window(&mut cursor, 0..length, &mut previous)?;
            guided = cursor.cut() == Cut::Content;
        }
        let mut holes = Vec::new();
        if let Some(source) = &source {
            let mut at = 0;
            while at < length
                && let Some(hole) = source.holes(at)?
            {
                at = hole.end.max(at + 1);
                holes.push(hole);
            }
        }
        let owned_end = owned_end(&shape, |offset, page| copy_from(&bytes, offset, page));
        let begin = buffer.len();
        buffer.extend_from_slice(&bytes);
        Ok(Member {
            stream: self.number_stream()?,
            head: Some(head),
            owned_end,
            shape,
            offset: 0,
            length,
            bytes: Bytes::Here(begin..buffer.len()),
            cuts: match shape.cut {
                Cut::Content => Cuts::Content,
                Cut::Pages(unit) => Cuts::Pages(unit),
            },
            window: 0..length,
            lead: None,
            holes,
            previous,
            guided,
            end: Some(Ending { length, source }),
        })
    }

    fn number_stream(&mut self) -> Result<u32> {
        let stream = self.next_stream;
        self.next_stream = stream.checked_add(1).ok_or_else(|| {
            Error::new(
                Class::Limit,
                "backup set",
                "more than 4,294,967,295 entries in one set: split the run",
            )
        })?;
        Ok(stream)
    }

    /// Takes the next entry and reads as much of it as tells whether it is short.
    fn next_entry(&mut self) -> Result<Option<Looked>> {
        let entry = loop {
            if self.done {
                return Ok(None);
            }
            match self.items.next() {
                None => self.done = true,
                Some(Item::Finding(finding)) => self.findings.push(finding),
                Some(Item::Entry(entry)) => break entry,
            }
        };
        let mut head = Box::new(head_of(&entry));
        let mut source = match entry {
            Entry::Meta { .. } => {
                let shape = Shape::default();
                return Ok(Some(Looked::Short(Short { head, shape, bytes: Vec::new(), source: None })));
            }
            Entry::Stream(source) => source,
        };
        let length = source.len();
        if length.is_some_and(|l| l > MAX_STREAM) {
            let path = std::ffi::OsStr::from_bytes(&head.name).into();
            let what = format!("is longer than {} TiB, which no stream can be", MAX_STREAM >> 40);
            self.findings.push(Finding { path, kind: FindingKind::Refused, what });
            return self.next_entry();
        }
        head.source_length = length;
        let positioned = length.and_then(|_| source.positioned());
        // A short stream is read whole; so is the first window of one whose length is not known.
        let is_long = length.is_some_and(|l| l >= WINDOW);
        let look = match length {
            Some(_) if is_long && positioned.is_some() => HEAD,
            Some(length) => length.min(WINDOW) as usize,
            None => WINDOW as usize,
        };
        let mut first = vec![0; look];
        let got = match &positioned {
            Some(positioned) => positioned.read_at(&mut first, 0)?,
            None => source.read(&mut first)?,
        };
        if length.is_none() {
            first.truncate(got);
        }
        // Else the file became shorter meanwhile: what is missing is taken as zeros, and reported as a change.
        let shape = Shape::of(&first, length);
        (head.cut, head.recognised) = (shape.cut, shape.recognised);
        if !is_long && (first.len() as u64) < WINDOW {
            return Ok(Some(Looked::Short(Short { head, shape, bytes: first, source: Some(source) })));
        }
        let previous = self.previous.find(&head.name)?;
        let stream = self.number_stream()?;
        Ok(Some(Looked::Long(Box::new(Long::new(source, positioned, stream, head, shape, first, previous)))))
    }
}

fn head_of(entry: &Entry) -> StreamHead {
    let attributes = entry.attributes();
    StreamHead {
        name: entry.name().to_vec(),
        kind: attributes.kind,
        mode: attributes.mode,
        uid: attributes.uid,
        gid: attributes.gid,
        owner: attributes.owner.clone(),
        group: attributes.group.clone(),
        mtime: attributes.mtime,
        link: attributes.link_target.clone(),
        xattrs: attributes.xattrs.clone(),
        ..StreamHead::default()
    }
}

/// Fills `page` from byte `offset` of `bytes`, where they go that far.
pub(super) fn copy_from(bytes: &[u8], offset: u64, page: &mut [u8]) -> bool {
    let at = usize::try_from(offset).unwrap_or(usize::MAX);
    match bytes.get(at..at.saturating_add(page.len())) {
        Some(found) => {
            page.copy_from_slice(found);
            true
        }
        None => false,
    }
}
