//! A progress bar with rate and time left, on a terminal only.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use reel_engine::progress::Monitor;
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often the counters are looked at.
const STEP: Duration = Duration::from_millis(100);

/// What a run counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Blocks,
}

/// Is there somebody who watches?
pub fn watched() -> bool {
    std::io::stderr().is_terminal()
}

/// A bar that follows a run until it is dropped.
pub struct Bar {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    /// Shows the progress of a run on standard error if that is a terminal.
    pub fn start(what: &'static str, unit: Unit, monitor: &Monitor) -> Bar {
        let ended = Arc::new(AtomicBool::new(false));
        let thread = watched().then(|| {
            let (monitor, ended) = (monitor.clone(), ended.clone());
            thread::spawn(move || follow(what, unit, &monitor, &ended))
        });
        Bar { ended, thread }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A bar that failed is no reason for the command to fail.
            let _ = thread.join();
        }
    }
}

fn follow(what: &'static str, unit: Unit, monitor: &Monitor, ended: &AtomicBool) {
    let bar = ProgressBar::no_length().with_message(what);
    bar.set_style(style(unit, false));
    let mut known = 0;
    while !ended.load(Ordering::Relaxed) {
        let total = monitor.counters().total.load(Ordering::Relaxed);
        let done = monitor.counters().done.load(Ordering::Relaxed);
        if total.max(done) != known && total > 0 {
            if known == 0 {
                bar.set_style(style(unit, true));
            }
            known = total.max(done);
            bar.set_length(known);
        }
        bar.set_position(done);
        bar.tick();
        thread::park_timeout(STEP);
    }
    bar.finish_and_clear();
}

fn style(unit: Unit, total_known: bool) -> ProgressStyle {
    let template = match (unit, total_known) {
        (Unit::Bytes, true) => "{msg} [{wide_bar}] {done}/{all} {rate} {eta} left",
        (Unit::Bytes, false) => "{msg} {spinner} {done} {rate} {elapsed}",
        (Unit::Blocks, true) => "{msg} [{wide_bar}] block {pos}/{len} {eta} left",
        (Unit::Blocks, false) => "{msg} {spinner} block {pos} {elapsed}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style
        .with_key("done", |state: &ProgressState, out: &mut dyn Write| {
            megabytes(state.pos() as f64, " MB", out);
        })
        .with_key("all", |state: &ProgressState, out: &mut dyn Write| {
            megabytes(state.len().unwrap_or_default() as f64, " MB", out);
        })
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            megabytes(state.per_sec(), " MB/s", out);
        })
        .progress_chars("=> ")
}

fn megabytes(bytes: f64, unit: &str, out: &mut dyn Write) {
    // What cannot be shown is shown a tenth of a second later.
    let _ = write!(out, "{:.1}{unit}", bytes / 1e6);
}
