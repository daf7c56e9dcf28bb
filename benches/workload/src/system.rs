//! The first forty pages: roots, space trees and the catalog (reference, database.md sections 7 and 8).

use crate::catalog::{self, CATALOG, INDEXES, SHADOW};
use crate::layout::Tree;
use crate::page::{Head, INDEX, LEAF, PageWriter, ROOT};
use crate::store::Store;
use crate::tree::{space_header, write_space};

const DATABASE_OBJID: u32 = 1;

impl Store {
    /// Writes system page `pgno`; answers false if nothing was ever written there.
    pub(crate) fn write_system(&self, page: &mut [u8], dbtime: u64, pgno: u32) -> bool {
        let head = |objid, flags| Head { dbtime, prev: 0, next: 0, objid, flags };
        let last = self.layout().last_page();
        match pgno {
            1 => {
                let external = space_header(self.first_day_pages(), 0, true, 2);
                PageWriter::new(page, head(DATABASE_OBJID, ROOT | LEAF), &external).finish();
            }
            2 => write_space(page, head(DATABASE_OBJID, 0), [(last, last)]),
            3 => write_space(page, head(DATABASE_OBJID, 0), []),
            _ => return self.write_table(page, dbtime, pgno),
        }
        true
    }

    /// A page of the catalog or of one of the three trees.
    fn write_table(&self, page: &mut [u8], dbtime: u64, pgno: u32) -> bool {
        let head = |objid, flags| Head { dbtime, prev: 0, next: 0, objid, flags };
        for tree in Tree::ALL {
            let head = head(tree.objid(), tree.flags());
            match pgno.wrapping_sub(tree.root()) {
                0 => self.write_root(page, head, tree),
                1 => self.write_owned(page, head, tree),
                2 => write_space(page, head, []),
                _ => continue,
            }
            return true;
        }
        for (objid, root) in INDEXES {
            let head = head(objid, INDEX);
            match pgno.wrapping_sub(root) {
                0 => {
                    let head = Head { flags: INDEX | ROOT | LEAF, ..head };
                    PageWriter::new(page, head, &space_header(3, CATALOG.root, true, root + 1)).finish();
                }
                1 => write_space(page, head, [(root + 2, 3)]),
                2 => write_space(page, head, []),
                _ => continue,
            }
            return true;
        }
        for place in [CATALOG, SHADOW] {
            let head = head(place.objid, 0);
            match pgno.wrapping_sub(place.root) {
                1 => write_space(page, head, [(place.root + place.pages - 1, place.pages)]),
                2 => write_space(page, head, [catalog::free(&place, self.page_size())]),
                offset if offset < place.pages => return catalog::write(page, head, &place, pgno),
                _ => continue,
            }
            return true;
        }
        false
    }
}
