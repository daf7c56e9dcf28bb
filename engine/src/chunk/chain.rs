//! Chunks that follow each other, and how those of a stretch that was cut on trust become those of a serial scan.

use super::gear::Gear;
use crate::digest::Digest;

/// A chunk of a stretch of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Its length in bytes.
    pub length: u32,
    /// Its digest, where that was computed on the way.
    pub digest: Option<Digest>,
}

impl Cut {
    /// A chunk of which only the length is known.
    pub fn plain(length: u32) -> Self {
        Cut { length, digest: None }
    }
}

/// The chunks that begin in a stretch of bytes if one begins at `start`.
#[derive(Debug, Default)]
pub struct Chain {
    /// Where the first chunk begins.
    pub start: usize,
    /// The chunks, one behind the other.
    pub cuts: Vec<Cut>,
}

impl Chain {
    /// The chunks that begin in the first `starts` bytes of `bytes` if one begins at `start`, which may be another place than the
    /// chain's. `bytes` are those in which the chain was found.
    pub fn from_start(self, gear: &Gear, bytes: &[u8], start: usize, starts: usize) -> Vec<Cut> {
        if start == self.start {
            return self.cuts;
        }
        let (mut here, mut there) = (start, self.start);
        let mut rest = self.cuts.iter();
        let (mut cuts, mut lengths) = (Vec::with_capacity(self.cuts.len()), Vec::new());
        while here < starts.min(bytes.len()) {
            while there < here
                && let Some(cut) = rest.next()
            {
                there += cut.length as usize;
            }
            if there == here {
                cuts.extend(rest);
                break;
            }
            here += gear.cut_or_run(bytes, here, starts, &mut lengths);
            cuts.extend(lengths.drain(..).map(Cut::plain));
        }
        cuts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::gear::{Kernel, Params};

    fn cuts(gear: &Gear, bytes: &[u8], start: usize, starts: usize) -> Vec<Cut> {
        let mut lengths = Vec::new();
        gear.cuts(&bytes[start..], starts.saturating_sub(start), &mut lengths);
        lengths.into_iter().map(Cut::plain).collect()
    }

    #[test]
    fn a_chain_from_anywhere_becomes_the_one_of_a_serial_scan() {
        let gear = Gear::of_pool(Kernel::fastest());
        let mut bytes = vec![0; 3 << 20];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes[1_000_000..1_700_000].fill(0);
        let starts = bytes.len() - Params::POOL.max();
        for from in [0, 1, 5000, 65_536, 999_000, 1_300_000] {
            for to in [0, 7, 65_536, 1_100_000, starts - 1, starts] {
                let chain = Chain { start: from, cuts: cuts(&gear, &bytes, from, starts) };
                let got = chain.from_start(&gear, &bytes, to, starts);
                assert!(got == cuts(&gear, &bytes, to, starts), "from {from} to {to}");
            }
        }
    }
}
