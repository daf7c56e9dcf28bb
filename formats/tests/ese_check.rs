//! The check of a database's structure: each damage done to a copy, its checksums made right again, is the one that is
//! found.

mod samples;

use reel_formats::ese::database::Database;
use reel_formats::ese::page::{Page, checksum};
use reel_formats::ese::tables::check::{Finding, Kind, Report, Severity, check};
use reel_formats::ese::tables::space::{Extent, Kept, Space, SpaceHeader};
use reel_formats::ese::tables::tree::Visit;
use reel_formats::ese::tables::{Catalog, Table, Tree};
use std::path::Path;

fn checked(file: &[u8]) -> Report {
    let database = Database::open(file).expect("a good header");
    check(&database, &mut |_| true).expect("nobody stops it")
}

/// The findings that are not mere information.
fn wrong(report: &Report) -> Vec<&Finding> {
    report.findings.listed.iter().filter(|finding| finding.severity != Severity::Information).collect()
}

fn kinds(report: &Report) -> Vec<(Kind, Option<u32>)> {
    wrong(report).iter().map(|finding| (finding.kind, finding.page)).collect()
}

/// The databases of a case, by their names inside it.
fn databases(archive: &Path) -> Vec<(String, Vec<u8>)> {
    let archive = samples::read(archive);
    let files = samples::tar_files(&archive);
    let databases =
        files.into_iter().filter(|(name, _)| Path::new(name).extension().is_some_and(|e| e == "edb"));
    databases.map(|(name, file)| (name, file.to_vec())).collect()
}

/// A copy of a database to be damaged.
struct Copy {
    bytes: Vec<u8>,
    page_size: usize,
}

impl Copy {
    fn page(&self, pgno: u32) -> Page<'_> {
        let at = (pgno as usize + 1) * self.page_size;
        Page::new(&self.bytes[at..at + self.page_size], pgno).expect("a page size")
    }

    /// Changes a page and makes its checksum right.
    fn change(&mut self, pgno: u32, change: impl FnOnce(&mut [u8])) {
        let at = (pgno as usize + 1) * self.page_size;
        let page = &mut self.bytes[at..at + self.page_size];
        change(page);
        checksum::store(page, pgno).expect("a page size");
    }

    /// Where the tag of a line stands in its page.
    fn tag(&self, pgno: u32, line: usize) -> usize {
        self.page_size - 4 * (line + self.page(pgno).reserved_tag_count() + 1)
    }

    /// Flags a node deleted.
    fn delete(&mut self, pgno: u32, line: usize) {
        let at = if self.page_size > 8192 {
            let spans: Result<Vec<_>, _> = self.page(pgno).spans().collect();
            spans.expect("a good page")[line + self.page(pgno).reserved_tag_count()].start + 1
        } else {
            self.tag(pgno, line) + 3
        };
        self.change(pgno, |page| page[at] |= 2 << 5);
    }

    /// Changes the number of pages of the extent on a line of a tree of extents.
    fn resize(&mut self, pgno: u32, line: usize, pages: u32) {
        let spans: Result<Vec<_>, _> = self.page(pgno).spans().collect();
        let end = spans.expect("a good page")[line + self.page(pgno).reserved_tag_count()].end;
        self.change(pgno, |page| page[end - 4..end].copy_from_slice(&pages.to_le_bytes()));
    }

    fn with<T>(&self, ask: impl FnOnce(&Database<&[u8]>, &Catalog) -> T) -> T {
        let database = Database::open(&self.bytes[..]).expect("a good header");
        let catalog = Catalog::read(&database);
        ask(&database, &catalog)
    }

    /// The leaves of a tree, in order.
    fn leaves(&self, (root, objid): (u32, u32)) -> Vec<u32> {
        self.with(|database, _| {
            let visits = Tree::new(database, root, objid).walk();
            let leaf = |visit| match visit {
                Visit::Page(page) if page.is_leaf() => Some(page.page.pgno()),
                _ => None,
            };
            visits.filter_map(leaf).collect()
        })
    }

    fn table(&self, name: &str) -> Table {
        self.with(|_, catalog| catalog.table(name).expect("a table of the case").clone())
    }
}

/// Does something to a copy of the recovered database of each of some cases.
fn for_copies(test: &str, cases: &[&str], mut damage: impl FnMut(&str, Copy)) {
    let Some(folder) = samples::path(test, "data/ese/cases") else { return };
    for case in cases {
        let found = databases(&folder.join(format!("{case}.tar.zst")));
        let (_, bytes) =
            found.into_iter().find(|(name, _)| name.contains("/expected/")).expect("a recovered database");
        let page_size = Database::open(&bytes[..]).expect("a good header").page_size() as usize;
        damage(case, Copy { bytes, page_size });
    }
}

/// Cases of all page sizes with trees of several pages.
const CASES: [&str; 4] =
    ["crash-stream-4k", "update-delete-merge-8k", "secondary-indexes-8k", "crash-stream-32k"];

#[test]
fn a_bad_copy_of_the_header_is_found() {
    for_copies("a_bad_copy_of_the_header_is_found", &CASES, |case, mut copy| {
        copy.bytes[700] ^= 1;
        assert_eq!(kinds(&checked(&copy.bytes)), [(Kind::HeaderCopy, None)], "{case}");
    });
}

#[test]
fn a_page_that_fails_its_checksum_is_found_and_nothing_besides() {
    for_copies("a_page_that_fails_its_checksum_is_found_and_nothing_besides", &CASES, |case, original| {
        let table = original.table("t1");
        for root in [(table.root, table.objid), (4, 2)] {
            let leaves = original.leaves(root);
            let victim = leaves[leaves.len() / 2];
            let mut copy = Copy { bytes: original.bytes.clone(), ..original };
            copy.bytes[(victim as usize + 1) * copy.page_size + 200] ^= 0x11;
            let report = checked(&copy.bytes);
            assert_eq!(kinds(&report), [(Kind::UnreadablePage, Some(victim))], "{case}");
            assert_eq!(wrong(&report)[0].jet, Some(-1018), "{case}");
        }
    });
}

#[test]
fn one_flipped_bit_is_a_warning() {
    for_copies("one_flipped_bit_is_a_warning", &CASES, |case, mut copy| {
        let table = copy.table("t1");
        let victim = copy.leaves((table.root, table.objid))[1];
        copy.bytes[(victim as usize + 1) * copy.page_size + 200] ^= 0x10;
        let report = checked(&copy.bytes);
        assert_eq!(kinds(&report), [(Kind::CorrectablePage, Some(victim))], "{case}");
        assert_eq!(report.findings.errors, 0, "{case}");
    });
}

#[test]
fn a_link_to_a_wrong_neighbour_is_found() {
    for_copies("a_link_to_a_wrong_neighbour_is_found", &CASES, |case, mut copy| {
        let table = copy.table("t1");
        let leaves = copy.leaves((table.root, table.objid));
        copy.change(leaves[1], |page| page[20..24].copy_from_slice(&leaves[0].to_le_bytes()));
        assert_eq!(kinds(&checked(&copy.bytes)), [(Kind::SiblingLink, Some(leaves[1]))], "{case}");
        copy.change(leaves[1], |page| page[20..24].copy_from_slice(&leaves[2].to_le_bytes()));
        copy.change(leaves[2], |page| page[16..20].fill(0));
        assert_eq!(kinds(&checked(&copy.bytes)), [(Kind::SiblingLink, Some(leaves[2]))], "{case}");
    });
}

#[test]
fn keys_out_of_order_are_found() {
    for_copies("keys_out_of_order_are_found", &CASES, |case, mut copy| {
        let table = copy.table("t1");
        let leaves = copy.leaves((table.root, table.objid));
        let leaf = leaves.into_iter().find(|leaf| copy.page(*leaf).line_count() > 3).expect("a full leaf");
        let (one, two) = (copy.tag(leaf, 1), copy.tag(leaf, 2));
        copy.change(leaf, |page| {
            let tag: [u8; 4] = page[one..one + 4].try_into().expect("four bytes");
            page.copy_within(two..two + 4, one);
            page[two..two + 4].copy_from_slice(&tag);
        });
        let report = checked(&copy.bytes);
        assert_eq!(kinds(&report), [(Kind::KeyOrder, Some(leaf))], "{case}: {:?}", wrong(&report));
    });
}

#[test]
fn a_separator_that_is_wrong_is_found_at_the_keys_that_it_hides() {
    let name = "a_separator_that_is_wrong_is_found_at_the_keys_that_it_hides";
    for_copies(
        name,
        &["update-delete-merge-8k", "secondary-indexes-8k", "crash-stream-32k"],
        |case, mut copy| {
            let table = copy.table("t1");
            let (root, leaf) = (table.root, copy.leaves((table.root, table.objid))[0]);
            assert!(
                copy.page(root).line_count() > 1 && copy.page(root).flags().is_parent_of_leaf(),
                "{case}"
            );
            let spans: Result<Vec<_>, _> = copy.page(root).spans().collect();
            let span = spans.expect("a good page")[copy.page(root).reserved_tag_count()].clone();
            // All of the first key, which the child's number follows.
            copy.change(root, |page| page[span.start + 2..span.end - 4].fill(1));
            let found = kinds(&checked(&copy.bytes));
            assert_eq!(found, [(Kind::ParentKey, Some(leaf))], "{case}");
        },
    );
}

#[test]
fn free_space_that_does_not_add_up_is_found() {
    for_copies("free_space_that_does_not_add_up_is_found", &CASES, |case, mut copy| {
        let table = copy.table("t1");
        let leaf = copy.leaves((table.root, table.objid))[1];
        copy.change(leaf, |page| page[28] ^= 1);
        assert_eq!(kinds(&checked(&copy.bytes)), [(Kind::PageLayout, Some(leaf))], "{case}");
        copy.change(leaf, |page| page[28] ^= 1);
        let (one, two) = (copy.tag(leaf, 1), copy.tag(leaf, 2));
        copy.change(leaf, |page| page.copy_within(two..two + 4, one));
        let found = kinds(&checked(&copy.bytes));
        assert_eq!(found[0], (Kind::PageLayout, Some(leaf)), "{case}: {found:?}");
    });
}

#[test]
fn a_page_of_another_tree_in_its_place_is_found() {
    for_copies("a_page_of_another_tree_in_its_place_is_found", &CASES, |case, mut copy| {
        let table = copy.table("t1");
        let leaf = copy.leaves((table.root, table.objid))[1];
        let other = copy.leaves((4, 2))[0];
        let at = |pgno: u32| (pgno as usize + 1) * copy.page_size;
        let bytes = copy.bytes[at(other)..at(other) + copy.page_size].to_vec();
        copy.change(leaf, |page| page.copy_from_slice(&bytes));
        let report = checked(&copy.bytes);
        assert_eq!(kinds(&report), [(Kind::WrongPage, Some(leaf))], "{case}");
        assert_eq!(wrong(&report)[0].tree.as_deref(), Some("t1"), "{case}");
    });
}

#[test]
fn a_row_that_is_gone_leaves_entries_of_indexes_behind() {
    let cases = ["secondary-indexes-8k", "crash-stream-32k"];
    for_copies("a_row_that_is_gone_leaves_entries_of_indexes_behind", &cases, |case, mut copy| {
        let table = copy.table("t1");
        let leaf = copy.leaves((table.root, table.objid))[1];
        let line = copy.page(leaf).nodes().position(|node| !node.expect("a node").is_deleted());
        copy.delete(leaf, line.expect("a row"));
        let found = kinds(&checked(&copy.bytes));
        assert!(
            !found.is_empty() && found.iter().all(|(kind, _)| *kind == Kind::IndexEntry),
            "{case}: {found:?}"
        );
    });
}

#[test]
fn a_chunk_or_a_root_of_a_long_value_that_is_gone_is_found() {
    let cases = ["longvalues-8k", "lv-escrow64-8k", "crash-stream-32k"];
    for_copies("a_chunk_or_a_root_of_a_long_value_that_is_gone_is_found", &cases, |case, original| {
        let values = original.with(|database, catalog| {
            let entries =
                catalog.tables.iter().filter_map(|table| table.long_values).flat_map(|values| {
                    values.tree(database).entries().map(|entry| entry.expect("a good tree"))
                });
            let live = entries.filter(|entry| !entry.node().is_deleted());
            live.map(|entry| (entry.pgno(), entry.line(), entry.node().key().len())).collect::<Vec<_>>()
        });
        let root_len = values[0].2;
        let sample: Vec<_> = values.iter().step_by(values.len().div_ceil(60)).collect();
        let mut seen = Vec::new();
        for (pgno, line, _) in &sample {
            let mut copy = Copy { bytes: original.bytes.clone(), ..original };
            copy.delete(*pgno, *line);
            let found = kinds(&checked(&copy.bytes));
            let of_values = |found: &Kind| matches!(found, Kind::LongValue | Kind::LongValueMissing);
            assert!(found.iter().all(|(found, _)| of_values(found)), "{case}: {found:?}");
            seen.extend(found);
        }
        assert!(sample.iter().any(|value| value.2 > root_len), "{case}: chunks are among them");
        for kind in [Kind::LongValue, Kind::LongValueMissing] {
            assert!(seen.iter().any(|(found, _)| *found == kind), "{case}: {seen:?}");
        }
    });
}

/// An extent of a tree of extents: the page and line it stands on.
struct Placed {
    pgno: u32,
    line: usize,
    extent: Extent,
}

/// The extents of the tree with this root, as they stand in it.
fn placed(copy: &Copy, tree: (u32, u32)) -> Vec<Placed> {
    copy.with(|database, _| {
        let entries = Tree::new(database, tree.0, tree.1).entries().map(|entry| entry.expect("a good tree"));
        let placed = entries.filter_map(|entry| {
            let (_, extent) = reel_formats::ese::tables::space::extent_of(&entry.node())?;
            Some(Placed { pgno: entry.pgno(), line: entry.line(), extent: extent? })
        });
        placed.collect()
    })
}

/// Roots of the trees of owned and available extents of a table.
fn extents(copy: &Copy, table: &Table) -> Option<(u32, u32)> {
    let header = SpaceHeader::of_root(copy.page(table.root), table.root).expect("a space header");
    match header.kept {
        Kept::Trees(owned) => Some((owned, owned + 1)),
        Kept::Bits(_) => None,
    }
}

#[test]
fn pages_that_two_tables_own_are_found() {
    let mut tried = 0;
    for_copies("pages_that_two_tables_own_are_found", &CASES, |case, mut copy| {
        let tables = copy.with(|_, catalog| catalog.tables.clone());
        let owned: Vec<(u32, Vec<Placed>)> = tables
            .iter()
            .filter_map(|table| Some((table.objid, placed(&copy, (extents(&copy, table)?.0, table.objid)))))
            .collect();
        // An extent right behind one of another table is made one page longer.
        let behind = |place: &Placed, objid: u32| {
            owned.iter().any(|(other, places)| {
                *other != objid && places.iter().any(|one| one.extent.last + 1 == place.extent.first)
            })
        };
        let victim =
            owned.iter().find_map(|(objid, places)| places.iter().find(|place| behind(place, *objid)));
        let Some(Placed { pgno, line, extent }) = victim else { return };
        copy.resize(*pgno, *line, extent.pages() as u32 + 1);
        let found = kinds(&checked(&copy.bytes));
        assert_eq!(found, [(Kind::OwnedTwice, Some(extent.first - 1))], "{case}");
        tried += 1;
        // One page shorter, it lacks its first page, which may be in use.
        copy.resize(*pgno, *line, extent.pages() as u32 - 1);
        let found = kinds(&checked(&copy.bytes));
        let of_first = |(kind, page): &(Kind, Option<u32>)| {
            *page == Some(extent.first) && matches!(kind, Kind::NotOwned | Kind::AvailableNotOwned)
                || *kind == Kind::OutsideParent
        };
        assert!(found.iter().all(of_first), "{case}: {found:?}");
    });
    assert!(tried > 0 || samples::path("pages_that_two_tables_own_are_found", "data/ese/cases").is_none());
}

#[test]
fn a_page_in_use_that_is_offered_is_found() {
    let mut tried = 0;
    for_copies("a_page_in_use_that_is_offered_is_found", &CASES, |case, mut copy| {
        let table = copy.table("t1");
        let Some((_, available)) = extents(&copy, &table) else { return };
        let used = copy.leaves((table.root, table.objid));
        let place = placed(&copy, (available, table.objid));
        let Some(victim) = place.iter().find(|place| used.contains(&(place.extent.first - 1))) else {
            return;
        };
        copy.resize(victim.pgno, victim.line, victim.extent.pages() as u32 + 1);
        let found = kinds(&checked(&copy.bytes));
        assert_eq!(found, [(Kind::UsedAndAvailable, Some(victim.extent.first - 1))], "{case}");
        tried += 1;
    });
    println!("{tried} cases have such a page");
}

#[test]
fn an_extent_past_the_end_or_without_sense_is_found() {
    for_copies("an_extent_past_the_end_or_without_sense_is_found", &CASES, |case, mut copy| {
        let last = placed(&copy, (2, 1)).pop().expect("the database owns pages");
        copy.resize(last.pgno, last.line, u32::MAX);
        let report = checked(&copy.bytes);
        assert_eq!(kinds(&report), [(Kind::UnreadableSpace, None)], "{case}");
        assert_eq!(wrong(&report)[0].jet, Some(-344), "{case}");

        copy.resize(last.pgno, last.line, last.extent.pages() as u32);
        copy.bytes.truncate(copy.bytes.len() - copy.page_size);
        let found = kinds(&checked(&copy.bytes));
        assert!(found.iter().any(|(kind, _)| *kind == Kind::OutsideParent), "{case}: {found:?}");
    });
}

#[test]
fn a_row_that_only_one_catalog_has_is_found() {
    for_copies("a_row_that_only_one_catalog_has_is_found", &CASES, |case, mut copy| {
        let leaf = *copy.leaves((24, 3)).last().expect("a leaf");
        copy.delete(leaf, 0);
        let found = checked(&copy.bytes);
        assert!(matches!(kinds(&found)[..], [(Kind::ShadowCatalog, Some(_))]), "{case}: {:?}", wrong(&found));
    });
}

#[test]
fn trees_that_never_end_end_the_check_all_the_same() {
    for_copies("trees_that_never_end_end_the_check_all_the_same", &CASES, |case, mut copy| {
        for root in [2u32, 3, 1, 4, 24] {
            copy.change(root, |page| {
                // A page above others whose every line names itself.
                page[36] = page[36] & !2 | 4;
                let data = if page.len() > 8192 { 80 } else { 40 };
                for at in (data..page.len() / 2).step_by(4) {
                    page[at..at + 4].copy_from_slice(&root.to_le_bytes());
                }
            });
            assert!(!checked(&copy.bytes).findings.is_clean(), "{case}, page {root}");
        }
    });
}

#[test]
fn no_bytes_make_the_check_panic() {
    let cases = ["crash-stream-4k", "longvalues-8k", "crash-stream-32k"];
    for_copies("no_bytes_make_the_check_panic", &cases, |_, original| {
        let mut state = 7u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let pages = original.bytes.len() / original.page_size - 2;
        for _ in 0..40 {
            let mut copy = Copy { bytes: original.bytes.clone(), ..original };
            for _ in 0..30 {
                // Mostly the pages that all others hang on.
                let pgno = 1 + if random(2) == 0 { random(40) } else { random(pages) } as u32;
                let tail = copy.page_size - 40;
                let at = [random(120), tail + random(40), random(copy.page_size)][random(3)];
                let byte = random(256) as u8;
                copy.change(pgno, |page| page[at] = byte);
            }
            let database = Database::open(&copy.bytes[..]).expect("the header is spared");
            check(&database, &mut |_| true).expect("nobody stops it");
            let _ = Space::read(&database, (1, 1));
        }
    });
}

#[test]
fn a_check_stops_when_it_is_asked_to() {
    for_copies("a_check_stops_when_it_is_asked_to", &["update-delete-merge-8k"], |_, copy| {
        let database = Database::open(&copy.bytes[..]).expect("a good header");
        assert_eq!(check(&database, &mut |_| false), None);
    });
}
