//! Recipes: fragments of typed runs (`docs/format.md` section 9).

pub use super::stream::{
    Cut, MAX_PAGE_RANGES, NodeKind, PageRange, PageReport, Recognised, StreamEnd, StreamHead,
};
use super::{Fields, Result, malformed};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Longest stream in bytes: 1 PiB. Roots are computed part by part, so a length that nobody checked would be a long wait.
pub const MAX_STREAM: u64 = 1 << 50;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawFragment {
    set: U32,
    stream: U32,
    fragment: U32,
    flags: U32,
    offset: U64,
    length: U64,
    segments: U32,
    runs: U32,
    attributes: U32,
    end: U32,
    reserved: U64,
}
const _: () = assert!(size_of::<RawFragment>() == 56);
const FIRST: u32 = 1;
const LAST: u32 = 2;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawSegmentRef {
    set: U32,
    segment: U32,
}
const _: () = assert!(size_of::<RawSegmentRef>() == 8);

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawRun {
    kind: u8,
    reserved: u8,
    segment: U16,
    first: U32,
    tail: [u8; 8],
}
const _: () = assert!(size_of::<RawRun>() == 16);

/// A stretch of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// Chunks of one segment, one after the other.
    Data {
        /// Set number.
        set: u32,
        /// Segment of the set.
        segment: u32,
        /// Index of the first chunk.
        first: u32,
        /// Number of chunks.
        count: u32,
        /// Bytes of all of them.
        length: u32,
    },
    /// Bytes that were read as zeros.
    Zero(u64),
    /// Bytes that the source reported to hold no data.
    Hole(u64),
}

impl Run {
    /// Bytes of the stream that it stands for.
    pub fn len(&self) -> u64 {
        match self {
            Run::Data { length, .. } => u64::from(*length),
            Run::Zero(length) | Run::Hole(length) => *length,
        }
    }

    /// Does it stand for no bytes? No run of a fragment does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `next` to `runs`, joined with the last one where it continues that.
    pub fn push(runs: &mut Vec<Run>, next: Run) {
        match (runs.last_mut(), next) {
            (Some(Run::Zero(a)), Run::Zero(b)) | (Some(Run::Hole(a)), Run::Hole(b)) => *a += b,
            (
                Some(Run::Data { set, segment, first, count, length }),
                Run::Data { set: set2, segment: segment2, first: first2, count: count2, length: length2 },
            ) if (*set, *segment) == (set2, segment2)
                && first.checked_add(*count) == Some(first2)
                && length.checked_add(length2).is_some() =>
            {
                *count += count2;
                *length += length2;
            }
            _ => runs.push(next),
        }
    }
}

/// How a range of a stream is put together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fragment {
    /// Set number.
    pub set: u32,
    /// Stream, numbered from 0 in the set.
    pub stream: u32,
    /// Fragment of the stream, from 0.
    pub fragment: u32,
    /// First byte of the stream that it covers.
    pub offset: u64,
    /// The runs.
    pub runs: Vec<Run>,
    /// Name and attributes, in the first fragment.
    pub head: Option<StreamHead>,
    /// Length and root, in the last fragment.
    pub end: Option<StreamEnd>,
}

impl Fragment {
    /// Bytes covered.
    pub fn length(&self) -> u64 {
        self.runs.iter().map(Run::len).sum()
    }

    /// Appends the fragment to the body of a fragments record.
    pub fn append(&self, out: &mut Vec<u8>) {
        let mut segments: Vec<RawSegmentRef> = Vec::new();
        let mut numbers = std::collections::HashMap::new();
        let mut runs = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            let mut raw = RawRun { kind: 0, reserved: 0, segment: 0.into(), first: 0.into(), tail: [0; 8] };
            match *run {
                Run::Data { set, segment, first, count, length } => {
                    let number = *numbers.entry((set, segment)).or_insert_with(|| {
                        segments.push(RawSegmentRef { set: set.into(), segment: segment.into() });
                        segments.len() - 1
                    });
                    assert!(number <= usize::from(u16::MAX), "a fragment names more than 65,536 segments");
                    raw.kind = 1;
                    raw.segment = (number as u16).into();
                    raw.first = first.into();
                    raw.tail[..4].copy_from_slice(&count.to_le_bytes());
                    raw.tail[4..].copy_from_slice(&length.to_le_bytes());
                }
                Run::Zero(length) => {
                    raw.kind = 2;
                    raw.tail = length.to_le_bytes();
                }
                Run::Hole(length) => {
                    raw.kind = 3;
                    raw.tail = length.to_le_bytes();
                }
            }
            runs.push(raw);
        }
        let attributes = self.head.as_ref().map(StreamHead::encode).unwrap_or_default();
        let end = self.end.as_ref().map(StreamEnd::encode).unwrap_or_default();
        let first = if self.head.is_some() { FIRST } else { 0 };
        let last = if self.end.is_some() { LAST } else { 0 };
        let raw = RawFragment {
            set: self.set.into(),
            stream: self.stream.into(),
            fragment: self.fragment.into(),
            flags: (first | last).into(),
            offset: self.offset.into(),
            length: self.length().into(),
            segments: (segments.len() as u32).into(),
            runs: (runs.len() as u32).into(),
            attributes: (attributes.len() as u32).into(),
            end: (end.len() as u32).into(),
            reserved: 0.into(),
        };
        for part in [raw.as_bytes(), segments.as_bytes(), runs.as_bytes(), &attributes, &end] {
            out.extend_from_slice(part);
        }
    }

    /// Takes the body of a fragments record apart.
    pub fn decode_all(body: &[u8]) -> Result<Vec<Fragment>> {
        let mut fields = Fields::new("fragment", body);
        let mut fragments = Vec::new();
        while !fields.is_empty() {
            fragments.push(Self::decode(&mut fields)?);
        }
        Ok(fragments)
    }

    fn decode(fields: &mut Fields<'_>) -> Result<Fragment> {
        let raw = *fields.one::<RawFragment>()?;
        let segments: &[RawSegmentRef] = fields.many(raw.segments.get())?;
        let raw_runs: &[RawRun] = fields.many(raw.runs.get())?;
        let attributes = fields.bytes(raw.attributes.get() as usize)?;
        let end = fields.bytes(raw.end.get() as usize)?;
        let flags = raw.flags.get();
        if flags & !(FIRST | LAST) != 0 {
            return malformed(format!("fragment flags {flags:08x} are not known: a newer release is needed"));
        }
        let mut total = 0u64;
        let mut runs = Vec::with_capacity(raw_runs.len());
        for raw in raw_runs {
            let run = decode_run(raw, segments)?;
            let Some(sum) = total.checked_add(run.len()).filter(|_| !run.is_empty()) else {
                return malformed("a run of no bytes, or runs past the largest length");
            };
            total = sum;
            runs.push(run);
        }
        let covered_to = raw.offset.get().checked_add(total);
        if total != raw.length.get() || covered_to.is_none_or(|to| to > MAX_STREAM) {
            return malformed(format!(
                "the runs of a fragment cover {total} bytes, its head says {}",
                raw.length
            ));
        }
        Ok(Fragment {
            set: raw.set.get(),
            stream: raw.stream.get(),
            fragment: raw.fragment.get(),
            offset: raw.offset.get(),
            runs,
            head: (flags & FIRST != 0).then(|| StreamHead::decode(attributes)).transpose()?,
            end: (flags & LAST != 0).then(|| StreamEnd::decode(end)).transpose()?,
        })
    }
}

fn decode_run(raw: &RawRun, segments: &[RawSegmentRef]) -> Result<Run> {
    let [count, length] = [0, 4].map(|at| {
        let mut word = [0; 4];
        word.copy_from_slice(&raw.tail[at..at + 4]);
        u32::from_le_bytes(word)
    });
    match raw.kind {
        1 => {
            let Some(segment) = segments.get(usize::from(raw.segment.get())) else {
                return malformed(format!(
                    "a run names segment reference {} of {}",
                    raw.segment,
                    segments.len()
                ));
            };
            let first = raw.first.get();
            if count == 0 || first.checked_add(count).is_none() {
                return malformed("a run of no chunks, or chunks past the largest number");
            }
            Ok(Run::Data { set: segment.set.get(), segment: segment.segment.get(), first, count, length })
        }
        2 => Ok(Run::Zero(u64::from_le_bytes(raw.tail))),
        3 => Ok(Run::Hole(u64::from_le_bytes(raw.tail))),
        other => malformed(format!("run kind {other} is not known: a newer release is needed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment() -> Fragment {
        Fragment {
            set: 3,
            stream: 4,
            fragment: 0,
            offset: 0,
            runs: vec![
                Run::Data { set: 3, segment: 0, first: 5, count: 2, length: 100 },
                Run::Hole(1 << 40),
                Run::Data { set: 1, segment: 9, first: 0, count: 1, length: 50 },
                Run::Zero(7),
            ],
            head: Some(StreamHead {
                name: b"a/b\xff".to_vec(),
                mode: 0o644,
                mtime: (-1, 999),
                link: Some(b"target".to_vec()),
                xattrs: vec![(b"user.x".to_vec(), b"1".to_vec()), (b"user.y".to_vec(), Vec::new())],
                source_length: Some(157),
                cut: Cut::Pages(4096),
                recognised: Recognised::EseDatabase(4096),
                ..StreamHead::default()
            }),
            end: Some(StreamEnd {
                length: (1 << 40) + 157,
                root: [8; 32],
                changed: true,
                pages: PageReport {
                    bad: 2,
                    header_bad: true,
                    ranges: vec![PageRange { first: 9, count: 2, past_end: true }],
                    ..PageReport::default()
                },
            }),
        }
    }

    #[test]
    fn fragments_read_back_as_written_and_no_cut_body_is_taken() {
        let (one, mut two) = (fragment(), fragment());
        (two.fragment, two.head, two.end) = (1, None, None);
        let mut body = Vec::new();
        one.append(&mut body);
        let first_len = body.len();
        two.append(&mut body);
        assert_eq!(Fragment::decode_all(&body).unwrap(), [one, two]);
        for len in (1..body.len()).filter(|len| *len != first_len) {
            assert!(Fragment::decode_all(&body[..len]).is_err(), "length {len}");
        }
    }

    #[test]
    fn runs_that_continue_each_other_are_joined() {
        let mut runs = Vec::new();
        let data = |first, count| Run::Data { set: 1, segment: 0, first, count, length: count * 10 };
        for run in [data(0, 2), data(2, 1), data(4, 1), Run::Zero(5), Run::Zero(5), Run::Hole(5)] {
            Run::push(&mut runs, run);
        }
        assert_eq!(runs, [data(0, 3), data(4, 1), Run::Zero(10), Run::Hole(5)]);
    }
}
