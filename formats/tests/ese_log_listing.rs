//! Transaction logs against the engine's own listing of every record.

mod samples;

use reel_formats::ese::log::LogStatus;
use reel_formats::ese::log::histogram::Histogram;
use reel_formats::ese::log::reader::LogFile;
use reel_formats::ese::log::record::{Record, RecordType, record_len};
use reel_formats::ese::log::text::Line;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::path::Path;

/// One log's part of a listing.
struct Listed<'a> {
    name: &'a str,
    result: i32,
    last_position: &'a str,
    accumulated: Option<u64>,
    /// Checksum, number and start of each segment, in order.
    segments: Vec<(u64, u16, &'a str)>,
    /// A line for each record.
    records: Vec<&'a str>,
    /// Name, count, mean length.
    types: BTreeMap<&'a str, (u64, u64)>,
    totals: (u64, u64),
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).expect("a hexadecimal number")
}

fn number_after<'a>(line: &'a str, label: &str) -> Option<&'a str> {
    line.trim().strip_prefix(label).map(str::trim)
}

fn parse_listing(text: &str) -> Vec<Listed<'_>> {
    let mut logs: Vec<Listed<'_>> = Vec::new();
    let mut in_table = false;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("=== ") {
            let (name, result) = rest.split_once(" rc=").expect("a log and its result");
            logs.push(Listed {
                name,
                result: result.trim().parse().expect("a number"),
                last_position: "",
                accumulated: None,
                segments: Vec::new(),
                records: Vec::new(),
                types: BTreeMap::new(),
                totals: (0, 0),
            });
            continue;
        }
        let Some(log) = logs.last_mut() else { continue };
        if line.starts_with('>') {
            log.records.push(line);
        } else if let Some(rest) = line.strip_prefix("Segment Checksum: ") {
            let (checksum, rest) = rest.split_once(", LGPOS (").expect("a position");
            let sector = rest.split(',').nth(1).expect("a segment");
            let (_, start) = rest.split_once("logtimeStart ").expect("a time");
            log.segments.push((hex(checksum), hex(sector) as u16, start));
        } else if let Some(position) = number_after(line, "Last Lgpos:") {
            log.last_position = position;
        } else if let Some(sum) = number_after(line, "Accumulated segment checksum:") {
            log.accumulated = Some(hex(sum));
        } else if let Some(total) = number_after(line, "clrTotal    =") {
            log.totals.0 = total.parse().expect("a number");
        } else if let Some(total) = number_after(line, "cbTotal     =") {
            log.totals.1 = total.parse().expect("a number");
        } else if line.starts_with("Op  ") {
            in_table = true;
        } else if line.starts_with("==") {
            in_table = false;
        } else if in_table && line.contains('%') {
            let (name, rest) = line.split_at(9);
            let numbers: Vec<u64> = rest.split_whitespace().flat_map(str::parse).collect();
            log.types.insert(name.trim(), (numbers[0], numbers[1]));
        }
    }
    logs
}

/// The throughput cases are large and have no listing of their records.
fn is_large(case: &Path) -> bool {
    case.file_name().is_some_and(|name| name.to_string_lossy().starts_with("perf"))
}

fn cases(test: &str) -> Vec<std::path::PathBuf> {
    let Some(folder) = samples::path(test, "data/ese/cases") else { return Vec::new() };
    let mut cases = samples::files(&folder);
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "zst") && !is_large(path));
    cases
}

/// The first record that is not as listed, or what else is not.
fn compare(log: &LogFile, listed: &Listed<'_>, counted: &mut BTreeMap<String, u64>) -> Result<(), String> {
    let starts: HashMap<u16, &str> = listed.segments.iter().map(|segment| (segment.1, segment.2)).collect();
    let mut lines = listed.records.iter();
    let mut histogram = Histogram::default();
    let mut records = log.records();
    let mut text = String::new();
    let failure = loop {
        let found = match records.next() {
            Ok(Some(found)) => found,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        let record = Record::parse(found.bytes).map_err(|error| error.to_string())?;
        text.clear();
        write!(text, "{}", Line { position: found.position, record: &record }).expect("a string takes all");
        let line = lines.next().ok_or_else(|| format!("{text}: not listed"))?;
        if text.trim_end() != line.trim_end() {
            return Err(format!("read:   {text}\nlisted: {line}"));
        }
        if record.kind() != RecordType(found.bytes[0])
            || record_len(found.bytes).ok() != Some(found.bytes.len())
        {
            return Err(format!("{line}: its type or its length is not its own"));
        }
        // A record's position may be the fill before its segment.
        let begun = [found.position.sector, found.position.sector + 1];
        let time = found.time.to_string();
        if !begun.iter().any(|sector| starts.get(sector) == Some(&time.as_str())) {
            return Err(format!("{line}: begun {time}"));
        }
        histogram.add(found.bytes);
    };
    if let Some(line) = lines.next() {
        return Err(format!("{line}: not read"));
    }
    for (name, tally) in histogram.types() {
        *counted.entry(name.to_owned()).or_default() += tally.records;
        if listed.types.get(name) != Some(&(tally.records, tally.mean_bytes())) {
            return Err(format!("{name}: {tally:?}, listed {:?}", listed.types.get(name)));
        }
    }
    let total = histogram.total();
    if histogram.types().count() != listed.types.len() || (total.records, total.bytes) != listed.totals {
        return Err(format!("{total:?}, listed {:?}", listed.totals));
    }
    let failed = failure.and_then(|error| error.jet()).unwrap_or(0);
    if failed != listed.result {
        return Err(format!("ends with {failed}, listed {}", listed.result));
    }
    Ok(())
}

fn compare_end(log: &LogFile, listed: &Listed<'_>) -> Result<(), String> {
    let end = log.end();
    let position = end.position.to_string();
    // In a line about damage the engine writes small letters, and more behind the position.
    if !listed.last_position.to_lowercase().starts_with(&position.to_lowercase()) {
        return Err(format!("ends at {position}, listed {}", listed.last_position));
    }
    if end.status.is_corrupt() != (listed.result != 0) {
        return Err(format!("{}, listed {}", end.status, listed.result));
    }
    if listed.result == 0 && listed.accumulated != Some(end.accumulated) {
        return Err(format!("segments sum up to {:#x}, listed {:#x?}", end.accumulated, listed.accumulated));
    }
    let sum = listed.segments.iter().fold(0, |sum, segment| sum ^ segment.0);
    let segments = end.used_bytes / 4096 - 1;
    if sum != end.accumulated || segments != listed.segments.len() as u64 {
        return Err(format!("{segments} segments, listed {}", listed.segments.len()));
    }
    Ok(())
}

#[test]
fn every_record_of_the_engine_made_logs_is_read_as_the_engine_lists_it() {
    let (mut records, mut logs) = (0, 0);
    for case in cases("every_record_of_the_engine_made_logs_is_read_as_the_engine_lists_it") {
        let archive = samples::read(&case);
        let files = samples::tar_files(&archive);
        let file = |end: &str| files.iter().find(|(name, _)| name.ends_with(end)).map(|(_, bytes)| *bytes);
        let listing = String::from_utf8_lossy(file("/oracle/logdump.txt").expect("a listing"));
        let mut counted = BTreeMap::new();
        for mut listed in parse_listing(&listing) {
            let place = format!("{}, {}", case.display(), listed.name);
            let bytes = file(&format!("/logs/{}", listed.name)).expect("a log for each listing");
            let log = LogFile::open(bytes.to_vec()).unwrap_or_else(|error| panic!("{place}: {error}"));
            if listed.segments.is_empty() {
                // Of a log without data the engine lists the first byte of fill.
                assert_eq!(listed.types.remove("NOP"), Some((1, 1)), "{place}");
                listed.records.clear();
                listed.totals = (0, 0);
                counted.insert("NOP".to_owned(), 1);
            }
            let compared = compare(&log, &listed, &mut counted).and_then(|()| compare_end(&log, &listed));
            compared.unwrap_or_else(|difference| panic!("{place}:\n{difference}"));
            records += listed.records.len();
            logs += 1;
        }
        let manifest = file("/manifest.json").expect("a manifest");
        assert_eq!(counted, counts_of_manifest(manifest), "{}", case.display());
    }
    println!("{records} records of {logs} logs");
}

#[test]
#[ignore = "reads 350 MB of logs"]
fn the_throughput_cases_have_as_many_records_as_the_engine_counted() {
    let test = "the_throughput_cases_have_as_many_records_as_the_engine_counted";
    // How many the first case has is not written down; its deletes are known roughly.
    let Some(first) = samples::path(test, "data/ese/cases/perf-32k.tar.zst") else { return };
    assert_eq!(count_records(&first)["Delete"] / 1000, 135);

    let Some(second) = samples::path(test, "data/ese/cases/perf2-32k.tar.zst") else { return };
    let manifest = samples::read(&second.with_file_name("perf2-32k.json"));
    assert_eq!(count_records(&second), counts_of_manifest(&manifest));
}

fn count_records(case: &Path) -> BTreeMap<String, u64> {
    let archive = samples::read(case);
    let mut histogram = Histogram::default();
    for (name, bytes) in samples::tar_files(&archive) {
        if name.contains("/logs/") {
            let log = LogFile::open(bytes.to_vec()).unwrap_or_else(|error| panic!("{name}: {error}"));
            histogram.add_log(&log).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(log.end().status, LogStatus::Complete, "{name}");
        }
    }
    histogram.types().map(|(name, tally)| (name.to_owned(), tally.records)).collect()
}

fn counts_of_manifest(manifest: &[u8]) -> BTreeMap<String, u64> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest).expect("a manifest is JSON");
    let counts = manifest["log_record_counts"].as_object().expect("counts");
    counts.iter().map(|(name, count)| (name.clone(), count.as_u64().expect("a count"))).collect()
}
