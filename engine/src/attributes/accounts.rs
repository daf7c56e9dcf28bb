//! Names and numbers of users and groups.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The most bytes of an account file that are read.
const MAX_ACCOUNT_FILE_BYTES: u64 = 16 << 20;

/// The users and groups of this machine, as `/etc/passwd` and `/etc/group` list them, read once.
///
/// Directory services (LDAP, Active Directory) are not asked: that needs the C library's switch, which loads foreign
/// code into the process and may block for minutes per name. Their users keep their numbers, which such services
/// give alike on every machine.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    users: Names,
    groups: Names,
}

impl Accounts {
    /// Reads the account files of this machine; a missing or unreadable one counts as empty.
    pub fn load() -> Self {
        Self { users: Names::load("/etc/passwd".as_ref()), groups: Names::load("/etc/group".as_ref()) }
    }

    /// The name of a user, empty when unknown.
    pub fn user_name(&self, uid: u32) -> &[u8] {
        self.users.name(uid)
    }

    /// The name of a group, empty when unknown.
    pub fn group_name(&self, gid: u32) -> &[u8] {
        self.groups.name(gid)
    }

    /// The number of the user called `name`.
    pub fn uid(&self, name: &[u8]) -> Option<u32> {
        self.users.numbers.get(name).copied()
    }

    /// The number of the group called `name`.
    pub fn gid(&self, name: &[u8]) -> Option<u32> {
        self.groups.numbers.get(name).copied()
    }
}

#[derive(Debug, Clone, Default)]
struct Names {
    names: HashMap<u32, Vec<u8>>,
    numbers: HashMap<Vec<u8>, u32>,
}

impl Names {
    fn load(path: &Path) -> Self {
        File::open(path)
            .and_then(|file| Self::parse(BufReader::new(file.take(MAX_ACCOUNT_FILE_BYTES))))
            .unwrap_or_default()
    }

    /// Lines of `name:password:number:...`; others (comments, NIS entries) are passed over. The first of equal
    /// names or numbers counts, as it does for the C library.
    fn parse(lines: impl BufRead) -> io::Result<Self> {
        let mut found = Self::default();
        for line in lines.split(b'\n') {
            let line = line?;
            let mut fields = line.split(|&byte| byte == b':');
            let (Some(name), Some(_), Some(number)) = (fields.next(), fields.next(), fields.next()) else {
                continue;
            };
            let Some(number) = std::str::from_utf8(number).ok().and_then(|digits| digits.parse().ok()) else {
                continue;
            };
            found.names.entry(number).or_insert_with(|| name.to_vec());
            found.numbers.entry(name.to_vec()).or_insert(number);
        }
        Ok(found)
    }

    fn name(&self, number: u32) -> &[u8] {
        self.names.get(&number).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_account_of_a_number_gives_its_name() {
        let text =
            b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0\n# a comment\n+::::::\nsvc:x:no\nann:x:1000:1000\n";
        let names = Names::parse(&text[..]).unwrap();
        assert_eq!(names.name(0), b"root");
        assert_eq!(names.name(1000), b"ann");
        assert_eq!(names.name(7), b"");
        assert_eq!(names.numbers.get(&b"toor"[..]), Some(&0));
        assert_eq!(names.numbers.len(), 3);
    }
}
