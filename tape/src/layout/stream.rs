//! Name, attributes and end of a stream, as its first and last fragment carry them (`docs/format.md` section 9).

use super::{Fields, Result, malformed};
use zerocopy::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Most page ranges that an end records.
pub const MAX_PAGE_RANGES: usize = 4096;

/// What a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum NodeKind {
    /// A regular file.
    #[default]
    File = 1,
    /// A directory.
    Directory = 2,
    /// A symbolic link.
    Symlink = 3,
    /// Another name of a file of the set.
    HardLink = 4,
    /// The contents of a block device.
    BlockDevice = 5,
    /// Bytes that were pushed: standard input, a library call.
    Pushed = 6,
}

/// How a stream was cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// Content-defined.
    #[default]
    Content,
    /// Aligned units of so many bytes.
    Pages(u32),
}

/// The format in which a stream was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recognised {
    /// None.
    #[default]
    Nothing,
    /// An ESE database with its page size in bytes.
    EseDatabase(u32),
    /// An ESE log with its generation.
    EseLog(u32),
    /// An SQLite database with its page size in bytes.
    Sqlite(u32),
}

/// Name and attributes of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamHead {
    /// Path in the set; `/` between components.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: NodeKind,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Owner's name; empty where unknown.
    pub owner: Vec<u8>,
    /// Group's name; empty where unknown.
    pub group: Vec<u8>,
    /// Modification time: seconds and nanoseconds since 1970 UTC.
    pub mtime: (i64, u32),
    /// Text of a symbolic link, or the stream name that a hard link shares.
    pub link: Option<Vec<u8>>,
    /// Extended attributes by name, POSIX ACLs among them.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Length in bytes when reading began, where known.
    pub source_length: Option<u64>,
    /// How it was cut.
    pub cut: Cut,
    /// What it was recognised as.
    pub recognised: Recognised,
}

const NAME: u16 = 0x8001;
const KIND: u16 = 0x8002;
const MODE: u16 = 3;
const IDS: u16 = 4;
const OWNER: u16 = 5;
const GROUP: u16 = 6;
const MTIME: u16 = 7;
const LINK: u16 = 0x8008;
const XATTR: u16 = 9;
const SOURCE_LENGTH: u16 = 10;
const CUT: u16 = 11;
const RECOGNISED: u16 = 12;

impl StreamHead {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        let mut put = |tag: u16, parts: &[&[u8]]| {
            let len = parts.iter().map(|p| p.len()).sum::<usize>() as u32;
            out.extend_from_slice(&tag.to_le_bytes());
            out.extend_from_slice(&[0; 2]);
            out.extend_from_slice(&len.to_le_bytes());
            parts.iter().for_each(|p| out.extend_from_slice(p));
        };
        put(NAME, &[&self.name]);
        put(KIND, &[&[self.kind as u8]]);
        put(MODE, &[&self.mode.to_le_bytes()]);
        put(IDS, &[&self.uid.to_le_bytes(), &self.gid.to_le_bytes()]);
        put(OWNER, &[&self.owner]);
        put(GROUP, &[&self.group]);
        put(MTIME, &[&self.mtime.0.to_le_bytes(), &self.mtime.1.to_le_bytes()]);
        if let Some(link) = &self.link {
            put(LINK, &[link]);
        }
        for (name, value) in &self.xattrs {
            put(XATTR, &[&(name.len() as u16).to_le_bytes(), name, value]);
        }
        if let Some(length) = self.source_length {
            put(SOURCE_LENGTH, &[&length.to_le_bytes()]);
        }
        let (cut, unit) = match self.cut {
            Cut::Content => (1u8, 0),
            Cut::Pages(unit) => (2, unit),
        };
        put(CUT, &[&[cut], &unit.to_le_bytes()]);
        let recognised = match self.recognised {
            Recognised::Nothing => None,
            Recognised::EseDatabase(page) => Some((1u8, page)),
            Recognised::EseLog(generation) => Some((2, generation)),
            Recognised::Sqlite(page) => Some((3, page)),
        };
        if let Some((format, number)) = recognised {
            put(RECOGNISED, &[&[format], &number.to_le_bytes()]);
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<StreamHead> {
        let mut head = StreamHead::default();
        let mut fields = Fields::new("attributes", bytes);
        let (mut named, mut kinded) = (false, false);
        while !fields.is_empty() {
            let raw: &RawTag = fields.one()?;
            let value = fields.bytes(raw.length.get() as usize)?;
            let mut value = Fields::new("attribute", value);
            match raw.tag.get() {
                NAME => {
                    head.name = value.rest().to_vec();
                    named = true;
                    continue;
                }
                KIND => {
                    head.kind = node_kind(*value.one::<u8>()?)?;
                    kinded = true;
                }
                MODE => head.mode = value.one::<U32>()?.get(),
                IDS => (head.uid, head.gid) = (value.one::<U32>()?.get(), value.one::<U32>()?.get()),
                OWNER => {
                    head.owner = value.rest().to_vec();
                    continue;
                }
                GROUP => {
                    head.group = value.rest().to_vec();
                    continue;
                }
                MTIME => head.mtime = (value.one::<I64>()?.get(), value.one::<U32>()?.get()),
                LINK => {
                    head.link = Some(value.rest().to_vec());
                    continue;
                }
                XATTR => {
                    let name = value.one::<U16>()?.get();
                    let name = value.bytes(usize::from(name))?.to_vec();
                    head.xattrs.push((name, value.rest().to_vec()));
                    continue;
                }
                SOURCE_LENGTH => head.source_length = Some(value.one::<U64>()?.get()),
                CUT => {
                    let kind = *value.one::<u8>()?;
                    let unit = value.one::<U32>()?.get();
                    head.cut = if kind == 2 { Cut::Pages(unit) } else { Cut::Content };
                }
                RECOGNISED => {
                    let format = *value.one::<u8>()?;
                    let number = value.one::<U32>()?.get();
                    head.recognised = match format {
                        1 => Recognised::EseDatabase(number),
                        2 => Recognised::EseLog(number),
                        3 => Recognised::Sqlite(number),
                        _ => Recognised::Nothing,
                    };
                }
                tag if tag & 0x8000 != 0 => {
                    return malformed(format!(
                        "attribute tag {tag:04x} is not known: a newer release is needed"
                    ));
                }
                _ => continue,
            }
            value.finish()?;
        }
        if !named || !kinded {
            return malformed("the attributes of a stream lack its name or kind");
        }
        Ok(head)
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawTag {
    tag: U16,
    reserved: U16,
    length: U32,
}
const _: () = assert!(size_of::<RawTag>() == 8);

fn node_kind(byte: u8) -> Result<NodeKind> {
    use NodeKind::*;
    match [File, Directory, Symlink, HardLink, BlockDevice, Pushed].into_iter().find(|k| *k as u8 == byte) {
        Some(kind) => Ok(kind),
        None => malformed(format!("stream kind {byte} is not known: a newer release is needed")),
    }
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawEnd {
    length: U64,
    root: [u8; 32],
    flags: U32,
    ranges: U32,
    good: U64,
    bad: U64,
    zero: U64,
    past_end: U64,
    owned_end: U32,
    headers: u8,
    reserved: [u8; 3],
}
const _: () = assert!(size_of::<RawEnd>() == 88);
const CHANGED: u32 = 1;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy)]
#[repr(C)]
struct RawPageRange {
    first: U32,
    count: U32,
    what: U32,
}
const _: () = assert!(size_of::<RawPageRange>() == 12);

/// Pages that failed their check, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRange {
    /// Number of the first page.
    pub first: u32,
    /// Number of pages.
    pub count: u32,
    /// They lie past the owned end.
    pub past_end: bool,
}

/// What the check of a database's pages found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageReport {
    /// Pages verified and good.
    pub good: u64,
    /// Pages bad (JET -1018), those past the owned end not counted.
    pub bad: u64,
    /// Zero pages.
    pub zero: u64,
    /// Pages past the owned end that fail.
    pub past_end: u64,
    /// Last page of page 2's tree; 0 where it is not known.
    pub owned_end: u32,
    /// The first header page fails.
    pub header_bad: bool,
    /// The shadow header page fails.
    pub shadow_bad: bool,
    /// The pages that fail, in order; at most [`MAX_PAGE_RANGES`] ranges.
    pub ranges: Vec<PageRange>,
}

/// The end of a stream: its length and root, and what reading it found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamEnd {
    /// Length in bytes.
    pub length: u64,
    /// Root (`docs/format.md` section 13).
    pub root: [u8; 32],
    /// It changed while being read.
    pub changed: bool,
    /// Pages of a database.
    pub pages: PageReport,
}

impl StreamEnd {
    pub(super) fn encode(&self) -> Vec<u8> {
        let pages = &self.pages;
        let ranges = &pages.ranges[..pages.ranges.len().min(MAX_PAGE_RANGES)];
        let raw = RawEnd {
            length: self.length.into(),
            root: self.root,
            flags: (if self.changed { CHANGED } else { 0 }).into(),
            ranges: (ranges.len() as u32).into(),
            good: pages.good.into(),
            bad: pages.bad.into(),
            zero: pages.zero.into(),
            past_end: pages.past_end.into(),
            owned_end: pages.owned_end.into(),
            headers: u8::from(pages.header_bad) | u8::from(pages.shadow_bad) << 1,
            reserved: [0; 3],
        };
        let mut out = raw.as_bytes().to_vec();
        for range in ranges {
            let raw = RawPageRange {
                first: range.first.into(),
                count: range.count.into(),
                what: (1 + u32::from(range.past_end)).into(),
            };
            out.extend_from_slice(raw.as_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<StreamEnd> {
        let mut fields = Fields::new("end of a stream", bytes);
        let raw: &RawEnd = fields.one()?;
        let ranges: &[RawPageRange] = fields.many(raw.ranges.get())?;
        fields.finish()?;
        Ok(StreamEnd {
            length: raw.length.get(),
            root: raw.root,
            changed: raw.flags.get() & CHANGED != 0,
            pages: PageReport {
                good: raw.good.get(),
                bad: raw.bad.get(),
                zero: raw.zero.get(),
                past_end: raw.past_end.get(),
                owned_end: raw.owned_end.get(),
                header_bad: raw.headers & 1 != 0,
                shadow_bad: raw.headers & 2 != 0,
                ranges: ranges
                    .iter()
                    .map(|r| PageRange {
                        first: r.first.get(),
                        count: r.count.get(),
                        past_end: r.what.get() == 2,
                    })
                    .collect(),
            },
        })
    }
}
