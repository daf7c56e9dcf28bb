//! Where the objects of a volume's image stand, kept in the cache of its pool: to open an image again costs a walk over all its
//! words otherwise, each of which waits for the disk. What is kept is checked against the image, and only ever a cache.

use super::catalog::make_folder;
use reel_tape::medium::Medium;
use reel_tape::volume::probe;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// The walks over the volumes of one pool that are known.
#[derive(Clone, Default)]
pub(super) struct Walks(Option<PathBuf>);

impl Walks {
    /// Those in the folder of a pool's cache; without one nothing is known and nothing kept.
    pub fn of(folder: Option<PathBuf>) -> Self {
        Walks(folder)
    }

    /// What is known of a volume.
    pub fn load(&self, volume: Uuid) -> Option<Vec<u8>> {
        fs::read(path(self.0.as_deref()?, volume)).ok()
    }

    /// Keeps what a medium has walked over, if that can be told. A cache that cannot be written is made again by the next
    /// who opens the pool.
    pub fn keep(&self, volume: Uuid, medium: &dyn Medium) {
        let Some(folder) = &self.0 else { return };
        if let Ok(Some(walked)) = medium.walked()
            && self.load(volume).is_none_or(|known| known != walked)
        {
            let _ = write(folder, volume, &walked);
        }
    }

    /// Lets a medium know what is known of its volume.
    pub fn recall(&self, volume: Uuid, medium: &mut dyn Medium) -> reel_tape::error::Result<()> {
        if let Some(known) = self.load(volume) {
            medium.recall(&known, &probe)?;
        }
        Ok(())
    }
}

fn path(folder: &Path, volume: Uuid) -> PathBuf {
    folder.join(format!("volume-{volume}.walk"))
}

fn write(folder: &Path, volume: Uuid, walked: &[u8]) -> std::io::Result<()> {
    make_folder(folder)?;
    let mut file = tempfile::Builder::new().prefix("volume-").suffix(".new").tempfile_in(folder)?;
    file.write_all(walked)?;
    file.persist(path(folder, volume))?;
    Ok(())
}
