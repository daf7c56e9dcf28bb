//! `reel ese rows`: the rows of a table.

use super::tables::catalog_losses;
use super::value;
use crate::args::ese::Rows;
use crate::output::{Outcome, say, shown, to_output};
use reel_engine::{Class, Error, Result};
use reel_formats::ese::database::Database;
use reel_formats::ese::tables::{Catalog, Column, Row, Table, Value};
use serde_json::{Map, Value as Json};
use std::io::{self, Write};

/// Prints the rows.
pub fn run(args: &Rows) -> Result<Outcome> {
    let file = args.database.name();
    let database = Database::open(super::open(&args.database)?).map_err(|e| Error::inside(&file, e))?;
    let catalog = Catalog::read(&database);
    let mut findings = Findings { file: &file, any: false };
    catalog_losses(&catalog).iter().for_each(|lost| findings.say(lost));
    let table = catalog
        .table(&args.table)
        .ok_or_else(|| Error::new(Class::Argument, &file, format!("no table {}", args.table)))?;
    let rows = table.rows(&database).select(selected(args, table, &file)?);
    let columns: Vec<&Column> = rows.columns().collect();
    to_output(|out| {
        let mut form = Form::begin(args, &columns, out)?;
        for row in rows {
            match row {
                Ok(row) => {
                    findings.of_row(table, &columns, &row);
                    form.write(&columns, &row)?;
                }
                Err(lost) => findings.say(format_args!("table {}: {lost}", shown(table.name.as_bytes()))),
            }
        }
        form.end()
    })?;
    for pgno in database.corrected() {
        findings.say(format_args!("page {pgno}: one flipped bit was put right in memory"));
    }
    Ok(Outcome::of(findings.any))
}

/// Places of the columns that were asked for.
fn selected(args: &Rows, table: &Table, file: &str) -> Result<Vec<usize>> {
    let Some(names) = &args.columns else { return Ok((0..table.columns.len()).collect()) };
    let place = |name: &String| {
        let place = table.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
        place.ok_or_else(|| {
            let sentence = format!("no column {name} in table {}", args.table);
            Error::new(Class::Argument, file, sentence)
        })
    };
    names.iter().map(place).collect()
}

/// What a person must look at: it is said at once, so that it stands beside the rows.
struct Findings<'a> {
    file: &'a str,
    any: bool,
}

impl Findings<'_> {
    fn say(&mut self, found: impl std::fmt::Display) {
        say(format_args!("{}: {found}", self.file));
        self.any = true;
    }

    fn of_row(&mut self, table: &Table, columns: &[&Column], row: &Row) {
        for (column, found) in columns.iter().zip(&row.values) {
            let values = if let Value::Multi(values) = found { values } else { std::slice::from_ref(found) };
            for found in values {
                let what = match found {
                    Value::Lost(lost) => lost.to_string(),
                    Value::NotDecoded { scheme, .. } => format!("the value is not decoded ({scheme})"),
                    _ => continue,
                };
                self.say(format_args!(
                    "table {}, row {}, column {}: {what}",
                    shown(table.name.as_bytes()),
                    value::hex(&row.bookmark),
                    shown(column.name.as_bytes())
                ));
            }
        }
    }
}

/// How rows are printed.
enum Form<'o> {
    Text(&'o mut dyn Write),
    Json(&'o mut dyn Write),
    Csv(Box<csv::Writer<&'o mut dyn Write>>),
}

impl<'o> Form<'o> {
    fn begin(args: &Rows, columns: &[&Column], out: &'o mut dyn Write) -> io::Result<Self> {
        if args.json {
            return Ok(Form::Json(out));
        }
        if !args.csv {
            return Ok(Form::Text(out));
        }
        let mut csv = csv::Writer::from_writer(out);
        csv.write_record(columns.iter().map(|column| &column.name)).map_err(cause)?;
        Ok(Form::Csv(Box::new(csv)))
    }

    fn write(&mut self, columns: &[&Column], row: &Row) -> io::Result<()> {
        match self {
            Form::Csv(csv) => csv.write_record(row.values.iter().map(value::cell)).map_err(cause),
            Form::Json(out) => {
                let with_value = columns.iter().zip(&row.values).filter(|(_, value)| !value.is_null());
                let fields: Map<String, Json> =
                    with_value.map(|(column, value)| (column.name.clone(), value::json(value))).collect();
                serde_json::to_writer(&mut *out, &fields)?;
                writeln!(out)
            }
            Form::Text(out) => {
                let with_value = columns.iter().zip(&row.values).filter(|(_, value)| !value.is_null());
                for (number, (column, value)) in with_value.enumerate() {
                    let between = if number == 0 { "" } else { "\t" };
                    write!(out, "{between}{}={}", shown(column.name.as_bytes()), value::text(value))?;
                }
                writeln!(out)
            }
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Form::Csv(mut csv) => csv.flush(),
            Form::Text(_) | Form::Json(_) => Ok(()),
        }
    }
}

/// What the output said: a reader that went away is no error.
fn cause(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
