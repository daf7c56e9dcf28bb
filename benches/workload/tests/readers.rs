//! The parsers of reel-formats read stores and logs, and find them to belong together.

use std::fs;

use reel_formats::ese::header::{DatabaseHeader, DatabaseState};
use reel_formats::ese::log::header::LogHeader;
use reel_formats::ese::owned_end;
use reel_formats::ese::page::Page;
use reel_workload::Store;

const MIB: u64 = 1 << 20;

#[test]
fn a_database_is_clean_and_owns_all_its_pages_and_every_node_reads() {
    for size in [4096, 8192, 16384, 32768] {
        let store = Store::new(31, 8 * MIB).with_page_size(size).next_day(30, 30);
        let mut head = vec![0; 65536];
        store.read_at(&mut head, 0);
        let (header, copies) = DatabaseHeader::find(&head).expect("a header");
        assert!(copies.primary_good && copies.shadow_good && copies.equal);
        assert_eq!((header.page_size, header.state), (size, DatabaseState::CleanShutdown));
        assert_eq!((header.min_required, header.max_required), (0, 0));

        let offset = |pgno: u32| (u64::from(pgno) + 1) * u64::from(size);
        let read = |pgno: u32, buffer: &mut [u8]| {
            store.read_at(buffer, offset(pgno));
            Ok(offset(pgno) < store.len())
        };
        let last = (store.len() / u64::from(size)) as u32 - 2;
        assert_eq!(owned_end(size, read).expect("a page size"), Some(last));

        let mut bytes = vec![0; size as usize];
        let mut nodes = 0;
        for pgno in 1..=last {
            store.read_at(&mut bytes, offset(pgno));
            if bytes.iter().all(|&byte| byte == 0) {
                continue;
            }
            let page = Page::new(&bytes, pgno).expect("a page");
            assert!(page.dbtime() < header.dbtime);
            nodes +=
                page.nodes().map(|node| node.expect("a node").data().len()).filter(|&len| len > 0).count();
        }
        assert!(nodes > 10_000, "{nodes}");
    }
}

#[test]
fn logs_chain_and_name_the_positions_that_the_database_header_holds() {
    let store = Store::new(32, 8 * MIB).with_logs(1, 2 * MIB).next_day(30, 30).with_logs(3, 3 * MIB);
    let mut head = vec![0; 65536];
    store.read_at(&mut head, 0);
    let (database, _) = DatabaseHeader::find(&head).expect("a header");
    assert_eq!((database.attached.generation, database.consistent.generation), (3, 5));

    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = store.logs().write_to(folder.path(), 0, u32::MAX).expect("the logs are written");
    let mut before: Option<LogHeader> = None;
    for path in paths {
        let bytes = fs::read(path).expect("the log is read back");
        let log = LogHeader::parse(&bytes).expect("a log header");
        assert_eq!((log.file_len(), log.page_size), (bytes.len() as u64, 32768));
        assert_eq!(log.signature, database.log_signature);
        assert_ne!(log.previous_checksum, 0);
        match before {
            None => assert_eq!((log.generation, log.attachments.len()), (3, 0)),
            Some(before) => {
                assert_eq!((log.generation, log.previous_created), (before.generation + 1, before.created));
                let [attached] = &log.attachments[..] else { panic!("{:?}", log.attachments) };
                assert_eq!((attached.signature, attached.attached), (database.signature, database.attached));
                assert_eq!(attached.path, "C:\\store\\mail01.edb");
            }
        }
        before = Some(log);
    }
}
