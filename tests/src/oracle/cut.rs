//! Where chunks and pieces begin (`docs/format.md` section 12), and what a recipe comes to (section 13).

use super::{Digest, OracleStream};
use std::ops::Range;

/// Window of a stream that makes a piece, in bytes.
const WINDOW: u64 = 8 << 20;
/// Most streams that share a piece.
const SHARERS: usize = 4096;
/// Part of a stream's root, in bytes.
const PART: u64 = 4 << 20;

/// What a chunk holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Data(Digest),
    Zero,
    Hole,
}

/// A chunk, or in a recipe that was read a whole run of zeros or of a hole.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub offset: u64,
    pub length: u64,
    pub content: Content,
}

/// The chunks of a stream, in order.
pub(super) fn chunks(stream: &OracleStream) -> Vec<Chunk> {
    let gear = gear_table();
    let mut chunks = Vec::new();
    let mut rest = &stream.bytes[..];
    while !rest.is_empty() {
        let length = match stream.pages {
            Some(unit) => rest.len().min(unit as usize),
            None => content_defined(rest, &gear),
        };
        let (bytes, behind) = rest.split_at(length);
        let offset = (stream.bytes.len() - rest.len()) as u64;
        let end = offset + length as u64;
        let content = if stream.holes.iter().any(|hole| hole.start <= offset && end <= hole.end) {
            Content::Hole
        } else if bytes.iter().all(|byte| *byte == 0) {
            Content::Zero
        } else {
            Content::Data(*blake3::hash(bytes).as_bytes())
        };
        chunks.push(Chunk { offset, length: length as u64, content });
        rest = behind;
    }
    chunks
}

fn content_defined(bytes: &[u8], gear: &[u64; 256]) -> usize {
    const BEFORE: u64 = 0xFFFF_0000;
    const AFTER: u64 = 0xFFF0_0000;
    let shifted = gear.map(|value| value << 1);
    fastcdc::v2020::cut_gear(
        bytes,
        4096,
        16_384,
        65_536,
        BEFORE,
        AFTER,
        BEFORE << 1,
        AFTER << 1,
        gear,
        &shifted,
    )
    .1
}

fn gear_table() -> [u64; 256] {
    let s = s_box();
    std::array::from_fn(|at| {
        let word = [0x00, 0xE9, 0x5C, 0xB7].map(|mix| s[at ^ mix]);
        u64::from(u32::from_le_bytes(word))
    })
}

/// The AES S-box (FIPS 197), with inverses found by way of the powers of the generator 3.
fn s_box() -> [u8; 256] {
    let mut powers = [1u8; 256];
    for at in 1..256 {
        let before = powers[at - 1];
        let doubled = (before << 1) ^ if before >= 0x80 { 0x1B } else { 0 };
        powers[at] = doubled ^ before;
    }
    let mut table = [0x63; 256];
    for at in 0..255 {
        let inverse = powers[255 - at];
        let spread = (1..5).fold(inverse, |sum, by| sum ^ inverse.rotate_left(by));
        table[usize::from(powers[at])] = spread ^ 0x63;
    }
    table
}

/// What one stream adds to a piece.
pub(super) struct Slice {
    /// Number of the stream.
    pub stream: usize,
    /// Its chunks.
    pub chunks: Range<usize>,
    /// The stream ends here.
    pub last: bool,
}

/// The pieces of a run, from the chunks of its streams.
pub(super) fn pieces(streams: &[Vec<Chunk>]) -> Vec<Vec<Slice>> {
    let mut pieces = Vec::new();
    let mut shared: Vec<Slice> = Vec::new();
    let mut shared_bytes = 0;
    for (stream, chunks) in streams.iter().enumerate() {
        let length = length(chunks);
        let long = length >= WINDOW;
        if !shared.is_empty() && (long || shared_bytes + length > WINDOW || shared.len() == SHARERS) {
            pieces.push(std::mem::take(&mut shared));
            shared_bytes = 0;
        }
        if !long {
            shared.push(Slice { stream, chunks: 0..chunks.len(), last: true });
            shared_bytes += length;
            continue;
        }
        let mut at = 0;
        for window in chunks.chunk_by(|a, b| a.offset / WINDOW == b.offset / WINDOW) {
            let from = at;
            at += window.len();
            pieces.push(vec![Slice { stream, chunks: from..at, last: at == chunks.len() }]);
        }
    }
    if !shared.is_empty() {
        pieces.push(shared);
    }
    pieces
}

/// Bytes of a stream.
pub(super) fn length(chunks: &[Chunk]) -> u64 {
    chunks.last().map_or(0, |last| last.offset + last.length)
}

/// The root of a stream.
pub(super) fn root(chunks: &[Chunk]) -> Digest {
    let length = length(chunks);
    let mut parts = vec![blake3::Hasher::new(); length.div_ceil(PART) as usize];
    let mut item = |offset: u64, kind: u8, length: u64, digest: &Digest| {
        parts[(offset / PART) as usize]
            .update(&offset.to_le_bytes())
            .update(&[kind])
            .update(&length.to_le_bytes())
            .update(digest);
    };
    for run in chunks.chunk_by(|a, b| a.content == b.content && !matches!(a.content, Content::Data(_))) {
        let (mut at, end) =
            (run[0].offset, run[0].offset + run.iter().map(|chunk| chunk.length).sum::<u64>());
        let kind = match run[0].content {
            Content::Data(digest) => {
                item(at, 1, end - at, &digest);
                continue;
            }
            Content::Zero => 2,
            Content::Hole => 3,
        };
        while at < end {
            let until = end.min((at / PART + 1) * PART);
            item(at, kind, until - at, &[0; 32]);
            at = until;
        }
    }
    let mut root = blake3::Hasher::new();
    for part in &parts {
        root.update(part.finalize().as_bytes());
    }
    *root.update(&length.to_le_bytes()).finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gear_table_is_made_of_the_aes_s_box() {
        let s = s_box();
        assert_eq!([s[0x00], s[0x01], s[0x53], s[0xFF]], [0x63, 0x7C, 0xED, 0x16]);
        let mut sorted = s;
        sorted.sort_unstable();
        assert!(sorted.iter().enumerate().all(|(at, value)| at == usize::from(*value)));
        assert_eq!(gear_table()[0], u64::from(u32::from_le_bytes([s[0], s[0xE9], s[0x5C], s[0xB7]])));
    }

    #[test]
    fn zeros_are_cut_at_the_maximum_and_the_rest_of_a_window_makes_no_piece_without_a_chunk() {
        let bytes = vec![0; (WINDOW + 100) as usize];
        let zeros = chunks(&OracleStream { bytes, pages: Some(40_000), ..OracleStream::default() });
        // 8 MiB are 209 units of 40,000 bytes and 28,608 bytes: the last unit begins before the border and ends behind it.
        assert_eq!((zeros.len(), length(&zeros)), (210, WINDOW + 100));
        let pieces = pieces(&[zeros]);
        assert_eq!((pieces.len(), pieces[0][0].last), (1, true));
        let zeros = chunks(&OracleStream { bytes: vec![0; 70_000], ..OracleStream::default() });
        assert_eq!(zeros.iter().map(|chunk| chunk.length).collect::<Vec<_>>(), [65_536, 4464]);
    }

    #[test]
    fn the_root_of_nothing_is_the_digest_of_a_length_of_zero() {
        assert_eq!(root(&[]), *blake3::hash(&[0; 8]).as_bytes());
    }
}
