//! Places and times in a log sequence, and the signatures that tie files to it (reference, README.md, conventions).
//!
//! Each is shown as the engine's own listings show it.

use super::attachment::text;
use crate::le::Fields;
use std::fmt;

/// A place in the log sequence. Places compare in log order. Shown as `(0x8,1A,0)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LgPos {
    /// Generation of the log file; 0 in a place that is not set.
    pub generation: u32,
    /// Sector or segment in that file, counted from its start.
    pub sector: u16,
    /// Byte in that sector.
    pub byte: u16,
}

impl LgPos {
    /// Length on disk, in bytes.
    pub const LEN: usize = 8;

    /// The place that these bytes hold.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let fields = Fields(&bytes);
        Self { byte: fields.u16(0), sector: fields.u16(2), generation: fields.u32(4) }
    }

    /// The bytes that hold this place.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let value = u64::from(self.byte) | u64::from(self.sector) << 16 | u64::from(self.generation) << 32;
        value.to_le_bytes()
    }

    /// Whether the place is not set.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for LgPos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(0x{:X},{:X},{:X})", self.generation, self.sector, self.byte)
    }
}

/// A moment as logs record it, in the writer's local time unless [`LogTime::is_utc`]. Replay needs only equality.
/// Shown as `11/21/2026 21:44:46.886 UTC`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogTime([u8; LogTime::LEN]);

impl LogTime {
    /// Length on disk, in bytes.
    pub const LEN: usize = 8;

    /// The moment that these bytes hold.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes that hold this moment.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        self.0
    }

    /// Whether no time is recorded.
    pub fn is_zero(self) -> bool {
        self == Self::default()
    }

    /// Whether the time is UTC rather than local time.
    pub fn is_utc(self) -> bool {
        self.0[6] & 1 == 1
    }

    /// The year, for instance 2026; 1900 where no time is recorded.
    pub fn year(self) -> u32 {
        1900 + u32::from(self.0[5])
    }

    /// The month, from 1; 0 where no time is recorded.
    pub fn month(self) -> u8 {
        self.0[4]
    }

    /// The day of the month, from 1; 0 where no time is recorded.
    pub fn day(self) -> u8 {
        self.0[3]
    }

    /// The hour of the day.
    pub fn hour(self) -> u8 {
        self.0[2]
    }

    /// The minute of the hour.
    pub fn minute(self) -> u8 {
        self.0[1]
    }

    /// The second of the minute.
    pub fn second(self) -> u8 {
        self.0[0]
    }

    /// The millisecond of the second; 0 in old files.
    pub fn millisecond(self) -> u16 {
        u16::from(self.0[6] >> 1) | u16::from(self.0[7] >> 1 & 7) << 7
    }

    /// The moment as in RFC 3339; without an offset if it is local time, of which the offset is not recorded. `None`
    /// where no time is recorded, or none that there can be.
    pub fn rfc3339(self) -> Option<String> {
        let zone = if self.is_utc() { "Z" } else { "" };
        let (year, month, day) = (self.year(), self.month(), self.day());
        let (hour, minute, second, milli) = (self.hour(), self.minute(), self.second(), self.millisecond());
        (!self.is_zero()).then(|| {
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}{zone}")
        })
    }

    /// A moment in UTC; `None` for a year that the form cannot hold.
    #[allow(clippy::too_many_arguments, reason = "a date and a time have so many parts")]
    pub fn utc(
        year: u32,
        month: u8,
        day: u8,
        hour: u8,
        minute: u8,
        second: u8,
        millisecond: u16,
    ) -> Option<Self> {
        let year = u8::try_from(year.checked_sub(1900)?).ok()?;
        let (low, high) = ((millisecond & 0x7F) as u8, (millisecond >> 7 & 7) as u8);
        Some(Self([second, minute, hour, day, month, year, low << 1 | 1, high << 1]))
    }

    /// Whether it is later than `other`; local time and UTC are not told apart.
    pub fn is_later_than(self, other: Self) -> bool {
        let parts = |time: Self| {
            (
                time.year(),
                time.month(),
                time.day(),
                time.hour(),
                time.minute(),
                time.second(),
                time.millisecond(),
            )
        };
        parts(self) > parts(other)
    }

    fn write_without_zone(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}/{:02}/{:04} ", self.month(), self.day(), self.year())?;
        write!(f, "{:02}:{:02}:{:02}.{:03}", self.hour(), self.minute(), self.second(), self.millisecond())
    }
}

impl fmt::Display for LogTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_without_zone(f)?;
        f.write_str(if self.is_utc() { " UTC" } else { " LOC" })
    }
}

/// What tells one database, or one log sequence, from all others.
/// Shown as `Create time:11/21/2026 21:44:46.614 Rand:1563064579 Computer:`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Signature {
    /// Random number.
    pub random: u32,
    /// When it was made.
    pub created: LogTime,
    /// Computer name, filled up with zeros; usually empty.
    pub computer: [u8; 16],
}

impl Signature {
    /// Length on disk, in bytes.
    pub const LEN: usize = 28;

    /// The signature that these bytes hold.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let fields = Fields(&bytes);
        Self { random: fields.u32(0), created: LogTime(fields.array(4)), computer: fields.array(12) }
    }

    /// The bytes that hold this signature.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.random.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.created.0);
        bytes[12..].copy_from_slice(&self.computer);
        bytes
    }

    /// The computer name as text.
    pub fn computer_name(&self) -> String {
        text(&self.computer)
    }

    /// Whether there is none: the file was never part of what the signature would name.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Create time:")?;
        self.created.write_without_zone(f)?;
        write!(f, " Rand:{} Computer:", self.random)?;
        let name = self.computer.iter().take_while(|byte| **byte != 0);
        name.flat_map(|byte| byte.escape_ascii()).try_for_each(|byte| write!(f, "{}", char::from(byte)))
    }
}

/// What a database header remembers of one backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BackupInfo {
    /// Where in the log sequence the backup stands.
    pub mark: LgPos,
    /// When it was made.
    pub time: LogTime,
    /// First log generation that it needs; 0 where there is no backup.
    pub low_generation: u32,
    /// Last log generation that it needs; 0 where it stands in the backup's trailer.
    pub high_generation: u32,
}

impl BackupInfo {
    /// Length on disk, in bytes.
    pub const LEN: usize = 24;

    /// The information that these bytes hold.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let fields = Fields(&bytes);
        Self {
            mark: fields.lgpos(0),
            time: fields.logtime(8),
            low_generation: fields.u32(16),
            high_generation: fields.u32(20),
        }
    }
}

impl Fields<'_> {
    pub(crate) fn lgpos(self, at: usize) -> LgPos {
        LgPos::from_bytes(self.array(at))
    }

    pub(crate) fn logtime(self, at: usize) -> LogTime {
        LogTime::from_bytes(self.array(at))
    }

    pub(crate) fn signature(self, at: usize) -> Signature {
        Signature::from_bytes(self.array(at))
    }

    pub(crate) fn backup(self, at: usize) -> BackupInfo {
        BackupInfo::from_bytes(self.array(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_compare_in_log_order_and_survive_the_disk() {
        let place = |generation, sector, byte| LgPos { generation, sector, byte };
        let rising = [place(1, 0, 0), place(1, 2, 0x1FF), place(1, 3, 0), place(0x100, 0, 0)];
        assert!(rising.is_sorted());
        for place in rising {
            assert_eq!(LgPos::from_bytes(place.to_bytes()), place);
        }
        assert!(LgPos::default().is_zero());
    }

    #[test]
    fn places_times_and_signatures_are_shown_as_the_engine_shows_them() {
        let place = LgPos { generation: 0x1D, sector: 6, byte: 0xBD1 };
        assert_eq!(place.to_string(), "(0x1D,6,BD1)");
        assert_eq!(LogTime::default().to_string(), "00/00/1900 00:00:00.000 LOC");
        let time = LogTime([0x12, 8, 0x0B, 9, 9, 0x7D, 0x8B, 2]);
        assert_eq!(time.to_string(), "09/09/2025 11:08:18.197 UTC");
        assert_eq!(time.rfc3339().as_deref(), Some("2025-09-09T11:08:18.197Z"));
        assert_eq!(LogTime::default().rfc3339(), None);
        let signature = Signature { random: 7, created: time, computer: [0; 16] };
        assert_eq!(signature.to_string(), "Create time:09/09/2025 11:08:18.197 Rand:7 Computer:");
    }
}
