//! `reel scan`: catalogs are rebuilt from what the volumes still hold.

use crate::args::Scan;
use crate::output::{Outcome, Report};
use crate::sets::{DamageLine, PoolLines, SetLine};
use reel_engine::Result;
use reel_engine::pool::{Catalogs, Pool, default_cache, shelf};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Scanned {
    pool: PoolLines,
    sets: Vec<SetLine>,
    damage: Vec<DamageLine>,
}

impl Report for Scanned {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        self.pool.text(out)?;
        self.sets.iter().try_for_each(|set| set.text(out))?;
        self.damage.iter().try_for_each(|damage| damage.text(out))
    }
}

/// Scans a pool.
pub fn run(args: &Scan) -> Result<Outcome> {
    let shelf = shelf::shelf(&args.pool.pool)?;
    let pool = Pool::open_shelf(shelf, default_cache().as_deref(), Catalogs::Scanned)?;
    args.json.report_to().print(&Scanned {
        pool: PoolLines::of(&pool),
        sets: pool.sets().map(|c| SetLine::of(&c.info)).collect(),
        damage: DamageLine::all(&pool.damage),
    })?;
    Ok(Outcome::of(!pool.damage.is_empty() || pool.volumes.iter().any(|v| v.label_damaged)))
}
