//! Who owns what: extents inside those of the tree that they come from, nothing owned or offered twice.

use super::finding::Kind;
use super::ground::{self, Ground};
use super::{Checker, Role, Subject};
use crate::ese::database::DatabaseFile;
use crate::ese::tables::space::{Extent, Pool, Space, SpaceHeader};
use std::collections::{BTreeMap, HashSet};

impl<F: DatabaseFile> Checker<'_, F> {
    /// Reads the space of all subjects and holds the extents against each other.
    pub(super) fn spaces(&mut self, subjects: &mut [Subject]) {
        // Roots of trees, and of trees of extents: none is read for two subjects.
        let mut taken = HashSet::new();
        for subject in subjects.iter_mut() {
            let Ok(page) = self.database.page(subject.root) else {
                // That is told of when the tree is walked.
                continue;
            };
            let read = SpaceHeader::of_root(page.view(), subject.root).and_then(|header| {
                let roots = [Some(subject.root), header.extents_root()];
                let free = roots.into_iter().flatten().all(|root| taken.insert(root));
                free.then(|| Space::read(self.database, (subject.root, subject.objid))).transpose()
            });
            match read {
                Ok(Some(space)) => {
                    for error in &space.malformed {
                        self.say(Kind::UnreadableSpace, None, Some(subject), error.to_string());
                    }
                    subject.ground = space.is_whole().then(|| Ground::of(&space));
                    subject.space = Some(space);
                }
                Ok(None) => {
                    let what = "its extents are written down where another tree has its own";
                    self.say(Kind::UsedTwice, Some(subject.root), Some(subject), what.into());
                }
                Err(error) => {
                    self.say(Kind::UnreadableSpace, Some(subject.root), Some(subject), error.to_string());
                }
            }
        }
        for subject in subjects.iter() {
            self.own_extents(subject, subject.parent.and_then(|place| subjects.get(place)));
        }
        self.siblings(subjects);
    }

    fn own_extents(&mut self, subject: &Subject, parent: Option<&Subject>) {
        let (Some(space), Some(ground)) = (&subject.space, &subject.ground) else { return };
        if let Some(extent) = ground::twice(space.owned.iter().copied()) {
            self.extent(Kind::OwnedTwice, subject, extent, "owned twice by the tree");
        }
        let there = space.available.iter().filter(|(pool, _)| *pool != Pool::Shelved);
        let there: Vec<Extent> = there.map(|(_, extent)| *extent).collect();
        if let Some(extent) = ground::twice(there.iter().copied()) {
            self.extent(Kind::AvailableNotOwned, subject, extent, "available twice");
        }
        if let Some(extent) = there.iter().find(|extent| !ground.owns(**extent)) {
            self.extent(Kind::AvailableNotOwned, subject, *extent, "available, and not owned by the tree");
        }
        let Some(parent) = parent else {
            let last = self.database.last_page_in_file();
            if ground.end() > last {
                let what =
                    format!("the database owns pages up to {}, the file ends with {last}", ground.end());
                self.say(Kind::OutsideParent, None, Some(subject), what);
            }
            return;
        };
        if space.header.parent != parent.root {
            let what = format!("root {} as the parent, expected {}", space.header.parent, parent.root);
            self.say(Kind::OutsideParent, Some(subject.root), Some(subject), what);
        }
        let Some(above) = &parent.ground else { return };
        if let Some(extent) = space.owned.iter().find(|extent| !above.owns(**extent)) {
            self.extent(Kind::OutsideParent, subject, *extent, "owned by the tree, and not by its parent");
        }
        if let Some(extent) = space.owned.iter().find_map(|extent| above.offers(*extent)) {
            self.extent(
                Kind::UsedAndAvailable,
                subject,
                extent,
                "owned by the tree, and available in its parent",
            );
        }
    }

    /// Trees of one parent own nothing together.
    fn siblings(&mut self, subjects: &[Subject]) {
        let mut by_parent: BTreeMap<usize, Vec<(Extent, usize)>> = BTreeMap::new();
        for (place, subject) in subjects.iter().enumerate() {
            if let (Some(parent), Some(space)) = (subject.parent, &subject.space) {
                by_parent
                    .entry(parent)
                    .or_default()
                    .extend(space.owned.iter().map(|extent| (*extent, place)));
            }
        }
        for mut extents in by_parent.into_values() {
            extents.sort_unstable();
            for [(one, owner), (two, other)] in extents.array_windows() {
                // That a tree owns a page twice itself was said before.
                if two.first > one.last || owner == other {
                    continue;
                }
                let (Some(owner), Some(other)) = (subjects.get(*owner), subjects.get(*other)) else {
                    continue;
                };
                let shared = Extent { first: two.first, last: one.last.min(two.last) };
                let what = format!("owned by the tree, and by {}", owner.name);
                self.extent(Kind::OwnedTwice, other, shared, &what);
            }
        }
    }

    /// Tells of pages that a tree owns and neither uses nor offers: it uses `used` itself, trees below it own `below`.
    pub(super) fn leaked(&mut self, subject: &Subject, used: u64, below: u64) {
        let (Some(space), Some(_)) = (&subject.space, &subject.ground) else { return };
        let reserved: u64 = space.reserved.iter().map(|extent| extent.pages()).sum();
        let known = space.available_pages() + below + reserved + used;
        let leaked = space.owned_pages().saturating_sub(known);
        if leaked > 0 && subject.role != Role::Extents {
            let what = format!("{leaked} of {} pages are neither in use nor available", space.owned_pages());
            self.say(Kind::Leaked, None, Some(subject), what);
        }
    }

    fn extent(&mut self, kind: Kind, subject: &Subject, extent: Extent, what: &str) {
        let Extent { first, last } = extent;
        let what = if first == last { what.to_owned() } else { format!("pages {first} to {last}: {what}") };
        self.say(kind, Some(first), Some(subject), what);
    }
}
