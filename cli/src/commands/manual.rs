//! Completions and the manual page, made from the flags.

use crate::args::Cli;
use crate::output::{Outcome, to_output};
use clap::CommandFactory;
use clap_complete::Shell;
use reel_engine::{Class, Error, Result};

/// Prints completions for a shell.
pub fn completions(shell: Shell) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "reel", &mut script);
    to_output(|out| out.write_all(&script))?;
    Ok(Outcome::Done)
}

/// Prints the manual page of `reel`, or of one of its commands.
pub fn man(command: Option<&str>) -> Result<Outcome> {
    let mut reel = Cli::command();
    reel.build();
    let page = match command {
        None => reel,
        Some(name) => {
            let found = reel.find_subcommand(name).cloned();
            found.ok_or_else(|| Error::new(Class::Argument, name, "no command of reel has this name"))?
        }
    };
    to_output(|out| clap_mangen::Man::new(page).render(out))?;
    Ok(Outcome::Done)
}
