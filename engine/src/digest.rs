//! Digests: BLAKE3, 32 bytes.

/// A digest.
pub type Digest = [u8; 32];

/// Digest of some bytes.
pub fn of(bytes: &[u8]) -> Digest {
    *blake3::hash(bytes).as_bytes()
}
