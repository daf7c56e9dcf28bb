//! Sizes and masks of FastCDC.

use super::{AVERAGE, MASK_AFTER, MASK_BEFORE, MAX, MIN};

/// Sizes in bytes, and the masks that a gear hash is tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params {
    pub(super) min: usize,
    pub(super) average: usize,
    pub(super) max: usize,
    pub(super) mask_before: u64,
    pub(super) mask_after: u64,
}

impl Params {
    /// Those of every pool: 16 KiB on average.
    pub const POOL: Params = Params {
        min: MIN,
        average: AVERAGE,
        max: MAX,
        mask_before: MASK_BEFORE as u64,
        mask_after: MASK_AFTER as u64,
    };
    /// Fewest bytes between minimum and average, and between average and maximum: what a gear hash remembers.
    pub const SHORTEST_STAGE: usize = 64;

    /// Those of the AES gear for an average, a power of two from 4 KiB to 1 MiB: a quarter of it at least, four times it at
    /// most, and of the low 32 bits of the hash the top log2(average) + 2 before the average, log2(average) - 2 from there on
    /// (`reference/performance.md` 3.1).
    pub fn of_average(average: usize) -> Option<Params> {
        let top = |bits: u32| u64::from(u32::MAX << (u32::BITS - bits));
        let bits =
            average.checked_ilog2().filter(|bits| average.is_power_of_two() && (12..=20).contains(bits))?;
        Params::new([average / 4, average, 4 * average], top(bits + 2), top(bits - 2))
    }

    /// Any: shortest, average and longest chunk, which are even and [`SHORTEST_STAGE`](Self::SHORTEST_STAGE) apart, and the
    /// masks before and from the average. `None` for other sizes, and for a mask of zero.
    pub fn new(sizes: [usize; 3], mask_before: u64, mask_after: u64) -> Option<Params> {
        let [min, average, max] = sizes;
        let apart =
            |low: usize, high: usize| low.checked_add(Self::SHORTEST_STAGE).is_some_and(|l| l <= high);
        let good = sizes.iter().all(|size| size.is_multiple_of(2) && u32::try_from(*size).is_ok())
            && min > 0
            && apart(min, average)
            && apart(average, max)
            && mask_before != 0
            && mask_after != 0;
        good.then_some(Params { min, average, max, mask_before, mask_after })
    }

    /// Shortest chunk in bytes, but for the last of a stream.
    pub fn min(&self) -> usize {
        self.min
    }

    /// Length in bytes at which the mask changes.
    pub fn average(&self) -> usize {
        self.average
    }

    /// Longest chunk in bytes.
    pub fn max(&self) -> usize {
        self.max
    }

    /// The mask that a hash is tested with where a chunk would have so many bytes.
    pub fn mask_at(&self, length: usize) -> u64 {
        if length < self.average { self.mask_before } else { self.mask_after }
    }

    /// The masks before and from the average.
    pub fn masks(&self) -> (u64, u64) {
        (self.mask_before, self.mask_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_has_the_parameters_of_its_average() {
        assert_eq!(Params::of_average(AVERAGE), Some(Params::POOL));
    }

    #[test]
    fn sizes_that_cannot_be_scanned_are_refused() {
        assert_eq!(Params::of_average(2048), None);
        assert_eq!(Params::of_average(12_000), None);
        assert_eq!(Params::of_average(2 << 20), None);
        assert_eq!(Params::new([1023, 4096, 16_384], 1, 1), None);
        assert_eq!(Params::new([4096, 4096, 16_384], 1, 1), None);
        assert_eq!(Params::new([1024, 4096, 16_384], 0, 1), None);
    }
}
