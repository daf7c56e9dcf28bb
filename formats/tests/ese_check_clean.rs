//! The check of a database's structure: nothing is wrong with what the engine wrote.

mod samples;

use reel_formats::ese::database::Database;
use reel_formats::ese::header::DatabaseState;
use reel_formats::ese::tables::check::{Finding, Kind, Report, Severity, check};
use std::path::Path;

/// Cases whose size makes them tests of speed.
const LARGE: [&str; 2] = ["perf-32k", "perf2-32k"];

fn checked(file: &[u8]) -> Report {
    let database = Database::open(file).expect("a good header");
    check(&database, &mut |_| true).expect("nobody stops it")
}

/// The findings that are not mere information.
fn wrong(report: &Report) -> Vec<&Finding> {
    report.findings.listed.iter().filter(|finding| finding.severity != Severity::Information).collect()
}

/// The databases of a case, by their names inside it.
fn databases(archive: &Path) -> Vec<(String, Vec<u8>)> {
    let archive = samples::read(archive);
    let files = samples::tar_files(&archive);
    let databases =
        files.into_iter().filter(|(name, _)| Path::new(name).extension().is_some_and(|e| e == "edb"));
    databases.map(|(name, file)| (name, file.to_vec())).collect()
}

#[test]
fn nothing_is_wrong_with_what_the_engine_recovered_or_shut_down() {
    let name = "nothing_is_wrong_with_what_the_engine_recovered_or_shut_down";
    let Some(folder) = samples::path(name, "data/ese/cases") else { return };
    let (mut clean, mut dirty, mut leaks) = (0, 0, Vec::new());
    for path in samples::files(&folder) {
        let case = path.file_name().expect("a file").to_string_lossy().into_owned();
        let Some(case) = case.strip_suffix(".tar.zst").filter(|case| !LARGE.contains(case)) else { continue };
        for (name, file) in databases(&path) {
            let report = checked(&file);
            let state = Database::open(&file[..]).expect("a good header").header().state;
            if name.contains("/base/") && state != DatabaseState::CleanShutdown {
                // Pages of different age: anything but damage.
                assert_eq!(report.findings.errors, 0, "{name}: {:?}", wrong(&report));
                dirty += 1;
                continue;
            }
            assert!(report.findings.is_clean(), "{name}: {:?}", wrong(&report));
            assert!(report.trees > 5 && report.rows > 10, "{name}");
            clean += 1;
            let leaked = |finding: &&Finding| finding.kind == Kind::Leaked;
            leaks.extend(report.findings.listed.iter().find(leaked).map(|_| case.to_owned()));
        }
    }
    assert!(clean > 90 && dirty > 3, "{clean} clean databases, {dirty} dirty ones");
    // Tables whose creation was rolled back.
    leaks.dedup();
    assert_eq!(leaks, ["ddl-8k", "space-4k"]);
}

#[test]
fn nothing_is_damaged_in_databases_of_other_software() {
    let name = "nothing_is_damaged_in_databases_of_other_software";
    let Some(folder) = samples::path(name, "data/samples/ese") else { return };
    for path in samples::files(&folder) {
        if path.extension().is_none_or(|extension| extension != "zst") {
            continue;
        }
        let report = checked(&samples::read(&path));
        assert_eq!(report.findings.errors, 0, "{}: {:?}", path.display(), wrong(&report));
        // Its pages are of a later time than its header, and there is no log.
        let torn = path.ends_with("plaso-Catalog1.edb.zst");
        assert_eq!(report.findings.listed.iter().any(|finding| finding.kind == Kind::LaterPage), torn);
    }
}

/// Run with the folder that `unpack.sh` of the mail store fills.
#[test]
#[ignore = "needs REEL_MAILSTORE, 250 MB unpacked"]
fn nothing_is_wrong_with_the_days_of_the_mail_store() {
    let folder = std::env::var_os("REEL_MAILSTORE").expect("REEL_MAILSTORE names the unpacked mail store");
    for day in ["day0", "day1", "day2"] {
        let file = std::fs::read(Path::new(&folder).join(day).join("mail01.edb")).expect("it is unpacked");
        let report = checked(&file);
        assert_eq!(report.findings.listed, [], "{day}");
        assert!(report.rows > 10_000 && report.long_values > 9_000, "{day}");
    }
}
