//! The one door to the kernels under the page checksum: which there are, and which of them this processor takes.
//!
//! The vector kernels go the way of [`parity::by_rows`] with explicit registers, in one text for both widths: compiled
//! for AVX-512, the portable text comes out slower than for the plain processor.
#![allow(unsafe_code)]

use super::parity::{self, Parity};
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, __m512i, _mm_cvtsi128_si64, _mm_unpackhi_epi64, _mm_xor_si128, _mm256_and_si256,
    _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_storeu_si256, _mm256_xor_si256, _mm512_castsi512_si256,
    _mm512_extracti64x4_epi64, _mm512_loadu_si512, _mm512_mask_xor_epi64, _mm512_setzero_si512,
    _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_xor_si512,
};
use std::sync::OnceLock;

/// A way to compute the page checksum. All give the same results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Word by word: the plainest.
    Scalar,
    /// Row by row, with whatever vectors every processor of the kind has.
    Portable,
    /// Row by row, with AVX2 (x86-64).
    Avx2,
    /// Row by row, with AVX-512 (x86-64).
    Avx512,
}

impl Kernel {
    const ALL: [Self; 4] = [Self::Scalar, Self::Portable, Self::Avx2, Self::Avx512];

    /// The kernels that this processor can run, the fastest last.
    pub fn available() -> impl DoubleEndedIterator<Item = Self> {
        Self::ALL.into_iter().filter(|kernel| kernel.is_available())
    }

    /// The kernel in use: the one that the environment variable `REEL_KERNEL` names (`scalar`, `portable`, `avx2` or
    /// `avx512`) if this processor can run it, else the fastest. Decided once for the process.
    #[inline]
    pub fn chosen() -> Self {
        static CHOSEN: OnceLock<Kernel> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            let wanted = std::env::var("REEL_KERNEL").unwrap_or_default();
            let named = Self::available().find(|kernel| kernel.name() == wanted);
            named.or_else(|| Self::available().next_back()).unwrap_or(Self::Portable)
        })
    }

    /// Its name, as `REEL_KERNEL` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The checksum of one block by this kernel, or by the portable one if the processor cannot run it; see
    /// [`xor_ecc`](super::checksum::xor_ecc).
    #[inline]
    pub fn xor_ecc(self, block: &[u8], pgno: u32, first: bool) -> Option<u64> {
        let parity = self.parity(block, first)?;
        let mask = (8 * block.len() - 1) as u32;
        // Each bit adds either its index or the index's complement, so the two halves differ by the mask iff the count
        // is odd.
        let complement = if parity.odd { parity.index ^ mask } else { parity.index };
        let ecc = (complement << 16) | parity.index;
        Some((u64::from(ecc) << 32) | u64::from(parity.xor ^ pgno))
    }

    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        match self {
            Self::Scalar | Self::Portable => true,
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt"),
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("popcnt")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        matches!(self, Self::Scalar | Self::Portable)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn parity(self, block: &[u8], skip_first: bool) -> Option<Parity> {
        match self {
            Self::Scalar => parity::by_words(block, skip_first),
            // SAFETY: the processor has the features that the function was compiled for; it was asked right here.
            Self::Avx2 if self.is_available() => unsafe { by_avx2(block, skip_first) },
            // SAFETY: the same.
            Self::Avx512 if self.is_available() => unsafe { by_avx512(block, skip_first) },
            _ => parity::by_rows(block, skip_first),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn parity(self, block: &[u8], skip_first: bool) -> Option<Parity> {
        match self {
            Self::Scalar => parity::by_words(block, skip_first),
            _ => parity::by_rows(block, skip_first),
        }
    }
}

/// One row of a block in a vector register. A row of a group is `row * WORDS * 8` bytes behind the group's start.
///
/// # Safety
/// The functions are inlined into one that was compiled for the instructions they stand for, and may be called from
/// there only.
#[cfg(target_arch = "x86_64")]
trait Lanes: Copy {
    /// 64-bit words in it: 4 or 8.
    const WORDS: usize;
    /// All words zero.
    unsafe fn zero() -> Self;
    /// The `WORDS` words at byte `at`, which must lie inside `bytes`.
    unsafe fn load(bytes: &[u8], at: usize) -> Self;
    /// `self ^ one`
    unsafe fn xor(self, one: Self) -> Self;
    /// `self ^ one ^ two`
    unsafe fn xor3(self, one: Self, two: Self) -> Self;
    /// `self ^ one` if `wanted`, else `self`, without a jump.
    unsafe fn xor_if(self, one: Self, wanted: bool) -> Self;
    /// The XOR of its words.
    unsafe fn fold(self) -> u64;
    /// Its words, and zeros behind them.
    unsafe fn words(self) -> [u64; 8];
}

/// Rows that one step combines.
#[cfg(target_arch = "x86_64")]
const GROUP_ROWS: usize = 16;

/// The way of [`parity::by_rows`] with explicit vectors: sixteen rows a step, the four lower bits of the row number
/// within the step and the others by the number of the step.
///
/// # Safety
/// As for [`Lanes`].
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn by_vectors<L: Lanes>(block: &[u8], skip_first: bool) -> Option<Parity> {
    if !parity::is_block(block) {
        return None;
    }
    let row_len = 8 * L::WORDS;
    // SAFETY: the caller's promise is that of `Lanes`; a load is inside its group, which `chunks_exact` made long enough.
    unsafe {
        let mut within = [L::zero(); 4];
        let mut above = [L::zero(); 4];
        let mut total = L::zero();
        for (number, group) in block.chunks_exact(GROUP_ROWS * row_len).enumerate() {
            let row = |row: usize| L::load(group, row * row_len);
            let mut eights = [L::zero(); 2];
            for (half, sum) in eights.iter_mut().enumerate() {
                let (r1, r3, r5, r7) =
                    (row(8 * half + 1), row(8 * half + 3), row(8 * half + 5), row(8 * half + 7));
                let (p0, p1) = (row(8 * half).xor(r1), row(8 * half + 2).xor(r3));
                let (p2, p3) = (row(8 * half + 4).xor(r5), row(8 * half + 6).xor(r7));
                within[0] = within[0].xor3(r1, r3).xor3(r5, r7);
                within[1] = within[1].xor3(p1, p3);
                let upper = p2.xor(p3);
                within[2] = within[2].xor(upper);
                *sum = p0.xor3(p1, upper);
            }
            within[3] = within[3].xor(eights[1]);
            let sum = eights[0].xor(eights[1]);
            for (bit, odd) in above.iter_mut().enumerate() {
                *odd = odd.xor_if(sum, number >> bit & 1 == 1);
            }
            total = total.xor(sum);
        }
        let mut index = 0;
        let first_bit = row_len.trailing_zeros() + 3;
        for (odd, bit) in within.into_iter().chain(above).zip(first_bit..) {
            index |= (odd.fold().count_ones() & 1) << bit;
        }
        let mut words = total.words();
        if skip_first {
            // The first eight bytes are word 0 of row 0: they are in the total and in no odd row.
            words[0] ^= block.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        }
        Some(Parity::of_row(&words, index))
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn by_avx2(block: &[u8], skip_first: bool) -> Option<Parity> {
    // SAFETY: this function is compiled for AVX2.
    unsafe { by_vectors::<__m256i>(block, skip_first) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,popcnt")]
fn by_avx512(block: &[u8], skip_first: bool) -> Option<Parity> {
    // SAFETY: this function is compiled for AVX-512.
    unsafe { by_vectors::<__m512i>(block, skip_first) }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m256i {
    const WORDS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the promise of `Lanes`.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    unsafe fn load(bytes: &[u8], at: usize) -> Self {
        debug_assert!(at + 32 <= bytes.len());
        // SAFETY: the promise of `Lanes`; the load needs no alignment and stays inside `bytes`, as the caller promises.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().add(at).cast()) }
    }

    #[inline(always)]
    unsafe fn xor(self, one: Self) -> Self {
        // SAFETY: the promise of `Lanes`.
        unsafe { _mm256_xor_si256(self, one) }
    }

    #[inline(always)]
    unsafe fn xor3(self, one: Self, two: Self) -> Self {
        // SAFETY: the promise of `Lanes`.
        unsafe { self.xor(one.xor(two)) }
    }

    #[inline(always)]
    unsafe fn xor_if(self, one: Self, wanted: bool) -> Self {
        // SAFETY: the promise of `Lanes`.
        unsafe { self.xor(_mm256_and_si256(one, _mm256_set1_epi64x(-i64::from(wanted)))) }
    }

    #[inline(always)]
    unsafe fn fold(self) -> u64 {
        // SAFETY: the promise of `Lanes`.
        unsafe {
            let half = _mm_xor_si128(_mm256_castsi256_si128(self), _mm256_extracti128_si256::<1>(self));
            _mm_cvtsi128_si64(_mm_xor_si128(half, _mm_unpackhi_epi64(half, half))) as u64
        }
    }

    #[inline(always)]
    unsafe fn words(self) -> [u64; 8] {
        let mut words = [0; 8];
        // SAFETY: the promise of `Lanes`; the array has room for 32 bytes.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self) };
        words
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for __m512i {
    const WORDS: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the promise of `Lanes`.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    unsafe fn load(bytes: &[u8], at: usize) -> Self {
        debug_assert!(at + 64 <= bytes.len());
        // SAFETY: the promise of `Lanes`; the load needs no alignment and stays inside `bytes`, as the caller promises.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().add(at).cast()) }
    }

    #[inline(always)]
    unsafe fn xor(self, one: Self) -> Self {
        // SAFETY: the promise of `Lanes`.
        unsafe { _mm512_xor_si512(self, one) }
    }

    #[inline(always)]
    unsafe fn xor3(self, one: Self, two: Self) -> Self {
        const XOR_OF_THREE: i32 = 0b1001_0110;
        // SAFETY: the promise of `Lanes`.
        unsafe { _mm512_ternarylogic_epi64::<XOR_OF_THREE>(self, one, two) }
    }

    #[inline(always)]
    unsafe fn xor_if(self, one: Self, wanted: bool) -> Self {
        // SAFETY: the promise of `Lanes`.
        unsafe { _mm512_mask_xor_epi64(self, if wanted { 0xFF } else { 0 }, self, one) }
    }

    #[inline(always)]
    unsafe fn fold(self) -> u64 {
        // SAFETY: the promise of `Lanes`.
        unsafe { _mm256_xor_si256(_mm512_castsi512_si256(self), _mm512_extracti64x4_epi64::<1>(self)).fold() }
    }

    #[inline(always)]
    unsafe fn words(self) -> [u64; 8] {
        let mut words = [0; 8];
        // SAFETY: the promise of `Lanes`; the array has room for 64 bytes.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self) };
        words
    }
}
