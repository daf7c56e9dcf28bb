//! What is this file or volume? Labels and values for a person to read.

use crate::error::{Error, Result};
use crate::pool::{Pool, shelf};
use reel_formats::{Kind, recognise};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Describes a file, an image or a pool.
pub fn describe(path: &Path) -> Result<Vec<(String, String)>> {
    let object = || path.display().to_string();
    let metadata = std::fs::metadata(path)
        .map_err(|e| Error::io(object(), "cannot look at it", e).argument_if_missing())?;
    if metadata.is_dir() {
        return describe_pool(path);
    }
    let mut head = Vec::new();
    let file = File::open(path).map_err(|e| Error::io(object(), "cannot open", e))?;
    file.take(128 << 10).read_to_end(&mut head).map_err(|e| Error::io(object(), "cannot read", e))?;
    let mut lines = vec![("bytes".to_owned(), metadata.len().to_string())];
    let mut say = |label: &str, value: String| lines.push((label.to_owned(), value));
    match recognise(&head, Some(metadata.len())) {
        Kind::EseDatabase(header) => {
            say("type", "ESE database".into());
            say("page size", header.page_size.to_string());
            say("pages", (metadata.len() / u64::from(header.page_size)).saturating_sub(2).to_string());
            say("format", format!("{:#x},{}", header.version, header.update_major));
            say("state", header.state.to_string());
            let good = |good| if good { "good" } else { "bad" };
            say("header", good(header.primary_good).into());
            say("shadow header", good(header.shadow_good).into());
        }
        Kind::EseLog { generation, sector_size, file_size_expected, major, minor, update_major, .. } => {
            say("type", "ESE transaction log".into());
            say("generation", format!("{generation} ({generation:#x})"));
            say("format", format!("{major}.{minor}.{update_major}"));
            say("sector size", sector_size.to_string());
            say("expected bytes", file_size_expected.to_string());
        }
        Kind::EseCheckpoint { checkpoint } => {
            say("type", "ESE checkpoint".into());
            say("checkpoint", checkpoint.to_string());
        }
        Kind::EseFlushMap => say("type", "ESE flush map".into()),
        Kind::Sqlite { page_size } => {
            say("type", "SQLite database".into());
            say("page size", page_size.to_string());
        }
        Kind::SqliteWal { page_size } => {
            say("type", "SQLite write-ahead log".into());
            say("page size", page_size.to_string());
        }
        Kind::Unknown => match describe_pool(path) {
            Ok(pool) => lines.extend(pool),
            Err(_) => say("type", "not recognised: backed up in content-defined chunks".into()),
        },
    }
    Ok(lines)
}

fn describe_pool(path: &Path) -> Result<Vec<(String, String)>> {
    let pool = Pool::open_shelf(
        shelf::shelf(path)?,
        crate::pool::default_cache().as_deref(),
        crate::pool::Catalogs::Cached,
    )?;
    let mut lines = vec![
        ("type".to_owned(), "Reelmover pool".to_owned()),
        ("pool".to_owned(), pool.name.clone()),
        ("pool uuid".to_owned(), pool.uuid.to_string()),
    ];
    for volume in &pool.volumes {
        let label = &volume.label;
        let damaged = if volume.label_damaged { ", its label is damaged" } else { "" };
        lines.push((
            "volume".to_owned(),
            format!(
                "{} ({}, number {}, blocks of {} bytes, {}{damaged})",
                volume.name, label.barcode, label.sequence, label.block_size, label.volume
            ),
        ));
    }
    let complete = pool.sets().filter(|c| c.info.status.is_complete()).count();
    lines.push(("sets".to_owned(), format!("{} ({complete} complete)", pool.sets().count())));
    Ok(lines)
}
