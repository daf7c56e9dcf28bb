//! Versions: what an open transaction changed, as far as it must be known to take it back (reference, replay.md
//! sections 4 and 5).

use super::redo::{Before, Done};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::mem::{Discriminant, discriminant};

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

impl Version {
    /// Completes it with the line before the change.
    fn fill(&mut self, before: Before) {
        match &mut self.change {
            Change::Replace(old) => {
                *old = before.data;
                if self.key.is_empty() {
                    self.key = before.key;
                }
            }
            _ => (self.key, self.data) = (before.key, before.data),
        }
    }
}

/// Versions that an earlier replay left open, by database and number.
pub(super) type Earlier = HashMap<(usize, u32), Version>;

/// A version whose change is a step of the batch: it has its place in the list, and what was there before comes with the
/// step.
#[derive(Debug)]
struct Awaited {
    step: u32,
    /// Its place in the list.
    at: usize,
}

/// The versions of one session.
#[derive(Debug, Default)]
pub(super) struct Versions {
    list: Vec<Version>,
    /// Numbers of versions whose page change was there already, so that the data before it are not known; an UndoInfo
    /// record has to bring them.
    deferred: HashSet<u32>,
    /// Which of the list are not known yet, because their changes are still to be made.
    awaited: Vec<Awaited>,
    /// What is in the list, from the first UndoInfo record on: a long transaction has many of either.
    known: Option<HashSet<(u32, Discriminant<Change>)>>,
}

impl Versions {
    pub fn push(&mut self, version: Version) {
        if let Some(known) = &mut self.known {
            known.insert(named(&version));
        }
        self.list.push(version);
    }

    /// Gives a version its place whose key, data and earlier data, as far as they are empty, are what `step` finds.
    pub fn push_awaited(&mut self, version: Version, step: u32) {
        self.awaited.push(Awaited { step, at: self.list.len() });
        self.list.push(version);
    }

    /// Whether some are not known before the steps of the batch are done.
    pub fn awaits(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// The steps whose lines must be known as they were before.
    pub fn awaited(&self) -> impl Iterator<Item = u32> {
        self.awaited.iter().map(|awaited| awaited.step)
    }

    /// Completes what was awaited with what the steps came to. A change that the page had already is one that an earlier
    /// replay knows, or an UndoInfo record has to bring.
    pub fn complete(&mut self, mut done: impl FnMut(u32) -> Done, earlier: &Earlier) {
        let awaited = std::mem::take(&mut self.awaited);
        let Some(first) = awaited.first().map(|first| first.at) else { return };
        let mut gone = Vec::new();
        for Awaited { step, at } in awaited {
            let Some(version) = self.list.get_mut(at) else { continue };
            let done = done(step);
            match done.before.filter(|_| done.was_redone) {
                Some(before) => version.fill(before),
                None => match earlier.get(&(version.database, version.id)).filter(|v| v.fdp == version.fdp) {
                    Some(known) => *version = known.clone(),
                    None => {
                        self.deferred.insert(version.id);
                        gone.push(at);
                        continue;
                    }
                },
            }
            if let Some(known) = &mut self.known {
                known.insert(named(version));
            }
        }
        // Only what came since the first of them is touched: a long transaction has many that are known.
        if !gone.is_empty() {
            let mut gone = gone.into_iter().peekable();
            let tail = self.list.split_off(first);
            let stays = (first..).zip(tail).filter(|(at, _)| gone.next_if_eq(at).is_none());
            self.list.extend(stays.map(|(_, version)| version));
        }
    }

    pub fn defer(&mut self, id: u32) {
        self.deferred.insert(id);
    }

    /// A change whose earlier data was wanted was taken back: they are wanted no more.
    pub fn undone(&mut self, id: u32) {
        self.deferred.remove(&id);
    }

    /// Adds a version that an UndoInfo record brings, unless it is known.
    pub fn supply(&mut self, version: Version) {
        self.deferred.remove(&version.id);
        let known = self.known.get_or_insert_with(|| self.list.iter().map(named).collect());
        if known.insert(named(&version)) {
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
        let version = self.list.remove(at);
        if let Some(known) = &mut self.known {
            known.remove(&named(&version));
        }
        Some(version)
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
            self.known = None;
        }
    }

    pub fn clear(&mut self) {
        self.list.clear();
        self.awaited.clear();
        self.deferred.clear();
        self.known = None;
    }

    /// All of them, in no order that matters.
    pub fn iter(&self) -> impl Iterator<Item = &Version> {
        self.list.iter()
    }

    /// How many versions still need an UndoInfo record.
    pub fn deferred(&self) -> usize {
        self.deferred.len()
    }

    /// All versions, in the order in which they are taken back: levels from the highest, in them the newest first.
    pub fn drain_newest_first(&mut self) -> Vec<Version> {
        let mut list = std::mem::take(&mut self.list);
        self.clear();
        // Numbers wrap around, and only from one of them is there an order that holds for all, whatever a log says.
        let origin = list.last().map_or(0, |version| version.id);
        list.sort_by_key(|version| {
            (Reverse(version.level), Reverse(version.id.wrapping_sub(origin).cast_signed()))
        });
        list
    }
}

fn named(version: &Version) -> (u32, Discriminant<Change>) {
    (version.id, discriminant(&version.change))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: u32, level: u8) -> Version {
        Version { id, level, database: 0, fdp: 1, key: Vec::new(), data: Vec::new(), change: Change::Insert }
    }

    fn drained(ids: &[(u32, u8)]) -> Vec<u32> {
        let mut versions = Versions::default();
        ids.iter().for_each(|(id, level)| versions.push(version(*id, *level)));
        versions.drain_newest_first().iter().map(|version| version.id).collect()
    }

    #[test]
    fn versions_are_taken_back_from_the_highest_level_and_the_newest() {
        assert_eq!(drained(&[(1, 1), (2, 1), (3, 2), (4, 2), (5, 1)]), [4, 3, 5, 2, 1]);
        assert_eq!(
            drained(&[(u32::MAX - 1, 1), (u32::MAX, 1), (0, 1), (1, 1)]),
            [1, 0, u32::MAX, u32::MAX - 1]
        );
    }

    #[test]
    fn numbers_from_all_around_the_circle_do_not_make_it_panic() {
        let ids: Vec<_> = (0..500u32).map(|n| (n.wrapping_mul(0x5555_5555).wrapping_add(n), 1)).collect();
        assert_eq!(drained(&ids).len(), ids.len());
    }

    #[test]
    fn a_version_that_is_known_is_not_supplied_again() {
        let mut versions = Versions::default();
        versions.push(version(1, 1));
        versions.defer(2);
        versions.supply(version(1, 1));
        versions.supply(version(2, 1));
        versions.supply(version(2, 1));
        assert_eq!((versions.iter().count(), versions.deferred()), (2, 0));
        assert!(versions.take(1, 0, 1, |_| true).is_some());
        versions.supply(version(1, 1));
        assert_eq!(versions.iter().count(), 2);
    }

    #[test]
    fn what_is_awaited_keeps_its_place_and_what_was_there_already_is_deferred() {
        let mut versions = Versions::default();
        let replace = |id| Version { change: Change::Replace(Vec::new()), ..version(id, 1) };
        versions.push(version(1, 1));
        for id in 2..5 {
            versions.push_awaited(replace(id), id * 10);
            versions.push(version(id + 100, 1));
        }
        assert!(versions.awaited().eq([20, 30, 40]));
        let earlier = Earlier::from([((0, 4), version(4, 7))]);
        let before = Before { key: vec![1], data: vec![2] };
        let done = |step| Done { was_redone: step == 20, before: Some(before.clone()) };
        versions.complete(done, &earlier);
        let filled = Version { key: vec![1], change: Change::Replace(vec![2]), ..version(2, 1) };
        let expected =
            [version(1, 1), filled, version(102, 1), version(103, 1), version(4, 7), version(104, 1)];
        assert!(versions.iter().eq(&expected));
        assert_eq!((versions.deferred(), versions.awaits()), (1, false));
    }

    #[test]
    fn many_undo_infos_of_one_transaction_take_no_time() {
        let mut versions = Versions::default();
        (0..200_000).for_each(|id| versions.push(version(id, 1)));
        (0..400_000).for_each(|id| versions.supply(version(id, 1)));
        assert_eq!(versions.iter().count(), 400_000);
    }
}
