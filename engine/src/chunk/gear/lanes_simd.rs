//! Sixteen chains in lock-step, in vectors (x86-64 only; other processors have the scalar kernels).
//!
//! A vector kernel computes the AES gear instead of looking it up: a byte is put four times into its chain's 32 bits, which
//! are XORed with the four constants of the table, and the S-box is applied to all of them, by AESENCLAST with a key of zero or
//! by the affine inverse of GFNI. Masks are the top bits of the hash, so that the least hash of a round tells whether any met
//! its mask. One text does for all widths.
#![allow(unsafe_code)]
#![cfg(target_arch = "x86_64")]

use super::kernel::Kernel;
use super::lanes::{Front, ROUND};
use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_add_epi32, _mm_aesenclast_si128, _mm_and_si128, _mm_castsi128_ps,
    _mm_cmpeq_epi32, _mm_loadu_si128, _mm_min_epu32, _mm_movemask_ps, _mm_set1_epi32, _mm_setzero_si128,
    _mm_shuffle_epi8, _mm_storeu_si128, _mm_unpackhi_epi32, _mm_unpackhi_epi64, _mm_unpacklo_epi32,
    _mm_unpacklo_epi64, _mm_xor_si128, _mm256_add_epi32, _mm256_aesenclast_epi128, _mm256_and_si256,
    _mm256_broadcastsi128_si256, _mm256_castsi128_si256, _mm256_castsi256_ps, _mm256_cmpeq_epi32,
    _mm256_inserti128_si256, _mm256_loadu_si256, _mm256_min_epu32, _mm256_movemask_ps, _mm256_set1_epi32,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_storeu_si256, _mm256_unpackhi_epi32,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256, _mm512_add_epi32,
    _mm512_broadcast_i32x4, _mm512_castsi128_si512, _mm512_gf2p8affineinv_epi64_epi8, _mm512_inserti32x4,
    _mm512_loadu_si512, _mm512_min_epu32, _mm512_set1_epi32, _mm512_set1_epi64, _mm512_shuffle_epi8,
    _mm512_storeu_si512, _mm512_testn_epi32_mask, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

/// Chains side by side, whatever the width of a vector.
pub(super) const LANES: usize = 16;

/// Takes up to `rounds` rounds with the AES gear; see [`Front`]. The masks must be top bits of the low 32.
pub(super) fn steps(kernel: Kernel, bytes: &[u8], front: &mut Front<LANES>, rounds: usize) -> u32 {
    let furthest = front.at.iter().max().copied().unwrap_or(0);
    let inside = bytes.len().saturating_sub(furthest) / ROUND;
    assert!(
        kernel.is_available() && rounds <= inside,
        "the gear asked the processor, the chains know their bytes"
    );
    match kernel {
        // SAFETY: the processor has the features that the function was compiled for, and the rounds lie inside `bytes`: both
        // were asked right here.
        Kernel::Gfni => unsafe { by_gfni(bytes, front, rounds) },
        // SAFETY: the same.
        Kernel::Vaes => unsafe { by_vaes(bytes, front, rounds) },
        // SAFETY: the same.
        Kernel::AesNi => unsafe { by_aes_ni(bytes, front, rounds) },
        Kernel::Scalar | Kernel::Lanes => unreachable!("the scalar kernels have chains of their own"),
    }
}

/// Copies byte T of each word to all four of its bytes.
const fn spread(t: u8) -> [u8; 16] {
    let mut control = [0; 16];
    let mut i = 0;
    while i < 16 {
        control[i] = i as u8 / 4 * 4 + t;
        i += 1;
    }
    control
}

/// The same, in the order that the ShiftRows of AESENCLAST undoes.
const fn spread_for_aes(t: u8) -> [u8; 16] {
    let mut control = [0; 16];
    let mut i = 0;
    while i < 16 {
        control[(i + 4 * (i % 4)) % 16] = i as u8 / 4 * 4 + t;
        i += 1;
    }
    control
}

const SPREAD: [[u8; 16]; 4] = [spread(0), spread(1), spread(2), spread(3)];
const SPREAD_FOR_AES: [[u8; 16]; 4] =
    [spread_for_aes(0), spread_for_aes(1), spread_for_aes(2), spread_for_aes(3)];
/// What the S-box is given besides the byte: 0, 0xE9, 0x5C, 0xB7.
const CONSTANTS: i32 = 0xB75C_E900_u32 as i32;
/// The affine map of the S-box, as GFNI takes it.
const AFFINE: i64 = 0xF1E3_C78F_1F3E_7CF8_u64 as i64;

/// Some chains, 32 bits of each: four of their bytes, or their hashes.
///
/// # Safety
/// The functions are inlined into one that was compiled for the instructions they stand for, and may be called from
/// there only.
trait Vector: Copy {
    /// Chains in a vector.
    const CHAINS: usize;
    /// The first words of `words`, which are as many as chains or more.
    unsafe fn load(words: &[u32]) -> Self;
    /// Puts the words where `load` takes them from.
    unsafe fn store(self, words: &mut [u32]);
    /// Sixteen bytes of every chain, from `at` behind `base`: in vector r, those of chains 4g + r in 128 bits each.
    unsafe fn rows(base: *const u8, at: &[usize]) -> [Self; 4];
    /// Words of two vectors in turns, in groups of 128 bits: from the lower halves, and from the upper ones.
    unsafe fn zip_words(self, other: Self) -> [Self; 2];
    /// The same with pairs of words.
    unsafe fn zip_pairs(self, other: Self) -> [Self; 2];
    /// The gear of byte `T` of every word.
    unsafe fn gear<const T: usize>(self) -> Self;
    /// Twice the hash and the gear.
    unsafe fn next(self, gear: Self) -> Self;
    /// The lesser ones.
    unsafe fn least(self, other: Self) -> Self;
    /// The words that have no bit of `mask`.
    unsafe fn without(self, mask: Self) -> u32;
}

/// Takes rounds of all chains, in `V` vectors; see [`Front`].
///
/// # Safety
/// As for [`Vector`]; and `rounds` rounds of every chain must lie inside `bytes`.
#[inline(always)]
unsafe fn by_vectors<V: Vector, const N: usize>(
    bytes: &[u8],
    front: &mut Front<LANES>,
    rounds: usize,
) -> u32 {
    const { assert!(V::CHAINS * N == LANES) };
    let mut words = front.hash.map(|hash| hash as u32);
    let mask_words = front.mask.map(|mask| mask as u32);
    let mut hits = 0;
    let mut taken = 0;
    // SAFETY: the caller's promise is that of `Vector`; rows are read where the caller says that there are bytes.
    unsafe {
        let mut hashes: [V; N] = std::array::from_fn(|v| V::load(&words[v * V::CHAINS..]));
        let masks: [V; N] = std::array::from_fn(|v| V::load(&mask_words[v * V::CHAINS..]));
        let mut before = hashes;
        for _ in 0..rounds {
            before = hashes;
            for v in 0..N {
                let rows = V::rows(bytes.as_ptr().add(taken), &front.at[v * V::CHAINS..]);
                let mut hash = hashes[v];
                let mut least = masks[v];
                for dwords in transposed(rows) {
                    hash = hash.next(dwords.gear::<0>());
                    least = least.least(hash);
                    hash = hash.next(dwords.gear::<1>());
                    least = least.least(hash);
                    hash = hash.next(dwords.gear::<2>());
                    least = least.least(hash);
                    hash = hash.next(dwords.gear::<3>());
                    least = least.least(hash);
                }
                hashes[v] = hash;
                hits |= least.without(masks[v]) << (v * V::CHAINS);
            }
            taken += ROUND;
            if hits != 0 {
                break;
            }
        }
        for v in 0..N {
            hashes[v].store(&mut words[v * V::CHAINS..]);
        }
        front.hash = words.map(u64::from);
        for v in 0..N {
            before[v].store(&mut words[v * V::CHAINS..]);
        }
        front.before = words.map(u64::from);
    }
    front.at = front.at.map(|at| at + taken);
    hits
}

/// From four rows of sixteen bytes in each 128 bits, their first words together, their second ones, and so on.
///
/// # Safety
/// As for [`Vector`].
#[inline(always)]
unsafe fn transposed<V: Vector>([a, b, c, d]: [V; 4]) -> [V; 4] {
    // SAFETY: the promise of `Vector`.
    unsafe {
        let [ab_low, ab_high] = a.zip_words(b);
        let [cd_low, cd_high] = c.zip_words(d);
        let [first, second] = ab_low.zip_pairs(cd_low);
        let [third, fourth] = ab_high.zip_pairs(cd_high);
        [first, second, third, fourth]
    }
}

/// # Safety
/// `rounds` rounds of every chain must lie inside `bytes`.
#[inline(never)]
#[target_feature(enable = "aes,sse4.1")]
pub unsafe fn by_aes_ni(bytes: &[u8], front: &mut Front<LANES>, rounds: usize) -> u32 {
    // SAFETY: this function is compiled for AES-NI; the rounds are the caller's promise.
    unsafe { by_vectors::<__m128i, 4>(bytes, front, rounds) }
}

/// # Safety
/// `rounds` rounds of every chain must lie inside `bytes`.
#[inline(never)]
#[target_feature(enable = "vaes,avx2")]
pub unsafe fn by_vaes(bytes: &[u8], front: &mut Front<LANES>, rounds: usize) -> u32 {
    // SAFETY: this function is compiled for VAES; the rounds are the caller's promise.
    unsafe { by_vectors::<__m256i, 2>(bytes, front, rounds) }
}

/// # Safety
/// `rounds` rounds of every chain must lie inside `bytes`.
#[inline(never)]
#[target_feature(enable = "gfni,avx512f,avx512bw")]
pub unsafe fn by_gfni(bytes: &[u8], front: &mut Front<LANES>, rounds: usize) -> u32 {
    // SAFETY: this function is compiled for GFNI and AVX-512; the rounds are the caller's promise.
    unsafe { by_vectors::<__m512i, 1>(bytes, front, rounds) }
}

impl Vector for __m128i {
    const CHAINS: usize = 4;

    #[inline(always)]
    unsafe fn load(words: &[u32]) -> Self {
        let words = &words[..Self::CHAINS];
        // SAFETY: the promise of `Vector`; as many words are there.
        unsafe { _mm_loadu_si128(words.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, words: &mut [u32]) {
        let words = &mut words[..Self::CHAINS];
        // SAFETY: the promise of `Vector`; there is room for as many words.
        unsafe { _mm_storeu_si128(words.as_mut_ptr().cast(), self) }
    }

    #[inline(always)]
    unsafe fn rows(base: *const u8, at: &[usize]) -> [Self; 4] {
        // SAFETY: the promise of `Vector`; the caller of `steps` promises that the bytes are there.
        unsafe {
            let row = |r: usize| _mm_loadu_si128(base.add(at[r]).cast());
            [row(0), row(1), row(2), row(3)]
        }
    }

    #[inline(always)]
    unsafe fn zip_words(self, other: Self) -> [Self; 2] {
        // SAFETY: the promise of `Vector`.
        unsafe { [_mm_unpacklo_epi32(self, other), _mm_unpackhi_epi32(self, other)] }
    }

    #[inline(always)]
    unsafe fn zip_pairs(self, other: Self) -> [Self; 2] {
        // SAFETY: the promise of `Vector`.
        unsafe { [_mm_unpacklo_epi64(self, other), _mm_unpackhi_epi64(self, other)] }
    }

    #[inline(always)]
    unsafe fn gear<const T: usize>(self) -> Self {
        // SAFETY: the promise of `Vector`; a control has sixteen bytes.
        unsafe {
            let spread = _mm_loadu_si128(SPREAD_FOR_AES[T].as_ptr().cast());
            let bytes = _mm_shuffle_epi8(self, spread);
            let mixed = _mm_xor_si128(bytes, _mm_set1_epi32(CONSTANTS));
            _mm_aesenclast_si128(mixed, _mm_setzero_si128())
        }
    }

    #[inline(always)]
    unsafe fn next(self, gear: Self) -> Self {
        // SAFETY: the promise of `Vector`.
        unsafe { _mm_add_epi32(_mm_add_epi32(self, self), gear) }
    }

    #[inline(always)]
    unsafe fn least(self, other: Self) -> Self {
        // SAFETY: the promise of `Vector`.
        unsafe { _mm_min_epu32(self, other) }
    }

    #[inline(always)]
    unsafe fn without(self, mask: Self) -> u32 {
        // SAFETY: the promise of `Vector`.
        unsafe {
            let none = _mm_cmpeq_epi32(_mm_and_si128(self, mask), _mm_setzero_si128());
            _mm_movemask_ps(_mm_castsi128_ps(none)) as u32
        }
    }
}

impl Vector for __m256i {
    const CHAINS: usize = 8;

    #[inline(always)]
    unsafe fn load(words: &[u32]) -> Self {
        let words = &words[..Self::CHAINS];
        // SAFETY: the promise of `Vector`; as many words are there.
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, words: &mut [u32]) {
        let words = &mut words[..Self::CHAINS];
        // SAFETY: the promise of `Vector`; there is room for as many words.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), self) }
    }

    #[inline(always)]
    unsafe fn rows(base: *const u8, at: &[usize]) -> [Self; 4] {
        // SAFETY: the promise of `Vector`; the caller of `steps` promises that the bytes are there.
        unsafe {
            let lane = |chain: usize| _mm_loadu_si128(base.add(at[chain]).cast());
            let row = |r: usize| _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(lane(r)), lane(4 + r));
            [row(0), row(1), row(2), row(3)]
        }
    }

    #[inline(always)]
    unsafe fn zip_words(self, other: Self) -> [Self; 2] {
        // SAFETY: the promise of `Vector`.
        unsafe { [_mm256_unpacklo_epi32(self, other), _mm256_unpackhi_epi32(self, other)] }
    }

    #[inline(always)]
    unsafe fn zip_pairs(self, other: Self) -> [Self; 2] {
        // SAFETY: the promise of `Vector`.
        unsafe { [_mm256_unpacklo_epi64(self, other), _mm256_unpackhi_epi64(self, other)] }
    }

    #[inline(always)]
    unsafe fn gear<const T: usize>(self) -> Self {
        // SAFETY: the promise of `Vector`; a control has sixteen bytes.
        unsafe {
            let spread = _mm256_broadcastsi128_si256(_mm_loadu_si128(SPREAD_FOR_AES[T].as_ptr().cast()));
            let bytes = _mm256_shuffle_epi8(self, spread);
            let mixed = _mm256_xor_si256(bytes, _mm256_set1_epi32(CONSTANTS));
            _mm256_aesenclast_epi128(mixed, _mm256_setzero_si256())
        }
    }

    #[inline(always)]
    unsafe fn next(self, gear: Self) -> Self {
        // SAFETY: the promise of `Vector`.
        unsafe { _mm256_add_epi32(_mm256_add_epi32(self, self), gear) }
    }

    #[inline(always)]
    unsafe fn least(self, other: Self) -> Self {
        // SAFETY: the promise of `Vector`.
        unsafe { _mm256_min_epu32(self, other) }
    }

    #[inline(always)]
    unsafe fn without(self, mask: Self) -> u32 {
        // SAFETY: the promise of `Vector`.
        unsafe {
            let none = _mm256_cmpeq_epi32(_mm256_and_si256(self, mask), _mm256_setzero_si256());
            _mm256_movemask_ps(_mm256_castsi256_ps(none)) as u32
        }
    }
}

impl Vector for __m512i {
    const CHAINS: usize = 16;

    #[inline(always)]
    unsafe fn load(words: &[u32]) -> Self {
        let words = &words[..Self::CHAINS];
        // SAFETY: the promise of `Vector`; as many words are there.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }

    #[inline(always)]
    unsafe fn store(self, words: &mut [u32]) {
        let words = &mut words[..Self::CHAINS];
        // SAFETY: the promise of `Vector`; there is room for as many words.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), self) }
    }

    #[inline(always)]
    unsafe fn rows(base: *const u8, at: &[usize]) -> [Self; 4] {
        // SAFETY: the promise of `Vector`; the caller of `steps` promises that the bytes are there.
        unsafe {
            let lane = |chain: usize| _mm_loadu_si128(base.add(at[chain]).cast());
            let row = |r: usize| {
                let row = _mm512_castsi128_si512(lane(r));
                let row = _mm512_inserti32x4::<1>(row, lane(4 + r));
                let row = _mm512_inserti32x4::<2>(row, lane(8 + r));
                _mm512_inserti32x4::<3>(row, lane(12 + r))
            };
            [row(0), row(1), row(2), row(3)]
        }
    }

    #[inline(always)]
    unsafe fn zip_words(self, other: Self) -> [Self; 2] {
        // SAFETY: the promise of `Vector`.
        unsafe { [_mm512_unpacklo_epi32(self, other), _mm512_unpackhi_epi32(self, other)] }
    }

    #[inline(always)]
    unsafe fn zip_pairs(self, other: Self) -> [Self; 2] {
        // SAFETY: the promise of `Vector`.
        unsafe { [_mm512_unpacklo_epi64(self, other), _mm512_unpackhi_epi64(self, other)] }
    }

    #[inline(always)]
    unsafe fn gear<const T: usize>(self) -> Self {
        // SAFETY: the promise of `Vector`; a control has sixteen bytes.
        unsafe {
            let spread = _mm512_broadcast_i32x4(_mm_loadu_si128(SPREAD[T].as_ptr().cast()));
            let bytes = _mm512_shuffle_epi8(self, spread);
            let mixed = _mm512_xor_si512(bytes, _mm512_set1_epi32(CONSTANTS));
            _mm512_gf2p8affineinv_epi64_epi8::<0x63>(mixed, _mm512_set1_epi64(AFFINE))
        }
    }

    #[inline(always)]
    unsafe fn next(self, gear: Self) -> Self {
        // SAFETY: the promise of `Vector`.
        unsafe { _mm512_add_epi32(_mm512_add_epi32(self, self), gear) }
    }

    #[inline(always)]
    unsafe fn least(self, other: Self) -> Self {
        // SAFETY: the promise of `Vector`.
        unsafe { _mm512_min_epu32(self, other) }
    }

    #[inline(always)]
    unsafe fn without(self, mask: Self) -> u32 {
        // SAFETY: the promise of `Vector`.
        unsafe { u32::from(_mm512_testn_epi32_mask(self, mask)) }
    }
}
