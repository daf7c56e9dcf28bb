//! The kernels under the page checksum: the XOR of a block and the parity of every bit of the bit index.
//!
//! [`by_words`] takes one word after the other, as plain as it can be said. [`by_rows`] is the one for daily use, which
//! `checksum_simd` also compiles for wider vectors: a block is taken as rows of 64 bytes. Rows are combined pairwise, the pairs pairwise, and so on: the odd row of each
//! pair of level k is exactly the part of the block whose row number has bit k set, so one more XOR per pair gives the
//! parity of that bit, and the whole costs about two XORs a row. The loops run over the eight words of a row, which the
//! compiler turns into vector instructions.

const ROW: usize = 8;
/// Rows that one step combines.
const GROUP_ROWS: usize = 8;
const GROUP_BYTES: usize = GROUP_ROWS * ROW * 8;
/// A block of 8,192 bytes.
const MAX_GROUPS: usize = 16;
/// Bits of the bit index that say where in a row: 512 bits.
const COLUMN_BITS: u32 = 9;

type Row = [u64; ROW];

/// What a block's checksum is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parity {
    /// XOR of all little-endian 32-bit words.
    pub xor: u32,
    /// XOR of the bit indexes (8 * byte + bit) of all bits that are 1.
    pub index: u32,
    /// Whether the number of bits that are 1 is odd.
    pub odd: bool,
}

impl Parity {
    /// From the XOR of all rows of eight words, and the index but for the bits that say where in a row.
    #[inline(always)]
    pub fn of_row(row: &[u64; ROW], mut index: u32) -> Self {
        index |= odd_parity(row[1] ^ row[3] ^ row[5] ^ row[7]) << 6;
        index |= odd_parity(row[2] ^ row[3] ^ row[6] ^ row[7]) << 7;
        index |= odd_parity(row[4] ^ row[5] ^ row[6] ^ row[7]) << 8;
        Self::of_word(fold(row), index)
    }

    /// From the XOR of all 64-bit words, and the index but for the bits that say where in a word.
    #[inline(always)]
    fn of_word(sum: u64, mut index: u32) -> Self {
        const WORD_BITS: [u64; 6] = [
            0xAAAA_AAAA_AAAA_AAAA,
            0xCCCC_CCCC_CCCC_CCCC,
            0xF0F0_F0F0_F0F0_F0F0,
            0xFF00_FF00_FF00_FF00,
            0xFFFF_0000_FFFF_0000,
            0xFFFF_FFFF_0000_0000,
        ];
        for (bit, mask) in WORD_BITS.iter().enumerate() {
            index |= odd_parity(sum & mask) << bit;
        }
        Parity { xor: (sum ^ (sum >> 32)) as u32, index, odd: odd_parity(sum) == 1 }
    }
}

/// Whether the length is one that has a checksum: a power of two from 1,024 to 8,192 bytes.
#[inline(always)]
pub(super) fn is_block(block: &[u8]) -> bool {
    block.len().is_power_of_two() && (2 * GROUP_BYTES..=MAX_GROUPS * GROUP_BYTES).contains(&block.len())
}

/// Sums up `block`, whose length must be a power of two from 1,024 to 8,192 bytes (else `None`), word by word. With
/// `skip_first` its first eight bytes count as zero.
pub(super) fn by_words(block: &[u8], skip_first: bool) -> Option<Parity> {
    if !is_block(block) {
        return None;
    }
    let (mut sum, mut index) = (0, 0);
    for (number, word) in block.as_chunks::<8>().0.iter().enumerate().skip(usize::from(skip_first)) {
        let word = u64::from_le_bytes(*word);
        sum ^= word;
        // Bits of one word differ in the lowest six bits of their index only.
        index ^= (number as u32 * u64::BITS) * odd_parity(word);
    }
    Some(Parity::of_word(sum, index))
}

/// What [`by_words`] gives, with about two XORs for each row.
#[inline]
pub(super) fn by_rows(block: &[u8], skip_first: bool) -> Option<Parity> {
    if !is_block(block) {
        return None;
    }
    let groups = block.as_chunks::<GROUP_BYTES>().0;
    let mut sums = [[0u64; ROW]; MAX_GROUPS];
    let mut odd_rows = [[0u64; ROW]; 3];
    for (group, sum) in groups.iter().zip(&mut sums) {
        add_group(group, &mut odd_rows, sum);
    }

    let mut index = 0u32;
    let mut bit = COLUMN_BITS;
    for row in &odd_rows {
        index |= odd_parity(fold(row)) << bit;
        bit += 1;
    }
    let mut left = groups.len();
    while left > 1 {
        left /= 2;
        let mut odd = [0u64; ROW];
        for pair in 0..left {
            let (even_sum, odd_sum) = (sums[2 * pair], sums[2 * pair + 1]);
            for i in 0..ROW {
                odd[i] ^= odd_sum[i];
                sums[pair][i] = even_sum[i] ^ odd_sum[i];
            }
        }
        index |= odd_parity(fold(&odd)) << bit;
        bit += 1;
    }

    let mut total = sums[0];
    if skip_first {
        // The first eight bytes are word 0 of row 0: they are in the total and in no odd row.
        let first = block.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        total[0] ^= first;
    }
    Some(Parity::of_row(&total, index))
}

/// Combines eight rows: their XOR into `sum`, the rows whose number has bit 0, 1 or 2 set into `odd_rows`.
#[inline(always)]
fn add_group(group: &[u8; GROUP_BYTES], odd_rows: &mut [Row; 3], sum: &mut Row) {
    let words = group.as_chunks::<8>().0;
    for i in 0..ROW {
        let row = |number: usize| u64::from_le_bytes(words[number * ROW + i]);
        let (r1, r3, r5, r7) = (row(1), row(3), row(5), row(7));
        let (p0, p1, p2, p3) = (row(0) ^ r1, row(2) ^ r3, row(4) ^ r5, row(6) ^ r7);
        let (q0, q1) = (p0 ^ p1, p2 ^ p3);
        odd_rows[0][i] ^= (r1 ^ r3) ^ (r5 ^ r7);
        odd_rows[1][i] ^= p1 ^ p3;
        odd_rows[2][i] ^= q1;
        sum[i] = q0 ^ q1;
    }
}

#[inline(always)]
fn fold(row: &Row) -> u64 {
    row.iter().fold(0, |sum, word| sum ^ word)
}

#[inline(always)]
fn odd_parity(word: u64) -> u32 {
    word.count_ones() & 1
}
