//! A made-up language: the words that all text of one store is written with.

use crate::random::{Random, hash};

/// Room of a word; copying the whole room costs less than copying the word's own length.
const ROOM: usize = 16;
const WORDS: usize = 4096;
/// Words that take half of all places, as the short words of a real language do.
const FREQUENT: u64 = 128;

/// The words of one store, made from its seed.
#[derive(Debug)]
pub(crate) struct Dictionary {
    words: Vec<[u8; ROOM]>,
    lengths: Vec<u8>,
}

impl Dictionary {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(hash(&[seed, 0xD1C7]));
        let (mut words, mut lengths) = (Vec::with_capacity(WORDS), Vec::with_capacity(WORDS));
        for rank in 0..WORDS {
            let mut word = [b' '; ROOM];
            let syllables =
                if (rank as u64) < FREQUENT { random.between(1, 2) } else { random.between(2, 4) };
            let mut length = 0;
            for _ in 0..syllables {
                word[length] = b"bcdfghklmnprstvwz"[random.below(17) as usize];
                word[length + 1] = b"aeiou"[random.below(5) as usize];
                length += 2;
                if random.below(3) == 0 {
                    word[length] = b"nrstlm"[random.below(6) as usize];
                    length += 1;
                }
            }
            words.push(word);
            lengths.push(length as u8);
        }
        Dictionary { words, lengths }
    }

    /// A word for 16 random bits: its letters, and blanks behind them up to its room.
    fn pick(&self, bits: u64) -> (&[u8; ROOM], usize) {
        let index = if bits & 1 == 0 { (bits >> 1) % FREQUENT } else { (bits >> 1) % WORDS as u64 } as usize;
        (&self.words[index], usize::from(self.lengths[index]))
    }

    /// One word without a blank.
    pub(crate) fn word(&self, random: &mut Random) -> &[u8] {
        let (word, length) = self.pick(random.next());
        &word[..length]
    }

    /// Fills all of `out` with words, separated by blanks, with a full stop now and then.
    pub(crate) fn text(&self, random: &mut Random, out: &mut [u8]) {
        let mut at = 0;
        while at + 4 * (ROOM + 2) <= out.len() {
            let bits = random.next();
            for quarter in 0..4 {
                let (word, length) = self.pick(bits >> (16 * quarter) & 0xFFFF);
                out[at..at + ROOM].copy_from_slice(word);
                at += length;
                out[at] = b' ';
                at += 1;
            }
            if bits >> 62 == 0 {
                out[at - 1..=at].copy_from_slice(b". ");
                at += 1;
            }
        }
        while at < out.len() {
            let (word, length) = self.pick(random.next());
            let length = (length + 1).min(out.len() - at);
            out[at..at + length].copy_from_slice(&word[..length]);
            at += length;
        }
    }
}
