//! One record: fixed, variable and tagged columns as they lie in the data of a leaf's node (reference, database.md
//! section 9). What a column means is the catalog's matter.

use crate::error::Error;
use crate::le::{bytes_at, u16_at};

const HEADER_LEN: usize = 4;
/// The id of the last fixed column that a record can have, and the one before the first variable column.
const LAST_FIXED: u8 = 127;
/// The id of the first tagged column.
pub const FIRST_TAGGED: u16 = 256;

/// A record taken apart. All of it lies inside the bytes that it was made from.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    last_fixed: u8,
    last_variable: u8,
    /// Header and fixed columns.
    fixed: &'a [u8],
    null_bits: &'a [u8],
    variable_ends: &'a [u8],
    variable: &'a [u8],
    tagged: &'a [u8],
    large: bool,
}

/// What a record says about a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// The record is older than the column, or leaves it to the column's default.
    Default,
    /// NULL.
    Null,
    /// These bytes.
    Bytes(&'a [u8]),
}

/// A value of a tagged column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tagged<'a> {
    /// Id of the column, from 256.
    pub id: u16,
    /// The id is one of the table's template.
    pub derived: bool,
    /// NULL, where the column's default would be something else.
    pub null: bool,
    /// Flags of the value; zero where the record has none.
    pub flags: ValueFlags,
    /// The value, or its several.
    pub bytes: &'a [u8],
}

/// Flags before a tagged value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueFlags(pub u8);

impl ValueFlags {
    /// The (first) value is compressed.
    pub fn is_compressed(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// The value is the id of a long value, or several such ids are among the values.
    pub fn is_separated(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// Several values.
    pub fn is_multi_value(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// Several values, two of them, in the short form.
    pub fn is_two_values(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// NULL, in the form of large pages.
    pub fn is_null(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Encrypted with a key that the application has.
    pub fn is_encrypted(self) -> bool {
        self.0 & 0x40 != 0
    }
}

impl<'a> Record<'a> {
    /// Takes the data of a leaf's node apart; `large` says whether the page is over 8 KiB. The error says what does not
    /// fit, in bytes from the record's start.
    pub fn parse(bytes: &'a [u8], large: bool) -> Result<Self, Error> {
        let wrong = |at: usize, found: &dyn std::fmt::Display, expected: &str| {
            Err(Error::format("record", at as u64, found, expected))
        };
        let Some([last_fixed, last_variable, end_low, end_high]) = bytes.first_chunk::<HEADER_LEN>() else {
            return wrong(0, &format_args!("{} bytes", bytes.len()), "at least 4");
        };
        let (last_fixed, last_variable) = (*last_fixed, *last_variable);
        if last_fixed > LAST_FIXED || last_variable < LAST_FIXED {
            let found = format_args!("last columns {last_fixed} and {last_variable}");
            return wrong(0, &found, "at most 127 and at least 127");
        }
        let end_of_fixed = usize::from(u16::from_le_bytes([*end_low, *end_high]));
        let null_len = usize::from(last_fixed).div_ceil(8);
        let fixed_and_nulls = end_of_fixed
            .checked_sub(null_len)
            .filter(|at| *at >= HEADER_LEN)
            .and_then(|at| bytes.get(..end_of_fixed)?.split_at_checked(at));
        let Some((fixed, null_bits)) = fixed_and_nulls else {
            return wrong(2, &format_args!("fixed columns up to {end_of_fixed}"), "an end inside the record");
        };
        let variable_count = usize::from(last_variable - LAST_FIXED);
        let Some(variable_ends) = bytes_at(bytes, end_of_fixed, 2 * variable_count) else {
            let found = format_args!("{variable_count} variable columns");
            return wrong(end_of_fixed, &found, "their ends inside the record");
        };
        let rest = bytes.get(end_of_fixed + variable_ends.len()..).unwrap_or(&[]);
        let variable_len = match variable_count {
            0 => 0,
            count => usize::from(u16_at(variable_ends, 2 * (count - 1)).unwrap_or(0) & 0x7FFF),
        };
        let (Some(variable), Some(tagged)) = (rest.get(..variable_len), rest.get(variable_len..)) else {
            let found = format_args!("{variable_len} bytes of variable columns");
            return wrong(end_of_fixed, &found, "an end inside the record");
        };
        Ok(Self { last_fixed, last_variable, fixed, null_bits, variable_ends, variable, tagged, large })
    }

    /// The fixed column `id`, which lies at byte `offset` of the record and has `len` bytes.
    pub fn fixed(&self, id: u16, offset: u16, len: usize) -> Result<Field<'a>, Error> {
        if id == 0 || id > u16::from(self.last_fixed) {
            return Ok(Field::Default);
        }
        let bit = usize::from(id) - 1;
        if self.null_bits.get(bit / 8).is_some_and(|bits| bits & 1 << (bit % 8) != 0) {
            return Ok(Field::Null);
        }
        let start = usize::from(offset);
        match bytes_at(self.fixed, start, len).filter(|_| start >= HEADER_LEN) {
            Some(bytes) => Ok(Field::Bytes(bytes)),
            None => {
                let found = format_args!("{len} bytes of column {id}");
                Err(Error::format("record", start as u64, found, "bytes among the fixed columns"))
            }
        }
    }

    /// The variable column `id`.
    pub fn variable(&self, id: u16) -> Result<Field<'a>, Error> {
        let first = u16::from(LAST_FIXED) + 1;
        if id < first || id > u16::from(self.last_variable) {
            return Ok(Field::Default);
        }
        let number = usize::from(id - first);
        let end = |number: usize| u16_at(self.variable_ends, 2 * number).unwrap_or(0);
        let start = if number == 0 { 0 } else { end(number - 1) & 0x7FFF };
        let stop = end(number);
        if stop & 0x8000 != 0 {
            return Ok(Field::Null);
        }
        match self.variable.get(usize::from(start)..usize::from(stop)) {
            Some(bytes) => Ok(Field::Bytes(bytes)),
            None => {
                let found = format_args!("bytes {start} to {stop} of column {id}");
                Err(Error::format("record", 0, found, "bytes among the variable columns"))
            }
        }
    }

    /// The values of tagged columns, in the order of the record.
    pub fn tagged(&self) -> impl Iterator<Item = Result<Tagged<'a>, Error>> + use<'a> {
        let Self { tagged, large, .. } = *self;
        let mask = if large { 0x7FFF } else { 0x1FFF };
        let offset_at = move |entry: usize| u16_at(tagged, 4 * entry + 2);
        let count = usize::from(offset_at(0).unwrap_or(0) & mask) / 4;
        let value = move |entry: usize| {
            let (id, word) = (u16_at(tagged, 4 * entry)?, offset_at(entry)?);
            let start = usize::from(word & mask);
            let end =
                if entry + 1 < count { usize::from(offset_at(entry + 1)? & mask) } else { tagged.len() };
            let bytes = tagged.get(start..end).filter(|_| start >= 4 * count)?;
            let has_flags = large || word & 0x4000 != 0;
            let (flags, bytes) = match bytes.split_first() {
                Some((flags, rest)) if has_flags => (ValueFlags(*flags), rest),
                _ => (ValueFlags::default(), bytes),
            };
            let null = if large { flags.is_null() } else { word & 0x2000 != 0 };
            Some(Tagged { id, derived: word & 0x8000 != 0, null, flags, bytes })
        };
        (0..count).map(move |entry| {
            value(entry).ok_or_else(|| {
                let found = format_args!("tagged value {entry} of {count}");
                Error::format("record", 0, found, "bytes behind the table of tagged values")
            })
        })
    }
}

/// One of the values that a multi-valued column has in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance<'a> {
    /// The bytes are the id of a long value.
    pub separated: bool,
    /// The bytes are compressed.
    pub compressed: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl<'a> Tagged<'a> {
    /// The single values in it: one, unless it says that it has several. The error is that they do not lie in its bytes.
    pub fn instances(&self) -> Result<Vec<Instance<'a>>, Error> {
        let compressed = self.flags.is_compressed();
        if self.flags.is_two_values() {
            let split =
                self.bytes.split_first().and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
            let Some((first, second)) = split else { return Err(self.damaged("two values")) };
            let instance = |bytes, compressed| Instance { separated: false, compressed, bytes };
            return Ok(vec![instance(first, compressed), instance(second, false)]);
        }
        if !self.flags.is_multi_value() {
            let separated = self.flags.is_separated();
            return Ok(vec![Instance { separated, compressed, bytes: self.bytes }]);
        }
        let word_at = |number: usize| u16_at(self.bytes, 2 * number);
        let count = usize::from(word_at(0).unwrap_or(0) & 0x7FFF) / 2;
        let instance = |number: usize| {
            let word = word_at(number)?;
            let end = if number + 1 < count {
                usize::from(word_at(number + 1)? & 0x7FFF)
            } else {
                self.bytes.len()
            };
            let start = usize::from(word & 0x7FFF);
            let bytes = self.bytes.get(start..end).filter(|_| start >= 2 * count)?;
            Some(Instance { separated: word & 0x8000 != 0, compressed: compressed && number == 0, bytes })
        };
        let all: Option<Vec<_>> = (0..count).map(instance).collect();
        all.ok_or_else(|| self.damaged("several values"))
    }

    fn damaged(&self, what: &str) -> Error {
        let found =
            format_args!("{what} of column {} that do not lie in its {} bytes", self.id, self.bytes.len());
        Error::format("record", 0, found, "values inside the column")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two fixed columns (the second NULL), two variable ones (the first NULL), and what is given as tagged.
    fn record(tagged: &[u8]) -> Vec<u8> {
        let mut bytes = vec![2, 129, 11, 0, 1, 2, 3, 4, 0, 0, 0b10];
        bytes.extend([0x00, 0x80, 0x02, 0x00]);
        bytes.extend(b"xy");
        bytes.extend(tagged);
        bytes
    }

    #[test]
    fn fixed_and_variable_columns_are_found_and_later_ones_take_their_default() {
        let bytes = record(&[]);
        let record = Record::parse(&bytes, false).expect("a good record");
        assert_eq!(record.fixed(1, 4, 4).expect("inside"), Field::Bytes(&[1, 2, 3, 4]));
        assert_eq!(record.fixed(2, 8, 2).expect("inside"), Field::Null);
        assert_eq!(record.fixed(3, 10, 2).expect("not there"), Field::Default);
        assert!(record.fixed(1, 8, 4).is_err());
        assert!(record.fixed(1, 0, 4).is_err());
        assert_eq!(record.variable(128).expect("inside"), Field::Null);
        assert_eq!(record.variable(129).expect("inside"), Field::Bytes(b"xy"));
        assert_eq!(record.variable(130).expect("not there"), Field::Default);
        assert_eq!(record.tagged().count(), 0);
    }

    #[test]
    fn tagged_values_have_one_form_on_small_pages_and_one_on_large_ones() {
        let small = record(&[0, 1, 8, 0x20, 1, 1, 8, 0xC0, 0x08, 4, 0, 5, 0x80, b'a', b'b']);
        let values: Result<Vec<_>, _> =
            Record::parse(&small, false).expect("a good record").tagged().collect();
        let values = values.expect("good values");
        assert!(values[0].null && !values[0].derived && values[0].bytes.is_empty());
        assert!(values[1].derived && values[1].flags.is_multi_value());
        let instances = values[1].instances().expect("good instances");
        let of = |separated, bytes| Instance { separated, compressed: false, bytes };
        assert_eq!(instances, [of(false, &b"a"[..]), of(true, b"b")]);

        let large = record(&[0, 1, 8, 0, 1, 1, 9, 0x80, 0x20, 0x1A, 1, b'a', b'b', b'c']);
        let values: Result<Vec<_>, _> =
            Record::parse(&large, true).expect("a good record").tagged().collect();
        let values = values.expect("good values");
        assert!(values[0].null && values[1].derived);
        let instances = values[1].instances().expect("good instances");
        assert_eq!(instances.iter().map(|i| i.bytes).collect::<Vec<_>>(), [&b"a"[..], b"bc"]);
        assert!(instances[0].compressed && !instances[1].compressed);
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_record_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), large in any::<bool>()) {
            if let Ok(record) = Record::parse(&bytes, large) {
                for id in 0..300 {
                    let _ = (record.fixed(id, id, 8), record.variable(id));
                }
                for value in record.tagged().flatten() {
                    let _ = value.instances();
                }
            }
        }
    }
}
