//! Reading ahead. A tape streams; of a file only the next few hundred KiB are fetched before they are asked for, as far as the
//! system does it by itself. Where objects are read one after the other, the store is told early what comes next.

use std::ops::Range;

/// Bytes ahead of the reader that the store is told of.
const AHEAD: u64 = 8 << 20;
/// A gap up to here is passed over in order: blocks of metadata that a reader of frames does not want.
const GAP: u64 = 1 << 20;

/// Follows where an image is read.
#[derive(Default)]
pub(super) struct ReadAhead {
    /// First byte behind what was read last.
    next: u64,
    /// Bytes that were read in order.
    in_order: u64,
    /// First byte that the store was not told of.
    told: u64,
}

impl ReadAhead {
    /// Takes what is read now and gives what should be told to the store; mostly nothing. What is read here and there gives
    /// nothing, and a reader in order no more ahead than it has read already.
    pub(super) fn read(&mut self, now: Range<u64>) -> Range<u64> {
        let follows = self.in_order > 0 && (self.next..=self.next.saturating_add(GAP)).contains(&now.start);
        if !follows {
            *self = ReadAhead { told: now.end, ..ReadAhead::default() };
        }
        let ahead = self.in_order.min(AHEAD);
        self.in_order += now.end.saturating_sub(now.start);
        self.next = now.end;
        let from = self.told.max(now.end);
        let until = now.end.saturating_add(ahead);
        // In few and long stretches.
        if until.saturating_sub(from) < ahead.div_ceil(2).max(1) {
            return from..from;
        }
        self.told = until;
        from..until
    }
}

/// Words ahead of a walk that the store is told of.
const WORDS: u64 = 32;

/// Follows a walk from word to word. Most blocks of an image are equally long, so its next words stand where the last ones
/// lead; read one after the other, each would be waited for.
#[derive(Default)]
pub(super) struct Strides {
    /// Where a word was read last, and how far behind the one before.
    last: u64,
    stride: u64,
    /// Last place that the store was told of.
    told: u64,
}

impl Strides {
    /// Takes the place of a word that is read now and gives the places that should be told to the store; nothing unless the
    /// last two strides were equal.
    pub(super) fn read(&mut self, now: u64) -> impl Iterator<Item = u64> + use<> {
        let stride = now.saturating_sub(self.last);
        let equal = stride == self.stride && stride > 0;
        (self.last, self.stride) = (now, stride);
        let told = if equal { self.told.max(now) } else { now };
        let until = if equal { now.saturating_add(WORDS.saturating_mul(stride)) } else { now };
        self.told = until;
        let count = until.saturating_sub(told).checked_div(stride).unwrap_or(0);
        (1..=count).map(move |number| told + number * stride)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = 256 << 10;

    #[test]
    fn a_reader_in_order_is_always_ahead_and_every_byte_is_told_once() {
        let (mut ahead, mut told) = (ReadAhead::default(), Vec::new());
        for block in 0..1000 {
            // Two length words between blocks, and now and then a block that is passed over.
            let begin = block * (BLOCK + 8) + block / 10 * BLOCK;
            let range = ahead.read(begin..begin + BLOCK);
            if !range.is_empty() {
                assert!(range.start >= begin + BLOCK && range.end <= begin + BLOCK + AHEAD);
                told.push(range);
            }
            let far_enough = block == 0 || ahead.told >= begin + BLOCK + (block * BLOCK).min(AHEAD) / 2;
            assert!(far_enough, "block {block}");
        }
        assert!(told.windows(2).all(|two| two[0].end <= two[1].start));
        assert!(told.len() < 100, "{} times", told.len());
    }

    #[test]
    fn a_reader_here_and_there_gives_nothing() {
        let mut ahead = ReadAhead::default();
        for place in [5, 90, 3, 4, 70, 20, 9].map(|at| at * 10 * BLOCK) {
            assert!(ahead.read(place..place + BLOCK).is_empty());
        }
        assert!(ahead.read(u64::MAX - 8..u64::MAX).is_empty());
    }

    #[test]
    fn words_of_equal_strides_are_told_once_and_early() {
        let (mut strides, mut told) = (Strides::default(), Vec::new());
        let step = BLOCK + 8;
        let mut at = 100;
        for word in 0..200 {
            let now: Vec<u64> = strides.read(at).collect();
            assert!(now.iter().all(|place| *place > at));
            told.extend(now);
            assert!(word < 3 || told.contains(&(at + WORDS * step)), "word {word}");
            at += step;
        }
        assert!(told.windows(2).all(|two| two[0] + step == two[1]));
        // A shorter block: the walk is followed anew from there.
        at -= step / 2;
        assert_eq!(strides.read(at).count(), 0);
        assert_eq!(strides.read(at + step).count(), 0);
        assert_eq!(strides.read(at + 2 * step).count() as u64, WORDS);
        assert_eq!(strides.read(u64::MAX - 5).count(), 0);
        assert_eq!(strides.read(3).count(), 0);
    }
}
