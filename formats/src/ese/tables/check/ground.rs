//! The ground that a tree stands on: its extents, those of the trees below it, and what of it is available.

use super::finding::Kind;
use crate::ese::tables::space::{Extent, Pool, Space};

/// Extents of one tree, sorted, with those that touch made one.
#[derive(Debug, Default)]
pub struct Ground {
    owned: Vec<Extent>,
    available: Vec<Extent>,
}

impl Ground {
    pub fn of(space: &Space) -> Self {
        // Shelved pages are behind the file's end, and no part of what is there to be owned.
        let available = space.available.iter().filter(|(pool, _)| *pool != Pool::Shelved);
        Self {
            owned: merged(space.owned.clone()),
            available: merged(available.map(|(_, extent)| *extent).collect()),
        }
    }

    /// Why a tree on this ground may not use a page.
    pub fn objects_to(&self, pgno: u32) -> Option<(Kind, &'static str)> {
        let page = Extent { first: pgno, last: pgno };
        if !covers(&self.owned, page) {
            Some((Kind::NotOwned, "in use, and in none of the tree's extents"))
        } else if covers(&self.available, page) {
            Some((Kind::UsedAndAvailable, "in use, and among the tree's available pages"))
        } else {
            None
        }
    }

    /// Whether all of the extent is owned.
    pub fn owns(&self, extent: Extent) -> bool {
        covers(&self.owned, extent)
    }

    /// A part of the extent that is available.
    pub fn offers(&self, extent: Extent) -> Option<Extent> {
        overlap(&self.available, extent)
    }

    /// The last page that is owned.
    pub fn end(&self) -> u32 {
        self.owned.last().map_or(0, |extent| extent.last)
    }
}

/// The first two of the extents that share pages.
pub fn twice(extents: impl IntoIterator<Item = Extent>) -> Option<Extent> {
    let mut sorted: Vec<Extent> = extents.into_iter().collect();
    sorted.sort_unstable();
    let shared = |[one, two]: &[Extent; 2]| {
        (two.first <= one.last).then(|| Extent { first: two.first, last: one.last.min(two.last) })
    };
    // Of sorted extents that share pages at all, two beside each other do.
    sorted.array_windows().find_map(shared)
}

fn merged(mut extents: Vec<Extent>) -> Vec<Extent> {
    extents.sort_unstable();
    extents.dedup_by(|next, kept| {
        let touches = next.first <= kept.last.saturating_add(1);
        if touches {
            kept.last = kept.last.max(next.last);
        }
        touches
    });
    extents
}

/// Whether one of the extents, sorted and apart, holds all of `extent`.
fn covers(extents: &[Extent], extent: Extent) -> bool {
    let at = extents.partition_point(|other| other.first <= extent.first);
    at.checked_sub(1).and_then(|at| extents.get(at)).is_some_and(|other| other.contains(extent))
}

/// What `extent` shares with the first of the extents, sorted and apart, with which it shares anything.
fn overlap(extents: &[Extent], extent: Extent) -> Option<Extent> {
    let at = extents.partition_point(|other| other.last < extent.first);
    let other = extents.get(at).filter(|other| other.first <= extent.last)?;
    Some(Extent { first: other.first.max(extent.first), last: other.last.min(extent.last) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(first: u32, last: u32) -> Extent {
        Extent { first, last }
    }

    #[test]
    fn extents_that_touch_are_one_piece_of_ground() {
        let ground = Ground {
            owned: merged(vec![extent(20, 29), extent(1, 4), extent(5, 9)]),
            available: merged(vec![extent(8, 9)]),
        };
        assert!(ground.owns(extent(3, 7)) && !ground.owns(extent(9, 10)) && ground.end() == 29);
        assert_eq!(ground.objects_to(7), None);
        assert_eq!(ground.objects_to(8).map(|found| found.0), Some(Kind::UsedAndAvailable));
        assert_eq!(ground.objects_to(10).map(|found| found.0), Some(Kind::NotOwned));
        assert_eq!(ground.offers(extent(5, 25)), Some(extent(8, 9)));
        assert_eq!(ground.offers(extent(20, 25)), None);
    }

    #[test]
    fn pages_in_two_extents_are_found() {
        assert_eq!(twice([extent(5, 9), extent(1, 4)]), None);
        assert_eq!(twice([extent(5, 9), extent(1, 5)]), Some(extent(5, 5)));
        assert_eq!(twice([extent(1, 20), extent(2, 3), extent(9, 9)]), Some(extent(2, 3)));
    }
}
