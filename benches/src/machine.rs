//! What the system tells of this process and its machine.

use crate::Result;
use rustix::time::{ClockId, clock_gettime};
use std::time::Instant;

/// Wall and CPU time of something, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Seconds that passed.
    pub wall: f64,
    /// Seconds that all threads of the process worked meanwhile.
    pub cpu: f64,
}

/// Runs something and measures it.
pub fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Span, T)> {
    let (cpu, wall) = (cpu_seconds(), Instant::now());
    let done = work()?;
    Ok((Span { wall: wall.elapsed().as_secs_f64(), cpu: cpu_seconds() - cpu }, done))
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
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
