//! Roots: what a stream's recipe must come to (`docs/format.md` section 13).

use crate::digest::{self, Digest};

/// Bytes of a part.
pub const PART: u64 = 4 << 20;

/// The two kinds of runs that have no chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nothing {
    /// Read as zeros.
    Zero,
    /// Reported by the source to hold no data.
    Hole,
}

const DATA: u8 = 1;

impl Nothing {
    fn run_kind(self) -> u8 {
        match self {
            Nothing::Zero => 2,
            Nothing::Hole => 3,
        }
    }
}

/// Computes the roots of the parts of a stream, or of a window of one that begins at a part border.
pub struct PartRoots {
    offset: u64,
    part_end: u64,
    items: Vec<u8>,
    /// A run of nothing that may go on, and where it begins.
    open: Option<(Nothing, u64)>,
    roots: Vec<Digest>,
}

impl PartRoots {
    /// Begins with the part at `window`, a multiple of [`PART`]; the first item begins at `offset` in it.
    pub fn new(window: u64, offset: u64) -> Self {
        PartRoots { offset, part_end: window + PART, items: Vec::new(), open: None, roots: Vec::new() }
    }

    /// The next bytes are a chunk.
    pub fn chunk(&mut self, length: u64, digest: &Digest) {
        self.end_run(u64::MAX);
        self.item(self.offset, DATA, length, digest);
        self.offset += length;
    }

    /// The next bytes are nothing.
    pub fn nothing(&mut self, kind: Nothing, length: u64) {
        if self.open.is_some_and(|(open, _)| open != kind) {
            self.end_run(u64::MAX);
        }
        self.open.get_or_insert((kind, self.offset));
        self.offset += length;
    }

    /// Roots of the parts that are complete, each given once.
    pub fn take(&mut self) -> Vec<Digest> {
        std::mem::take(&mut self.roots)
    }

    /// The stream, or the window, ends at `end`: the roots of what is left. A run of nothing is cut off there.
    pub fn finish(mut self, end: u64) -> Vec<Digest> {
        self.end_run(end);
        while self.part_end < end {
            self.close_part();
        }
        if self.part_end - PART < end {
            self.close_part();
        }
        self.roots
    }

    fn end_run(&mut self, limit: u64) {
        let Some((kind, mut at)) = self.open.take() else { return };
        let end = self.offset.min(limit);
        while at < end {
            while at >= self.part_end {
                self.close_part();
            }
            let until = end.min(self.part_end);
            self.item(at, kind.run_kind(), until - at, &[0; 32]);
            at = until;
        }
    }

    fn item(&mut self, offset: u64, kind: u8, length: u64, digest: &Digest) {
        while offset >= self.part_end {
            self.close_part();
        }
        self.items.extend_from_slice(&offset.to_le_bytes());
        self.items.push(kind);
        self.items.extend_from_slice(&length.to_le_bytes());
        self.items.extend_from_slice(digest);
    }

    fn close_part(&mut self) {
        self.roots.push(digest::of(&self.items));
        self.items.clear();
        self.part_end += PART;
    }
}

/// Puts the roots of parts together to the root of a stream.
#[derive(Default)]
pub struct StreamRoot(blake3::Hasher);

impl StreamRoot {
    /// The next parts.
    pub fn parts(&mut self, roots: &[Digest]) {
        self.0.update(roots.as_flattened());
    }

    /// The root of a stream of `length` bytes.
    pub fn finish(mut self, length: u64) -> Digest {
        self.0.update(&length.to_le_bytes());
        *self.0.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_give_the_roots_of_the_whole_stream() {
        // Chunks and zeros that cross the border of the window at 8 MiB.
        let window = 2 * PART;
        let mut whole = PartRoots::new(0, 0);
        whole.chunk(PART + 5, &[1; 32]);
        whole.nothing(Nothing::Zero, PART + 100);
        whole.nothing(Nothing::Zero, 50);
        whole.nothing(Nothing::Hole, 3 * PART);
        whole.chunk(7, &[2; 32]);
        let end = 5 * PART + 162;
        let mut expected = whole.take();
        expected.extend(whole.finish(end));
        assert_eq!(expected.len(), 6);

        let mut first = PartRoots::new(0, 0);
        first.chunk(PART + 5, &[1; 32]);
        first.nothing(Nothing::Zero, PART + 100);
        let mut pieces = first.finish(window);
        let mut second = PartRoots::new(window, window);
        second.nothing(Nothing::Zero, 105);
        second.nothing(Nothing::Zero, 50);
        second.nothing(Nothing::Hole, 3 * PART);
        let lead = window + 155 + 3 * PART - 2 * window;
        pieces.extend(second.finish(2 * window));
        let mut third = PartRoots::new(2 * window, 2 * window);
        third.nothing(Nothing::Hole, lead);
        third.chunk(7, &[2; 32]);
        pieces.extend(third.finish(end));
        assert_eq!(pieces, expected);
    }

    #[test]
    fn an_empty_stream_has_no_parts() {
        assert_eq!(PartRoots::new(0, 0).finish(0), Vec::<Digest>::new());
        assert_eq!(StreamRoot::default().finish(0), digest::of(&[0; 8]));
    }
}
