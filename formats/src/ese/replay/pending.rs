//! What a replay that ends without undo has to remember for the one that goes on: the data before changes of transactions
//! that were still open. The pages have the changes already, and the logs may not hold what was there before.

use super::version::{Change, Version};
use crate::error::{Error, Result};
use crate::le::Fields;

const MAGIC: [u8; 8] = *b"REELUNDO";
const VERSION: u32 = 1;
const HEAD_LEN: usize = 16;
/// Bytes of a version before its key.
const FIXED_LEN: usize = 24;
const KIND_INSERT: u8 = 1;
const KIND_REPLACE: u8 = 2;
const KIND_FLAG_DELETE: u8 = 3;
const KIND_DELTA: u8 = 4;

/// A version that was open, with the session that made it.
pub(super) struct Pending {
    pub procid: u16,
    pub version: Version,
}

/// The bytes that hold these versions.
pub(super) fn to_bytes<'v>(pending: impl ExactSizeIterator<Item = (u16, &'v Version)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(pending.len() as u32).to_le_bytes());
    for (procid, version) in pending {
        let (kind, old, delta) = match &version.change {
            Change::Insert => (KIND_INSERT, &[][..], (0, 0, 0)),
            Change::Replace(old) => (KIND_REPLACE, &old[..], (0, 0, 0)),
            Change::FlagDelete => (KIND_FLAG_DELETE, &[][..], (0, 0, 0)),
            Change::Delta { offset, width, amount } => {
                (KIND_DELTA, &[][..], (*offset as u32, *width as u32, *amount))
            }
        };
        bytes.extend_from_slice(&procid.to_le_bytes());
        bytes.extend_from_slice(&[version.level, kind]);
        bytes.extend_from_slice(&version.id.to_le_bytes());
        bytes.extend_from_slice(&version.fdp.to_le_bytes());
        for part in [&version.key[..], &version.data, old] {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
        }
        bytes.extend_from_slice(&version.key);
        bytes.extend_from_slice(&version.data);
        bytes.extend_from_slice(old);
        if kind == KIND_DELTA {
            bytes.extend_from_slice(&delta.0.to_le_bytes());
            bytes.extend_from_slice(&delta.1.to_le_bytes());
            bytes.extend_from_slice(&delta.2.to_le_bytes());
        }
    }
    bytes
}

/// The versions that these bytes hold; which database they are of is the caller's to say.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<Vec<Pending>> {
    let wrong = |at: usize, found: &str| {
        Error::format("saved versions", at as u64, found, "what a rebuild without undo left behind")
    };
    let head = Fields(bytes);
    if bytes.len() < HEAD_LEN || head.array::<8>(0) != MAGIC || head.u32(8) != VERSION {
        return Err(wrong(0, "other bytes"));
    }
    let mut pending = Vec::new();
    let mut at = HEAD_LEN;
    for _ in 0..head.u32(12) {
        let (found, len) =
            one(bytes.get(at..).unwrap_or(&[])).ok_or_else(|| wrong(at, "a version cut short"))?;
        pending.push(found);
        at += len;
    }
    if at < bytes.len() {
        return Err(wrong(at, "bytes behind the last version"));
    }
    Ok(pending)
}

/// The version at the start of `bytes`, and its length.
fn one(bytes: &[u8]) -> Option<(Pending, usize)> {
    let fixed = Fields(bytes.get(..FIXED_LEN)?);
    let mut at = FIXED_LEN;
    let mut part = |len_at: usize| {
        let part = bytes.get(at..)?.get(..fixed.u32(len_at) as usize)?;
        at += part.len();
        Some(part.to_vec())
    };
    let (key, data, old) = (part(12)?, part(16)?, part(20)?);
    let change = match fixed.u8(3) {
        KIND_INSERT => Change::Insert,
        KIND_REPLACE => Change::Replace(old),
        KIND_FLAG_DELETE => Change::FlagDelete,
        KIND_DELTA => {
            let delta = Fields(bytes.get(at..)?.get(..16)?);
            at += 16;
            let (offset, width) = (delta.u32(0) as usize, delta.u32(4) as usize);
            Change::Delta { offset, width, amount: delta.u64(8) as i64 }
        }
        _ => return None,
    };
    let version =
        Version { id: fixed.u32(4), level: fixed.u8(2), database: 0, fdp: fixed.u32(8), key, data, change };
    Some((Pending { procid: fixed.u16(0), version }, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(change: Change) -> Version {
        Version { id: 7, level: 2, database: 0, fdp: 40, key: vec![1, 2, 3], data: vec![4], change }
    }

    #[test]
    fn versions_survive_the_disk() {
        let versions = [
            version(Change::Insert),
            version(Change::Replace(vec![5, 6])),
            version(Change::FlagDelete),
            version(Change::Delta { offset: 4, width: 8, amount: -3 }),
        ];
        let bytes = to_bytes(versions.iter().map(|version| (5, version)));
        let found = from_bytes(&bytes).expect("they were just written");
        assert!(found.iter().all(|pending| pending.procid == 5));
        assert!(found.iter().map(|pending| &pending.version).eq(&versions));
        for len in 0..bytes.len() {
            assert!(from_bytes(&bytes[..len]).is_err(), "{len} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let whole = [&MAGIC[..], &VERSION.to_le_bytes(), &bytes].concat();
            let _ = from_bytes(&whole);
        }
    }
}
