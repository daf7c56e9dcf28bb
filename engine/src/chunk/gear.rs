//! Content-defined chunking: FastCDC over the AES gear table, or over any other table.
//!
//! Cut points equal those of the `fastcdc` crate's `v2020::cut_gear` with the same table, sizes and masks
//! (`reference/performance.md` 3 and 3.1). [`Gear::cut`] is the portable truth; [`Gear::cuts`] gives the same chunks for a
//! whole buffer, with the fastest kernel that the processor has.

mod interleaved;
mod kernel;
mod lanes;
mod lanes_simd;
mod params;
mod run;

pub use kernel::Kernel;
pub use params::Params;

/// Shortest chunk of a pool in bytes, but for the last of a stream.
pub const MIN: usize = 4096;
/// Length in bytes at which the mask changes.
pub const AVERAGE: usize = 16_384;
/// Longest chunk of a pool in bytes.
pub const MAX: usize = 65_536;
/// Mask before the average: the top 16 bits of the low 32.
pub const MASK_BEFORE: u32 = 0xFFFF_0000;
/// Mask from the average on: the top 12 bits of the low 32.
pub const MASK_AFTER: u32 = 0xFFF0_0000;

/// The AES gear table: the low 32 bits of each gear value; the high ones are zero and never reach a mask.
pub const GEAR: [u32; 256] = gear_table();

/// [`GEAR`] in the width of the scalar kernels.
static AES_GEAR: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = GEAR[byte] as u64;
        byte += 1;
    }
    table
};

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

/// How content is cut: a gear table, sizes and masks, and the kernel that does it, which never changes what comes out.
#[derive(Debug, Clone, Copy)]
pub struct Gear<'t> {
    table: &'t [u64; 256],
    params: Params,
    kernel: Kernel,
}

impl Gear<'static> {
    /// The AES gear with chunks of so many bytes on average, a power of two from 4 KiB to 1 MiB; `None` for another average,
    /// and for a kernel that this processor lacks.
    pub fn aes(average: usize, kernel: Kernel) -> Option<Self> {
        let params = Params::of_average(average)?;
        kernel.is_available().then_some(Gear { table: &AES_GEAR, params, kernel })
    }

    /// The gear of every pool, with the given kernel; the scalar one where this processor lacks it.
    pub fn of_pool(kernel: Kernel) -> Self {
        let kernel = if kernel.is_available() { kernel } else { Kernel::Scalar };
        Gear { table: &AES_GEAR, params: Params::POOL, kernel }
    }
}

impl<'t> Gear<'t> {
    /// Any table with any sizes and masks, scanned by four interleaved scalar chains.
    pub fn of_table(table: &'t [u64; 256], params: Params) -> Self {
        Gear { table, params, kernel: Kernel::Lanes }
    }

    /// Sizes and masks.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Length of the chunk at the beginning of `bytes`, which either hold [`Params::max`] bytes or go up to the end of the
    /// stream.
    pub fn cut(&self, bytes: &[u8]) -> usize {
        let Params { min, average, max, mask_before, mask_after } = self.params;
        let bytes = &bytes[..bytes.len().min(max)];
        if bytes.len() <= min {
            return bytes.len();
        }
        // The crate works in pairs of bytes: both borders are even.
        let end = bytes.len() & !1;
        let center = average.min(end);
        let mut hash = 0;
        let cut = self.scan(&mut hash, &bytes[min..center], mask_before).map(|at| min + at);
        let cut = cut.or_else(|| self.scan(&mut hash, &bytes[center..end], mask_after).map(|at| center + at));
        cut.unwrap_or(bytes.len())
    }

    /// Appends to `lengths` those of the chunks that begin in the first `starts` bytes of `bytes`, the first of them at byte 0.
    /// `bytes` hold [`Params::max`] bytes more than that, or go up to the end of the stream.
    pub fn cuts(&self, bytes: &[u8], starts: usize, lengths: &mut Vec<u32>) {
        match self.kernel {
            Kernel::Scalar => lanes::serial(self, bytes, 0, starts, lengths),
            Kernel::Lanes => {
                let table = self.table;
                let steps =
                    |bytes: &[u8], front: &mut _, rounds| interleaved::steps(table, bytes, front, rounds);
                lanes::cuts::<{ interleaved::LANES }>(self, steps, bytes, starts, lengths);
            }
            #[cfg(target_arch = "x86_64")]
            kernel => {
                let steps =
                    |bytes: &[u8], front: &mut _, rounds| lanes_simd::steps(kernel, bytes, front, rounds);
                lanes::cuts::<{ lanes_simd::LANES }>(self, steps, bytes, starts, lengths);
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("a gear has a kernel that the processor can run"),
        }
    }

    /// Whether a scan of `bytes` cuts behind `length` of them and not one byte earlier, if it comes that far. `length` is not below the
    /// minimum, and [`Params::max`] bytes are there.
    pub fn is_cut(&self, bytes: &[u8], length: usize) -> bool {
        let Params { min, max, mask_before, mask_after, .. } = self.params;
        if length >= max {
            return true;
        }
        // What a hash remembers, and a byte more.
        let memory = if mask_before | mask_after <= u64::from(u32::MAX) { 32 } else { 64 };
        let from = min.max(length.saturating_sub(memory));
        let mut hash = 0u64;
        let mut earlier = false;
        let mut here = false;
        for (at, byte) in (from..).zip(&bytes[from..=length]) {
            hash = (hash << 1).wrapping_add(self.table[usize::from(*byte)]);
            earlier = here;
            here = hash & self.params.mask_at(at) == 0 && at + 1 >= length;
        }
        here && !earlier
    }

    /// Goes on with `hash` over `bytes`, to the first byte at which no bit of the mask is left.
    fn scan(&self, hash: &mut u64, bytes: &[u8], mask: u64) -> Option<usize> {
        let table = self.table;
        let gear = |byte: u8| table[usize::from(byte)];
        let (groups, rest) = bytes.as_chunks::<16>();
        let mut state = *hash;
        for (number, group) in groups.iter().enumerate() {
            // A fixed number of steps is laid out without a loop.
            for (at, byte) in group.iter().enumerate() {
                state = (state << 1).wrapping_add(gear(*byte));
                if state & mask == 0 {
                    return Some(number * group.len() + at);
                }
            }
        }
        for (at, byte) in rest.iter().enumerate() {
            state = (state << 1).wrapping_add(gear(*byte));
            if state & mask == 0 {
                return Some(bytes.len() - rest.len() + at);
            }
        }
        *hash = state;
        None
    }
}

/// Length of the chunk of a pool at the beginning of `bytes`, which either hold [`MAX`] bytes or go up to the end of the stream.
pub fn cut(bytes: &[u8]) -> usize {
    Gear::of_pool(Kernel::Scalar).cut(bytes)
}

/// Length of a chunk of zeros that go on for at least [`MAX`] bytes.
pub fn cut_of_zeros() -> usize {
    static LENGTH: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *LENGTH.get_or_init(|| cut(&vec![0; MAX]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_made_from_the_aes_s_box() {
        assert_eq!([s_box(0), s_box(1), s_box(0x53), s_box(0xFF)], [0x63, 0x7C, 0xED, 0x16]);
        assert_eq!(GEAR[0].to_le_bytes(), [s_box(0), s_box(0xE9), s_box(0x5C), s_box(0xB7)]);
    }

    #[test]
    fn zeros_are_cut_at_the_maximum() {
        assert_eq!(cut_of_zeros(), MAX);
    }
}
