//! Long runs of one byte. Their hash stands still, so that they are cut at the maximum without a scan, and chains that began
//! in different places never meet inside of them.

use super::Gear;

/// Bytes that a gear hash remembers.
const MEMORY: usize = 64;

impl Gear<'_> {
    /// Appends the chunks of a run at `start`, those that begin before `starts`; returns their bytes, or `None` if there is no run
    /// that is cut at the maximum.
    pub(in crate::chunk) fn run(
        &self,
        bytes: &[u8],
        start: usize,
        starts: usize,
        lengths: &mut Vec<u32>,
    ) -> Option<usize> {
        let count = self.chunks_of_run(bytes, start, starts);
        lengths.extend(std::iter::repeat_n(self.params.max as u32, count));
        (count > 0).then_some(count * self.params.max)
    }

    /// Appends the chunk at `start`, or those of a run; returns their bytes.
    pub(in crate::chunk) fn cut_or_run(
        &self,
        bytes: &[u8],
        start: usize,
        starts: usize,
        lengths: &mut Vec<u32>,
    ) -> usize {
        self.run(bytes, start, starts, lengths).unwrap_or_else(|| {
            let length = self.cut(&bytes[start..]);
            lengths.push(length as u32);
            length
        })
    }

    /// How many chunks of the longest size follow each other from `start` on because all the bytes that decide their ends are the
    /// same; 0 where they are not, or where that does not make them long. A chunk may begin at `starts` no more.
    pub(super) fn chunks_of_run(&self, bytes: &[u8], start: usize, starts: usize) -> usize {
        let (min, max) = (self.params.min, self.params.max);
        let end = bytes.len().min(starts.saturating_add(max));
        let Some(decide) = bytes.get(start + min..end) else { return 0 };
        let Some((first, _)) = decide.split_first_chunk::<MEMORY>() else { return 0 };
        let byte = first[0];
        if *first != [byte; MEMORY] {
            return 0;
        }
        let (blocks, _) = decide.as_chunks::<MEMORY>();
        let same = blocks.iter().position(|block| *block != [byte; MEMORY]).unwrap_or(blocks.len());
        let run = min + MEMORY * same;
        if run < max || !self.stands_still(first) {
            return 0;
        }
        (run / max).min(starts.saturating_sub(start).div_ceil(max))
    }

    /// Whether equal bytes give no cut, neither when the hash begins nor when it has seen nothing else.
    fn stands_still(&self, bytes: &[u8; MEMORY]) -> bool {
        let mut hash = 0;
        self.scan(&mut hash, bytes, self.params.mask_before).is_none() && hash & self.params.mask_after != 0
    }
}
