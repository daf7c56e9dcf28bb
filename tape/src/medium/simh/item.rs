//! The words between which a SIMH image keeps its data (`reference/tape/images.md` A1).

/// Bytes of a metadata word.
pub(super) const WORD: u64 = 4;

/// What the word at a place where an object may begin says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// A filemark.
    Mark,
    /// A data record; bad ones were not read well when the image was made.
    Record { length: u32, bad: bool },
    /// A record that is no object of the tape: private, reserved or a description.
    Foreign { length: u32 },
    /// A marker or gap of this many bytes that is no object.
    Skip(u64),
    /// Data end here, whatever follows.
    EndOfMedium,
    /// Nothing that the format knows at such a place.
    Illegal,
}

impl Item {
    pub(super) fn of(word: u32) -> Self {
        let length = word & 0x0FFF_FFFF;
        match (word >> 28, word) {
            (_, 0) => Self::Mark,
            (0 | 8, _) => Self::Record { length, bad: word >> 28 == 8 },
            (1..=6 | 9..=14, _) => Self::Foreign { length },
            (_, 0xFFFF_FFFF) => Self::EndOfMedium,
            // Half of an erase gap that was partly written over: the words go on two bytes later.
            (_, 0xFFFE_FFFF) => Self::Skip(WORD / 2),
            (7, _) | (_, 0xF000_0000..=0xFFFD_FFFF | 0xFFFF_FFFE) => Self::Skip(WORD),
            _ => Self::Illegal,
        }
    }
}

/// Bytes that a record's data take, with the byte that pads odd lengths.
pub(super) fn padded(length: u32) -> u64 {
    u64::from(length) + u64::from(length % 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_word_is_told_apart() {
        assert_eq!(Item::of(0), Item::Mark);
        assert_eq!(Item::of(80), Item::Record { length: 80, bad: false });
        assert_eq!(Item::of(0x8000_0000), Item::Record { length: 0, bad: true });
        assert_eq!(Item::of(0x1000_0004), Item::Foreign { length: 4 });
        assert_eq!(Item::of(0xE000_0004), Item::Foreign { length: 4 });
        assert_eq!(Item::of(0x7000_0001), Item::Skip(4));
        assert_eq!(Item::of(0xF000_0000), Item::Skip(4));
        assert_eq!(Item::of(0xFFFE_0000), Item::Illegal);
        assert_eq!(Item::of(0xFFFE_FFFF), Item::Skip(2));
        assert_eq!(Item::of(0xFFFF_0000), Item::Illegal);
        assert_eq!(Item::of(0xFFFF_FFFE), Item::Skip(4));
        assert_eq!(Item::of(0xFFFF_FFFF), Item::EndOfMedium);
    }
}
