//! Values of columns, by the type that the catalog gives.

use super::compression::Scheme;
use super::text;
use crate::le::{array_at, u16_at, u32_at, u64_at};
use std::fmt;
use std::ops::Range;

/// Type of a column (reference, database.md section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// 1: true or false.
    Bit,
    /// 2.
    U8,
    /// 3.
    I16,
    /// 4.
    I32,
    /// 5: an amount in ten-thousandths; 64 bits.
    Currency,
    /// 6.
    F32,
    /// 7.
    F64,
    /// 8: days since 30 December 1899.
    DateTime,
    /// 9: up to 255 bytes.
    Binary,
    /// 10: up to 255 bytes of text.
    Text,
    /// 11: up to 2 GB.
    LongBinary,
    /// 12: up to 2 GB of text.
    LongText,
    /// 14.
    U32,
    /// 15.
    I64,
    /// 16.
    Guid,
    /// 17.
    U16,
    /// 18.
    U64,
    /// A number that is no known type, or an obsolete one.
    Other(u32),
}

impl ColumnType {
    /// The type that this number stands for.
    pub fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Bit,
            2 => Self::U8,
            3 => Self::I16,
            4 => Self::I32,
            5 => Self::Currency,
            6 => Self::F32,
            7 => Self::F64,
            8 => Self::DateTime,
            9 => Self::Binary,
            10 => Self::Text,
            11 => Self::LongBinary,
            12 => Self::LongText,
            14 => Self::U32,
            15 => Self::I64,
            16 => Self::Guid,
            17 => Self::U16,
            18 => Self::U64,
            other => Self::Other(other),
        }
    }

    /// The number that stands for it.
    pub fn number(self) -> u32 {
        match self {
            Self::Bit => 1,
            Self::U8 => 2,
            Self::I16 => 3,
            Self::I32 => 4,
            Self::Currency => 5,
            Self::F32 => 6,
            Self::F64 => 7,
            Self::DateTime => 8,
            Self::Binary => 9,
            Self::Text => 10,
            Self::LongBinary => 11,
            Self::LongText => 12,
            Self::U32 => 14,
            Self::I64 => 15,
            Self::Guid => 16,
            Self::U16 => 17,
            Self::U64 => 18,
            Self::Other(number) => number,
        }
    }

    /// Length of its values, in bytes; `None` if they have none in common.
    pub fn value_len(self) -> Option<usize> {
        match self {
            Self::Bit | Self::U8 => Some(1),
            Self::I16 | Self::U16 => Some(2),
            Self::I32 | Self::U32 | Self::F32 => Some(4),
            Self::Currency | Self::F64 | Self::DateTime | Self::I64 | Self::U64 => Some(8),
            Self::Guid => Some(16),
            Self::Binary | Self::Text | Self::LongBinary | Self::LongText | Self::Other(_) => None,
        }
    }

    /// Whether its values are text.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::LongText)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bit => "bit",
            Self::U8 => "u8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::Currency => "currency",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::DateTime => "date-time",
            Self::Binary => "binary",
            Self::Text => "text",
            Self::LongBinary => "long-binary",
            Self::LongText => "long-text",
            Self::U32 => "u32",
            Self::I64 => "i64",
            Self::Guid => "guid",
            Self::U16 => "u16",
            Self::U64 => "u64",
            Self::Other(number) => return write!(f, "type-{number}"),
        })
    }
}

/// The value of a column in a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bit(bool),
    /// 8 bits without sign.
    U8(u8),
    /// 16 bits with sign.
    I16(i16),
    /// 16 bits without sign.
    U16(u16),
    /// 32 bits with sign.
    I32(i32),
    /// 32 bits without sign.
    U32(u32),
    /// 64 bits with sign.
    I64(i64),
    /// 64 bits without sign.
    U64(u64),
    /// An amount in ten-thousandths.
    Currency(i64),
    /// 32-bit floating point.
    F32(f32),
    /// 64-bit floating point.
    F64(f64),
    /// Days since 30 December 1899, with the time of day as the fraction.
    DateTime(f64),
    /// A GUID as its 16 bytes are stored: the first three groups little-endian.
    Guid([u8; 16]),
    /// Bytes.
    Binary(Vec<u8>),
    /// Text in a code page; [`text::decode`] makes a string of it.
    Text {
        /// The bytes.
        bytes: Vec<u8>,
        /// What they are in.
        codepage: u32,
    },
    /// The values of a multi-valued column of which the row has more than one.
    Multi(Vec<Value>),
    /// A value that is there but is not given as it is.
    NotDecoded {
        /// Why.
        scheme: Scheme,
        /// The value as it is stored.
        bytes: Vec<u8>,
    },
    /// A value of which a part is gone, or all of it.
    Lost(Box<LostValue>),
}

/// A GUID in its usual text, without braces.
pub fn guid(bytes: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *bytes;
    let (first, second, third) =
        (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
    let [i, j, node @ ..] = rest;
    let node = node.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    format!("{first:08x}-{second:04x}-{third:04x}-{:04x}-{node:012x}", u16::from_be_bytes([i, j]))
}

/// A date in milliseconds since 1970, in the time zone of whoever wrote it; `None` if it is no finite number. The time of
/// day counts forward, before 30 December 1899 as well.
pub fn unix_milliseconds(days: f64) -> Option<i64> {
    const DAYS_BEFORE_1970: f64 = 25_569.0;
    const DAY: f64 = 86_400_000.0;
    let day = days.trunc();
    let milliseconds = ((day - DAYS_BEFORE_1970) * DAY + (days - day).abs() * DAY).round();
    milliseconds.is_finite().then_some(milliseconds as i64)
}

/// A value of which a part is gone, or all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostValue {
    /// Length of the whole value, in bytes; `None` where not even that is known.
    pub len: Option<u64>,
    /// What is there, one after the other, the lost ranges left out.
    pub bytes: Vec<u8>,
    /// The ranges of the value that are gone.
    pub lost: Vec<Range<u64>>,
    /// Why, as a sentence.
    pub why: String,
}

impl fmt::Display for LostValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes: u64 = self.lost.iter().map(|range| range.end - range.start).sum();
        match self.len {
            Some(len) => write!(f, "{bytes} of {len} bytes are lost")?,
            None => f.write_str("all is lost")?,
        }
        write!(f, ": {}", self.why)
    }
}

impl Value {
    /// The value of a column of type `kind` that these bytes stand for, after any compression was undone.
    pub fn new(kind: ColumnType, codepage: u32, bytes: &[u8]) -> Self {
        let not = |scheme| Self::NotDecoded { scheme, bytes: bytes.to_vec() };
        if kind.value_len().is_some_and(|len| len != bytes.len()) {
            return not(Scheme::WrongLength);
        }
        let number = |value: Option<Self>| value.unwrap_or_else(|| not(Scheme::WrongLength));
        match kind {
            ColumnType::Bit => Self::Bit(bytes != [0]),
            ColumnType::U8 => number(bytes.first().copied().map(Self::U8)),
            ColumnType::I16 => number(u16_at(bytes, 0).map(|v| Self::I16(v.cast_signed()))),
            ColumnType::U16 => number(u16_at(bytes, 0).map(Self::U16)),
            ColumnType::I32 => number(u32_at(bytes, 0).map(|v| Self::I32(v.cast_signed()))),
            ColumnType::U32 => number(u32_at(bytes, 0).map(Self::U32)),
            ColumnType::I64 => number(u64_at(bytes, 0).map(|v| Self::I64(v.cast_signed()))),
            ColumnType::U64 => number(u64_at(bytes, 0).map(Self::U64)),
            ColumnType::Currency => number(u64_at(bytes, 0).map(|v| Self::Currency(v.cast_signed()))),
            ColumnType::F32 => number(u32_at(bytes, 0).map(|v| Self::F32(f32::from_bits(v)))),
            ColumnType::F64 => number(u64_at(bytes, 0).map(|v| Self::F64(f64::from_bits(v)))),
            ColumnType::DateTime => number(u64_at(bytes, 0).map(|v| Self::DateTime(f64::from_bits(v)))),
            ColumnType::Guid => number(array_at(bytes, 0).map(Self::Guid)),
            ColumnType::Binary | ColumnType::LongBinary => Self::Binary(bytes.to_vec()),
            ColumnType::Text | ColumnType::LongText => Self::Text { bytes: bytes.to_vec(), codepage },
            ColumnType::Other(_) => not(Scheme::UnknownType),
        }
    }

    /// The same of bytes that need not be copied.
    pub(super) fn long(kind: ColumnType, codepage: u32, bytes: Vec<u8>) -> Self {
        match kind {
            ColumnType::LongBinary => Self::Binary(bytes),
            ColumnType::LongText => Self::Text { bytes, codepage },
            _ => Self::new(kind, codepage, &bytes),
        }
    }

    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The bytes as the engine gives them to an application; `None` for NULL, for several values and for what is not
    /// there whole.
    pub fn stored_bytes(&self) -> Option<Vec<u8>> {
        Some(match self {
            Self::Bit(value) => vec![if *value { 0xFF } else { 0 }],
            Self::U8(value) => vec![*value],
            Self::I16(value) => value.to_le_bytes().to_vec(),
            Self::U16(value) => value.to_le_bytes().to_vec(),
            Self::I32(value) => value.to_le_bytes().to_vec(),
            Self::U32(value) => value.to_le_bytes().to_vec(),
            Self::I64(value) | Self::Currency(value) => value.to_le_bytes().to_vec(),
            Self::U64(value) => value.to_le_bytes().to_vec(),
            Self::F32(value) => value.to_le_bytes().to_vec(),
            Self::F64(value) | Self::DateTime(value) => value.to_le_bytes().to_vec(),
            Self::Guid(bytes) => bytes.to_vec(),
            Self::Binary(bytes) | Self::Text { bytes, .. } => bytes.clone(),
            Self::Null | Self::Multi(_) | Self::NotDecoded { .. } | Self::Lost(_) => return None,
        })
    }

    /// The text of a text value.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text { bytes, codepage } => Some(text::decode(bytes, *codepage)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_wrong_length_is_not_decoded() {
        assert_eq!(Value::new(ColumnType::I32, 0, &[1, 0, 0, 0x80]), Value::I32(i32::MIN + 1));
        let wrong = Value::new(ColumnType::I32, 0, &[1, 2]);
        assert_eq!(wrong, Value::NotDecoded { scheme: Scheme::WrongLength, bytes: vec![1, 2] });
        for number in 0..30 {
            assert_eq!(ColumnType::from_number(number).number(), number);
        }
    }

    #[test]
    fn dates_count_from_the_end_of_1899_and_days_run_forward() {
        assert_eq!(unix_milliseconds(25_569.25), Some(21_600_000));
        let six_in_the_morning_of_the_29th = unix_milliseconds(-1.25).expect("a date");
        assert_eq!(six_in_the_morning_of_the_29th, (-25_570 * 24 + 6) * 3_600_000);
        assert_eq!(unix_milliseconds(f64::NAN), None);
    }
}
