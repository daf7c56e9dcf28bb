//! Chains of logs against what the engine said of the same logs.

mod samples;

use reel_formats::ese::header::DatabaseHeader;
use reel_formats::ese::log::chain::{Chain, FindingKind, Member, is_never_begun};
use reel_formats::ese::log::header::LogHeader;
use std::collections::BTreeMap;

/// The files of a case by name, or `None` where the samples are absent.
fn files_of(archive: &[u8]) -> BTreeMap<String, &[u8]> {
    let inside = |(name, bytes): (String, _)| {
        let (_, path) = name.trim_start_matches("./").split_once('/').expect("a folder of the case");
        (path.to_owned(), bytes)
    };
    samples::tar_files(archive).into_iter().map(inside).collect()
}

fn logs(files: &BTreeMap<String, &[u8]>) -> Vec<Member> {
    let logs = files.iter().filter_map(|(name, bytes)| Some((name.strip_prefix("logs/")?, *bytes)));
    logs.map(|(name, bytes)| Member::open(name, bytes.to_vec()).expect("the header is good")).collect()
}

fn headers(files: &BTreeMap<String, &[u8]>) -> Vec<DatabaseHeader> {
    let bases = files.iter().filter(|(name, _)| name.starts_with("base/"));
    bases.filter_map(|(_, bytes)| Some(DatabaseHeader::find(bytes).ok()?.0)).collect()
}

/// What the engine said of the cases that it refused: redo only, then full recovery.
const REFUSED: [(&str, i32); 7] = [
    ("base-too-old-8k", -1216),
    ("damaged-middle-log-8k", -501),
    ("foreign-log-8k", -530),
    ("log-gap-8k", -515),
    ("lost-tail-8k", -528),
    ("lost-tail-fuzzy-8k", -543),
    ("torn-damage-middle-8k", -501),
];

#[test]
fn every_case_is_judged_as_the_engine_judged_it() {
    let test = "every_case_is_judged_as_the_engine_judged_it";
    let Some(folder) = samples::path(test, "data/ese/cases") else { return };
    let (mut whole, mut refused) = (0, 0);
    for path in samples::files(&folder) {
        let name = path.file_name().and_then(|name| name.to_str()).expect("names are text");
        let Some(case) = name.strip_suffix(".tar.zst") else { continue };
        if matches!(case, "perf-32k" | "perf2-32k") {
            continue;
        }
        let archive = samples::read(&path);
        let files = files_of(&archive);
        let chains = Chain::build(logs(&files));
        let chain = &chains[0];
        let outlooks: Vec<_> = headers(&files).iter().filter_map(|header| chain.outlook(header)).collect();
        let obstacle = outlooks.iter().find_map(|outlook| outlook.obstacle.as_ref()?.jet);
        // The full recovery of the engine also refuses a set without the log being written.
        let no_current = chain.findings.iter().find(|finding| finding.kind == FindingKind::NoCurrent);
        let verdict = obstacle.or(no_current.and_then(|finding| finding.kind.jet()));
        match REFUSED.iter().find(|(refused, _)| *refused == case) {
            Some((_, expected)) => {
                assert_eq!(verdict, Some(*expected), "{case}: {:?}", chain.findings);
                refused += 1;
            }
            None => {
                assert_eq!(verdict, None, "{case}: {:?}", chain.findings);
                assert!(chain.findings.iter().all(|finding| !finding.kind.is_break()), "{case}");
                let last = Some(chain.last_generation());
                assert!(outlooks.iter().all(|outlook| outlook.reached == last), "{case}: {outlooks:?}");
                assert_eq!(chains.len(), 1, "{case}");
                whole += 1;
            }
        }
    }
    assert_eq!((whole, refused), (30, REFUSED.len()));
}

fn case(test: &str, name: &str) -> Option<Vec<u8>> {
    Some(samples::read(&samples::path(test, &format!("data/ese/cases/{name}.tar.zst"))?))
}

#[test]
fn logs_in_any_order_and_under_any_name_make_the_same_chain() {
    let test = "logs_in_any_order_and_under_any_name_make_the_same_chain";
    let Some(archive) = case(test, "tiny-8k") else { return };
    let files = files_of(&archive);
    let mut members = logs(&files);
    members.reverse();
    for (number, member) in members.iter_mut().enumerate() {
        member.name = format!("file {number}");
    }
    let chains = Chain::build(members);
    assert_eq!(chains.len(), 1);
    assert_eq!((chains[0].first_generation(), chains[0].last_generation()), (1, 2));
    assert_eq!(chains[0].findings, []);
}

/// Changes bytes of a log's header and makes its checksum right again.
fn with_header(log: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = log.to_vec();
    changed[at..at + bytes.len()].copy_from_slice(bytes);
    let words = changed[4..4096].as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    let checksum = words.fold(0x89AB_CDEF_u32, |sum, word| sum ^ word);
    changed[..4].copy_from_slice(&checksum.to_le_bytes());
    changed
}

#[test]
fn each_thing_that_a_header_says_of_its_neighbour_is_checked() {
    let test = "each_thing_that_a_header_says_of_its_neighbour_is_checked";
    let Some(archive) = case(test, "tiny-8k") else { return };
    let files = files_of(&archive);
    let (first, second) = (files["logs/edb00000001.log"], files["logs/edb.log"]);
    let jets = |name: &str, second: Vec<u8>| {
        let members = [("edb00000001.log", first.to_vec()), (name, second)];
        let members = members.map(|(name, bytes)| Member::open(name, bytes).expect("the header is good"));
        let chains = Chain::build(members.into());
        let findings = chains.iter().flat_map(|chain| &chain.findings);
        findings.filter_map(|finding| finding.kind.jet()).collect::<Vec<_>>()
    };
    assert_eq!(jets("edb.log", second.to_vec()), []);
    assert_eq!(jets("edb.log", with_header(second, 24, &[7; 8])), [-515]);
    assert_eq!(jets("edb.log", with_header(second, 653, &[7; 8])), [-590]);
    assert_eq!(jets("edb.log", with_header(second, 14, &4096u16.to_le_bytes())), [-1213]);
    assert_eq!(jets("edb.log", with_header(second, 40, &999u32.to_le_bytes())), [-514]);
    assert_eq!(jets("edb.log", second[..second.len() - 4096].to_vec()), [-541]);
    assert_eq!(jets("edb.log", with_header(second, 4, &9u32.to_le_bytes()))[0], -515);
    assert_eq!(jets("edb.log", with_header(second, 44, &[7; 4])), [-530]);
    assert_eq!(jets("edb00000003.log", second.to_vec()), [-513, -528]);
}

#[test]
fn logs_of_windows_machines_are_told_by_content() {
    let test = "logs_of_windows_machines_are_told_by_content";
    let Some(folder) = samples::path(test, "data/samples/ese-logs") else { return };
    let read = |folder_name: &str| {
        let (mut members, mut never_begun) = (Vec::new(), Vec::new());
        for path in samples::files(&folder.join(folder_name)) {
            let name = path.file_name().and_then(|name| name.to_str()).expect("names are text");
            let name = name.trim_end_matches(".zst");
            let bytes = samples::read(&path);
            if LogHeader::parse(&bytes).is_ok() {
                members.push(Member::open(name, bytes).expect("the header is good"));
            } else if is_never_begun(&bytes[..4096.min(bytes.len())]) {
                never_begun.push(name.to_owned());
            }
        }
        (Chain::build(members), never_begun)
    };
    let generations =
        |chains: &[Chain]| (chains.len(), chains[0].first_generation(), chains[0].last_generation());

    let (chains, never_begun) = read("xp-catroot2");
    assert_eq!(generations(&chains), (1, 0x7E, 0x83));
    assert_eq!((never_begun, chains[0].findings.as_slice()), (vec!["res1.log".to_owned()], &[][..]));

    // The temporary log is generation 0x45, and the log being written is there in three states.
    let (chains, never_begun) = read("wu-datastore");
    assert_eq!(generations(&chains), (1, 0x45, 0x49));
    assert_eq!(never_begun, ["edbres00001.jrs"]);
    assert_eq!(chains[0].logs[4].name, "edb-gen49-at-3.log");
    assert_eq!(chains[0].superseded.len(), 2);
    assert!(chains[0].findings.iter().all(|finding| !finding.kind.is_break()), "{:?}", chains[0].findings);

    let (chains, never_begun) = read("secedit-fresh");
    assert_eq!(generations(&chains), (1, 1, 1));
    assert_eq!(never_begun, ["edbtmp.log"]);
}
