//! Every kernel that cuts content against the `fastcdc` crate.

use proptest::prelude::*;
use reel_engine::chunk::gear::{self, Gear, Kernel, Params};
use reel_workload::Store;

/// Cut lengths of the crate's serial scan.
fn crate_cuts(table: &[u64; 256], params: &Params, bytes: &[u8], starts: usize) -> Vec<u32> {
    let shifted = table.map(|g| g << 1);
    let (before, after) = params.masks();
    let mut lengths = Vec::new();
    let mut at = 0;
    while at < starts.min(bytes.len()) {
        let (_, length) = fastcdc::v2020::cut_gear(
            &bytes[at..],
            params.min(),
            params.average(),
            params.max(),
            before,
            after,
            before << 1,
            after << 1,
            table,
            &shifted,
        );
        lengths.push(length as u32);
        at += length;
    }
    lengths
}

fn aes_table() -> [u64; 256] {
    gear::GEAR.map(u64::from)
}

fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Noise in which stretches of all lengths are runs of one byte.
fn runs(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = noise(seed, length);
    let places = noise(seed + 1, 64 * 12);
    for place in places.chunks(12) {
        let word =
            |at: usize| u32::from_le_bytes([place[at], place[at + 1], place[at + 2], place[at + 3]]) as usize;
        let begin = word(0) % length.max(1);
        let run = word(4) % (1 << (4 + word(8) % 16));
        let end = length.min(begin + run);
        bytes[begin..end].fill(place[11] & 3);
    }
    bytes
}

fn text(length: usize) -> Vec<u8> {
    (0u64..).flat_map(|i| format!("line {i}: {}\n", i * 7919).into_bytes()).take(length).collect()
}

fn pages(length: usize) -> Vec<u8> {
    let store = Store::new(1, 64 << 20);
    let mut bytes = vec![0; length];
    store.read_at(&mut bytes, 16 << 20);
    bytes
}

fn samples(length: usize) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("noise", noise(1, length)),
        ("zeros", vec![0; length]),
        ("runs", runs(2, length)),
        ("pages", pages(length)),
        ("text", text(length)),
    ]
}

/// Holds all kernels against the crate, over the first `starts` bytes.
fn assert_same(average: usize, bytes: &[u8], starts: usize, what: &str) {
    let params = Params::of_average(average).unwrap();
    let expected = crate_cuts(&aes_table(), &params, bytes, starts);
    for gear in Kernel::ALL.into_iter().filter_map(|kernel| Gear::aes(average, kernel)) {
        let mut lengths = Vec::new();
        gear.cuts(bytes, starts, &mut lengths);
        assert!(lengths == expected, "{what}, average {average}, {} bytes, {gear:?}", bytes.len());
    }
}

#[test]
fn every_kernel_cuts_as_the_crate_does_at_every_average() {
    for bits in 12..=20 {
        let average = 1usize << bits;
        let length = (160 * average).clamp(2 << 20, 24 << 20);
        for (what, bytes) in samples(length) {
            assert_same(average, &bytes, bytes.len(), what);
        }
    }
}

#[test]
fn every_kernel_cuts_as_the_crate_does_at_every_alignment_and_tail() {
    let average = 4096;
    let all = runs(5, (200 << 10) * 4);
    for at in 0..=64 {
        let bytes = &all[at..all.len() - 3 * at];
        assert_same(average, bytes, bytes.len(), "alignment");
        assert_same(average, bytes, bytes.len() - 4 * average, "alignment, bytes behind the starts");
    }
    for around in [0, 1024, 4096, 16_384, 100_000] {
        for tail in 0..=130 {
            let bytes = &all[..around + tail];
            assert_same(average, bytes, bytes.len(), "tail");
            if let Some(less) = around.checked_sub(tail) {
                assert_same(average, &all[..less], less, "tail below");
            }
        }
    }
}

#[test]
fn chunks_begin_only_in_the_starts_that_were_asked_for() {
    let bytes = noise(3, 6 << 20);
    let max = Params::POOL.max();
    for starts in [0, 1, 100_000, 4 << 20, bytes.len() - max, bytes.len()] {
        assert_same(16_384, &bytes[..bytes.len().min(starts + max)], starts, "starts");
    }
    for starts in [65_536 * 20, 65_536 * 20 + 1, 65_536 * 21 - 1] {
        assert_same(16_384, &vec![7; starts + max], starts, "starts in a run");
    }
}

#[test]
fn the_standard_table_of_the_crate_is_cut_as_the_crate_does_it() {
    let (table, _) = fastcdc::v2020::get_gear_with_seed(0);
    for (what, bytes) in samples(3 << 20) {
        for average in [4096u32, 16_384] {
            let (low, high) = (average / 4, average * 4);
            let chunker = fastcdc::v2020::FastCDC::new(&bytes, low, average, high);
            let expected: Vec<u32> = chunker.map(|chunk| chunk.length as u32).collect();
            // The crate's level 1, which `new` takes.
            let bits = average.ilog2() as usize;
            let masks = fastcdc::v2020::MASKS;
            let sizes = [low, average, high].map(|size| size as usize);
            let params = Params::new(sizes, masks[bits + 1], masks[bits - 1]).unwrap();
            let mut lengths = Vec::new();
            Gear::of_table(&table, params).cuts(&bytes, bytes.len(), &mut lengths);
            assert!(lengths == expected, "{what}, average {average}");
        }
    }
}

#[test]
fn a_kernel_that_is_asked_for_by_name_is_there_or_refused() {
    for kernel in Kernel::ALL {
        assert_eq!(Kernel::named(kernel.name()).ok(), kernel.is_available().then_some(kernel));
        assert_eq!(Gear::aes(16_384, kernel).is_some(), kernel.is_available());
    }
    let error = Kernel::named("sse9").unwrap_err().to_string();
    assert!(error.contains("sse9") && error.contains("gfni"), "{error}");
}

/// A child process of the test below: cuts with whatever the variable names, and says what that is.
#[test]
#[ignore = "run by the test of the variable, with the variable set"]
fn cut_with_the_kernel_of_the_variable() {
    let kernel = Kernel::chosen().unwrap();
    let bytes = runs(9, 2 << 20);
    let mut lengths = Vec::new();
    Gear::of_pool(kernel).cuts(&bytes, bytes.len(), &mut lengths);
    assert_eq!(lengths, crate_cuts(&aes_table(), &Params::POOL, &bytes, bytes.len()));
    println!("kernel={}", kernel.name());
}

#[test]
fn the_variable_forces_each_kernel() {
    let program = std::env::current_exe().unwrap();
    let run = |name: &str| {
        let mut command = std::process::Command::new(&program);
        command.args(["--exact", "cut_with_the_kernel_of_the_variable", "--ignored", "--nocapture"]);
        command.env("REEL_GEAR", name).output().unwrap()
    };
    for kernel in Kernel::ALL {
        let output = run(kernel.name());
        assert_eq!(output.status.success(), kernel.is_available(), "{}", kernel.name());
        let said = String::from_utf8_lossy(&output.stdout).contains(&format!("kernel={}", kernel.name()));
        assert_eq!(said, kernel.is_available(), "{}", kernel.name());
    }
    assert!(!run("no-such-kernel").status.success());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn cut_points_equal_those_of_the_crate(
        seed in any::<u64>(), length in 0usize..600_000, bits in 12u32..=14, spread in 1u8..=255, begin in 0usize..64,
    ) {
        let mut bytes = runs(seed, length + begin);
        for byte in &mut bytes {
            *byte %= spread;
        }
        let bytes = &bytes[begin..];
        let params = Params::of_average(1 << bits).unwrap();
        let expected = crate_cuts(&aes_table(), &params, bytes, bytes.len());
        for gear in Kernel::ALL.into_iter().filter_map(|kernel| Gear::aes(1 << bits, kernel)) {
            let mut lengths = Vec::new();
            gear.cuts(bytes, bytes.len(), &mut lengths);
            prop_assert!(lengths == expected, "{gear:?}");
        }
    }

    #[test]
    fn any_table_is_cut_as_the_crate_does(
        seed in any::<u64>(), length in 0usize..400_000, bits in 9usize..=12, wide in any::<bool>(),
    ) {
        let mut words = noise(seed, 8 * 256);
        if wide {
            words[..8].fill(0);
        }
        let table: [u64; 256] = std::array::from_fn(|i| u64::from_le_bytes(*words[8 * i..].first_chunk().unwrap()));
        let masks = fastcdc::v2020::MASKS;
        let average = 1 << bits;
        let params = Params::new([average / 4, average, 4 * average], masks[bits + 2], masks[bits - 2]).unwrap();
        let bytes = runs(seed ^ 1, length);
        let mut lengths = Vec::new();
        Gear::of_table(&table, params).cuts(&bytes, bytes.len(), &mut lengths);
        prop_assert!(lengths == crate_cuts(&table, &params, &bytes, bytes.len()));
    }
}
