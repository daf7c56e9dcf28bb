//! The tally of pages: on real databases what their README says, on damaged copies exactly the damage.

mod samples;

use reel_formats::ese::header::{DatabaseHeader, DatabaseState};
use reel_formats::ese::integrity::{Expected, Tally};
use reel_formats::ese::owned_end;
use std::path::Path;

struct Counts {
    name: String,
    /// Good, zero, bad.
    pages: [u64; 3],
}

/// The samples with the counts in their README.
fn readme(folder: &Path) -> Vec<Counts> {
    let text = std::fs::read_to_string(folder.join("README.md")).expect("the README is readable");
    let parse = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if cells.len() < 12 || Path::new(cells[1]).extension().is_none_or(|extension| extension != "zst") {
            return None;
        }
        let pages: Vec<u64> = cells[8].split('/').map(|n| n.parse().expect("a count")).collect();
        Some(Counts { name: cells[1].to_string(), pages: pages.try_into().expect("three counts") })
    };
    text.lines().filter_map(parse).collect()
}

/// What the pages of a file are held against; the owned end from the file itself.
fn expected(file: &[u8]) -> Expected {
    let (header, _) = DatabaseHeader::find(file).expect("a good header");
    let read = |pgno: u32, buffer: &mut [u8]| {
        let at = (pgno as usize + 1) * buffer.len();
        Ok(file.get(at..at + buffer.len()).is_some_and(|page| {
            buffer.copy_from_slice(page);
            true
        }))
    };
    let owned_end = owned_end(header.page_size, read).expect("memory does not fail");
    Expected { page_size: header.page_size, owned_end, signature: header.signature }
}

fn tally(expected: &Expected, file: &[u8]) -> Tally {
    let mut tally = Tally::default();
    tally.check(expected, file, 0);
    tally
}

#[test]
fn every_sample_has_the_counts_of_its_readme_and_names_only_pages_past_the_owned_end() {
    let name = "every_sample_has_the_counts_of_its_readme_and_names_only_pages_past_the_owned_end";
    let Some(folder) = samples::path(name, "data/samples/ese") else { return };
    let samples = readme(&folder);
    assert_eq!(samples.len(), 32);
    for sample in samples {
        let file = samples::read(&folder.join(&sample.name));
        let found = tally(&expected(&file), &file);
        assert_eq!([found.good, found.uninitialised, found.past_owned_end], sample.pages, "{}", sample.name);
        assert_eq!(found.seen, sample.pages.iter().sum(), "{}", sample.name);
        assert_eq!((found.damaged(), found.trailer), (0, None), "{}", sample.name);
        let faulty: Vec<_> = found.faulty().iter().map(|page| (page.pgno, page.fault.jet())).collect();
        if sample.name == "dissect-SRUDB.dat.zst" {
            assert!(faulty.iter().copied().eq((143..=158).map(|pgno| (pgno, Some(-1018)))));
        } else {
            assert_eq!(faulty, [], "{}", sample.name);
        }
    }
}

#[test]
fn every_case_of_the_corpus_is_good_before_and_after_recovery() {
    let name = "every_case_of_the_corpus_is_good_before_and_after_recovery";
    let Some(folder) = samples::path(name, "data/ese/cases") else { return };
    let mut databases = 0;
    for path in samples::files(&folder) {
        let file_name = path.file_name().expect("a file").to_string_lossy().into_owned();
        if !file_name.ends_with(".tar.zst") || file_name.starts_with("perf") {
            continue;
        }
        let archive = samples::read(&path);
        for (inner, file) in samples::tar_files(&archive) {
            if Path::new(&inner).extension().is_some_and(|extension| extension == "edb") {
                let found = tally(&expected(file), file);
                assert_eq!((found.damaged(), found.past_owned_end), (0, 0), "{inner}");
                let (header, _) = DatabaseHeader::find(file).expect("a good header");
                let (highest, page) = found.highest_dbtime.expect("a good page");
                let clean = header.state == DatabaseState::CleanShutdown;
                assert!(!clean || highest <= header.dbtime, "{inner}: page {page} has {highest:#x}");
                databases += 1;
            }
        }
    }
    assert!(databases > 60, "{databases} databases");
}

#[test]
fn each_damage_done_to_a_copy_is_the_one_that_is_reported() {
    let name = "each_damage_done_to_a_copy_is_the_one_that_is_reported";
    let Some(folder) = samples::path(name, "data/samples/ese") else { return };
    for sample in readme(&folder) {
        let mut file = samples::read(&folder.join(&sample.name));
        let expected = expected(&file);
        let size = expected.page_size as usize;
        let before = tally(&expected, &file);
        let good = |pgno: u32, file: &[u8]| {
            let mut one = Tally::default();
            let at = (pgno as usize + 1) * size;
            one.check(&expected, &file[at..at + size], at as u64);
            one.good == 1
        };
        // The trees of space are spared, so that the end stays known.
        let mut victims = (4..expected.owned_end.expect("a known end")).filter(|pgno| good(*pgno, &file));
        let victims: Vec<u32> = victims.by_ref().take(4).collect();
        let [flipped, smeared, replaced, other] = victims[..] else { continue };
        let at = |pgno: u32| (pgno as usize + 1) * size;
        let old_format = file[at(flipped) + 37] & 0x20 == 0;
        file[at(flipped) + size - 100] ^= 8;
        file[at(smeared) + 128] ^= 0x11;
        file.copy_within(at(other)..at(other) + size, at(replaced));

        let found = tally(&expected, &file);
        // The old format of checksums corrects nothing.
        let flips = if old_format { [2, 0] } else { [1, 1] };
        assert_eq!([found.bad_checksums, found.correctable], flips, "{}", sample.name);
        assert_eq!((found.wrong_numbers, found.good), (1, before.good - 3), "{}", sample.name);
        let faulty: Vec<_> =
            found.faulty().iter().map(|page| (page.pgno, page.fault.jet())).take(3).collect();
        let flip_jet = old_format.then_some(-1018);
        let wanted = [(flipped, flip_jet), (smeared, Some(-1018)), (replaced, Some(-1118))];
        assert_eq!(faulty, wanted, "{}", sample.name);
    }
}
