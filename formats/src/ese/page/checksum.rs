//! Checksums of header blocks and database pages (reference, database.md section 3).
//!
//! Header blocks carry a 4-byte XOR. Pages carry either that (old format, up to 8 KiB) or an 8-byte XOR with an error
//! correcting code over each of their blocks; the page's own flag 0x2000 decides, page by page.

use super::checksum_simd::Kernel;
use crate::error::{Error, Result};
use crate::le::{put, u32_at, u64_at};

const SEED: u32 = 0x89AB_CDEF;
const FLAGS_AT: usize = 36;
/// Page flag: the checksum is of the new format.
const NEW_CHECKSUM: u32 = 0x2000;
/// The bit of the page that holds that flag; the engine never repairs it.
const NEW_CHECKSUM_BIT: u32 = 8 * FLAGS_AT as u32 + 13;
/// Where large pages keep the checksums of blocks 1 to 3.
const UPPER_CHECKSUMS_AT: [usize; 3] = [40, 48, 56];
/// Where large pages repeat their number.
const LARGE_PGNO_AT: usize = 64;
/// The largest page that is one block.
const SMALL_PAGE_MAX: usize = 8192;

/// What [`verify`] says about one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageState {
    /// Every checksum and the page number are right.
    Good,
    /// All bytes are zero: allocated but never written. Not an error by itself.
    Zero,
    /// The page is damaged, or is another page.
    Bad(BadPage),
    /// Exactly one bit is wrong and the checksum says which: bit `bit % 8` of byte `bit / 8` of the page.
    /// Flipping it makes the page good; whether to do so is the caller's choice.
    Correctable {
        /// Number of the bit, counted from the page's first byte, least significant bit first.
        bit: u32,
    },
}

/// Why a page is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPage {
    /// A checksum is wrong. `block` counts the checksum's block within the page.
    #[error("checksum of block {block}: stored {stored:#018x}, computed {computed:#018x}")]
    Checksum {
        /// The first block that does not match.
        block: u32,
        /// What the page holds (8 bytes; 4 in the old format).
        stored: u64,
        /// What its bytes give.
        computed: u64,
    },
    /// The checksum is right for another page number: the page stands in a wrong place.
    #[error("page number: found {found}, expected {expected}")]
    PageNumber {
        /// The number that the page carries.
        found: u32,
        /// The number of the place that it was read from.
        expected: u32,
    },
    /// A page of 16 or 32 KiB without flag 0x2000; such pages have no old checksum format.
    #[error("flags {flags:#x} of a large page lack 0x2000")]
    OldFormat {
        /// The page's flags.
        flags: u32,
    },
    /// The length is not one of [`crate::ese::PAGE_SIZES`].
    #[error("{found} bytes are no page")]
    Length {
        /// The length given.
        found: usize,
    },
}

impl BadPage {
    /// The number under which administrators of ESE databases know this.
    pub fn jet(self) -> i32 {
        match self {
            Self::PageNumber { .. } => -1118,
            Self::Checksum { .. } | Self::OldFormat { .. } | Self::Length { .. } => -1018,
        }
    }
}

/// The 4-byte checksum of header blocks and old pages: 0x89ABCDEF XOR all little-endian words from byte 4 on. Takes any
/// length; bytes behind the last whole word count as a word filled up with zeros.
pub fn header_xor(block: &[u8]) -> u32 {
    let (chunks, rest) = block.as_chunks::<64>();
    let mut sums = [0u32; 16];
    for chunk in chunks {
        let words = chunk.as_chunks::<4>().0;
        for (sum, word) in sums.iter_mut().zip(words) {
            *sum ^= u32::from_le_bytes(*word);
        }
    }
    let mut xor = sums.iter().fold(SEED, |xor, sum| xor ^ sum);
    for piece in rest.chunks(4) {
        let mut word = [0u8; 4];
        word[..piece.len()].copy_from_slice(piece);
        xor ^= u32::from_le_bytes(word);
    }
    let mut first = [0u8; 4];
    let len = block.len().min(4);
    first[..len].copy_from_slice(&block[..len]);
    xor ^ u32::from_le_bytes(first)
}

/// The 8-byte checksum of one block: the code in the upper half, the XOR of all words and `pgno` in the lower. If the
/// block is the `first` of its page its first 8 bytes, where this value is stored, count as zero. Log segments use the
/// same with their sector number as `pgno`. `None` unless the length is 1,024, 2,048, 4,096 or 8,192.
#[inline]
pub fn xor_ecc(block: &[u8], pgno: u32, first: bool) -> Option<u64> {
    Kernel::chosen().xor_ecc(block, pgno, first)
}

/// The bit of a block of `block_len` bytes that has to be flipped so that its checksum `computed` becomes `stored`, if
/// one flipped bit of the block explains the difference.
pub fn flipped_bit(stored: u64, computed: u64, block_len: usize) -> Option<u32> {
    let difference = stored ^ computed;
    let (ecc, xor) = ((difference >> 32) as u32, difference as u32);
    let mask = u32::try_from(block_len.checked_mul(8)?.checked_sub(1)?).ok()?;
    let bit = ecc & 0xFFFF;
    let complementary = (ecc >> 16) ^ bit == mask;
    (complementary && bit <= mask && xor == 1 << (bit % 32)).then_some(bit)
}

/// The length of the checksum blocks of a page of `page_len` bytes.
fn block_len(page_len: usize) -> Option<usize> {
    match page_len {
        2048 | 4096 | 8192 => Some(page_len),
        16384 | 32768 => Some(page_len / 4),
        _ => None,
    }
}

/// The new-format checksums that `page` should carry as page `pgno`, one for each block (unused ones zero), computed
/// over the page as it stands. `None` if its length is no page size.
pub fn computed(page: &[u8], pgno: u32) -> Option<[u64; 4]> {
    let mut sums = [0; 4];
    let blocks = page.chunks_exact(block_len(page.len())?);
    for (number, (block, sum)) in blocks.zip(&mut sums).enumerate() {
        *sum = xor_ecc(block, pgno, number == 0)?;
    }
    Some(sums)
}

/// The new-format checksums that `page` carries, one for each block (unused ones zero).
pub fn stored(page: &[u8]) -> Option<[u64; 4]> {
    let mut sums = [u64_at(page, 0)?, 0, 0, 0];
    if page.len() > SMALL_PAGE_MAX {
        for (sum, at) in sums.iter_mut().skip(1).zip(UPPER_CHECKSUMS_AT) {
            *sum = u64_at(page, at)?;
        }
    }
    Some(sums)
}

/// Judges one page that was read from the place of page `pgno`. Takes any bytes.
#[inline]
pub fn verify(page: &[u8], pgno: u32) -> PageState {
    let bad_length = PageState::Bad(BadPage::Length { found: page.len() });
    let (Some(_), Some(flags)) = (block_len(page.len()), u32_at(page, FLAGS_AT)) else {
        return bad_length;
    };
    if flags & NEW_CHECKSUM == 0 {
        return verify_old(page, pgno, flags);
    }
    let (Some(stored), Some(computed)) = (stored(page), computed(page, pgno)) else {
        return bad_length;
    };
    if stored == computed {
        match large_pgno(page) {
            Some(found) if found != pgno => PageState::Bad(BadPage::PageNumber { found, expected: pgno }),
            _ => PageState::Good,
        }
    } else {
        explain(page, pgno, stored, computed)
    }
}

fn verify_old(page: &[u8], pgno: u32, flags: u32) -> PageState {
    if is_zero(page) {
        return PageState::Zero;
    }
    if page.len() > SMALL_PAGE_MAX {
        return PageState::Bad(BadPage::OldFormat { flags });
    }
    let computed = header_xor(page);
    let (stored, found) = (u32_at(page, 0).unwrap_or(0), u32_at(page, 4).unwrap_or(0));
    if stored != computed {
        let (stored, computed) = (u64::from(stored), u64::from(computed));
        PageState::Bad(BadPage::Checksum { block: 0, stored, computed })
    } else if found != pgno {
        PageState::Bad(BadPage::PageNumber { found, expected: pgno })
    } else {
        PageState::Good
    }
}

/// The number that a large page carries; `None` for small pages, which carry none.
fn large_pgno(page: &[u8]) -> Option<u32> {
    (page.len() > SMALL_PAGE_MAX).then(|| u32_at(page, LARGE_PGNO_AT))?
}

/// Whether all of `bytes` are zero. Stops at the first stretch that is not.
#[inline]
pub fn is_zero(bytes: &[u8]) -> bool {
    let (chunks, rest) = bytes.as_chunks::<256>();
    chunks.iter().all(|chunk| {
        let words = chunk.as_chunks::<8>().0;
        words.iter().fold(0, |all, word| all | u64::from_le_bytes(*word)) == 0
    }) && rest.iter().all(|byte| *byte == 0)
}

/// Finds out what is wrong with a new-format page whose checksums do not match.
#[cold]
fn explain(page: &[u8], pgno: u32, stored: [u64; 4], computed: [u64; 4]) -> PageState {
    let len = block_len(page.len()).unwrap_or(0);
    let blocks = page.len() / len.max(1);

    // A page in a wrong place is right but for the number, by the same difference in each block.
    let other = (stored[0] ^ computed[0]) as u32;
    if stored.iter().zip(&computed).take(blocks).all(|(s, c)| s ^ c == u64::from(other)) {
        let found = pgno ^ other;
        if large_pgno(page).is_none_or(|carried| carried == found) {
            return PageState::Bad(BadPage::PageNumber { found, expected: pgno });
        }
    }

    let differs = |block: &usize| stored[*block] != computed[*block];
    let block = (0..blocks).find(differs).unwrap_or(0);
    if let Some(bit) = flipped_bit(stored[block], computed[block], len) {
        let bit = (8 * len * block) as u32 + bit;
        if bit != NEW_CHECKSUM_BIT && is_good_without(page, pgno, bit) {
            return PageState::Correctable { bit };
        }
    }
    PageState::Bad(BadPage::Checksum {
        block: block as u32,
        stored: stored[block],
        computed: computed[block],
    })
}

/// Inverts bit `bit % 8` of byte `bit / 8`, as [`PageState::Correctable`] names it; a bit outside changes nothing.
pub fn flip(page: &mut [u8], bit: u32) {
    if let Some(byte) = page.get_mut(bit as usize / 8) {
        *byte ^= 1 << (bit % 8);
    }
}

/// Whether the page is good once `bit` is flipped: another block may be wrong as well, or the bit may lie in a stored
/// checksum or in the page number.
fn is_good_without(page: &[u8], pgno: u32, bit: u32) -> bool {
    let mut repaired = page.to_vec();
    flip(&mut repaired, bit);
    let right_number = large_pgno(&repaired).is_none_or(|found| found == pgno);
    right_number && stored(&repaired) == computed(&repaired, pgno)
}

/// Makes `page` valid as page `pgno` in the new format: sets flag 0x2000, the number that large pages carry, and every
/// checksum. The error is a length that is no page size.
pub fn store(page: &mut [u8], pgno: u32) -> Result<()> {
    let wrong_length =
        Error::format("page", 0, format_args!("{} bytes", page.len()), "2, 4, 8, 16 or 32 KiB");
    let (Some(_), Some(flags)) = (block_len(page.len()), u32_at(page, FLAGS_AT)) else {
        return Err(wrong_length);
    };
    let mut fits = put(page, FLAGS_AT, (flags | NEW_CHECKSUM).to_le_bytes());
    if page.len() > SMALL_PAGE_MAX {
        fits &= put(page, LARGE_PGNO_AT, pgno.to_le_bytes());
        let upper = computed(page, pgno).unwrap_or_default();
        for (sum, at) in upper.iter().skip(1).zip(UPPER_CHECKSUMS_AT) {
            fits &= put(page, at, sum.to_le_bytes());
        }
    }
    // Block 0 covers the stored checksums of the others, so it comes last.
    let first = page.get(..block_len(page.len()).unwrap_or(0)).and_then(|block| xor_ecc(block, pgno, true));
    fits &= put(page, 0, first.unwrap_or(0).to_le_bytes());
    if fits { Ok(()) } else { Err(wrong_length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of section 3.3, bit by bit.
    fn xor_ecc_by_bits(block: &[u8], pgno: u32, first: bool) -> u64 {
        let mask = 8 * block.len() as u32 - 1;
        let (mut xor, mut index, mut complement) = (0u32, 0u32, 0u32);
        for (number, byte) in block.iter().enumerate().skip(if first { 8 } else { 0 }) {
            xor ^= u32::from(*byte) << (8 * (number % 4));
            for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
                let bit = 8 * number as u32 + bit;
                index ^= bit;
                complement ^= !bit & mask;
            }
        }
        (u64::from(complement << 16 | index & 0xFFFF) << 32) | u64::from(xor ^ pgno)
    }

    fn random_bytes(len: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut step = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        };
        (0..len).map(|_| step()).collect()
    }

    /// The blocks of test-vectors.md section 2, checksum not yet stored.
    fn vector_page(len: usize, flags: [u8; 4]) -> Vec<u8> {
        let mut state = 1u32;
        let mut page: Vec<u8> = (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
                (state >> 16) as u8
            })
            .collect();
        page[..8].fill(0);
        page[36..40].copy_from_slice(&flags);
        if len > 8192 {
            page[40..80].fill(0);
        }
        page
    }

    #[test]
    fn the_fast_checksum_equals_the_definition_on_random_blocks_of_every_size() {
        for len in [1024, 2048, 4096, 8192] {
            for seed in 0..25 {
                let block = if seed == 0 { vec![0; len] } else { random_bytes(len, seed) };
                for first in [false, true] {
                    let expected = xor_ecc_by_bits(&block, seed as u32, first);
                    for kernel in Kernel::available() {
                        let found = kernel.xor_ecc(&block, seed as u32, first);
                        assert_eq!(found, Some(expected), "{kernel:?} {len} {seed} {first}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_fast_checksum_equals_the_definition_on_every_single_bit() {
        let mut block = vec![0; 8192];
        for byte in 0..block.len() {
            block[byte] = 1 << (byte % 8);
            let expected = xor_ecc_by_bits(&block, 0, false);
            for kernel in Kernel::available() {
                assert_eq!(kernel.xor_ecc(&block, 0, false), Some(expected), "{kernel:?} {byte}");
            }
            block[byte] = 0;
        }
    }

    #[test]
    fn a_block_of_another_length_has_no_checksum() {
        for len in [0, 8, 512, 1023, 1536, 3072, 4097, 16384, 32768] {
            for kernel in Kernel::available() {
                assert_eq!(kernel.xor_ecc(&vec![1; len], 0, true), None, "{kernel:?} {len}");
            }
        }
    }

    #[test]
    fn stored_pages_match_the_published_vectors() {
        let vectors: [(usize, [u64; 4]); 5] = [
            (2048, [0x2f1d_10e2_fa35_9352, 0, 0, 0]),
            (4096, [0x78b5_78b5_0680_1b46, 0, 0, 0]),
            (8192, [0x4ef4_b10b_d325_e849, 0, 0, 0]),
            (
                16384,
                [0x7bf6_7bf6_4176_cf2a, 0x3641_49be_d5a5_f30a, 0x00fb_00fb_6002_bf2e, 0x52c3_2d3c_88b0_d3cd],
            ),
            (
                32768,
                [0xb305_b305_7dfa_c3f6, 0x5238_adc7_e8b2_6ce6, 0x66dd_66dd_ba21_b26b, 0x2a6e_2a6e_fc5f_3bba],
            ),
        ];
        for (len, sums) in vectors {
            let mut page = vector_page(len, [0x02, 0x28, 0, 0]);
            store(&mut page, 5).expect("a page size");
            assert_eq!(stored(&page), Some(sums), "{len}");
            assert_eq!(verify(&page, 5), PageState::Good);
        }
    }

    #[test]
    fn old_pages_match_the_published_vectors() {
        for (len, sum) in [(4096, 0x8f2b_f6a9u32), (8192, 0x5a8e_05a6)] {
            let mut page = vector_page(len, [0x02, 0x08, 0, 0]);
            page[4] = 5;
            assert_eq!(header_xor(&page), sum);
            page[..4].copy_from_slice(&sum.to_le_bytes());
            assert_eq!(verify(&page, 5), PageState::Good);
            let misplaced = BadPage::PageNumber { found: 5, expected: 6 };
            assert_eq!(verify(&page, 6), PageState::Bad(misplaced));
            page[len - 1] ^= 1;
            assert!(matches!(verify(&page, 5), PageState::Bad(BadPage::Checksum { block: 0, .. })));
        }
        assert_eq!(header_xor(&[0; 4096]), 0x89ab_cdef);
    }

    #[test]
    fn the_published_single_bit_correction_is_found() {
        let mut page: Vec<u8> = (0..4096u32).map(|i| (7 * i + 3) as u8).collect();
        page[36..40].copy_from_slice(&[0, 0x20, 0, 0]);
        store(&mut page, 5).expect("a page size");
        assert_eq!(u64_at(&page, 0), Some(0x7fd3_002c_3831_0ae6));
        page[100] ^= 1 << 4;
        assert_eq!(computed(&page, 5).map(|sums| sums[0]), Some(0x0308_0308_3831_0af6));
        assert_eq!(verify(&page, 5), PageState::Correctable { bit: 804 });
    }

    #[test]
    fn the_published_minimal_page_and_log_segment_match() {
        let mut page = [0u8; 4096];
        page[37] = 0x20;
        assert_eq!(xor_ecc(&page, 1, true), Some(0x7ed2_012d_0000_2001));
        let mut segment = [0u8; 4096];
        segment[8..16].copy_from_slice(&[0, 0, 1, 0, 1, 0, 0, 0]);
        segment[37] = 0x20;
        assert_eq!(xor_ecc(&segment, 1, true), Some(0x7ee2_011d_0001_2000));
    }

    #[test]
    fn every_flipped_bit_is_found_or_reported() {
        for len in [2048usize, 4096, 8192, 16384, 32768] {
            let mut page = vector_page(len, [0x02, 0x28, 0, 0]);
            store(&mut page, 5).expect("a page size");
            for bit in (0..8 * len).step_by(97).chain(0..80 * 8) {
                page[bit / 8] ^= 1 << (bit % 8);
                let state = verify(&page, 5);
                // The stored checksum of block 0 covers all but itself; the flag is never repaired.
                if bit < 64 || bit as u32 == NEW_CHECKSUM_BIT {
                    assert!(matches!(state, PageState::Bad(_)), "{len} {bit} {state:?}");
                } else {
                    assert_eq!(state, PageState::Correctable { bit: bit as u32 }, "{len}");
                }
                page[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn a_page_in_a_wrong_place_names_its_own_number() {
        for len in [4096, 32768] {
            let mut page = vector_page(len, [0x02, 0x28, 0, 0]);
            store(&mut page, 77).expect("a page size");
            assert_eq!(verify(&page, 78), PageState::Bad(BadPage::PageNumber { found: 77, expected: 78 }));
        }
    }

    #[test]
    fn zero_pages_are_zero_and_one_bit_makes_them_bad() {
        for len in [2048, 4096, 8192, 16384, 32768] {
            let mut page = vec![0; len];
            assert_eq!(verify(&page, 9), PageState::Zero);
            page[len - 1] = 1;
            assert!(matches!(verify(&page, 9), PageState::Bad(_)));
        }
    }

    #[test]
    fn a_length_that_is_no_page_size_is_refused() {
        for len in [0, 1, 40, 1024, 4095, 65536] {
            let mut page = vec![0xFF; len];
            assert_eq!(verify(&page, 1), PageState::Bad(BadPage::Length { found: len }));
            assert!(store(&mut page, 1).is_err());
        }
    }
}
