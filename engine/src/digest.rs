//! Digests: BLAKE3, 32 bytes.

/// A digest.
pub type Digest = [u8; 32];

/// Digest of some bytes.
pub fn of(bytes: &[u8]) -> Digest {
    *blake3::hash(bytes).as_bytes()
}

/// Appends the digests of `units`, in order. Units of one length, one after the other, are hashed side by side where the feature
/// `batched-digests` is on.
pub fn of_each(units: &[&[u8]], digests: &mut Vec<Digest>) {
    #[cfg(feature = "batched-digests")]
    reel_blake3_batch::hash_each(units, digests);
    #[cfg(not(feature = "batched-digests"))]
    digests.extend(units.iter().map(|unit| of(unit)));
}
