//! The one place that uses the hidden module `platform` of `blake3`. Constants and the shape of the tree: BLAKE3 paper, sections
//! 2.1 (tree), 2.2 (flags, initial values) and 5.3 (vectors).

use crate::{GROUP, OUT_LEN};
use blake3::IncrementCounter;
pub use blake3::platform::Platform;

const CHUNK: usize = blake3::CHUNK_LEN;
/// Chunks of the longest unit.
const MOST_CHUNKS: usize = 32;
/// Two values, which is what a parent hashes.
const PAIR: usize = 2 * OUT_LEN;

const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 1 << 1;
const PARENT: u8 = 1 << 2;
const ROOT: u8 = 1 << 3;
const IV: [u32; 8] =
    [0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A, 0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19];

/// Can units of `length` bytes be hashed together?
pub fn fits(length: usize) -> bool {
    length.is_power_of_two() && (CHUNK..=MOST_CHUNKS * CHUNK).contains(&length)
}

/// Appends the digests of units of one length that [`fits`].
pub fn hash_run(platform: Platform, run: &[&[u8]], digests: &mut Vec<[u8; OUT_LEN]>) {
    // The values of a level of all trees, unit by unit, and those of the level above.
    let mut values = [0; GROUP * MOST_CHUNKS * OUT_LEN];
    let mut above = [0; GROUP * MOST_CHUNKS / 2 * OUT_LEN];
    for group in run.chunks(GROUP) {
        let mut width = group[0].len() / CHUNK;
        let (mut level, mut next) = (&mut values[..], &mut above[..]);
        hash_chunks(platform, group, &mut level[..group.len() * width * OUT_LEN]);
        while width > 1 {
            let pairs = level[..group.len() * width * OUT_LEN].as_chunks::<PAIR>().0;
            width /= 2;
            join(platform, pairs, if width == 1 { PARENT | ROOT } else { PARENT }, next);
            (level, next) = (next, level);
        }
        digests.extend_from_slice(level[..group.len() * OUT_LEN].as_chunks().0);
    }
}

/// The values of all chunks, unit by unit. What there is more of shares the lanes: the chunks of one unit, or the chunks of all
/// units that are at the same place.
fn hash_chunks(platform: Platform, group: &[&[u8]], values: &mut [u8]) {
    let width = group[0].len() / CHUNK;
    let end = if width == 1 { CHUNK_END | ROOT } else { CHUNK_END };
    let hash = |inputs: &[&[u8; CHUNK]], first: usize, increment, out: &mut [u8]| {
        platform.hash_many(inputs, &IV, first as u64, increment, 0, CHUNK_START, end, out);
    };
    let mut inputs = [&[0; CHUNK]; MOST_CHUNKS];
    if width >= group.len() {
        for (unit, values) in group.iter().zip(values.chunks_exact_mut(width * OUT_LEN)) {
            let chunks = unit.as_chunks().0;
            inputs.iter_mut().zip(chunks).for_each(|(input, chunk)| *input = chunk);
            hash(&inputs[..width], 0, IncrementCounter::Yes, values);
        }
        return;
    }
    let mut column = [0; GROUP * OUT_LEN];
    let values = values.as_chunks_mut::<OUT_LEN>().0;
    for place in 0..width {
        inputs.iter_mut().zip(group).for_each(|(input, unit)| *input = &unit.as_chunks().0[place]);
        hash(&inputs[..group.len()], place, IncrementCounter::No, &mut column);
        let rows = values[place..].iter_mut().step_by(width);
        rows.zip(column.as_chunks().0).for_each(|(row, value)| *row = *value);
    }
}

/// The values of the parents of all pairs.
fn join(platform: Platform, pairs: &[[u8; PAIR]], flags: u8, values: &mut [u8]) {
    let mut inputs = [&[0; PAIR]; GROUP];
    for (pairs, values) in pairs.chunks(GROUP).zip(values.chunks_mut(GROUP * OUT_LEN)) {
        inputs.iter_mut().zip(pairs).for_each(|(input, pair)| *input = pair);
        platform.hash_many(&inputs[..pairs.len()], &IV, 0, IncrementCounter::No, flags, 0, 0, values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kernel that this processor has.
    fn platforms() -> Vec<Platform> {
        let mut platforms = vec![Platform::portable(), Platform::detect()];
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        platforms.extend([Platform::sse2(), Platform::sse41(), Platform::avx2()].into_iter().flatten());
        platforms
    }

    fn bytes(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let step = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(step).collect()
    }

    #[test]
    fn every_kernel_gives_the_digests_of_blake3_for_every_unit_and_count() {
        let all = bytes(40 * MOST_CHUNKS * CHUNK);
        for platform in platforms() {
            for unit in (0..).map(|k| CHUNK << k).take_while(|unit| fits(*unit)) {
                let units: Vec<&[u8]> = all.chunks(unit).take(40).collect();
                let expected: Vec<_> = units.iter().map(|unit| *blake3::hash(unit).as_bytes()).collect();
                for count in 0..=40 {
                    let mut digests = Vec::new();
                    hash_run(platform, &units[..count], &mut digests);
                    assert!(digests == expected[..count], "{count} units of {unit} bytes with {platform:?}");
                }
            }
        }
    }

    #[test]
    fn only_powers_of_two_from_1_to_32_kib_fit() {
        let fitting: Vec<usize> = (0..=65_536).filter(|length| fits(*length)).collect();
        assert_eq!(fitting, [1024, 2048, 4096, 8192, 16_384, 32_768]);
    }
}
