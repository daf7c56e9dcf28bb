//! `reel-bench`: prints what backup and restore reach beside the limits of this machine, or checks one thing at length.

use reel_benches::samples::Case;
use reel_benches::workbench::Workbench;
use reel_benches::{
    Result, index, integrity, linear, machine, memory, peers, rebuild, rebuild_table, rows, table,
};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: reel-bench [--size BYTES[K|M|G]] [--only CASE[,CASE...]] [--dir FOLDER] [--threads N] [--json] [--save FILE]
       reel-bench --gate [--size BYTES[K|M|G]] [--only CASE[,CASE...]] [--dir FOLDER] [--threads N] [--json]
       reel-bench --linear [--size BYTES[K|M|G]] [--dir FOLDER] [--threads N] [--json] [--save FILE]
       reel-bench --rss [--size BYTES[K|M|G]] [--dir FOLDER]
       reel-bench --k [--size BYTES[K|M|G]] [--dir FOLDER] [--threads N]
       reel-bench --rebuild [--dir FOLDER] [--threads N] [--json]
       reel-bench --peers [--peers-size BYTES[K|M|G],...] [--peers-rounds N] [--peers-only NAME[,NAME...]]
                  [--mailstore FOLDER] [--dir FOLDER] [--json]
       reel-bench --index [--chunks N] [--dir FOLDER]
       reel-bench --names

Without a mode: every row of the ratio table on a generated store (default 1G; needs eight times that in FOLDER) beside
the limits of this machine; with --only those of some cases, whose names --names prints.
With --gate: the kernels beside their limits on a small store (default 256M), or the cases of --only, in seconds and for a machine
that others use: only what stays below 0.85 of what it must reach misses, and only when twelve measurements, eight seconds apart, do.
With --linear: first backup and next days of a generated stream at two sizes, 4G and --size (default 64G; needs an
eighth of that in FOLDER), with a bound of 256 MiB: does the time grow as the size does, does the memory not?
With --rss: peak memory of a backup and a restore (default 4G) with a bound of 256 MiB.
With --k: rates of the check of a database's pages (default 4G) beside read(2) alone, by one thread and by N.
With --rebuild: rates of rebuild on the sample cases perf-32k and perf2-32k (1.2 GB in FOLDER) beside reading and
decoding their logs alone and beside the engine that wrote them, and its peak memory with 96 and 512 MiB.
With --peers: the command reel beside this one, and restic, rustic, borg, bupstash, casync and tar | zstd where the PATH has
them, or those of --peers-only alone, on generated stores (default 1G,4G; needs twelve times the largest in FOLDER) and, with
--mailstore, on the packed sample mail store; all of it in N rounds (default 3), whose medians count.
With --index: what the dedup index over N chunks (default 10,000,000; 66 bytes each in FOLDER) costs.
--json prints for a program; --save writes that to FILE beside what is printed.
FOLDER (default: the temporary folder) gets a folder of its own that is removed at the end.
Exit code 1: a ratio or a peak misses what it must reach.";

/// What is to be measured.
#[derive(Default, Clone, Copy)]
enum Mode {
    #[default]
    Table,
    Gate,
    Names,
    Linear,
    Rss,
    K,
    Rebuild,
    Peers,
    Index,
    /// What `--rss`, `--linear`, `--rebuild`, `--index` and `--peers` start themselves as.
    IndexStep,
    RssStep,
    LinearStep,
    RebuildStep,
    PeersStep,
    PeersDisk,
}

#[derive(Default)]
struct Arguments {
    mode: Mode,
    size: Option<u64>,
    only: Vec<String>,
    dir: Option<PathBuf>,
    threads: Option<usize>,
    json: bool,
    save: Option<PathBuf>,
    step: String,
    chunks: Option<u64>,
    peers: peers::Options,
    peers_step: Vec<String>,
}

impl Arguments {
    fn parse() -> Result<Arguments> {
        let mut arguments = Arguments::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} without a value"));
            match word.as_str() {
                "--size" => arguments.size = Some(size(&value()?)?),
                "--only" => arguments.only.extend(value()?.split(',').map(str::to_owned)),
                "--dir" => arguments.dir = Some(value()?.into()),
                "--threads" => arguments.threads = Some(value()?.parse()?),
                "--json" => arguments.json = true,
                "--save" => arguments.save = Some(value()?.into()),
                "--names" => arguments.mode = Mode::Names,
                "--gate" => arguments.mode = Mode::Gate,
                "--linear" => arguments.mode = Mode::Linear,
                "--rss" => arguments.mode = Mode::Rss,
                "--k" => arguments.mode = Mode::K,
                "--rebuild" => arguments.mode = Mode::Rebuild,
                "--rss-step" => (arguments.mode, arguments.step) = (Mode::RssStep, value()?),
                "--linear-step" => (arguments.mode, arguments.step) = (Mode::LinearStep, value()?),
                "--rebuild-step" => (arguments.mode, arguments.step) = (Mode::RebuildStep, value()?),
                "--index" => arguments.mode = Mode::Index,
                "--index-step" => arguments.mode = Mode::IndexStep,
                "--chunks" => arguments.chunks = Some(value()?.parse()?),
                "--peers" => arguments.mode = Mode::Peers,
                "--peers-size" => {
                    arguments.peers.sizes = value()?.split(',').map(size).collect::<Result<_>>()?;
                }
                "--peers-rounds" => arguments.peers.rounds = Some(value()?.parse()?),
                "--peers-only" => arguments.peers.only.extend(value()?.split(',').map(str::to_owned)),
                "--mailstore" => arguments.peers.mailstore = Some(value()?.into()),
                peers::process::STEP => {
                    (arguments.mode, arguments.peers_step) = (Mode::PeersStep, words.by_ref().collect());
                }
                peers::alone::WORK => {
                    (arguments.mode, arguments.peers_step) = (Mode::PeersDisk, words.by_ref().collect());
                }
                // Given by `cargo bench`.
                "--bench" => {}
                _ => return Err(format!("{word} is not known\n{USAGE}").into()),
            }
        }
        arguments.peers.json = arguments.json;
        Ok(arguments)
    }

    fn size_or(&self, default: u64) -> u64 {
        self.size.unwrap_or(default)
    }
}

fn size(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(['K', 'M', 'G']);
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err(format!("{text} is no size").into()),
    };
    digits.parse::<u64>()?.checked_mul(1 << shift).ok_or_else(|| format!("{text} is too large").into())
}

fn main() -> ExitCode {
    match Arguments::parse().and_then(|arguments| run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Gives whether everything reached what it must.
fn run(arguments: &Arguments) -> Result<bool> {
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let cores = arguments.threads.unwrap_or_else(machine::cores);
    // Answers the process that started this one.
    let say = |answer: &dyn std::fmt::Display| {
        println!("{answer}");
        Ok(true)
    };
    let own_folder = || tempfile::Builder::new().prefix("reel-bench-").tempdir_in(&parent);
    match arguments.mode {
        Mode::Table => ratio_table(own_folder()?.path(), cores, arguments),
        Mode::Gate => gate(own_folder()?.path(), cores, arguments),
        Mode::Names => {
            rows::names().for_each(|name| println!("{name}"));
            Ok(true)
        }
        Mode::Linear => {
            let rows = linear::measure(own_folder()?.path(), arguments.size_or(64 << 30), cores)?;
            print_rows(None, &rows, cores, arguments)
        }
        Mode::Rss => peaks(own_folder()?.path(), arguments.size_or(4 << 30)),
        Mode::K => {
            let rates = integrity::measure(own_folder()?.path(), arguments.size_or(4 << 30), cores)?;
            print!("{}", integrity::markdown(&rates));
            Ok(integrity::passes(&rates))
        }
        Mode::Rebuild => rebuilds(own_folder()?.path(), cores, arguments.json),
        Mode::Peers => peers::run(own_folder()?.path(), &arguments.peers),
        Mode::Index => {
            let cost = index::measure(own_folder()?.path(), arguments.chunks.unwrap_or(10_000_000))?;
            print!("{}", index::markdown(&cost));
            Ok(true)
        }
        Mode::IndexStep => {
            let chunks = arguments.chunks.unwrap_or(10_000_000);
            say(&serde_json::to_string(&index::step(&parent, chunks)?)?)
        }
        Mode::PeersStep => peers::process::step(&arguments.peers_step),
        Mode::PeersDisk => peers::alone::work(&arguments.peers_step),
        Mode::RssStep => say(&memory::step(&arguments.step, &parent, arguments.size_or(4 << 30))?),
        Mode::LinearStep => say(&linear::step(&arguments.step, &parent, arguments.size_or(4 << 30), cores)?),
        Mode::RebuildStep => say(&rebuild::step(&parent, arguments.step.parse()?, cores)?),
    }
}

/// Gives whether no row misses its target.
fn ratio_table(folder: &Path, cores: usize, arguments: &Arguments) -> Result<bool> {
    let mut bench = Workbench::new(folder, arguments.size_or(1 << 30), cores)?;
    let (limits, rows) = rows::run(&mut bench, &arguments.only, |what| eprintln!("{what} ..."))?;
    print_rows(Some(&limits), &rows, cores, arguments)
}

/// Gives whether no row misses its target by more than the slack.
fn gate(folder: &Path, cores: usize, arguments: &Arguments) -> Result<bool> {
    let mut bench = Workbench::new(folder, arguments.size_or(256 << 20), cores)?;
    let rows = rows::gate(&mut bench, &arguments.only, |what| eprintln!("{what} ..."))?;
    print_rows(None, &rows, cores, arguments)
}

fn print_rows(
    limits: Option<&reel_benches::limits::Limits>,
    rows: &[reel_benches::row::Row],
    cores: usize,
    arguments: &Arguments,
) -> Result<bool> {
    let json = format!("{:#}\n", table::json(limits, rows, cores));
    if let Some(path) = &arguments.save {
        std::fs::write(path, &json)?;
    }
    print!("{}", if arguments.json { json } else { table::markdown(limits, rows) });
    Ok(!rows.iter().any(|row| row.verdict() == reel_benches::row::Verdict::Miss))
}

/// Gives whether the peaks stay below the bound.
fn peaks(folder: &Path, size: u64) -> Result<bool> {
    let peaks = memory::check(folder, size)?;
    let bound = memory::BOUND + memory::SLACK;
    for (what, peak) in memory::STEPS.iter().zip(peaks) {
        println!("{what} of {} MiB: peak {} MiB, bound {} MiB", size >> 20, peak >> 20, bound >> 20);
    }
    Ok(peaks.iter().all(|peak| *peak <= bound))
}

/// Gives whether every peak stays in its bound.
fn rebuilds(folder: &Path, cores: usize, as_json: bool) -> Result<bool> {
    let (mut rows, mut peaks) = (Vec::new(), Vec::new());
    for name in rebuild::CASES {
        let own = tempfile::Builder::new().prefix(name).tempdir_in(folder)?;
        let Some(case) = Case::unpack(name, own.path())? else { continue };
        let (more_rows, more_peaks) = rebuild::measure(&case, cores)?;
        rows.extend(more_rows);
        peaks.extend(more_peaks);
    }
    if as_json {
        println!("{:#}", rebuild_table::json(&rows, &peaks));
    } else {
        print!("{}", rebuild_table::markdown(&rows, &peaks));
    }
    Ok(!peaks.iter().any(rebuild::Peak::fails))
}
