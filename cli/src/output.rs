//! Text and JSON, and what the exit code says.

use reel_engine::{Class, Error, Result};
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;

/// How a command ended that could do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and nothing to look at.
    Done,
    /// Done, with findings.
    Findings,
    /// Reported, but not all of it could be done.
    Failed,
}

impl Outcome {
    /// `Findings` if there are any.
    pub fn of(findings: bool) -> Outcome {
        if findings { Outcome::Findings } else { Outcome::Done }
    }
}

/// Where a report goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportTo {
    /// Text on standard output, findings on standard error.
    Text,
    /// One JSON object on standard output.
    Json,
    /// One JSON object on standard error: standard output holds a stream.
    JsonOnStandardError,
    /// Nowhere: standard output holds a stream.
    Nothing,
}

/// A report that can be shown either way.
pub trait Report: Serialize {
    /// Writes it for a person to read.
    fn text(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Says what a person must look at, a line each.
    fn findings(&self) -> Vec<String> {
        Vec::new()
    }
}

impl ReportTo {
    /// Prints a report.
    pub fn print(self, report: &impl Report) -> Result<()> {
        match self {
            ReportTo::Text => {
                report.findings().iter().for_each(say);
                to_output(|out| report.text(out))
            }
            ReportTo::Json => to_output(|out| write_json(out, report)),
            ReportTo::JsonOnStandardError => write_json(&mut io::stderr().lock(), report)
                .map_err(|e| Error::io("standard error", "cannot write", e)),
            ReportTo::Nothing => {
                report.findings().iter().for_each(say);
                Ok(())
            }
        }
    }
}

/// Says something on standard error.
pub fn say(message: impl std::fmt::Display) {
    // Nobody is left to be told when standard error is gone.
    let _ = writeln!(io::stderr(), "reel: {message}");
}

/// Writes results; a reader that went away early has seen what it wanted.
pub fn to_output(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", "cannot write", error))
        }
        _ => Ok(()),
    }
}

fn write_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// The exit code, after errors were told.
pub fn exit(outcome: Result<Outcome>, report_to: ReportTo) -> ExitCode {
    let error = match outcome {
        Ok(Outcome::Done) => return ExitCode::SUCCESS,
        Ok(Outcome::Findings) => return ExitCode::from(1),
        Ok(Outcome::Failed) => return ExitCode::from(3),
        Err(error) => error,
    };
    say(&error);
    let shown = Failure { error: ErrorLine::of(&error) };
    // The exit code tells what cannot be written any more.
    let _ = match report_to {
        ReportTo::Json => to_output(|out| write_json(out, &shown)),
        ReportTo::JsonOnStandardError => write_json(&mut io::stderr().lock(), &shown)
            .map_err(|e| Error::io("standard error", "cannot write", e)),
        ReportTo::Text | ReportTo::Nothing => Ok(()),
    };
    ExitCode::from(if error.class() == Class::Argument { 2 } else { 3 })
}

/// Tells what is wrong with the flags, or prints the help that was asked for.
pub fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return exit(to_output(|out| write!(out, "{error}")).map(|()| Outcome::Done), ReportTo::Text);
    }
    let text = error.render().to_string();
    let message = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    say(message);
    if std::env::args_os().take_while(|a| a != "--").any(|a| a == "--json") {
        let sentence = message.lines().next().unwrap_or_default();
        let line = ErrorLine {
            class: "argument",
            object: "command line",
            position: None,
            jet: None,
            message: sentence.into(),
        };
        // The exit code tells what cannot be written any more.
        let _ = to_output(|out| write_json(out, &Failure { error: line }));
    }
    ExitCode::from(2)
}

#[derive(Serialize)]
struct Failure<'a> {
    error: ErrorLine<'a>,
}

#[derive(Serialize)]
struct ErrorLine<'a> {
    class: &'static str,
    object: &'a str,
    position: Option<u64>,
    jet: Option<i32>,
    message: String,
}

impl<'a> ErrorLine<'a> {
    fn of(error: &'a Error) -> Self {
        ErrorLine {
            class: class_word(error.class()),
            object: error.object(),
            position: error.position(),
            jet: error.jet(),
            message: error.sentence().to_owned(),
        }
    }
}

fn class_word(class: Class) -> &'static str {
    match class {
        Class::Argument => "argument",
        Class::State => "state",
        Class::Io => "io",
        Class::Medium => "medium",
        Class::Format => "format",
        Class::Checksum => "checksum",
        Class::MissingLog => "missing-log",
        Class::Cancelled => "cancelled",
        Class::NoSpace => "no-space",
        Class::Key => "key",
        Class::Limit => "limit",
        _ => "internal",
    }
}

/// A name as text, without anything that a terminal would obey.
pub fn shown(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in String::from_utf8_lossy(name).chars() {
        if letter.is_control() { text.extend(letter.escape_default()) } else { text.push(letter) }
    }
    text
}

/// A time as in RFC 3339, UTC, whole seconds.
pub fn time(nanoseconds: i64) -> String {
    let seconds = nanoseconds.div_euclid(1_000_000_000);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| format!("{seconds} s after 1970"), |t| t.to_string())
}

/// `s` unless there is exactly one.
pub fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_without_control_characters() {
        assert_eq!(shown("böx\n\x1b[2J".as_bytes()), "böx\\n\\u{1b}[2J");
        assert_eq!(shown(b"a\xff"), "a\u{fffd}");
    }

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(time(1_700_000_000_999_999_999), "2023-11-14T22:13:20Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59Z");
    }
}
