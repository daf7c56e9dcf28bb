//! Four scalar chains in lock-step, for any table and any masks: while one waits for its table, the others go on.

use super::lanes::{Front, ROUND};
use std::hint::cold_path;

/// Chains side by side.
pub(super) const LANES: usize = 4;

/// Takes up to `rounds` rounds; see [`Front`].
#[inline(never)]
pub(super) fn steps(table: &[u64; 256], bytes: &[u8], front: &mut Front<LANES>, rounds: usize) -> u32 {
    let lane = |at: usize| bytes[at..at + rounds * ROUND].as_chunks::<ROUND>().0;
    let [a, b, c, d] = [lane(front.at[0]), lane(front.at[1]), lane(front.at[2]), lane(front.at[3])];
    let [mask_a, mask_b, mask_c, mask_d] = front.mask;
    let [mut hash_a, mut hash_b, mut hash_c, mut hash_d] = front.hash;
    let mut hits = 0;
    let mut taken = 0;
    while taken < rounds && hits == 0 {
        front.before = [hash_a, hash_b, hash_c, hash_d];
        let (a, b, c, d) = (&a[taken], &b[taken], &c[taken], &d[taken]);
        taken += 1;
        // One byte of one chain. A cut is rare: to jump costs less than to remember.
        macro_rules! step {
            ($lane:literal, $hash:ident, $mask:ident, $byte:expr) => {
                $hash = ($hash << 1).wrapping_add(table[usize::from($byte)]);
                if $hash & $mask == 0 {
                    cold_path();
                    hits |= 1 << $lane;
                }
            };
        }
        macro_rules! steps {
            ($($i:literal)*) => {
                $(
                    step!(0, hash_a, mask_a, a[$i]);
                    step!(1, hash_b, mask_b, b[$i]);
                    step!(2, hash_c, mask_c, c[$i]);
                    step!(3, hash_d, mask_d, d[$i]);
                )*
            };
        }
        steps!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    }
    front.hash = [hash_a, hash_b, hash_c, hash_d];
    front.at = front.at.map(|at| at + taken * ROUND);
    hits
}
