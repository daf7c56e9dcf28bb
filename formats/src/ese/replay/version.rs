//! Versions: what an open transaction changed, as far as it must be known to take it back (reference, replay.md
//! sections 4 and 5).

/// What was done to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The node was inserted, or its deleted flag was cleared to insert it.
    Insert,
    /// Its data were replaced; these stood there before.
    Replace(Vec<u8>),
    /// It was flagged deleted.
    FlagDelete,
    /// A number in its data was raised.
    Delta {
        /// Where in the data.
        offset: usize,
        /// How long the number is, in bytes.
        width: usize,
        /// By how much.
        amount: i64,
    },
}

/// One version of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// Its number; numbers wrap around.
    pub id: u32,
    /// Transaction level that made it.
    pub level: u8,
    /// The database, by its place among the bases.
    pub database: usize,
    /// Root of the tree.
    pub fdp: u32,
    /// The node: its key.
    pub key: Vec<u8>,
    /// Its data, which belong to its name in trees whose keys are not unique.
    pub data: Vec<u8>,
    pub change: Change,
}

/// The versions of one session.
#[derive(Debug, Default)]
pub(super) struct Versions {
    list: Vec<Version>,
    /// Numbers of versions whose page change was there already, so that the data before it are not known; an UndoInfo
    /// record has to bring them.
    deferred: Vec<u32>,
}

impl Versions {
    pub fn push(&mut self, version: Version) {
        self.list.push(version);
    }

    pub fn defer(&mut self, id: u32) {
        self.deferred.push(id);
    }

    /// Adds a version that an UndoInfo record brings, unless it is known.
    pub fn supply(&mut self, version: Version) {
        self.deferred.retain(|id| *id != version.id);
        let known = self.list.iter().any(|v| {
            v.id == version.id && std::mem::discriminant(&v.change) == std::mem::discriminant(&version.change)
        });
        if !known {
            self.list.push(version);
        }
    }

    /// Takes out the version with this number and kind of change.
    pub fn take(
        &mut self,
        id: u32,
        database: usize,
        fdp: u32,
        wanted: impl Fn(&Change) -> bool,
    ) -> Option<Version> {
        let at = self
            .list
            .iter()
            .rposition(|v| v.id == id && v.database == database && v.fdp == fdp && wanted(&v.change))?;
        Some(self.list.remove(at))
    }

    /// Ends the levels above `level`: their versions are its own now; none are left below level 1.
    pub fn commit_to(&mut self, level: u8) {
        if level == 0 {
            self.clear();
        } else {
            for version in &mut self.list {
                version.level = version.level.min(level);
            }
        }
    }

    /// Forgets the versions of `level`, whose changes were taken back.
    pub fn forget(&mut self, level: u8) {
        if level <= 1 {
            self.clear();
        } else {
            self.list.retain(|v| v.level < level);
        }
    }

    pub fn clear(&mut self) {
        self.list.clear();
        self.deferred.clear();
    }

    /// All of them, in no order that matters.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        self.list.iter()
    }

    pub fn deferred(&self) -> &[u32] {
        &self.deferred
    }

    /// All versions, in the order in which they are taken back: levels from the highest, in them the newest first.
    pub fn drain_newest_first(&mut self) -> Vec<Version> {
        let mut list = std::mem::take(&mut self.list);
        list.sort_by(|a, b| {
            b.level.cmp(&a.level).then_with(|| (a.id.wrapping_sub(b.id) as i32).cmp(&0).reverse())
        });
        list
    }
}
