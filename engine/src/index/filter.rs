//! The prefilter: says of most fingerprints that are not in a run that they are not, for ten bits a fingerprint.
//!
//! A Bloom filter in blocks of 64 bytes. The block follows from the fingerprint's high bits, so that fingerprints which come
//! in order fill the blocks in order: it is written as it grows, and neighbours in the table are neighbours here.

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;
/// Bits that each fingerprint has.
pub(super) const BITS: u64 = 10;
/// Bits that are set for each fingerprint.
const SET: usize = 6;

/// Blocks of a filter for so many fingerprints.
pub(super) fn blocks(fingerprints: u64) -> u64 {
    (fingerprints * BITS).div_ceil(8 * BLOCK as u64)
}

/// The block of a fingerprint, of so many.
pub(super) fn block_of(fingerprint: u64, blocks: u64) -> u64 {
    ((u128::from(fingerprint) * u128::from(blocks)) >> 64) as u64
}

/// The bits of a fingerprint in its block.
fn bits(fingerprint: u64) -> impl Iterator<Item = usize> {
    // The high bits chose the block: an odd factor (2^64 over the golden ratio) makes all bits count again.
    let mixed = fingerprint.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..SET).map(move |i| (mixed >> (10 + 9 * i)) as usize % (8 * BLOCK))
}

/// Adds a fingerprint to its block.
pub(super) fn add(block: &mut [u8; BLOCK], fingerprint: u64) {
    for bit in bits(fingerprint) {
        block[bit / 8] |= 1 << (bit % 8);
    }
}

/// May a fingerprint be in this block, which is its own?
pub(super) fn may_hold(block: &[u8], fingerprint: u64) -> bool {
    bits(fingerprint).all(|bit| block.get(bit / 8).is_some_and(|byte| byte & (1 << (bit % 8)) != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_held_and_of_the_rest_two_in_a_hundred_at_most() {
        let print = |i: u32| u64::from_le_bytes(*crate::digest::of(&i.to_le_bytes()).first_chunk().unwrap());
        let count = 50_000;
        let blocks = blocks(u64::from(count));
        let mut filter = vec![[0; BLOCK]; blocks as usize];
        for i in 0..count {
            add(&mut filter[block_of(print(i), blocks) as usize], print(i));
        }
        let held = |i| may_hold(&filter[block_of(print(i), blocks) as usize], print(i));
        assert!((0..count).all(held));
        let wrong = (count..count * 2).filter(|i| held(*i)).count();
        assert!(wrong * 100 < count as usize * 2, "{wrong}");
        assert!(blocks * BLOCK as u64 * 100 <= u64::from(count) * 126);
    }
}
