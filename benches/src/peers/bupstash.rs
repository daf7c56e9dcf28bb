//! bupstash.

use super::peer::{Kind, Peer, Place, Sheet, version};
use super::process::Pipeline;
use crate::Result;

/// bupstash with zstd at level 1.
pub struct Bupstash {
    version: String,
}

/// bupstash, if it is there.
pub fn found() -> Result<Option<Bupstash>> {
    Ok(version("bupstash", "--version")?.map(|version| Bupstash { version }))
}

impl Bupstash {
    fn call(place: &Place, pipeline: Pipeline, words: &[&str]) -> Pipeline {
        pipeline
            .run(["bupstash"])
            .arguments(words)
            .with("BUPSTASH_REPOSITORY", place.repository())
            .with("BUPSTASH_KEY", place.home().join("key"))
            .with("BUPSTASH_SEND_LOG", place.cache().join("send"))
            .with("BUPSTASH_QUERY_CACHE", place.cache().join("query"))
    }
}

impl Peer for Bupstash {
    fn sheet(&self) -> Sheet {
        Sheet {
            name: "bupstash",
            version: self.version.clone(),
            settings: "`--compression zstd:1`: content-defined chunks, BLAKE3, always encrypted (XSalsa20, Poly1305), all cores; `restore` verifies chunks"
                .to_owned(),
            kind: Kind::Deduplicating,
            level_1: true,
            fixed_32k: false,
        }
    }

    fn prepare(&self, place: &Place) -> Vec<Pipeline> {
        let key =
            Self::call(place, place.at_input(), &["new-key", "--output"]).argument(place.home().join("key"));
        vec![Self::call(place, place.at_input(), &["init"]), key]
    }

    fn back_up(&self, place: &Place, day: usize) -> Pipeline {
        let put = ["put", "--compression", "zstd:1"];
        Self::call(place, place.at_input(), &put)
            .argument(format!("day=day{day}"))
            .argument(place.input_name())
    }

    fn restore(&self, place: &Place, day: usize) -> Pipeline {
        let restore = ["restore", "--into", "."];
        Self::call(place, Pipeline::within(&place.restored()), &restore).argument(format!("day=day{day}"))
    }
}
