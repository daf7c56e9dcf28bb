//! Every sample file is recognised as what it is, and no bytes make the recogniser panic.

mod samples;

use proptest::prelude::*;
use reel_formats::ese::checkpoint::Checkpoint;
use reel_formats::ese::header::DatabaseHeader;
use reel_formats::ese::log::header::LogHeader;
use reel_formats::ese::page::checksum::{self, header_xor};
use reel_formats::ese::position::LgPos;
use reel_formats::ese::{PAGE_SIZES, owned_end};
use reel_formats::recognise::{HEAD_LEN, Kind, recognise};
use reel_formats::sqlite::wal::WalHeader;
use std::path::Path;

fn kind_of(path: &Path) -> Kind {
    let file = samples::read(path);
    recognise(&file[..file.len().min(HEAD_LEN)], Some(file.len() as u64))
}

fn name_of(path: &Path) -> String {
    path.file_name().expect("a file has a name").to_string_lossy().into_owned()
}

#[test]
fn every_database_sample_is_a_database() {
    let name = "every_database_sample_is_a_database";
    let Some(folder) = samples::path(name, "data/samples/ese") else { return };
    for path in samples::files(&folder).iter().filter(|path| !path.ends_with("README.md")) {
        let Kind::EseDatabase(summary) = kind_of(path) else { panic!("{path:?} is no database") };
        assert!(summary.primary_good && summary.shadow_good);
        let mut file = samples::read(path);
        file[100] ^= 1;
        let Kind::EseDatabase(summary) = recognise(&file, None) else { panic!("{path:?} has a shadow") };
        assert!(!summary.primary_good && summary.shadow_good);
        file[summary.page_size as usize + 100] ^= 1;
        assert_eq!(recognise(&file, None), Kind::Unknown);
    }
}

#[test]
fn every_file_of_a_log_folder_is_what_its_readme_says() {
    let name = "every_file_of_a_log_folder_is_what_its_readme_says";
    let Some(folder) = samples::path(name, "data/samples/ese-logs") else { return };
    let mut counts = [0; 5];
    for part in ["xp-catroot2", "wu-datastore", "secedit-fresh"] {
        for path in samples::files(&folder.join(part)) {
            let name = name_of(&path);
            let kind = kind_of(&path);
            let has_extension = |wanted: &str| path.extension().is_some_and(|extension| extension == wanted);
            let file_len = samples::read(&path).len() as u64;
            let unused = name.starts_with("res1") || name.contains("edbres") || name == "edbtmp.log.zst";
            match kind {
                Kind::Unknown if unused => counts[0] += 1,
                Kind::EseFlushMap if has_extension("jfm") => counts[1] += 1,
                Kind::EseCheckpoint { checkpoint } if has_extension("chk") => {
                    let expected = match (part, name.as_str()) {
                        ("xp-catroot2", _) => (0x83, 0x2F, 0xCC),
                        ("secedit-fresh", _) => (1, 1, 0),
                        (_, "edb-at-1.chk") => (0x49, 0x15, 0),
                        (_, "edb-at-2.chk") => (0x49, 0x99, 0),
                        _ => (0x49, 0x13A, 0),
                    };
                    let LgPos { generation, sector, byte } = checkpoint;
                    assert_eq!((generation, sector, byte), expected, "{name}");
                    counts[2] += 1;
                }
                Kind::EseDatabase(summary) if name.starts_with("catdb") => {
                    assert_eq!((summary.page_size, summary.update_major), (4096, 9));
                    counts[3] += 1;
                }
                Kind::EseLog { file_size_expected, .. } if name.contains(".log") => {
                    assert_eq!(file_size_expected, file_len, "{name}");
                    counts[4] += 1;
                }
                other => panic!("{part}/{name} is {other:?}"),
            }
        }
    }
    assert_eq!(counts, [3, 2, 5, 2, 14]);
}

#[test]
fn log_headers_read_as_the_readme_says() {
    let name = "log_headers_read_as_the_readme_says";
    let Some(folder) = samples::path(name, "data/samples/ese-logs") else { return };
    let header = |path: &str| LogHeader::parse(&samples::read(&folder.join(path))).expect("a good header");
    let old = header("xp-catroot2/edb00080.log");
    assert_eq!((old.generation, old.sector_size, old.header_sectors, old.file_sectors), (0x80, 512, 8, 256));
    assert_eq!((old.major, old.minor, old.update_major, old.update_minor), (7, 3704, 6, 0));
    assert_eq!((old.page_size, old.signature.random, old.is_legacy()), (4096, 0xFCED, true));
    assert_eq!(old.previous_created, header("xp-catroot2/edb0007F.log").created);
    assert_eq!(old.created.to_string(), "06/07/2014 23:26:03.000 LOC");
    assert_eq!(old.attachments.len(), 2);
    assert_eq!((old.attachments[0].dbid, old.attachments[0].dbtime), (1, 266));
    assert_eq!(old.attachments[0].attached.to_string(), "(0x18,C4,1C)");
    assert!(old.attachments[0].path.ends_with("catdb"));

    let new = header("wu-datastore/edb00047.log.zst");
    assert_eq!((new.generation, new.sector_size, new.header_sectors, new.file_sectors), (0x47, 4096, 1, 320));
    assert_eq!((new.major, new.minor, new.update_major, new.update_minor), (8, 4000, 60, 140));
    assert_eq!((new.page_size, new.signature.random, new.is_legacy()), (16384, 0x6abc_a3d1, false));
    assert_eq!(new.checkpoint.to_string(), "(0x46,EB,0)");
    assert_eq!(new.attachments[0].attached.to_string(), "(0x46,EC,268)");
    assert!(new.circular);
    assert!(header("wu-datastore/edb-gen49-at-1.log.zst").attachments.is_empty());

    let checkpoint = samples::read(&folder.join("wu-datastore/edb-at-1.chk"));
    let checkpoint = Checkpoint::parse(&checkpoint).expect("a good checkpoint");
    assert_eq!(checkpoint.log_signature, new.signature);
    assert_eq!(checkpoint.attachments, None);
}

#[test]
fn a_checkpoint_lists_the_databases_attached_at_it() {
    let name = "a_checkpoint_lists_the_databases_attached_at_it";
    let Some(path) = samples::path(name, "data/ese/cases/fuzzy-mix-4k.tar.zst") else { return };
    let archive = samples::read(&path);
    let files = samples::tar_files(&archive);
    let file = |wanted: &str| files.iter().find(|(name, _)| name == wanted).expect("the case has the file").1;
    let checkpoint = Checkpoint::parse(file("fuzzy-mix-4k/base/edb.chk")).expect("a good checkpoint");
    let (database, _) = DatabaseHeader::find(file("fuzzy-mix-4k/base/a.edb")).expect("a good header");
    assert_eq!(checkpoint.checkpoint.to_string(), "(0x26,1,0)");
    assert_eq!(checkpoint.consistency.to_string(), "(0x2A,1,0)");
    let attachments = checkpoint.attachments.expect("the writer recorded them");
    assert_eq!(attachments.len(), 1);
    assert_eq!((attachments[0].dbid, attachments[0].signature), (1, database.signature));
    assert_eq!(attachments[0].attached, database.attached);
    assert!(attachments[0].path.ends_with("a.edb"));

    let mut damaged = file("fuzzy-mix-4k/base/edb.chk").to_vec();
    damaged[12] ^= 1;
    let shadow = Checkpoint::parse(&damaged).expect("the second copy is good");
    assert_eq!(shadow.checkpoint, checkpoint.checkpoint);
    damaged[4096 + 12] ^= 1;
    let error = Checkpoint::parse(&damaged).expect_err("both copies are damaged");
    assert_eq!(error.jet(), Some(-533));
}

#[test]
fn every_sqlite_sample_is_what_its_name_says() {
    let name = "every_sqlite_sample_is_what_its_name_says";
    let Some(folder) = samples::path(name, "data/samples/sqlite-wal") else { return };
    let (mut databases, mut logs) = (0, 0);
    for case in samples::files(&folder).iter().filter(|path| path.is_dir()) {
        let page_size = match name_of(case).as_str() {
            "02-page-1k" | "30-plaso-real" => 1024,
            "03-page-64k" => 65536,
            _ => 4096,
        };
        for path in samples::files(case) {
            let name = name_of(&path);
            if name.contains("wal") {
                assert_eq!(kind_of(&path), Kind::SqliteWal { page_size }, "{path:?}");
                let header = WalHeader::parse(&samples::read(&path)).expect("a WAL header");
                assert_eq!(header.is_good, !case.ends_with("10-bad-header"), "{path:?}");
                assert_eq!(header.is_big_endian, case.ends_with("11-other-byte-order"), "{path:?}");
                logs += 1;
            } else if name.contains(".db") {
                assert_eq!(kind_of(&path), Kind::Sqlite { page_size }, "{path:?}");
                databases += 1;
            }
        }
    }
    assert_eq!((databases, logs), (28, 19));
}

#[test]
fn a_log_without_file_type_is_told_by_its_fields_and_length() {
    let mut head = vec![0; 4096];
    head[4] = 1;
    head[8..16].copy_from_slice(&[0, 2, 8, 0, 0, 1, 0, 0]);
    head[32] = 7;
    let sum = |head: &mut [u8]| {
        let sum = header_xor(head);
        head[..4].copy_from_slice(&sum.to_le_bytes());
    };
    sum(&mut head);
    assert!(matches!(recognise(&head, Some(131_072)), Kind::EseLog { generation: 1, page_size: 4096, .. }));
    assert_eq!(recognise(&head, Some(131_073)), Kind::Unknown);
    head[10] = 9;
    sum(&mut head);
    assert_eq!(recognise(&head, Some(131_072)), Kind::Unknown);
}

/// Header-like bytes: random, but with the fixed words, file types and a right checksum that let parsers go on.
fn almost_header() -> impl Strategy<Value = Vec<u8>> {
    let parts = (any::<[u8; 64]>(), 0usize..5, 0u8..9, any::<bool>(), any::<[u8; 16]>());
    parts.prop_map(|(noise, size, file_type, is_database, start)| {
        let len = PAGE_SIZES[size] as usize;
        let mut head = noise.repeat(2 * len / 64);
        head[4..20].copy_from_slice(&start);
        if is_database {
            head[4..8].copy_from_slice(&0x89AB_CDEFu32.to_le_bytes());
            head[236..240].copy_from_slice(&PAGE_SIZES[size].to_le_bytes());
        } else {
            head[8..16].copy_from_slice(&[0, 16, 1, 0, 64, 0, 0, 16]);
            head[32..36].copy_from_slice(&[8, 0, 0, 0]);
        }
        head[667..671].copy_from_slice(&[file_type, 0, 0, 0]);
        let summed = if is_database { len } else { 4096.min(head.len()) };
        let sum = header_xor(&head[..summed]);
        head[..4].copy_from_slice(&sum.to_le_bytes());
        head
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_the_recogniser_panic(
        head in prop_oneof![prop::collection::vec(any::<u8>(), 0..5000), almost_header()],
        cut in any::<prop::sample::Index>(),
        len in any::<Option<u64>>(),
    ) {
        recognise(&head, len);
        recognise(&head[..cut.index(head.len() + 1)], len);
        let _ = Checkpoint::parse(&head);
    }

    #[test]
    fn no_bytes_make_verification_panic(page in prop::collection::vec(any::<u8>(), 0..9000), pgno in any::<u32>()) {
        checksum::verify(&page, pgno);
        header_xor(&page);
        checksum::xor_ecc(&page, pgno, true);
        checksum::flipped_bit(u64::from(pgno), 0, page.len());
    }

    #[test]
    fn no_pages_make_the_owned_end_panic(
        noise in any::<[u8; 64]>(),
        size in 0usize..5,
        flags in prop_oneof![Just(0x21u32), Just(0x23), Just(0x20), Just(0x22)],
        tags in prop_oneof![0u16..4, any::<u16>()],
    ) {
        let page_size = PAGE_SIZES[size];
        let end = owned_end(page_size, |pgno, page| {
            page.copy_from_slice(&noise.repeat(page.len() / 64));
            let flags = if pgno == 2 { flags | 1 } else { flags & !1 };
            page[24..28].copy_from_slice(&[1, 0, 0, 0]);
            page[34..36].copy_from_slice(&tags.to_le_bytes());
            page[36..40].copy_from_slice(&flags.to_le_bytes());
            checksum::store(page, pgno).expect("a page size");
            Ok(true)
        });
        prop_assert!(end.is_ok());
    }
}
