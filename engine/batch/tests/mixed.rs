//! Units of all lengths in one call.

use reel_blake3_batch::hash_each;

#[test]
fn whatever_the_lengths_and_the_order_each_digest_is_that_of_blake3() {
    let bytes: Vec<u8> = (0..200_000u64).map(|i| ((i * i) >> 7) as u8).collect();
    let lengths = [0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 12_288, 32_768, 32_769, 65_536];
    let mut units: Vec<&[u8]> = Vec::new();
    for (at, length) in lengths.into_iter().enumerate() {
        units.extend((0..at * 3).map(|i| &bytes[at * 100 + i..][..length]));
    }
    for step in [1, 5, 7, 11] {
        let shuffled: Vec<&[u8]> = (0..units.len()).map(|i| units[i * step % units.len()]).collect();
        let mut digests = vec![[9; 32]];
        hash_each(&shuffled, &mut digests);
        assert!(digests[0] == [9; 32], "digests are appended");
        let expected: Vec<_> = shuffled.iter().map(|unit| *blake3::hash(unit).as_bytes()).collect();
        assert!(digests[1..] == expected, "every {step}. unit");
    }
}
