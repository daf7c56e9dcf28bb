//! The flags of `reel ese log`.

use crate::args::Json;
use clap::Args;
use reel_formats::ese::position::LgPos;
use std::path::PathBuf;

const LOG_POSITIONS: &str = "\
POS is GENERATION,SECTOR,BYTE in hexadecimal, as listings show it: 8,1A,2C or 00000008,001A,002C.
Without --from and --to the records are counted by type.";

#[derive(Args)]
#[command(after_help = LOG_POSITIONS)]
pub struct Log {
    /// The log file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// List the records from this position on
    #[arg(long, value_name = "POS", value_parser = position)]
    pub from: Option<LgPos>,
    /// List the records up to this position and the one that stands there
    #[arg(long, value_name = "POS", value_parser = position)]
    pub to: Option<LgPos>,
    /// Count the records by type, behind those that are listed
    #[arg(long)]
    pub histogram: bool,
    #[command(flatten)]
    pub json: Json,
}

fn position(text: &str) -> Result<LgPos, String> {
    let parts: Vec<_> = text.trim_matches(['(', ')', '>']).split(',').collect();
    let number = |text: &str| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok();
    let place = match parts[..] {
        [generation, sector, byte] => number(generation)
            .zip(number(sector).and_then(|sector| u16::try_from(sector).ok()))
            .zip(number(byte).and_then(|byte| u16::try_from(byte).ok())),
        _ => None,
    };
    place
        .map(|((generation, sector), byte)| LgPos { generation, sector, byte })
        .ok_or_else(|| "expected GENERATION,SECTOR,BYTE in hexadecimal, for instance 8,1A,2C".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_listings_show_it() {
        let place = LgPos { generation: 0x1D, sector: 6, byte: 0xBD1 };
        for text in ["1D,6,BD1", "0000001d,0006,0bd1", ">0000001D,0006,0BD1", &place.to_string()] {
            assert_eq!(position(text), Ok(place), "{text}");
        }
        for text in ["", "1,2", "1,2,3,4", "1,10000,0", "g,1,1", "1,,1"] {
            assert!(position(text).is_err(), "{text}");
        }
    }
}
