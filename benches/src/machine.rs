//! What the system tells of this process and its machine.

use crate::Result;
use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Wall and CPU time of something, in seconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Span {
    /// Seconds that passed.
    pub wall: f64,
    /// Seconds that all threads of the process worked meanwhile.
    pub cpu: f64,
    /// Seconds that everything else on the machine worked meanwhile, the kernel's own threads among it.
    pub others: f64,
}

/// Runs something and measures it.
pub fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Span, T)> {
    let (cpu, machine, wall) = (cpu_seconds(), machine_seconds(), Instant::now());
    let done = work()?;
    let wall = wall.elapsed().as_secs_f64();
    let cpu = cpu_seconds() - cpu;
    Ok((Span { wall, cpu, others: (machine_seconds() - machine - cpu).max(0.0) }, done))
}

/// Seconds of several runs of the same.
#[derive(Debug, Clone, Copy)]
pub struct Seconds {
    /// Those of the fastest.
    pub best: f64,
    /// Those of all, divided by their number.
    pub mean: f64,
}

impl Seconds {
    /// Those of a single run.
    pub fn once(seconds: f64) -> Seconds {
        Seconds { best: seconds, mean: seconds }
    }

    /// Those of the faster of two ways.
    pub fn or(self, other: Seconds) -> Seconds {
        Seconds { best: self.best.min(other.best), mean: self.mean.min(other.mean) }
    }

    /// Those of one byte of so many.
    pub fn per_byte(self, bytes: u64) -> Seconds {
        Seconds { best: self.best / bytes as f64, mean: self.mean / bytes as f64 }
    }
}

/// Of each run.
impl FromIterator<f64> for Seconds {
    fn from_iter<I: IntoIterator<Item = f64>>(runs: I) -> Self {
        let (mut best, mut all, mut count) = (f64::INFINITY, 0.0, 0);
        for seconds in runs {
            best = best.min(seconds);
            all += seconds;
            count += 1;
        }
        Seconds { best, mean: all / f64::from(count) }
    }
}

/// Seconds that several runs take.
pub fn wall_of(runs: usize, work: impl FnMut() -> Result<()>) -> Result<Seconds> {
    seconds(runs, work, |span| span.wall)
}

/// Seconds that several runs of what one thread does without waiting for anything work, which others on the machine disturb less.
pub fn cpu_of(runs: usize, work: impl FnMut() -> Result<()>) -> Result<Seconds> {
    seconds(runs, work, |span| span.cpu)
}

fn seconds(
    runs: usize,
    mut work: impl FnMut() -> Result<()>,
    taken: impl Fn(Span) -> f64,
) -> Result<Seconds> {
    (0..runs).map(|_| Ok(taken(timed(&mut work)?.0))).collect()
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Seconds that the machine's cores worked since it started: all but idle and waiting, and nothing counted twice.
fn machine_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1);
    let busy = [0, 1, 2, 5, 6, 7];
    let ticks =
        fields.enumerate().filter(|(at, _)| busy.contains(at)).filter_map(|(_, f)| f.parse::<u64>().ok());
    ticks.sum::<u64>() as f64 / clock_ticks_per_second() as f64
}

/// Most bytes that this process had in memory so far (`VmHWM`).
pub fn peak_resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")).ok_or("no VmHWM in /proc/self/status")?;
    Ok(kib.trim().parse::<u64>()? << 10)
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Cores and vector units, and how busy others kept the machine in the last minute.
pub fn words() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    format!("{} cores, {}, load {load}", cores(), vector_units().join(" "))
}

#[cfg(target_arch = "x86_64")]
fn vector_units() -> Vec<&'static str> {
    let units = [
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("AVX-512", is_x86_feature_detected!("avx512f")),
        ("VAES", is_x86_feature_detected!("vaes")),
        ("GFNI", is_x86_feature_detected!("gfni")),
    ];
    units.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_units() -> Vec<&'static str> {
    vec![std::env::consts::ARCH]
}
