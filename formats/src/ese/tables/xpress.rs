//! XPRESS, the plain LZ77 variant (reference, database.md section 11): compressed column values, and page images in logs.

use crate::le::{u16_at, u32_at};

/// Expands `input` to exactly `len` bytes. `None` if the input ends early or points before its own output. What follows
/// in the input once `len` bytes are there is not looked at. Memory grows with what is really there, never past `len`.
pub fn decompress(input: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(len.min(input.len().saturating_mul(8)));
    let (mut at, mut flags, mut left) = (0usize, 0u32, 0u32);
    let mut shared_nibble: Option<u8> = None;
    while out.len() < len {
        if left == 0 {
            flags = u32_at(input, at)?;
            at += 4;
            left = 32;
        }
        left -= 1;
        if flags >> left & 1 == 0 {
            out.push(*input.get(at)?);
            at += 1;
            continue;
        }
        let word = u16_at(input, at)?;
        at += 2;
        let distance = usize::from(word >> 3) + 1;
        let mut length = usize::from(word & 7);
        if length == 7 {
            let nibble = match shared_nibble.take() {
                Some(high) => high,
                None => {
                    let byte = *input.get(at)?;
                    at += 1;
                    shared_nibble = Some(byte >> 4);
                    byte & 15
                }
            };
            length = 7 + usize::from(nibble);
            if nibble == 15 {
                let byte = *input.get(at)?;
                at += 1;
                length += usize::from(byte);
                if byte == 255 {
                    length = usize::from(u16_at(input, at)?);
                    at += 2;
                    if length == 0 {
                        length = u32_at(input, at)? as usize;
                        at += 4;
                    }
                }
            }
        }
        let start = out.len().checked_sub(distance)?;
        let length = length.saturating_add(3).min(len - out.len());
        // A copy may overlap what it writes: it then repeats the last `distance` bytes.
        for from in start..start + length {
            let byte = *out.get(from)?;
            out.push(byte);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_and_overlapping_copies_give_the_bytes_back() {
        // "abc", then 3 + 7 + 15 + 20 bytes from distance 3.
        let input = [0, 0, 0, 0x10, b'a', b'b', b'c', 0x17, 0, 0x0F, 20];
        let expanded = decompress(&input, 48).expect("good input");
        assert_eq!(expanded, b"abc".repeat(16));
        assert_eq!(decompress(&input, 49), None);
        assert_eq!(decompress(&input[..9], 48), None);
    }

    #[test]
    fn the_second_long_copy_takes_the_upper_half_of_the_shared_byte() {
        // "ab", then 3 + 7 + 1 bytes, "c", then 3 + 7 + 2 bytes from distance 1.
        let input = [0, 0, 0, 0x28, b'a', b'b', 0x0F, 0, 0x21, b'c', 0x07, 0];
        let expected = [&b"ab"[..], b"ababababab", b"a", b"c", b"cccccccccccc"].concat();
        assert_eq!(decompress(&input, expected.len()).expect("good input"), expected);
    }

    #[test]
    fn a_copy_from_before_the_beginning_is_refused() {
        assert_eq!(decompress(&[0, 0, 0, 0x80, 0, 0], 3), None);
        assert_eq!(decompress(&[], 1), None);
        assert_eq!(decompress(&[], 0), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(input in prop::collection::vec(any::<u8>(), 0..200), len in 0usize..70000) {
            if let Some(out) = decompress(&input, len) {
                prop_assert_eq!(out.len(), len);
            }
        }
    }
}
