//! The oracle for identical bytes: `docs/format.md` in one thread, in memory, without a thought for speed.
//!
//! [`write_volume`] and [`append_set`] write sets, [`read_volume`] reads them back by their catalogs and checks everything that
//! can be checked, [`scan`] does the same without catalog, marks and trailer. It keeps whole streams in memory, knows one
//! volume to a pool, and refuses torn sets and damaged blocks.
//!
//! ```
//! use reel_tape::layout::recipe::{NodeKind, StreamHead};
//! use reel_tape::medium::MemoryMedium;
//! use reel_tests::oracle::{self, OraclePool, OracleRun, OracleStream};
//!
//! let mut tape = MemoryMedium::new("tape");
//! let head = StreamHead { name: b"greeting".to_vec(), kind: NodeKind::File, ..StreamHead::default() };
//! let stream = OracleStream { head, bytes: b"hello".to_vec(), ..OracleStream::default() };
//! oracle::write_volume(&mut tape, &mut OraclePool::default(), &OracleRun::example(), &[stream])?;
//! assert_eq!(oracle::read_volume(&mut tape)?[0].streams[0].bytes, b"hello");
//! # Ok::<(), oracle::Error>(())
//! ```

mod blocks;
mod check;
mod cut;
mod read;
mod write;

pub use read::{read_volume, scan};
pub use write::{append_set, write_volume};

use reel_tape::layout::catalog::Foreign;
use reel_tape::layout::label::{Label, PoolParams};
use reel_tape::layout::recipe::{PageReport, StreamEnd, StreamHead};
use reel_tape::layout::set::{PoolState, SetHead, StateEntry};
use reel_tape::layout::trailer::Trailer;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use uuid::Uuid;

/// BLAKE3 of some bytes.
pub type Digest = [u8; 32];

/// What an operation of the oracle returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the oracle cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The medium failed.
    #[error(transparent)]
    Medium(#[from] reel_tape::error::Error),
    /// Bytes do not follow the format.
    #[error(transparent)]
    Malformed(#[from] reel_tape::layout::Malformed),
    /// zstd failed.
    #[error("zstd: {0}")]
    Zstd(#[from] std::io::Error),
    /// The parts of a volume contradict each other: what was found, what was expected, where.
    #[error("{0}")]
    Wrong(String),
}

/// A chunk's name: set, segment of the set, index in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Name {
    set: u32,
    segment: u32,
    index: u32,
}

/// A stream to be written.
#[derive(Debug, Clone, Default)]
pub struct OracleStream {
    /// Name and attributes. How it was cut is recorded from [`pages`](Self::pages), whatever stands here.
    pub head: StreamHead,
    /// The bytes; none for directories and links.
    pub bytes: Vec<u8>,
    /// Where the source reported no data, in order and not touching; zeros in `bytes`.
    pub holes: Vec<Range<u64>>,
    /// Chunk unit in bytes of a page file; content-defined chunks otherwise.
    pub pages: Option<u32>,
    /// What the check of its pages found.
    pub page_report: PageReport,
    /// It changed while being read.
    pub changed: bool,
}

/// A run: everything that decides the bytes of a set besides streams and pool.
#[derive(Debug, Clone)]
pub struct OracleRun {
    /// The volume's label.
    pub label: Label,
    /// Head of the set, with the session of its blocks.
    pub set_head: SetHead,
    /// Session of the label block.
    pub session: u64,
    /// zstd level of frames; none: they are stored raw.
    pub level: Option<i32>,
    /// Time of completion, nanoseconds since 1970 UTC.
    pub finished: i64,
    /// Pool state for the header block: given on the first set of a volume.
    pub pool_state: Option<PoolState>,
    /// Torn files that the trailer lists.
    pub torn: Vec<StateEntry>,
}

impl OracleRun {
    /// The first set of a volume with blocks of 4,096 bytes, to start from.
    pub fn example() -> OracleRun {
        let label = Label {
            pool: Uuid::from_bytes([0x10; 16]),
            volume: Uuid::from_bytes([0x20; 16]),
            created: 1,
            sequence: 1,
            block_size: 4096,
            params: PoolParams::DRAFT,
            pool_name: "oracle".into(),
            barcode: "RM0001L9".into(),
        };
        let set_head = SetHead {
            set: 1,
            part: 0,
            session: 7,
            started: 2,
            checkpoint: 1 << 30,
            block_size: label.block_size,
            name: String::new(),
            host: "host".into(),
            software: "oracle".into(),
        };
        let pool_state = Some(PoolState { next_set: 2, entries: Vec::new() });
        OracleRun { label, set_head, session: 6, level: Some(1), finished: 3, pool_state, torn: Vec::new() }
    }
}

/// What the sets written so far left for the next one to share.
#[derive(Debug, Default)]
pub struct OraclePool {
    /// The newest name of each digest.
    names: HashMap<Digest, Name>,
    /// The data chunks of the newest stream of each name, by offset.
    recipes: HashMap<Vec<u8>, HashMap<u64, Known>>,
    /// Where the frames of each segment stand.
    segments: BTreeMap<(u32, u32), Foreign>,
}

/// A chunk of a previous recipe.
#[derive(Debug, Clone, Copy)]
struct Known {
    name: Name,
    length: u64,
    digest: Digest,
}

/// A set, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OracleSet {
    /// Its head.
    pub head: SetHead,
    /// Its trailer; a scan reads none.
    pub trailer: Option<Trailer>,
    /// Its streams, by number.
    pub streams: Vec<ReadStream>,
}

/// A stream, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadStream {
    /// Name and attributes.
    pub head: StreamHead,
    /// Length, root and what reading it found.
    pub end: StreamEnd,
    /// The bytes, holes as zeros.
    pub bytes: Vec<u8>,
}
