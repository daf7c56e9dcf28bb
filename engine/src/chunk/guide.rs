//! Cutting content along an earlier version of it (`reference/performance.md` 4): where a chunk of the earlier version is there
//! again, its digest and a test of its last bytes take the place of the scan.
//!
//! The result is that of a scan. The bytes of an earlier chunk have no cut between them, for otherwise it would have been shorter;
//! so the same bytes have none here, and what is left to test is the byte behind them. The byte before is tested too: at the end of
//! a stream of odd length no scan ever looked at it.

use super::chain::Cut;
use super::gear::Gear;
use crate::digest::{self, Digest};
use crate::index::previous::Known;

/// Chunks one after the other that are not the expected ones, until the earlier version is given up.
const FAILURES: u32 = 64;
/// Chunks to be cut without a guide once it was given up.
pub const PLAIN_CHUNKS: u32 = 1024;

/// Cuts a stretch of a stream along what is known of an earlier version.
pub struct Guide<'a> {
    gear: &'a Gear<'a>,
    /// Chunks of the earlier version, by offset.
    known: &'a [Known],
    /// Where the stretch begins in the stream.
    origin: u64,
    /// How much further back the stream's bytes are than those of the earlier version.
    shift: i64,
    /// The chunk that is expected next.
    next: usize,
    failures: u32,
    /// First bytes of the known digests with their chunks, sorted; made when they are first asked for.
    by_digest: Vec<(u64, u32)>,
}

impl<'a> Guide<'a> {
    /// A guide for the bytes from `origin` on in a stream whose bytes were found `shift` further back than before.
    pub fn new(gear: &'a Gear, known: &'a [Known], origin: u64, shift: i64) -> Self {
        let mut guide = Guide { gear, known, origin, shift, next: 0, failures: 0, by_digest: Vec::new() };
        guide.next = known.partition_point(|k| guide.place(k) < 0);
        guide
    }

    /// Where in the stretch the first known chunk should be found again, if that is no further than a chunk may begin.
    pub fn first(&self) -> usize {
        let first = self.known.get(self.next).and_then(|k| usize::try_from(self.place(k)).ok());
        first.filter(|first| *first < self.gear.params().max()).unwrap_or(0)
    }

    /// How much further back the bytes were found last.
    pub fn shift(&self) -> i64 {
        self.shift
    }

    /// Whether the earlier version is of no more use in this stretch.
    pub fn is_lost(&self) -> bool {
        self.gave_up() || self.next >= self.known.len()
    }

    /// Whether the stretch is so unlike the earlier version that the next ones may be, too.
    pub fn gave_up(&self) -> bool {
        self.failures >= FAILURES
    }

    /// Appends the chunks from `start` on that begin in the first `starts` bytes of the stretch, until the guide
    /// [is lost](Self::is_lost); returns where they end. `bytes` are those of the stretch so far: [`Params::max`] more than `starts`,
    /// or up to the end of the stream.
    ///
    /// [`Params::max`]: super::gear::Params::max
    pub fn cut(&mut self, bytes: &[u8], mut start: usize, starts: usize, cuts: &mut Vec<Cut>) -> usize {
        let mut lengths = Vec::new();
        while start < starts.min(bytes.len()) && !self.is_lost() {
            if let Some(run) = self.gear.run(bytes, start, starts, &mut lengths) {
                cuts.extend(lengths.drain(..).map(Cut::plain));
                start += run;
                self.next = self.known.partition_point(|k| self.place(k) < start as i64);
                continue;
            }
            let (length, digest) = match self.expected(bytes, start) {
                Ok(found) => found,
                Err(tried) => self.scanned(bytes, start, tried),
            };
            cuts.push(Cut { length: length as u32, digest: Some(digest) });
            start += length;
        }
        start
    }

    /// Where in the stretch a known chunk should be found again.
    fn place(&self, known: &Known) -> i64 {
        known.offset as i64 + self.shift - self.origin as i64
    }

    /// The bytes at `start` begin what is known as number `at`, which has the given length.
    fn found(&mut self, at: usize, start: usize) {
        self.shift = self.origin as i64 + start as i64 - self.known[at].offset as i64;
        self.next = at + 1;
        self.failures = 0;
    }

    /// The expected chunk, if it begins at `start`; else what of it was hashed in vain.
    fn expected(&mut self, bytes: &[u8], start: usize) -> Result<(usize, Digest), Option<(usize, Digest)>> {
        let (min, max) = (self.gear.params().min(), self.gear.params().max());
        let known = &self.known[self.next];
        let length = known.length as usize;
        if start + max > bytes.len()
            || !(min..=max).contains(&length)
            || !self.gear.is_cut(&bytes[start..], length)
        {
            return Err(None);
        }
        let digest = digest::of(&bytes[start..start + length]);
        if digest != known.digest {
            return Err(Some((length, digest)));
        }
        self.found(self.next, start);
        Ok((length, digest))
    }

    /// The chunk that a scan finds, and a guess at what follows it.
    fn scanned(&mut self, bytes: &[u8], start: usize, tried: Option<(usize, Digest)>) -> (usize, Digest) {
        let length = self.gear.cut(&bytes[start..]);
        let digest = match tried {
            Some((tried, digest)) if tried == length => digest,
            _ => digest::of(&bytes[start..start + length]),
        };
        if let Some(at) = self.find(&digest) {
            self.found(at, start);
        } else {
            self.failures += 1;
            let target = (start + length) as i64;
            let behind = self.known.partition_point(|k| self.place(k) < target);
            let off = |at: usize| self.known.get(at).map(|k| self.place(k).abs_diff(target));
            // The nearest one: an insertion into this chunk puts the next one's old place before its new one.
            let before = behind
                .checked_sub(1)
                .filter(|before| behind < self.known.len() && off(*before) < off(behind));
            self.next = before.unwrap_or(behind);
        }
        (length, digest)
    }

    /// The known chunk of a digest.
    fn find(&mut self, digest: &Digest) -> Option<usize> {
        let key = |digest: &Digest| u64::from_le_bytes(*digest.first_chunk().expect("a digest has 32 bytes"));
        if self.by_digest.is_empty() {
            self.by_digest = self.known.iter().zip(0..).map(|(k, at)| (key(&k.digest), at)).collect();
            self.by_digest.sort_unstable();
        }
        let first = self.by_digest.partition_point(|(k, _)| *k < key(digest));
        let at = self.by_digest.get(first)?.1 as usize;
        (self.known[at].digest == *digest).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::gear::Kernel;
    use crate::index::Name;
    use proptest::prelude::*;

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn lengths(gear: &Gear, bytes: &[u8]) -> Vec<u32> {
        let mut lengths = Vec::new();
        gear.cuts(bytes, bytes.len(), &mut lengths);
        lengths
    }

    /// The recipe of a stream, without the zeros, that begins at byte `offset` of it.
    fn known(gear: &Gear, bytes: &[u8], mut offset: u64) -> Vec<Known> {
        let mut known = Vec::new();
        let mut rest = bytes;
        for length in lengths(gear, bytes) {
            let (chunk, behind) = rest.split_at(length as usize);
            if chunk.iter().any(|byte| *byte != 0) {
                let name = Name { set: 1, segment: 0, index: 0 };
                known.push(Known { offset, length, digest: digest::of(chunk), name });
            }
            offset += u64::from(length);
            rest = behind;
        }
        known
    }

    /// All chunks of `bytes` with a guide, in stages; and how many of them the guide found.
    fn guided(gear: &Gear, known: &[Known], bytes: &[u8], stage: usize) -> (Vec<u32>, usize) {
        let mut guide = Guide::new(gear, known, 0, 0);
        let (mut cuts, mut at) = (Vec::new(), 0);
        for end in (stage..bytes.len()).step_by(stage) {
            at = guide.cut(&bytes[..end], at, end.saturating_sub(gear.params().max()), &mut cuts);
        }
        at = guide.cut(bytes, at, bytes.len(), &mut cuts);
        for (cut, chunk) in cuts.iter().scan(0, |at, cut| {
            *at += cut.length as usize;
            Some((cut, &bytes[*at - cut.length as usize..*at]))
        }) {
            assert!(cut.digest.is_none_or(|digest| digest == digest::of(chunk)));
        }
        let found = cuts.iter().filter(|cut| known.iter().any(|k| Some(k.digest) == cut.digest)).count();
        let mut all: Vec<u32> = cuts.iter().map(|cut| cut.length).collect();
        all.extend(lengths(gear, &bytes[at..]));
        (all, found)
    }

    #[test]
    fn an_insertion_is_survived() {
        let gear = Gear::of_pool(Kernel::Scalar);
        let old = noise(1, 4 << 20);
        let known = known(&gear, &old, 0);
        for (at, length) in [(0, 1), (1_000_000, 10), (2_000_000, 100_000), (5, 300_000)] {
            let mut new = old.clone();
            new.splice(at..at, noise(2, length));
            let (cuts, found) = guided(&gear, &known, &new, 512 << 10);
            assert!(cuts == lengths(&gear, &new), "{length} bytes at {at}");
            assert!(found + 5 > known.len(), "{length} bytes at {at}: {found} of {}", known.len());
        }
    }

    #[test]
    fn another_file_is_given_up_soon() {
        let gear = Gear::of_pool(Kernel::Scalar);
        let (old, new) = (noise(1, 4 << 20), noise(2, 4 << 20));
        let known = known(&gear, &old, 0);
        let mut guide = Guide::new(&gear, &known, 0, 0);
        let mut cuts = Vec::new();
        guide.cut(&new, 0, new.len(), &mut cuts);
        assert!(guide.is_lost());
        assert_eq!(cuts.len(), FAILURES as usize);
    }

    #[test]
    fn the_last_chunk_of_an_odd_stream_is_not_trusted_with_its_last_byte() {
        // A scan of the old stream never looks at its last byte; here that is one before which there is a cut.
        let gear = Gear::of_pool(Kernel::Scalar);
        let new = noise(3, 4 << 20);
        let mut start = 0;
        let mut tried = 0;
        for length in lengths(&gear, &new) {
            let end = start + length as usize + 1;
            if length % 2 == 0 && length < 65_536 && end < new.len() {
                let old = known(&gear, &new[start..end], 0);
                assert_eq!(old[0].length, length + 1);
                assert!(!gear.is_cut(&new[start..], length as usize + 1));
                let (cuts, _) = guided(&gear, &old, &new[start..], 1 << 20);
                assert_eq!(cuts[0], length);
                tried += 1;
            }
            start += length as usize;
        }
        assert!(tried > 20);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_guide_finds_what_a_scan_finds(
            seed in any::<u64>(),
            edits in prop::collection::vec((any::<u32>(), 0u8..6, 0usize..40_000), 0..12),
            stage in 200_000usize..1_000_000,
        ) {
            let gear = Gear::of_pool(Kernel::Scalar);
            let mut old = noise(seed, 1_500_000);
            old[300_000..600_000].fill(0);
            old[700_000..900_000].fill(0xFF);
            let known = known(&gear, &old, 0);
            let mut new = old;
            for (at, kind, length) in edits {
                let at = at as usize % new.len();
                let end = new.len().min(at + length);
                match kind {
                    0 => drop(new.splice(at..at, noise(seed + 1, length))),
                    1 => drop(new.drain(at..end)),
                    2 => new[at..end].fill(0),
                    3 => new[at] ^= 1,
                    4 => new.rotate_left(at),
                    _ => new[at..end].reverse(),
                }
            }
            let (cuts, _) = guided(&gear, &known, &new, stage);
            prop_assert!(cuts == lengths(&gear, &new));
        }
    }
}
