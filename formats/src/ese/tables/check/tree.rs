//! One tree: every page by itself and in its place, and the links between its leaves.

use super::finding::Kind;
use super::ground::Ground;
use super::{Checker, Role, Subject, page};
use crate::error::Error;
use crate::ese::database::DatabaseFile;
use crate::ese::integrity::FIRST_MARK;
use crate::ese::tables::tree::{Tree, Visit};
use std::collections::HashSet;

const JET_DATABASE_CORRUPTED: i32 = -1206;

/// What a walk over a tree came to.
#[derive(Debug, Default)]
pub struct Walked {
    /// Pages of it.
    pub pages: u64,
    /// Nothing of it is lost, and all keys are where they are looked for.
    pub whole: bool,
}

/// What the walk wants to know of the leaf before.
struct Leaf {
    pgno: u32,
    next: u32,
}

impl<F: DatabaseFile> Checker<'_, F> {
    /// Walks over the tree below `root`, which is the subject's own or one of its trees of extents.
    /// Its pages must lie on the subject's `ground`, where that is known.
    pub(super) fn walk(
        &mut self,
        subject: &Subject,
        (root, role): (u32, Role),
        non_unique: bool,
        ground: Option<&Ground>,
    ) -> Walked {
        let mut walked = Walked { pages: 0, whole: true };
        // Pages that were found broken: that lines of them cannot be read is no news.
        let mut broken = HashSet::new();
        // The leaf before, if it is known which page that is.
        let mut left: Option<Leaf> = None;
        let mut left_is_known = true;
        for visit in Tree::new(self.database, root, subject.objid).walk() {
            if self.is_stopped() {
                return Walked::default();
            }
            let page = match visit {
                Visit::Lost(lost) => {
                    if !broken.contains(&lost.pgno) {
                        self.unusable(&lost.error, lost.pgno, Some(subject));
                    }
                    walked.whole = false;
                    left_is_known = false;
                    continue;
                }
                Visit::Page(page) => page,
            };
            let (pgno, view) = (page.page.pgno(), page.page.view());
            if !self.used.add(pgno) {
                self.say(Kind::UsedTwice, Some(pgno), Some(subject), "another tree has this page too".into());
                // Whatever is below it was seen there.
                walked.whole = false;
                return walked;
            }
            walked.pages += 1;
            self.seen += 1;
            self.progress();
            if let Some((kind, what)) = ground.and_then(|ground| ground.objects_to(pgno)) {
                self.say(kind, Some(pgno), Some(subject), what.into());
            }
            if view.dbtime() < FIRST_MARK {
                self.latest = self.latest.max((view.dbtime(), pgno));
            }
            let flags = view.flags();
            if !role.fits(flags) || flags.is_non_unique() != non_unique {
                let what = format!("flags {:#x} of a page of {role}", flags.0);
                self.say(Kind::WrongPage, Some(pgno), Some(subject), what);
            }
            for (kind, what) in page::check(&page) {
                self.say(kind, Some(pgno), Some(subject), what);
                walked.whole = false;
                broken.insert(pgno);
            }
            if page.is_leaf() {
                let (previous, next) = (view.previous(), view.next());
                self.links(subject, left.as_ref(), left_is_known, pgno, previous);
                (left, left_is_known) = (Some(Leaf { pgno, next }), true);
            }
        }
        if let Some(last) = left.filter(|last| left_is_known && last.next != 0) {
            let what = format!("the last leaf names page {} as the next", last.next);
            self.say(Kind::SiblingLink, Some(last.pgno), Some(subject), what);
        }
        walked
    }

    /// Holds the links between a leaf and the one before it against their places in the tree.
    fn links(
        &mut self,
        subject: &Subject,
        left: Option<&Leaf>,
        left_is_known: bool,
        pgno: u32,
        previous: u32,
    ) {
        if !left_is_known {
            return;
        }
        let expected = left.map_or(0, |left| left.pgno);
        if previous != expected {
            let what = format!("previous page {previous}, expected {expected}");
            self.say(Kind::SiblingLink, Some(pgno), Some(subject), what);
        }
        if let Some(left) = left.filter(|left| left.next != pgno) {
            let what = format!("next page {}, expected {pgno}", left.next);
            self.say(Kind::SiblingLink, Some(left.pgno), Some(subject), what);
        }
    }

    /// A page that cannot be used.
    pub(super) fn unusable(&mut self, error: &Error, pgno: u32, subject: Option<&Subject>) {
        let kind = match error.jet() {
            Some(JET_DATABASE_CORRUPTED) => Kind::WrongPage,
            _ => Kind::UnreadablePage,
        };
        let jet = error.jet().or(kind.jet());
        self.say_with(kind, Some(pgno), subject.map(|subject| subject.name.as_str()), jet, error.to_string());
    }
}
