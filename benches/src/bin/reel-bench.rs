//! `reel-bench`: prints what backup and restore reach beside the limits of this machine, or checks their peak memory.

use reel_benches::cases::Cases;
use reel_benches::samples::Case;
use reel_benches::{Result, index, integrity, machine, memory, peers, rebuild, rebuild_table, table};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: reel-bench [--size BYTES[K|M|G]] [--dir FOLDER] [--threads N] [--json]
       reel-bench --rss [--size BYTES[K|M|G]] [--dir FOLDER]
       reel-bench --k [--size BYTES[K|M|G]] [--dir FOLDER] [--threads N]
       reel-bench --index [--chunks N] [--dir FOLDER]
       reel-bench --rebuild [--dir FOLDER] [--threads N] [--json]
       reel-bench --peers [--peers-size BYTES[K|M|G],...] [--mailstore FOLDER] [--dir FOLDER] [--json]

Without either: rates of backup and restore of a generated store (default 1G; needs four times that in FOLDER) beside
the limits of this machine. With --rss: peak memory of a backup and a restore (default 4G) with a bound of 256 MiB.
With --k: rates of the check of a database's pages (default 4G) beside read(2) alone, by one thread and by N.
With --index: what the dedup index over N chunks (default 10,000,000; 66 bytes each in FOLDER) costs.
With --rebuild: rates of rebuild on the sample cases perf-32k and perf2-32k (1.2 GB in FOLDER) beside reading and
decoding their logs alone and beside the engine that wrote them, and its peak memory with 96 and 512 MiB.
With --peers: the command reel beside this one, and restic, rustic, borg, bupstash, casync and tar | zstd where the PATH has
them, on generated stores (default 1G,4G) and, with --mailstore, on the packed sample mail store.
FOLDER (default: the temporary folder) gets a folder of its own that is removed at the end.
Exit code 1: a ratio or a peak misses what it must reach.";

#[derive(Default)]
struct Arguments {
    size: Option<u64>,
    dir: Option<PathBuf>,
    threads: Option<usize>,
    json: bool,
    rss: bool,
    k: bool,
    rebuild: bool,
    index: bool,
    chunks: Option<u64>,
    index_step: bool,
    rss_step: Option<String>,
    rebuild_step: Option<u64>,
    peers: Option<peers::Options>,
    peers_step: Option<Vec<String>>,
}

impl Arguments {
    fn parse() -> Result<Arguments> {
        let mut arguments = Arguments::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} without a value"));
            match word.as_str() {
                "--size" => arguments.size = Some(size(&value()?)?),
                "--dir" => arguments.dir = Some(value()?.into()),
                "--threads" => arguments.threads = Some(value()?.parse()?),
                "--json" => arguments.json = true,
                "--rss" => arguments.rss = true,
                "--k" => arguments.k = true,
                "--rebuild" => arguments.rebuild = true,
                "--peers" => _ = arguments.peers.get_or_insert_default(),
                "--peers-size" => {
                    let sizes = value()?.split(',').map(size).collect::<Result<_>>()?;
                    arguments.peers.get_or_insert_default().sizes = sizes;
                }
                "--mailstore" => {
                    arguments.peers.get_or_insert_default().mailstore = Some(value()?.into());
                }
                "--index" => arguments.index = true,
                "--chunks" => arguments.chunks = Some(value()?.parse()?),
                // What `--rss`, `--rebuild`, `--index` and `--peers` start themselves as.
                peers::process::STEP => arguments.peers_step = Some(words.by_ref().collect()),
                "--index-step" => arguments.index_step = true,
                "--rss-step" => arguments.rss_step = Some(value()?),
                "--rebuild-step" => arguments.rebuild_step = Some(value()?.parse()?),
                // Given by `cargo bench`.
                "--bench" => {}
                _ => return Err(format!("{word} is not known\n{USAGE}").into()),
            }
        }
        Ok(arguments)
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
    match Arguments::parse().and_then(run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Gives whether everything reached what it must.
fn run(arguments: Arguments) -> Result<bool> {
    if let Some(words) = arguments.peers_step {
        return peers::process::step(&words);
    }
    let parent = arguments.dir.unwrap_or_else(std::env::temp_dir);
    if let Some(step) = arguments.rss_step {
        println!("{}", memory::step(&step, &parent, arguments.size.unwrap_or(4 << 30))?);
        return Ok(true);
    }
    let chunks = arguments.chunks.unwrap_or(10_000_000);
    if arguments.index_step {
        println!("{}", serde_json::to_string(&index::step(&parent, chunks)?)?);
        return Ok(true);
    }
    let cores = arguments.threads.unwrap_or_else(machine::cores);
    if let Some(bound) = arguments.rebuild_step {
        println!("{}", rebuild::step(&parent, bound, cores)?);
        return Ok(true);
    }
    let folder = tempfile::Builder::new().prefix("reel-bench-").tempdir_in(parent)?;
    if arguments.rss {
        let size = arguments.size.unwrap_or(4 << 30);
        let peaks = memory::check(folder.path(), size)?;
        let bound = memory::BOUND + memory::SLACK;
        for (what, peak) in ["backup", "restore"].iter().zip(peaks) {
            println!("{what} of {} MiB: peak {} MiB, bound {} MiB", size >> 20, peak >> 20, bound >> 20);
        }
        return Ok(peaks.iter().all(|peak| *peak <= bound));
    }
    if let Some(options) = arguments.peers {
        return peers::run(folder.path(), &peers::Options { json: arguments.json, ..options });
    }
    if arguments.rebuild {
        return rebuilds(folder.path(), cores, arguments.json);
    }
    if arguments.index {
        let cost = index::measure(folder.path(), chunks)?;
        print!("{}", index::markdown(&cost));
        return Ok(true);
    }
    if arguments.k {
        let rates = integrity::measure(folder.path(), arguments.size.unwrap_or(4 << 30), cores)?;
        print!("{}", integrity::markdown(&rates));
        return Ok(integrity::passes(&rates));
    }
    let mut cases = Cases::new(folder.path(), arguments.size.unwrap_or(1 << 30), cores)?;
    let rows = cases.run(|what, span| eprintln!("{what}: {:.3} s, CPU {:.3} s", span.wall, span.cpu))?;
    if arguments.json {
        println!("{:#}", table::json(cases.limits(), &rows, cores));
    } else {
        print!("{}", table::markdown(cases.limits(), &rows, cores));
    }
    Ok(!rows.iter().any(|row| row.fails(cores)))
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
