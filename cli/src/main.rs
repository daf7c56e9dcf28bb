//! The command `reel`: backs databases up to a pool of tape images and restores them, verified.
//!
//! A thin user of `reel-engine`: it reads flags, shows progress, prints reports and turns outcomes into exit codes.

mod args;
mod bars;
mod commands;
mod compare;
mod interrupt;
mod output;
mod pages;
mod sets;
mod size;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error),
    };
    let outcome = match &cli.command {
        Command::Backup(args) => commands::backup::run(args),
        Command::Restore(args) => commands::restore::run(args),
        Command::Rebuild(args) => commands::rebuild::run(args),
        Command::List(args) => commands::list::run(args),
        Command::Verify(args) => commands::verify::run(args),
        Command::Scan(args) => commands::scan::run(args),
        Command::Info(args) => commands::info::run(args),
        Command::Ese(command) => commands::ese::run(command),
        Command::Demo(args) => commands::demo::run(args),
        Command::Completions { shell } => commands::manual::completions(*shell),
        Command::Man { command } => commands::manual::man(command.as_deref()),
    };
    output::exit(outcome, cli.command.report_to())
}
