//! BLAKE3 digests of many short inputs at once.
//!
//! BLAKE3 hashes 1 KiB chunks side by side in the lanes of a vector and joins their values in a binary tree. An input of 4 KiB
//! fills four of sixteen lanes, and the upper levels of every tree fill ever fewer. Here the lanes are shared by inputs of one
//! length, and all trees grow together. Each digest is the one that `blake3::hash` gives.
//!
//! ```
//! let pages = vec![7; 40 * 4096];
//! let units: Vec<&[u8]> = pages.chunks(4096).collect();
//! let mut digests = Vec::new();
//! reel_blake3_batch::hash_each(&units, &mut digests);
//! assert!(digests.iter().all(|digest| blake3::hash(&pages[..4096]) == *digest));
//! ```

#![warn(missing_docs)]

mod lanes;

/// Length of a digest in bytes.
pub const OUT_LEN: usize = blake3::OUT_LEN;
/// Most units whose trees grow together.
const GROUP: usize = 16;

/// Appends the digest of each unit to `digests`, in order. Neighbours of one length, 1 to 32 KiB and a power of two, are hashed
/// together; whatever stands alone or has another length is hashed by itself.
pub fn hash_each(units: &[&[u8]], digests: &mut Vec<[u8; OUT_LEN]>) {
    for run in units.chunk_by(|a, b| a.len() == b.len()) {
        if run.len() > 1 && lanes::fits(run[0].len()) {
            lanes::hash_run(lanes::Platform::detect(), run, digests);
        } else {
            digests.extend(run.iter().map(|unit| *blake3::hash(unit).as_bytes()));
        }
    }
}
