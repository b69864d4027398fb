//! The files of a schema, and places in them.

/// The files of one schema together.
pub(crate) const MAX_BYTES: usize = 4 << 20;

/// One file. The only file of a call that gives a text has no name.
pub(crate) struct File {
    pub(crate) name: Option<String>,
    pub(crate) text: String,
}

/// Where something stands: a file by number, and bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(super) file: u32,
    pub(super) offset: u32,
}

impl Place {
    /// The start of a file.
    pub(super) fn start(file: usize) -> Self {
        Self { file: file as u32, offset: 0 }
    }

    /// A place further on in the same file.
    pub(super) fn plus(self, bytes: usize) -> Self {
        Self { offset: self.offset + bytes as u32, ..self }
    }
}

/// What turns places into lines and columns.
pub(crate) struct Source<'t> {
    pub(super) files: &'t [File],
    /// Where the lines of each file begin.
    starts: Vec<Vec<u32>>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(files: &'t [File]) -> Self {
        let starts = files.iter().map(|file| starts(&file.text)).collect();
        Self { files, starts }
    }

    /// `line 3, column 5`, with the file's name before it where files have names. Columns are characters.
    pub(crate) fn describe(&self, place: Place) -> String {
        let (Some(file), Some(starts)) =
            (self.files.get(place.file as usize), self.starts.get(place.file as usize))
        else {
            return String::new();
        };
        let line = starts.partition_point(|&start| start <= place.offset).max(1);
        let start = starts[line - 1] as usize;
        let before = file.text.get(start..place.offset as usize).unwrap_or_default();
        let name = file.name.as_ref().map_or_else(String::new, |name| format!("{name}, "));
        format!("{name}line {line}, column {}", before.chars().count() + 1)
    }
}

/// Lines end with a line feed, a carriage return, or both.
fn starts(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'\n' || (byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')) {
            starts.push(at as u32 + 1);
        }
    }
    starts
}

/// The lines of one file from a place on, without their ends.
pub(super) struct Lines<'t> {
    text: &'t str,
    file: usize,
    at: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str, file: usize) -> Self {
        Self { text, file, at: 0 }
    }

    /// Goes back, or on, to a place of this file.
    pub(super) fn go_to(&mut self, place: Place) {
        self.at = place.offset as usize;
    }

    /// The next line without the space around it, and where it begins.
    pub(super) fn next(&mut self) -> Option<(Place, &'t str)> {
        crate::poll::check();
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let bytes = rest.as_bytes();
        let end = memchr::memchr2(b'\n', b'\r', bytes).unwrap_or(bytes.len());
        let line = &rest[..end];
        let start = self.at + (line.len() - line.trim_start_matches(is_space).len());
        self.at += match &bytes[end..] {
            [b'\r', b'\n', ..] => end + 2,
            [] => end,
            _ => end + 1,
        };
        Some((Place::start(self.file).plus(start), line.trim_matches(is_space)))
    }
}

/// Space within a line.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}
