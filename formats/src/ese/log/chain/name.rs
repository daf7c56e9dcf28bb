//! How logs are named (reference, log.md section 1). A name is a claim, not a fact: the header decides.

/// The name of a log, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogName {
    /// The characters with which the names of its sequence begin, usually three.
    pub base: String,
    /// The generation in the name; `None` for the log that is being written.
    pub generation: Option<u32>,
    /// Digits of that number, 5 or 8.
    digits: usize,
    extension: String,
}

impl LogName {
    /// Takes a name apart, for instance `E0000000012.log`; `None` if it is not that of a log.
    pub fn parse(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit_once('.')?;
        if !matches!(extension.to_ascii_lowercase().as_str(), "log" | "jtx") {
            return None;
        }
        let base: String = stem.chars().take(3).collect();
        let number = stem.get(base.len()..)?;
        let is_number = number.bytes().all(|digit| digit.is_ascii_hexdigit());
        let (generation, digits) = match number.len() {
            0 => (None, 8),
            digits @ (5 | 8) if is_number => (Some(u32::from_str_radix(number, 16).ok()?), digits),
            _ => return None,
        };
        Some(Self { base, generation, digits, extension: extension.to_owned() })
    }

    /// The name that a closed log of this sequence has.
    pub fn of_generation(&self, generation: u32) -> String {
        format!("{}{generation:0digits$X}.{}", self.base, self.extension, digits = self.digits)
    }

    /// The name of the log that is being written.
    pub fn of_current(&self) -> String {
        format!("{}.{}", self.base, self.extension)
    }
}

/// Whether these first bytes of a file are those of a log that was never begun, a temporary or reserve file: zeros, or
/// the fill of the old container (reference, log.md section 5).
pub fn is_never_begun(head: &[u8]) -> bool {
    let fill = |at: usize| if at.is_multiple_of(16) { 0xDAu8.wrapping_add((at % 256) as u8) } else { 0xDA };
    let is_fill = || head.iter().enumerate().all(|(at, byte)| *byte == fill(at));
    !head.is_empty() && (head.iter().all(|byte| *byte == 0) || is_fill())
}
