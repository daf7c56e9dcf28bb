//! Speculate and stitch: several chains of chunks side by side, each as if a chunk began with its segment, then joined into
//! the one that a serial scan gives (`reference/performance.md` 3).
//!
//! Gear hashes forget, so chains that began in different places soon have a cut in common, and are the same from there on.
//! A chain therefore goes on behind its segment until it comes upon a cut of the next one.

use super::{Gear, Params};

/// Bytes that every chain takes between two tests.
pub(super) const ROUND: usize = 16;
/// Chunks of a segment, of average size, below which joining costs more than the chains gain.
const SHORTEST_SEGMENT: usize = 8;

/// Where `N` chains stand. `steps` functions take rounds of [`ROUND`] bytes of every chain, and end behind the round in which a
/// hash meets its mask; they return which chains may have met it (bit k: chain k).
pub(super) struct Front<const N: usize> {
    /// The next byte of each chain. At least `rounds` rounds of bytes follow it.
    pub at: [usize; N],
    /// The hash before that byte.
    pub hash: [u64; N],
    /// The mask that is valid over all of the rounds.
    pub mask: [u64; N],
    /// The hash before the last round.
    pub before: [u64; N],
}

/// As [`Gear::cuts`], without any chain but the true one, which is at `start`.
pub(super) fn serial(gear: &Gear, bytes: &[u8], mut start: usize, starts: usize, lengths: &mut Vec<u32>) {
    while start < starts.min(bytes.len()) {
        start += gear.cut_or_run(bytes, start, starts, lengths);
    }
}

/// As [`Gear::cuts`], with `N` chains.
pub(super) fn cuts<const N: usize>(
    gear: &Gear,
    steps: impl Fn(&[u8], &mut Front<N>, usize) -> u32,
    bytes: &[u8],
    starts: usize,
    lengths: &mut Vec<u32>,
) {
    // Chains take chunks only where a longest one has room: what is behind is left to the serial scan.
    let reach = (bytes.len() + 1).saturating_sub(gear.params.max).min(starts);
    let lanes = N.min(reach / (SHORTEST_SEGMENT * gear.params.average));
    if lanes <= N / 4 {
        return serial(gear, bytes, 0, starts, lengths);
    }
    // An odd number of cache lines: segments a multiple of a page apart would share the sets of the cache.
    let segment = (reach / lanes - 64) / 128 * 128 + 64;
    let mut chains = Chains::<N>::new(gear, bytes, reach, segment, lanes);
    chains.run(steps);
    let lists = chains.starts;
    let mut start = 0;
    while start < starts.min(bytes.len()) {
        let list = &lists[(start / segment).min(lanes - 1)];
        let place = list.binary_search(&start).unwrap_or(list.len());
        let before = start;
        for next in list.iter().skip(place + 1) {
            lengths.push((next - start) as u32);
            start = *next;
        }
        if start == before {
            start += gear.cut_or_run(bytes, start, starts, lengths);
        }
    }
}

/// The chains of a scan.
struct Chains<'a, const N: usize> {
    gear: &'a Gear<'a>,
    bytes: &'a [u8],
    /// No chunk is taken that begins here or behind.
    reach: usize,
    /// Bytes of a segment.
    segment: usize,
    lanes: usize,
    /// Where the chunks of each chain begin, in order.
    starts: [Vec<usize>; N],
    /// Of each chain, how many starts of the next one are behind it.
    passed: [usize; N],
    /// Where the mask of each chain changes, or its chunk ends; `usize::MAX` once the chain is done.
    until: [usize; N],
    front: Front<N>,
    /// Chains that are not done.
    live: usize,
}

impl<'a, const N: usize> Chains<'a, N> {
    fn new(gear: &'a Gear, bytes: &'a [u8], reach: usize, segment: usize, lanes: usize) -> Self {
        let mut chains = Chains {
            gear,
            bytes,
            reach,
            segment,
            lanes,
            starts: std::array::from_fn(|_| Vec::with_capacity(2 * segment / gear.params.average)),
            passed: [0; N],
            until: [usize::MAX; N],
            front: Front { at: [0; N], hash: [0; N], mask: [u64::MAX; N], before: [0; N] },
            live: lanes,
        };
        for lane in 0..lanes {
            chains.begin(lane, lane * segment);
        }
        chains
    }

    /// Runs the chains until most of them are done: for the last ones the serial scan costs less.
    fn run(&mut self, steps: impl Fn(&[u8], &mut Front<N>, usize) -> u32) {
        while self.live > N / 4 {
            let mut bytes = usize::MAX;
            for lane in 0..N {
                bytes = bytes.min(self.until[lane] - self.front.at[lane]);
            }
            let mut hits = steps(self.bytes, &mut self.front, bytes / ROUND);
            for lane in 0..N {
                if self.until[lane] == usize::MAX {
                    self.front.at[lane] = 0;
                } else if hits & 1 == 1 || self.until[lane] - self.front.at[lane] < ROUND {
                    self.settle(lane, hits & 1 == 1);
                }
                hits >>= 1;
            }
        }
    }

    /// Looks for the cut in a round that may have one, and takes a chain over the end of its stage.
    fn settle(&mut self, lane: usize, hit: bool) {
        let (gear, bytes, front) = (self.gear, self.bytes, &mut self.front);
        let at = front.at[lane];
        if hit && let Some(cut) = gear.scan(&mut front.before[lane], &bytes[at - ROUND..at], front.mask[lane])
        {
            return self.begin(lane, at - ROUND + cut);
        }
        let until = self.until[lane];
        if until - at >= ROUND {
            return;
        }
        if let Some(cut) = gear.scan(&mut front.hash[lane], &bytes[at..until], front.mask[lane]) {
            return self.begin(lane, at + cut);
        }
        let start = self.starts[lane].last().copied().unwrap_or(0);
        let end = start + gear.params.max;
        if until == end {
            return self.begin(lane, end);
        }
        front.at[lane] = until;
        front.mask[lane] = gear.params.mask_after;
        self.until[lane] = end;
    }

    /// A chunk of the chain begins at `start`.
    fn begin(&mut self, lane: usize, mut start: usize) {
        let Params { min, average, max, mask_before, .. } = self.gear.params;
        let end = self.reach.min((lane + 2) * self.segment);
        let mut run = self.gear.chunks_of_run(self.bytes, start, end);
        loop {
            self.starts[lane].push(start);
            if self.is_done(lane, start) {
                self.until[lane] = usize::MAX;
                self.front.at[lane] = 0;
                self.live -= 1;
                return;
            }
            if run == 0 {
                break;
            }
            run -= 1;
            start += max;
        }
        self.front.at[lane] = start + min;
        self.front.hash[lane] = 0;
        self.front.mask[lane] = mask_before;
        self.until[lane] = start + average;
    }

    /// Whether a chain need not go on: it came upon the next one, passed it without that, or is where chains end.
    fn is_done(&mut self, lane: usize, start: usize) -> bool {
        if start >= self.reach {
            return true;
        }
        if lane + 1 == self.lanes || start < (lane + 1) * self.segment {
            return false;
        }
        let passed = &mut self.passed[lane];
        let next = &self.starts[lane + 1];
        *passed += next[*passed..].iter().take_while(|s| **s < start).count();
        next.get(*passed) == Some(&start) || (lane + 2 < self.lanes && start >= (lane + 2) * self.segment)
    }
}
