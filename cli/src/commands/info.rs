//! `reel info`: what is this file or volume?

use crate::args::Info;
use crate::output::{Outcome, Report};
use reel_engine::{Result, info};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Facts {
    file: String,
    facts: Vec<Fact>,
}

#[derive(Serialize)]
struct Fact {
    label: String,
    value: String,
}

impl Report for Facts {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = self.facts.iter().map(|f| f.label.len()).max().unwrap_or(0);
        writeln!(out, "{}", self.file)?;
        for Fact { label, value } in &self.facts {
            writeln!(out, "  {label:width$}  {value}")?;
        }
        Ok(())
    }
}

/// Describes a file.
pub fn run(args: &Info) -> Result<Outcome> {
    let facts = info::describe(&args.file)?.into_iter().map(|(label, value)| Fact { label, value }).collect();
    args.json.report_to().print(&Facts { file: args.file.display().to_string(), facts })?;
    Ok(Outcome::Done)
}
