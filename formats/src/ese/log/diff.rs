//! The difference that a ReplaceD record logs (reference, log.md section 6.2).

use super::record::RecordType;
use crate::error::{Error, Result};
use crate::le::{u8_at, u16_at};
use std::fmt::Display;

const JET_LOG_FILE_CORRUPT: i32 = -501;

/// The new data: `old` changed as `diff` says. `wide` and `new_len` come from the record. The error carries -501: the
/// difference is not one of `old`, or the result has not `new_len` bytes.
pub fn apply(old: &[u8], diff: &[u8], wide: bool, new_len: usize) -> Result<Vec<u8>> {
    let mut reader = Reader { diff, at: 0, wide };
    let mut new = Vec::with_capacity(new_len.min(old.len().saturating_add(diff.len())));
    let mut cursor = 0;
    while reader.at < diff.len() {
        let step_at = reader.at;
        let step = reader.step().ok_or_else(|| corrupt(step_at, "a step cut short", "a whole step"))?;
        let kept = old
            .get(cursor..step.offset)
            .ok_or_else(|| corrupt(step_at, format_args!("offset {}", step.offset), Between(cursor, old)))?;
        let after = step.offset.saturating_add(step.old_len);
        if after > old.len() {
            let found = format_args!("a replacement up to {after}");
            return Err(corrupt(step_at, found, Between(cursor, old)));
        }
        if new.len() + kept.len() + step.new.len() > new_len {
            return Err(corrupt(step_at, "more data", format_args!("{new_len} bytes")));
        }
        new.extend_from_slice(kept);
        new.extend_from_slice(step.new);
        cursor = after;
    }
    new.extend_from_slice(old.get(cursor..).unwrap_or(&[]));
    if new.len() == new_len {
        Ok(new)
    } else {
        Err(corrupt(diff.len(), format_args!("{} bytes of new data", new.len()), format_args!("{new_len}")))
    }
}

/// Old data is kept up to `offset`, then `old_len` bytes of it give way to `new`.
struct Step<'a> {
    offset: usize,
    old_len: usize,
    new: &'a [u8],
}

struct Reader<'a> {
    diff: &'a [u8],
    at: usize,
    wide: bool,
}

impl<'a> Reader<'a> {
    fn step(&mut self) -> Option<Step<'a>> {
        let first = self.u16()?;
        let (offset, flags) =
            if self.wide { (first, self.u8()?) } else { (first & 0x1FFF, (first >> 8) as u8) };
        let (same_len, inserts, two_byte) = (flags & 0x20 != 0, flags & 0x40 != 0, flags & 0x80 != 0);
        let new_len = self.len(two_byte)?;
        let old_len = match (inserts, same_len) {
            (true, _) => 0,
            (false, true) => new_len,
            (false, false) => self.len(two_byte)?,
        };
        let end = self.at.checked_add(new_len)?;
        let new = self.diff.get(self.at..end)?;
        self.at = end;
        Some(Step { offset: usize::from(offset), old_len, new })
    }

    fn len(&mut self, two_byte: bool) -> Option<usize> {
        if two_byte { self.u16().map(usize::from) } else { self.u8().map(usize::from) }
    }

    fn u8(&mut self) -> Option<u8> {
        let value = u8_at(self.diff, self.at)?;
        self.at += 1;
        Some(value)
    }

    fn u16(&mut self) -> Option<u16> {
        let value = u16_at(self.diff, self.at)?;
        self.at += 2;
        Some(value)
    }
}

struct Between<'a>(usize, &'a [u8]);

impl Display for Between<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a place between {} and {} of the old data", self.0, self.1.len())
    }
}

fn corrupt(at: usize, found: impl Display, expected: impl Display) -> Error {
    let object = format_args!("difference of a {} record", RecordType::REPLACE_D);
    Error::format(object, at as u64, found, expected).with_jet(JET_LOG_FILE_CORRUPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn applied(diff: &[u8], wide: bool, new_len: usize) -> Option<Vec<u8>> {
        apply(b"ABCDEF", diff, wide, new_len).ok()
    }

    #[test]
    fn the_published_examples_come_out_as_published() {
        assert_eq!(applied(&[2, 0x20, 2, b'x', b'y'], false, 6).as_deref(), Some(&b"ABxyEF"[..]));
        assert_eq!(applied(&[3, 0x40, 1, b'!'], false, 7).as_deref(), Some(&b"ABC!DEF"[..]));
        assert_eq!(applied(&[1, 0, 0, 4], false, 2).as_deref(), Some(&b"AF"[..]));
    }

    #[test]
    fn the_wide_form_and_long_lengths_are_read() {
        assert_eq!(applied(&[2, 0, 0x20, 2, b'x', b'y'], true, 6).as_deref(), Some(&b"ABxyEF"[..]));
        assert_eq!(applied(&[6, 0xC0, 1, 0, b'!'], false, 7).as_deref(), Some(&b"ABCDEF!"[..]));
        let two_steps = [0, 0x40, 1, b'<', 6, 0x40, 1, b'>'];
        assert_eq!(applied(&two_steps, false, 8).as_deref(), Some(&b"<ABCDEF>"[..]));
    }

    #[test]
    fn what_is_no_difference_of_the_old_data_is_refused() {
        let backwards = [3, 0x20, 1, b'x', 2, 0x20, 1, b'y'];
        for diff in
            [&backwards[..], &[7, 0x40, 1, b'x'], &[5, 0x20, 2, b'x', b'y'], &[2, 0x20, 9, b'x'], &[2]]
        {
            for new_len in 0..10 {
                let error = apply(b"ABCDEF", diff, false, new_len).expect_err("no difference");
                assert_eq!(error.jet(), Some(-501));
            }
        }
        assert!(applied(&[2, 0x20, 2, b'x', b'y'], false, 5).is_none(), "a wrong length");
    }

    proptest! {
        #[test]
        fn no_difference_makes_it_panic(
            old in proptest::collection::vec(any::<u8>(), 0..64),
            diff in proptest::collection::vec(any::<u8>(), 0..64),
            wide in any::<bool>(),
            new_len in 0usize..128,
        ) {
            if let Ok(new) = apply(&old, &diff, wide, new_len) {
                prop_assert_eq!(new.len(), new_len);
            }
        }
    }
}
