//! Sample cases that stand beside the checkout.

use crate::Result;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

/// Bytes of a block of a tar archive.
const BLOCK: usize = 512;

/// A case, unpacked.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Where its base and its logs are.
    pub folder: PathBuf,
    manifest: Value,
}

impl Case {
    /// Unpacks a case below `folder`; `None`, said loudly, where the samples are absent.
    pub fn unpack(name: &'static str, folder: &Path) -> Result<Option<Case>> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
        let shared = std::env::var_os("REEL_SHARED").map_or_else(beside, PathBuf::from);
        let packed = shared.join("data/ese/cases").join(format!("{name}.tar.zst"));
        if !packed.exists() {
            eprintln!("skipped: {name}: shared samples absent");
            return Ok(None);
        }
        let archive = zstd::Decoder::new(File::open(&packed)?)?;
        unpack(BufReader::with_capacity(1 << 20, archive), folder)?;
        // Some archives begin with the name of the case, some with what is in it.
        let inner = folder.join(name);
        let folder = if inner.is_dir() { inner } else { folder.to_owned() };
        let manifest = File::open(packed.with_file_name(format!("{name}.json")))?;
        Ok(Some(Case { name, folder, manifest: serde_json::from_reader(BufReader::new(manifest))? }))
    }

    /// A number that the case's manifest holds.
    pub fn number(&self, field: &str) -> Option<f64> {
        self.manifest[field].as_f64()
    }
}

/// Writes the regular files of a tar archive below `folder`, through to the disk: they go there now, not during a run.
fn unpack(mut archive: impl Read, folder: &Path) -> Result<()> {
    let mut header = [0; BLOCK];
    loop {
        archive.read_exact(&mut header)?;
        if header[0] == 0 {
            return Ok(());
        }
        let (name, len) = (text(&header[..100]), text(&header[124..136]));
        let len = u64::from_str_radix(len.trim(), 8)?;
        let mut content = archive.by_ref().take(len.next_multiple_of(BLOCK as u64));
        if matches!(header[156], b'0' | 0) {
            let path = Path::new(&name);
            if !path.components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(format!("{name} is no name below a folder").into());
            }
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            let mut file = File::create_new(&path)?;
            io::copy(&mut content.by_ref().take(len), &mut file)?;
            file.sync_all()?;
        }
        io::copy(&mut content, &mut io::sink())?;
    }
}

fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field.split(|byte| *byte == 0).next().unwrap_or(field)).into_owned()
}
