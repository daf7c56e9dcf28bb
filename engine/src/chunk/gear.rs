//! Content-defined chunking: FastCDC over the AES gear table, the portable kernel that every faster one is held against.
//!
//! Cut points equal those of the `fastcdc` crate's `v2020::cut_gear` with the same table, sizes and masks
//! (`reference/performance.md` 3 and 3.1).

/// Shortest chunk in bytes, but for the last of a stream.
pub const MIN: usize = 4096;
/// Length in bytes at which the mask changes.
pub const AVERAGE: usize = 16_384;
/// Longest chunk in bytes.
pub const MAX: usize = 65_536;
/// Mask before the average: the top 16 bits of the low 32.
pub const MASK_BEFORE: u32 = 0xFFFF_0000;
/// Mask from the average on: the top 12 bits of the low 32.
pub const MASK_AFTER: u32 = 0xFFF0_0000;

/// The AES gear table: the low 32 bits of each gear value; the high ones are zero and never reach a mask.
pub const GEAR: [u32; 256] = gear_table();

/// The AES S-box (FIPS 197): inverse in GF(2^8) modulo x^8+x^4+x^3+x+1, then the affine map.
const fn s_box(byte: u8) -> u8 {
    // The inverse is the 254th power.
    let mut inverse = 1u8;
    let mut power = byte;
    let mut exponent = 254u32;
    while exponent > 0 {
        if exponent & 1 == 1 {
            inverse = field_product(inverse, power);
        }
        power = field_product(power, power);
        exponent >>= 1;
    }
    let i = inverse;
    i ^ i.rotate_left(1) ^ i.rotate_left(2) ^ i.rotate_left(3) ^ i.rotate_left(4) ^ 0x63
}

const fn field_product(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        a = (a << 1) ^ (if a & 0x80 == 0 { 0 } else { 0x1B });
        b >>= 1;
    }
    product
}

const fn gear_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = u32::from_le_bytes([s_box(b), s_box(b ^ 0xE9), s_box(b ^ 0x5C), s_box(b ^ 0xB7)]);
        byte += 1;
    }
    table
}

/// Length of the chunk at the beginning of `bytes`, which either hold [`MAX`] bytes or go up to the end of the stream.
pub fn cut(bytes: &[u8]) -> usize {
    let bytes = &bytes[..bytes.len().min(MAX)];
    if bytes.len() <= MIN {
        return bytes.len();
    }
    // The crate works in pairs of bytes: both borders are even.
    let end = bytes.len() & !1;
    let center = AVERAGE.min(end);
    let mut hash = 0;
    let cut = scan::<MASK_BEFORE>(&mut hash, &bytes[MIN..center]).map(|at| MIN + at);
    let cut = cut.or_else(|| scan::<MASK_AFTER>(&mut hash, &bytes[center..end]).map(|at| center + at));
    cut.unwrap_or(bytes.len())
}

/// Goes on with `hash` over `bytes`, to the first byte at which no bit of the mask is left.
fn scan<const MASK: u32>(hash: &mut u32, bytes: &[u8]) -> Option<usize> {
    let gear = |byte: u8| GEAR[usize::from(byte)];
    // The state waits for itself: two bytes a step halve the wait. A fixed number of steps is laid out without a loop.
    let (groups, rest) = bytes.as_chunks::<16>();
    let mut state = *hash;
    for (number, group) in groups.iter().enumerate() {
        for (pair, [first, second]) in group.as_chunks().0.iter().enumerate() {
            let after_first = (state << 1).wrapping_add(gear(*first));
            state = (state << 2).wrapping_add((gear(*first) << 1).wrapping_add(gear(*second)));
            if after_first & MASK == 0 {
                return Some(number * group.len() + 2 * pair);
            }
            if state & MASK == 0 {
                return Some(number * group.len() + 2 * pair + 1);
            }
        }
    }
    for (at, byte) in rest.iter().enumerate() {
        state = (state << 1).wrapping_add(gear(*byte));
        if state & MASK == 0 {
            return Some(bytes.len() - rest.len() + at);
        }
    }
    *hash = state;
    None
}

/// Length of a chunk of zeros that go on for at least [`MAX`] bytes.
pub fn cut_of_zeros() -> usize {
    static LENGTH: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *LENGTH.get_or_init(|| cut(&vec![0; MAX]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn crate_cut(bytes: &[u8]) -> usize {
        let gear = GEAR.map(u64::from);
        let shifted = gear.map(|g| g << 1);
        let (before, after) = (u64::from(MASK_BEFORE), u64::from(MASK_AFTER));
        fastcdc::v2020::cut_gear(
            bytes,
            MIN,
            AVERAGE,
            MAX,
            before,
            after,
            before << 1,
            after << 1,
            &gear,
            &shifted,
        )
        .1
    }

    #[test]
    fn the_table_is_made_from_the_aes_s_box() {
        assert_eq!([s_box(0), s_box(1), s_box(0x53), s_box(0xFF)], [0x63, 0x7C, 0xED, 0x16]);
        assert_eq!(GEAR[0].to_le_bytes(), [s_box(0), s_box(0xE9), s_box(0x5C), s_box(0xB7)]);
    }

    #[test]
    fn zeros_are_cut_at_the_maximum() {
        assert_eq!(cut_of_zeros(), crate_cut(&vec![0; MAX]));
        assert_eq!(cut_of_zeros(), MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn cut_points_equal_those_of_the_fastcdc_crate(
            seed in any::<u64>(), len in 0usize..200_000, spread in 1u64..=256, runs in any::<bool>(),
        ) {
            let mut state = seed | 1;
            let mut bytes = Vec::with_capacity(len);
            while bytes.len() < len {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let repeat = if runs { (state >> 40) as usize % 300 + 1 } else { 1 };
                bytes.extend(std::iter::repeat_n((state % spread) as u8, repeat.min(len - bytes.len())));
            }
            let mut at = 0;
            while at < bytes.len() {
                let (ours, theirs) = (cut(&bytes[at..]), crate_cut(&bytes[at..]));
                prop_assert_eq!(ours, theirs, "at {}", at);
                at += ours;
            }
        }
    }
}
