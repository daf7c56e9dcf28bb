//! Bytes as the records of logs that are replayed on a small database.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reel_fuzz::replay::run;

fuzz_target!(|data: &[u8]| {
    let _ = run(data);
});
