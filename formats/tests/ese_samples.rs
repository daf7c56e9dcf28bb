//! Real databases: what their README says of them must be what this crate finds.

mod samples;

use reel_formats::ese::header::{DatabaseHeader, DatabaseState};
use reel_formats::ese::owned_end;
use reel_formats::ese::page::Page;
use reel_formats::ese::page::checksum::{self, PageState};
use std::path::Path;

/// One line of the table in the samples' README.
struct Row {
    name: String,
    len: usize,
    update: u32,
    page_size: u32,
    state: DatabaseState,
    required: String,
    pages: [usize; 3],
}

fn rows(folder: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("README.md")).expect("the README is readable");
    let parse = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() < 12 || Path::new(cells[1]).extension().is_none_or(|extension| extension != "zst") {
            return None;
        }
        let pages: Vec<usize> = cells[8].split('/').map(|n| n.parse().expect("a count")).collect();
        Some(Row {
            name: cells[1].to_string(),
            len: cells[2].parse().expect("a size"),
            update: cells[3].split(',').nth(1).and_then(|update| update.parse().ok()).expect("a revision"),
            page_size: cells[4].parse().expect("a page size"),
            state: match cells[5] {
                "Clean" => DatabaseState::CleanShutdown,
                _ => DatabaseState::DirtyShutdown,
            },
            required: cells[6].to_string(),
            pages: pages.try_into().expect("three counts"),
        })
    };
    text.lines().filter_map(parse).collect()
}

/// The pages of a database with their numbers, the two header pages left out.
fn pages(file: &[u8], page_size: u32) -> impl Iterator<Item = (u32, &[u8])> {
    (1..).zip(file.chunks(page_size as usize).skip(2))
}

fn end_of(file: &[u8], page_size: u32) -> Option<u32> {
    let read = |pgno: u32, buffer: &mut [u8]| {
        let at = (pgno as usize + 1) * buffer.len();
        let page = file.get(at..at + buffer.len());
        Ok(page.is_some_and(|page| {
            buffer.copy_from_slice(page);
            true
        }))
    };
    owned_end(page_size, read).expect("memory does not fail")
}

#[test]
fn every_sample_has_the_pages_state_and_logs_that_its_readme_says() {
    let name = "every_sample_has_the_pages_state_and_logs_that_its_readme_says";
    let Some(folder) = samples::path(name, "data/samples/ese") else { return };
    let rows = rows(&folder);
    assert_eq!(rows.len(), 32);
    for row in rows {
        let file = samples::read(&folder.join(&row.name));
        assert_eq!(file.len(), row.len, "{}", row.name);
        let (header, copies) = DatabaseHeader::find(&file).expect("a good header");
        assert!(copies.primary_good && copies.shadow_good && copies.equal, "{}", row.name);
        let said = (header.page_size, header.version, header.update_major, header.state);
        assert_eq!(said, (row.page_size, 0x620, row.update, row.state), "{}", row.name);
        let required = match (header.min_required, header.max_required) {
            (0, 0) => "-".to_string(),
            (min, max) => format!("{min:#x}-{max:#x}"),
        };
        assert_eq!(required, row.required, "{}", row.name);

        let mut counts = [0; 3];
        for (pgno, page) in pages(&file, row.page_size) {
            match checksum::verify(page, pgno) {
                PageState::Good => counts[0] += 1,
                PageState::Zero => counts[1] += 1,
                PageState::Bad(_) | PageState::Correctable { .. } => counts[2] += 1,
            }
        }
        assert_eq!(counts, row.pages, "{}", row.name);
    }
}

#[test]
fn every_sample_owns_its_good_pages_and_not_its_foreign_ones() {
    let name = "every_sample_owns_its_good_pages_and_not_its_foreign_ones";
    let Some(folder) = samples::path(name, "data/samples/ese") else { return };
    for row in rows(&folder) {
        let file = samples::read(&folder.join(&row.name));
        let end = end_of(&file, row.page_size).expect("the end is known");
        let mut foreign = Vec::new();
        for (pgno, page) in pages(&file, row.page_size) {
            match checksum::verify(page, pgno) {
                PageState::Good => assert!(pgno <= end, "{}: page {pgno} behind {end}", row.name),
                PageState::Zero => {}
                PageState::Bad(_) | PageState::Correctable { .. } => foreign.push(pgno),
            }
        }
        if row.name == "dissect-SRUDB.dat.zst" {
            assert_eq!(foreign, (143..=158).collect::<Vec<_>>());
            assert_eq!(end, 142);
        } else {
            assert!(foreign.is_empty(), "{foreign:?}");
            let last = file.len() as u32 / row.page_size - 2;
            assert!(end <= last, "{}: {end} of {last}", row.name);
        }
    }
}

#[test]
fn every_node_of_every_good_page_can_be_read_and_keys_rise() {
    let name = "every_node_of_every_good_page_can_be_read_and_keys_rise";
    let Some(folder) = samples::path(name, "data/samples/ese") else { return };
    for row in rows(&folder) {
        let file = samples::read(&folder.join(&row.name));
        for (pgno, bytes) in pages(&file, row.page_size) {
            if checksum::verify(bytes, pgno) != PageState::Good {
                continue;
            }
            let page = Page::new(bytes, pgno).expect("a page size");
            page.external_header().expect("a good external header");
            let nodes: Result<Vec<_>, _> = page.nodes().collect();
            let keys: Vec<_> =
                nodes.expect("good nodes").iter().map(reel_formats::ese::page::node::Node::key).collect();
            // The last key of an upper page is empty and stands for infinity.
            let rising = if page.flags().is_leaf() {
                &keys[..]
            } else {
                keys.split_last().map_or(&[][..], |(_, k)| k)
            };
            assert!(rising.is_sorted(), "{}: page {pgno}", row.name);
        }
    }
}

#[test]
fn headers_read_as_the_engines_own_listings() {
    let name = "headers_read_as_the_engines_own_listings";
    let Some(folder) = samples::path(name, "data/ese/cases") else { return };
    let (mut compared, mut dirty) = (0, 0);
    for case in ["undo-8k", "crash-stream-32k", "space-4k", "shrink-8k", "snapshot-9sessions-8k"] {
        let archive = samples::read(&folder.join(format!("{case}.tar.zst")));
        let files = samples::tar_files(&archive);
        for (listing_name, listing) in &files {
            let Some((_, listed)) = listing_name.split_once("oracle/header-") else { continue };
            let listed = listed.trim_end_matches(".txt");
            let Some((stage, database)) = listed.split_once('-') else { continue };
            let stage = if stage == "redo" { "expected_redo" } else { stage };
            let wanted = format!("{case}/{stage}/{database}");
            let Some((_, file)) = files.iter().find(|(file, _)| *file == wanted) else { continue };
            let (header, _) = DatabaseHeader::find(file).expect("a good header");
            let listing = String::from_utf8_lossy(listing);
            // Some listings after redo are of another run of the same case.
            if !listing.contains(&format!("{:#x}", header.checksum)) {
                assert_eq!(stage, "expected_redo", "{wanted}");
                continue;
            }
            dirty += usize::from(header.state == DatabaseState::DirtyShutdown);
            compare(&header, &listing, &wanted);
            compared += 1;
        }
    }
    assert!(compared >= 10 && dirty >= 1, "{compared} listings, {dirty} of dirty databases");
}

/// Holds the header against the lines of a listing.
fn compare(header: &DatabaseHeader, listing: &str, file: &str) {
    let listed = |label: &str| {
        let line = listing.lines().find_map(|line| line.trim_start().strip_prefix(label)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("{file}: the listing has no {label}")).trim().to_string()
    };
    let place = |pos: reel_formats::ese::position::LgPos, time| format!("{pos}  {time}");
    let range = |min: u32, max: u32| format!("{min}-{max} ({min:#x}-{max:#x})");
    let required = format!(
        "{} [Min. Req. Pre-Redo: {} ({:#x})]",
        range(header.min_required, header.max_required),
        header.pre_redo_min_required,
        header.pre_redo_min_required
    );
    let consistent = format!(
        "{} ({:#x}) [Pre-Redo: {} ({:#x})]",
        header.min_consistent,
        header.min_consistent,
        header.pre_redo_min_consistent,
        header.pre_redo_min_consistent
    );
    let os = header.os_version;
    for (label, ours) in [
        ("Checksum", format!("{:#x}", header.checksum)),
        ("DB Signature", header.signature.to_string()),
        ("Log Signature", header.log_signature.to_string()),
        ("cbDbPage", header.page_size.to_string()),
        ("dbtime", format!("{} ({:#x})", header.dbtime, header.dbtime)),
        ("State", header.state.to_string()),
        ("Log Required", required),
        ("Gen. Max. Req. Creation Time", header.max_required_time.to_string()),
        ("Log Committed", range(0, header.max_committed)),
        ("Gen. Max. Com. Creation Time", header.max_committed_time.to_string()),
        ("Log Consistent", consistent),
        ("Log Recovering", format!("{} ({:#x})", header.recovering, header.recovering)),
        ("Last Objid", header.last_objid.to_string()),
        ("Repair Count", header.repairs.count.to_string()),
        ("Last Consistent", place(header.consistent, header.consistent_time)),
        ("Last Attach", place(header.attached, header.attached_time)),
        ("Last Detach", place(header.detached, header.detached_time)),
        ("Last ReAttach", place(header.reattached, header.reattached_time)),
        ("Dbid", header.dbid.to_string()),
        ("Extend Count", header.extends.count.to_string()),
        ("Extend Date", header.extends.last.to_string()),
        ("Shrink Count", header.shrinks.count.to_string()),
        ("Created ulVersion", format!("{:#x},{}", header.create_version, header.create_update)),
    ] {
        assert_eq!(ours.trim(), listed(label), "{file}: {label}");
    }
    assert!(listed("OS Version").starts_with(&format!("({}.{}.{} SP {}", os[0], os[1], os[2], os[3])));
    assert!(listed("Last Resize").starts_with(&header.last_resize.to_string()));
    let version = format!("{:#x},{},{}", header.version, header.update_major, header.update_minor);
    assert!(listed("Format ulVersion").starts_with(&version));
}
