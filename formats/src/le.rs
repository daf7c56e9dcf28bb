//! Bounded little-endian fields: every reader answers `None` instead of reading outside its bytes.

/// The `N` bytes at `at`.
#[inline]
pub fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The byte at `at`.
#[inline]
pub fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The little-endian `u16` that starts at byte `at`.
#[inline]
pub fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    array_at(bytes, at).map(u16::from_le_bytes)
}

/// The little-endian `u32` that starts at byte `at`.
#[inline]
pub fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_le_bytes)
}

/// The little-endian `u64` that starts at byte `at`.
#[inline]
pub fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    array_at(bytes, at).map(u64::from_le_bytes)
}

/// The `len` bytes that start at `at`.
#[inline]
pub fn bytes_at(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..)?.get(..len)
}

/// The fields of a header that newer writers made longer: what an older writer did not have reads as zero, as the
/// formats define it.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn u8(self, at: usize) -> u8 {
        u8_at(self.0, at).unwrap_or(0)
    }

    pub fn u16(self, at: usize) -> u16 {
        u16_at(self.0, at).unwrap_or(0)
    }

    pub fn u32(self, at: usize) -> u32 {
        u32_at(self.0, at).unwrap_or(0)
    }

    pub fn u64(self, at: usize) -> u64 {
        u64_at(self.0, at).unwrap_or(0)
    }

    pub fn array<const N: usize>(self, at: usize) -> [u8; N] {
        array_at(self.0, at).unwrap_or([0; N])
    }

    /// The bytes from `at` on, at most `len` of them.
    pub fn tail(self, at: usize, len: usize) -> &'a [u8] {
        let rest = self.0.get(at..).unwrap_or(&[]);
        rest.get(..len).unwrap_or(rest)
    }
}

/// Writes `value` at byte `at`; answers whether it fitted.
#[inline]
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> bool {
    match bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        Some(place) => {
            *place = value;
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_where_it_fits_and_refused_where_it_does_not() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(u8_at(&bytes, 8), Some(9));
        assert_eq!(u16_at(&bytes, 7), Some(0x0908));
        assert_eq!(u32_at(&bytes, 5), Some(0x0908_0706));
        assert_eq!(u64_at(&bytes, 1), Some(0x0908_0706_0504_0302));
        assert_eq!(bytes_at(&bytes, 7, 2), Some(&bytes[7..]));
        for at in [9, 10, usize::MAX] {
            assert_eq!(u8_at(&bytes, at), None);
        }
        assert_eq!(u16_at(&bytes, 8), None);
        assert_eq!(u32_at(&bytes, 6), None);
        assert_eq!(u64_at(&bytes, 2), None);
        assert_eq!(bytes_at(&bytes, 7, 3), None);
        assert_eq!(bytes_at(&bytes, usize::MAX, usize::MAX), None);
    }
}
