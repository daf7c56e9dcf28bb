//! Sessions: their transactions, versions and open macros (reference, replay.md section 3).

use super::version::Versions;

/// Most bytes of records that one session may hold back in open macros: far above what any change of a tree needs.
pub(super) const MAX_MACRO_BYTES: usize = 64 << 20;

/// What is known of a session of the engine that wrote the logs.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Level of its transaction; 0 outside of one.
    pub level: u8,
    /// Begin time of its outermost transaction.
    pub trx: u32,
    /// Generation of the log in which that began.
    pub began: u32,
    /// An outermost begin of it was read: from there on its changes are redone.
    pub begin_seen: bool,
    pub versions: Versions,
    /// Macros that were begun and not ended.
    pub macros: Vec<Macro>,
}

/// A change of several pages whose end was not read yet.
#[derive(Debug)]
pub(super) struct Macro {
    /// Update counter by which its records are known.
    pub dbtime: u64,
    /// Its records, put together, with their lengths.
    pub records: Vec<Vec<u8>>,
    pub bytes: usize,
}

impl Session {
    pub fn begin(&mut self, from: u8, levels: u8, trx: Option<u32>, generation: u32) {
        if from == 0 {
            self.begin_seen = true;
        }
        if self.level == 0 {
            self.trx = trx.unwrap_or(0);
            self.began = generation;
        }
        self.level = from.saturating_add(levels);
    }

    pub fn commit(&mut self, to: u8) {
        self.level = to;
        self.versions.commit_to(to);
    }

    pub fn rollback(&mut self, levels: u8) {
        for _ in 0..levels.min(self.level) {
            self.versions.forget(self.level);
            self.level -= 1;
        }
        if self.level == 0 {
            self.versions.clear();
        }
    }

    /// The open macro that records with this update counter belong to.
    pub fn open_macro(&mut self, dbtime: u64) -> Option<&mut Macro> {
        self.macros.iter_mut().find(|open| open.dbtime == dbtime)
    }

    pub fn close_macro(&mut self, dbtime: u64) -> Option<Macro> {
        let at = self.macros.iter().position(|open| open.dbtime == dbtime)?;
        Some(self.macros.swap_remove(at))
    }
}
