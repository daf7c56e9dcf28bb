//! A header listing as a report: the engine's text, or the same items as JSON.

use crate::output::Report;
use reel_formats::ese::dump::{Group, Listing, Value};
use reel_formats::ese::position::{LgPos, Signature};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::io::{self, Write};

/// What a file's header says, and what is wrong with the file.
pub struct ListingReport {
    /// The file, as it was named.
    pub file: String,
    /// What the header says.
    pub listing: Listing,
    /// What a person must look at.
    pub findings: Vec<String>,
}

impl Report for ListingReport {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{}", self.listing)
    }

    fn findings(&self) -> Vec<String> {
        self.findings.iter().map(|finding| format!("{}: {finding}", self.file)).collect()
    }
}

impl Serialize for ListingReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("file", &self.file)?;
        map.serialize_entry("findings", &self.findings)?;
        for group in self.listing.groups() {
            match group.name {
                Some(name) => map.serialize_entry(name, &Items(group))?,
                None => group
                    .items
                    .iter()
                    .try_for_each(|item| map.serialize_entry(item.name, &Plain(&item.value)))?,
            }
        }
        map.end()
    }
}

struct Items<'a>(&'a Group);

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.items.iter().map(|item| (item.name, Plain(&item.value))))
    }
}

/// A value as JSON: what is not recorded is `null`.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Absent => serializer.serialize_none(),
            Value::Number(number) => number.serialize(serializer),
            Value::Flag(flag) => flag.serialize(serializer),
            Value::Text(text) => text.serialize(serializer),
            Value::Time(time) => time.rfc3339().serialize(serializer),
            Value::Place(place) => place_line(*place).serialize(serializer),
            Value::Signature(signature) => signature_line(*signature).serialize(serializer),
            Value::Fields(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (*name, Plain(value))))
            }
            Value::List(values) => serializer.collect_seq(values.iter().map(Plain)),
        }
    }
}

/// A place in the logs.
#[derive(serde::Serialize)]
pub struct PlaceLine {
    generation: u32,
    sector: u16,
    byte: u16,
}

/// A place as JSON, `None` where it is not set.
pub fn place_line(place: LgPos) -> Option<PlaceLine> {
    let LgPos { generation, sector, byte } = place;
    (!place.is_zero()).then_some(PlaceLine { generation, sector, byte })
}

/// A signature.
#[derive(serde::Serialize)]
pub struct SignatureLine {
    created: Option<String>,
    random: u32,
    computer: String,
}

/// A signature as JSON, `None` where it is not set.
pub fn signature_line(signature: Signature) -> Option<SignatureLine> {
    (!signature.is_zero()).then(|| SignatureLine {
        created: signature.created.rfc3339(),
        random: signature.random,
        computer: signature.computer_name(),
    })
}
