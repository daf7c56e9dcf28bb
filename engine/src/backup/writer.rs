//! The one writer: takes finished pieces in order, writes their frames, and keeps the books of segments, fragments and roots.

use super::claim::Claimed;
use super::piece::{self, CutPiece, Kind};
use super::report::{BackupReport, DatabasePages};
use crate::chunk::pages::{PageReportBuilder, PageTally, Shape};
use crate::digest::Digest;
use crate::error::{Class, Error, Result};
use crate::frame::EncodedFrame;
use crate::pool::catalog::{CatalogWriter, FragmentsBatch};
use crate::root::{Nothing, StreamRoot};
use reel_tape::layout::recipe::{Fragment, Run, StreamEnd, StreamHead};
use reel_tape::layout::record::{self, RecordKind};
use reel_tape::layout::segment::{ChunkEntry, FrameEntry, Segment};
use reel_tape::layout::set::End;
use reel_tape::volume::writer::SetWriter;
use std::collections::BTreeSet;
use zerocopy::IntoBytes;

/// What a piece leaves of one member.
pub struct MemberDone {
    stream: u32,
    head: Option<Box<StreamHead>>,
    owned_end: u32,
    shape: Shape,
    offset: u64,
    runs: Vec<Run>,
    roots: Vec<Digest>,
    tally: PageTally,
    /// Length of the stream, and what shows that it changed.
    end: Option<(u64, Option<String>)>,
}

/// A piece that is ready to be written.
pub struct PieceDone {
    /// Its place among the pieces.
    pub number: u64,
    /// Bytes of its streams.
    pub bytes: u64,
    claimed: Claimed,
    members: Vec<MemberDone>,
    entries: Vec<ChunkEntry>,
    /// The records of its frames, one behind the other.
    records: Vec<u8>,
    frames: Vec<EncodedFrame>,
    zero_bytes: u64,
    hole_bytes: u64,
}

impl PieceDone {
    /// Puts together what the worker found out of a claimed piece. Asks the sources of ended streams whether they changed: by
    /// now all their bytes were read.
    pub fn new(
        cut: &mut CutPiece,
        claimed: Claimed,
        records: Vec<u8>,
        frames: Vec<EncodedFrame>,
    ) -> Result<Self> {
        let mut done = PieceDone {
            number: cut.piece.number,
            bytes: 0,
            members: Vec::with_capacity(cut.piece.members.len()),
            entries: Vec::with_capacity(claimed.new.len()),
            records,
            frames,
            zero_bytes: 0,
            hole_bytes: 0,
            claimed,
        };
        for at in &done.claimed.new {
            let chunk = &cut.chunks[*at];
            if let Kind::Data { digest, .. } = chunk.kind {
                done.entries.push(ChunkEntry::plain(digest, chunk.length));
            }
        }
        let tallies = std::mem::take(&mut cut.tallies);
        for ((member, range), tally) in cut.piece.members.iter_mut().zip(&cut.ranges).zip(tallies) {
            let chunks = &cut.chunks[range.clone()];
            for chunk in chunks {
                match chunk.kind {
                    Kind::Nothing(Nothing::Zero) => done.zero_bytes += u64::from(chunk.length),
                    Kind::Nothing(Nothing::Hole) => done.hole_bytes += u64::from(chunk.length),
                    Kind::Data { .. } => {}
                }
            }
            done.bytes += member.length;
            let end = match member.end.take() {
                None => None,
                Some(end) => {
                    let changed = match end.source {
                        Some(mut source) => source.changed()?,
                        None => None,
                    };
                    Some((end.length, changed))
                }
            };
            done.members.push(MemberDone {
                stream: member.stream,
                head: member.head.take(),
                owned_end: member.owned_end,
                shape: member.shape,
                offset: member.offset,
                runs: piece::runs(chunks),
                roots: piece::part_roots(member, chunks),
                tally,
                end,
            });
        }
        Ok(done)
    }
}

/// The stream that is being written.
struct OpenStream {
    name: Vec<u8>,
    fragments: u32,
    root: StreamRoot,
    pages: PageReportBuilder,
}

/// Keeps the books of a set.
pub struct Writer {
    set: u32,
    tape: SetWriter,
    catalog: CatalogWriter,
    fail_on_bad_page: bool,
    segment: Segment,
    fragments: Vec<Fragment>,
    open: Option<OpenStream>,
    foreign: BTreeSet<(u32, u32)>,
    segments: u32,
    report: BackupReport,
}

impl Writer {
    /// Writes to `tape`; `catalog` is the spool of its catalog.
    pub fn new(set: u32, tape: SetWriter, catalog: CatalogWriter, fail_on_bad_page: bool) -> Self {
        Writer {
            set,
            tape,
            catalog,
            fail_on_bad_page,
            segment: Segment { set, ..Segment::default() },
            fragments: Vec::new(),
            open: None,
            foreign: BTreeSet::new(),
            segments: 0,
            report: BackupReport { set, ..BackupReport::default() },
        }
    }

    /// Stored bytes of frames so far.
    pub fn stored(&self) -> u64 {
        self.tape.stored()
    }

    /// Writes the next piece, and gives back the memory of its records.
    pub fn piece(&mut self, done: PieceDone) -> Result<Vec<u8>> {
        let PieceDone { claimed, members, entries, records, frames, zero_bytes, hole_bytes, bytes, .. } =
            done;
        self.segment.segment = claimed.segment;
        self.segment.input += claimed.input;
        self.report.input_bytes += bytes;
        self.report.zero_bytes += zero_bytes;
        self.report.hole_bytes += hole_bytes;
        let new = entries.iter().map(|e| u64::from(e.length.get())).sum::<u64>();
        self.report.new_bytes += new;
        self.report.new_chunks += entries.len() as u64;
        self.report.duplicate_bytes += claimed.input - new;
        self.segment.chunks.extend(entries);
        let stored = frames.iter().map(|frame| u64::from(frame.stored)).sum();
        let places = self.tape.frames(&records, stored)?;
        let entries =
            frames.iter().zip(places).map(|(f, place)| FrameEntry::new(f.first, f.count, place, f.length));
        self.segment.frames.extend(entries);
        for member in members {
            self.member(member)?;
        }
        if claimed.closes {
            self.close_segment()?;
        }
        self.tape.checkpoint_if_due()?;
        Ok(records)
    }

    fn member(&mut self, member: MemberDone) -> Result<()> {
        for run in &member.runs {
            if let Run::Data { set, segment, .. } = run
                && *set != self.set
            {
                self.foreign.insert((*set, *segment));
            }
        }
        if let Some(head) = &member.head {
            self.report.streams += 1;
            self.open = Some(OpenStream {
                name: head.name.clone(),
                fragments: 0,
                root: StreamRoot::default(),
                pages: PageReportBuilder::new(member.owned_end, &member.shape),
            });
        }
        let Some(open) = &mut self.open else {
            return Err(Error::new(Class::Internal, "backup", "a member of a stream that was not begun"));
        };
        if self.fail_on_bad_page
            && let Some(page) = member.tally.bad.first()
        {
            let object = String::from_utf8_lossy(&open.name).into_owned();
            let sentence = format!("page {page} fails its checksum, and --on-bad-page fail was asked for");
            return Err(Error::new(Class::Checksum, object, sentence).with_jet(-1018));
        }
        open.root.parts(&member.roots);
        open.pages.add(&member.tally);
        if self.fragments.last().is_none_or(|f| f.stream != member.stream) {
            self.fragments.push(Fragment {
                set: self.set,
                stream: member.stream,
                fragment: open.fragments,
                offset: member.offset,
                ..Fragment::default()
            });
            open.fragments += 1;
        }
        let fragment = self.fragments.last_mut().expect("one was pushed if there was none");
        fragment.head = fragment.head.take().or(member.head.map(|h| *h));
        for run in member.runs {
            Run::push(&mut fragment.runs, run);
        }
        if let Some((length, changed)) = member.end
            && let Some(open) = self.open.take()
        {
            let pages = open.pages.finish();
            if let Some(page_size) = member.shape.ese_page() {
                let stream = open.name.clone();
                self.report.databases.push(DatabasePages { stream, page_size, pages: pages.clone() });
            }
            let (root, is_changed) = (open.root.finish(length), changed.is_some());
            fragment.end = Some(StreamEnd { length, root, changed: is_changed, pages });
            self.report.changed.extend(changed.map(|how| (open.name, how)));
        }
        Ok(())
    }

    /// Hands segment and fragments on, to the tape and to the spool of the catalog.
    fn close_segment(&mut self) -> Result<()> {
        if self.fragments.is_empty() && self.segment.chunks.is_empty() {
            self.segment.input = 0;
            return Ok(());
        }
        let next = Segment { set: self.set, segment: self.segment.segment, ..Segment::default() };
        let segment = std::mem::replace(&mut self.segment, next);
        let mut segment_record = None;
        if !segment.chunks.is_empty() {
            let mut record = Vec::new();
            record::append_plain(&mut record, RecordKind::Segment, &[&segment.encode()]);
            self.catalog.segment(&record, &segment, true)?;
            segment_record = Some(record);
            self.segments += 1;
        }
        let mut records = Vec::new();
        let mut batch = FragmentsBatch::default();
        let catalog = &mut self.catalog;
        let mut full = |record: &[u8], first: u32, last: u32| {
            records.extend_from_slice(record);
            catalog.fragments(record, first, last)
        };
        for fragment in self.fragments.drain(..) {
            batch.add(&fragment, &mut full)?;
        }
        batch.close(&mut full)?;
        Ok(self.tape.close_segment(segment_record, records)?)
    }

    /// Everything was read: closes the last segment and writes the end record.
    pub fn end(mut self) -> Result<Ended> {
        self.close_segment()?;
        let end = End {
            set: self.set.into(),
            segments: self.segments.into(),
            streams: self.report.streams.into(),
            input: self.report.input_bytes.into(),
            new: self.report.new_bytes.into(),
            stored: self.tape.stored().into(),
        };
        self.tape.mark(RecordKind::End, end.as_bytes())?;
        self.report.stored_bytes = self.tape.stored();
        Ok(Ended { tape: self.tape, catalog: self.catalog, foreign: self.foreign, end, report: self.report })
    }

    /// The run ends early: what was written stays, as an incomplete set.
    pub fn abandon(mut self) -> Result<BackupReport> {
        self.close_segment()?;
        self.report.stored_bytes = self.tape.stored();
        self.tape.abandon()?;
        self.catalog.discard();
        Ok(self.report)
    }

    /// Something failed: the spool goes; what frames were handed over may still reach the medium.
    pub fn fail(self) {
        self.catalog.discard();
        let _ = self.tape.abandon();
    }
}

/// A set whose end record is written.
pub struct Ended {
    /// The medium.
    pub tape: SetWriter,
    /// The spool of the catalog.
    pub catalog: CatalogWriter,
    /// Segments of earlier sets that the recipes name.
    pub foreign: BTreeSet<(u32, u32)>,
    /// The end record.
    pub end: End,
    /// What was done.
    pub report: BackupReport,
}
