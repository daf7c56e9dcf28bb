//! A database file in memory that refuses to grow without bound.

use reel_formats::ese::database::DatabaseFile;
use reel_formats::ese::replay::RebuildFile;
use std::io;
use std::sync::{Arc, Mutex};

/// Most bytes of a file: more would make every input slow.
pub const MAX_LEN: usize = 8 << 20;

/// The file.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    /// All its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("nobody panicked").clone()
    }
}

fn within(end: u64) -> io::Result<usize> {
    usize::try_from(end)
        .ok()
        .filter(|end| *end <= MAX_LEN)
        .ok_or_else(|| io::Error::new(io::ErrorKind::StorageFull, "the file would be too long"))
}

impl DatabaseFile for Memory {
    fn len(&self) -> u64 {
        self.0.lock().expect("nobody panicked").len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked").read_at(offset, buffer)
    }
}

impl RebuildFile for Memory {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = within(offset.saturating_add(bytes.len() as u64))?;
        let mut file = self.0.lock().expect("nobody panicked");
        let len = file.len().max(end);
        file.resize(len, 0);
        file[end - bytes.len()..end].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = within(len)?;
        self.0.lock().expect("nobody panicked").resize(len, 0);
        Ok(())
    }
}
