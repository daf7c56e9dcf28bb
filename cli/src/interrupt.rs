//! Ctrl-C: the first one stops at the next safe point, the second one at once.

use crate::output::say;
use reel_engine::progress::Monitor;
use reel_engine::{Class, Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

static ASKED: AtomicBool = AtomicBool::new(false);
static RUN: Mutex<Option<(Monitor, &'static str)>> = Mutex::new(None);
static HANDLER: Once = Once::new();

/// Makes the next interrupt cancel this run; `remains` says what stays usable then.
pub fn watch(monitor: &Monitor, remains: &'static str) {
    *RUN.lock().unwrap_or_else(PoisonError::into_inner) = Some((monitor.clone(), remains));
    if ASKED.load(Ordering::SeqCst) {
        monitor.cancel();
    }
    HANDLER.call_once(|| {
        if let Err(error) = ctrlc::set_handler(interrupted) {
            say(format_args!("Ctrl-C will stop at once, not at a safe point: {error}"));
        }
    });
}

/// An error if an interrupt has come: for work that no monitor follows.
pub fn check(what: &str) -> Result<()> {
    if ASKED.load(Ordering::SeqCst) {
        return Err(Error::new(Class::Cancelled, what, "stopped at your request"));
    }
    Ok(())
}

fn interrupted() {
    if ASKED.swap(true, Ordering::SeqCst) {
        std::process::exit(3);
    }
    if let Some((monitor, remains)) = &*RUN.lock().unwrap_or_else(PoisonError::into_inner) {
        monitor.cancel();
        say(format_args!("stopping at the next safe point ({remains}); interrupt again to stop at once"));
    }
}
