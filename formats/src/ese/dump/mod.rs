//! Headers as the engine's own tool lists them: the labels, their layout and the wording of `eseutil /mh`, `/mk` and
//! `/ml`.
//!
//! A [`Listing`] is both the text and the data: each item has its label and text as they are printed, and beside them a
//! name and a typed value for programs. What the engine prints only when it is not zero is an item with
//! [`Item::is_printed`] false while it is zero.
//!
//! ```
//! use reel_formats::ese::dump;
//! # fn show(file: &[u8]) -> reel_formats::error::Result<()> {
//! let (header, _) = reel_formats::ese::header::DatabaseHeader::find(file)?;
//! print!("{}", dump::database(&header));
//! # Ok(())
//! # }
//! ```

mod checkpoint;
mod database;
mod log;

pub use checkpoint::checkpoint;
pub use database::database;
pub use log::{LogNames, log};

use super::environment::Environment;
use super::position::{LgPos, LogTime, Signature};
use std::fmt;

/// The newest database format that this crate knows: version, update major, update minor.
pub const DATABASE_VERSION: [u32; 3] = [0x620, 290, 600];
/// The newest log format that this crate knows: major, minor, update major, update minor.
pub const LOG_VERSION: [u32; 4] = [8, 4000, 130, 280];
/// The engine format version that stands for both.
pub const ENGINE_VERSION: u32 = 9600;

/// What a header says, in the order in which it is printed.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    groups: Vec<Group>,
}

/// Lines that belong together; groups are printed with an empty line between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Name for programs, if the items are a thing of their own.
    pub name: Option<&'static str>,
    title: &'static str,
    /// The items.
    pub items: Vec<Item>,
}

/// One thing that a header says.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Name for programs.
    pub name: &'static str,
    /// What it says, for programs.
    pub value: Value,
    /// Whether it is among the lines printed.
    pub is_printed: bool,
    label: &'static str,
    text: String,
}

/// What an item says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing is recorded.
    Absent,
    /// A count, a number of a page or generation, a version.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Words.
    Text(String),
    /// A moment; all zero where none is recorded.
    Time(LogTime),
    /// A place in the logs; zero where none is recorded.
    Place(LgPos),
    /// A signature.
    Signature(Signature),
    /// Several things that are printed on one line.
    Fields(Vec<(&'static str, Value)>),
    /// Things of the same kind.
    List(Vec<Value>),
}

impl Listing {
    fn new(groups: Vec<Group>) -> Self {
        Self { groups }
    }

    /// The groups, in the order in which they are printed.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printed = |group: &&Group| group.items.iter().any(|item| item.is_printed);
        for (index, group) in self.groups.iter().filter(printed).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            f.write_str(group.title)?;
            for item in group.items.iter().filter(|item| item.is_printed) {
                writeln!(f, "{}{}", item.label, item.text)?;
            }
        }
        Ok(())
    }
}

impl Group {
    /// Lines under a title, which ends with a line feed or is empty.
    fn new(title: &'static str, items: Vec<Item>) -> Self {
        Self { name: None, title, items }
    }

    fn named(name: &'static str, title: &'static str, items: Vec<Item>) -> Self {
        Self { name: Some(name), title, items }
    }
}

impl Item {
    /// The label as it is printed, without what aligns it.
    pub fn label(&self) -> &'static str {
        self.label.trim().trim_end_matches(':')
    }

    /// The text as it is printed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `label` is printed as it stands, spaces and colon included.
    fn new(label: &'static str, name: &'static str, text: impl fmt::Display, value: Value) -> Self {
        Self { name, value, is_printed: true, label, text: text.to_string() }
    }

    fn number(label: &'static str, name: &'static str, number: impl Into<u64>) -> Self {
        let number = number.into();
        Self::new(label, name, number, Value::Number(number))
    }

    /// A number that is printed in both notations.
    fn two_notations(label: &'static str, name: &'static str, number: impl Into<u64>) -> Self {
        let number = number.into();
        Self::new(label, name, format_args!("{number} ({number:#x})"), Value::Number(number))
    }

    fn time(label: &'static str, name: &'static str, time: LogTime) -> Self {
        Self::new(label, name, time, Value::Time(time))
    }

    fn place(label: &'static str, name: &'static str, place: LgPos) -> Self {
        Self::new(label, name, place, Value::Place(place))
    }

    fn signature(label: &'static str, name: &'static str, signature: Signature) -> Self {
        Self::new(label, name, signature, Value::Signature(signature))
    }

    fn words(label: &'static str, name: &'static str, words: &str) -> Self {
        Self::new(label, name, printable(words), Value::Text(words.to_owned()))
    }

    fn yes_no(label: &'static str, name: &'static str, flag: bool, words: [&str; 2]) -> Self {
        let [yes, no] = words;
        Self::new(label, name, if flag { yes } else { no }, Value::Flag(flag))
    }

    fn printed_if(mut self, is_printed: bool) -> Self {
        self.is_printed = is_printed;
        self
    }
}

/// The lines about the instance that wrote a log or a checkpoint.
fn environment(environment: &Environment) -> Item {
    let Environment { circular, sessions, open_tables, version_pages, cursors, .. } = environment;
    let Environment { log_buffers, log_sectors, cache_pages, .. } = environment;
    let on = if *circular { "on" } else { "off" };
    let text = format!(
        "          ({on:>7},{sessions:>7},{open_tables:>7},{version_pages:>7},{cursors:>7},{log_buffers:>7},\
         {log_sectors:>7},{cache_pages:>7})"
    );
    let numbers = [
        ("sessions", sessions),
        ("open_tables", open_tables),
        ("version_pages", version_pages),
        ("cursors", cursors),
        ("log_buffers", log_buffers),
        ("log_sectors", log_sectors),
        ("cache_pages", cache_pages),
    ];
    let numbers = numbers.map(|(name, number)| (name, Value::Number(u64::from(*number))));
    let fields = [("circular", Value::Flag(*circular))].into_iter().chain(numbers);
    Item::new(
        "      Env (CircLog,Session,Opentbl,VerPage,Cursors,LogBufs,LogFile,Buffers)\n",
        "environment",
        text,
        Value::Fields(fields.collect()),
    )
}

/// A path from a file, without anything that a terminal would obey.
fn printable(path: &str) -> String {
    let shown = |letter: char| {
        let escaped = letter.is_control().then(|| letter.escape_default());
        let plain = (!letter.is_control()).then_some(letter);
        escaped.into_iter().flatten().chain(plain)
    };
    path.chars().flat_map(shown).collect()
}
