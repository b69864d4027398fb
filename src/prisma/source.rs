//! The files of a schema, and places in them.

use std::borrow::Cow;

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
    files: &'t [File],
    /// Their texts, with blanks for the comments between `/*` and `*/`.
    texts: Vec<Cow<'t, str>>,
    /// Where a comment is not closed.
    open: Vec<Place>,
    /// Where the lines of each file begin.
    starts: Vec<Vec<u32>>,
}

impl<'t> Source<'t> {
    pub(crate) fn new(files: &'t [File]) -> Self {
        let starts = files.iter().map(|file| starts(&file.text)).collect();
        let (mut texts, mut open) = (Vec::new(), Vec::new());
        for (at, file) in files.iter().enumerate() {
            let (text, unclosed) = without_comments(&file.text);
            texts.push(text);
            open.extend(unclosed.map(|offset| Place::start(at).plus(offset)));
        }
        Self { files, texts, open, starts }
    }

    /// What is to be read of each file.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(Cow::as_ref)
    }

    pub(super) fn open_comments(&self) -> &[Place] {
        &self.open
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

/// Puts blanks in place of comments that may span lines, so that all else keeps its place. One that is not closed ends with
/// its line, and its place is given.
fn without_comments(text: &str) -> (Cow<'_, str>, Option<usize>) {
    if !text.contains("/*") {
        return (Cow::Borrowed(text), None);
    }
    let mut unclosed = None;
    let (bytes, mut clean) = (text.as_bytes(), Vec::with_capacity(text.len()));
    let (mut string, mut line_comment) = (false, false);
    while let Some(&byte) = bytes.get(clean.len()) {
        let at = clean.len();
        match (byte, bytes.get(at + 1)) {
            (b'\n' | b'\r', _) => (string, line_comment) = (false, false),
            _ if line_comment => {}
            (b'\\', Some(&escaped)) if string && !matches!(escaped, b'\n' | b'\r') => {
                clean.push(byte)
            }
            (b'"', _) => string = !string,
            (b'/', Some(b'/')) if !string => line_comment = true,
            (b'/', Some(b'*')) if !string => {
                let closed = match unclosed {
                    None => text[at + 2..].find("*/").map(|length| at + length + 4),
                    Some(_) => None,
                };
                let end = closed.unwrap_or_else(|| {
                    unclosed.get_or_insert(at);
                    text[at..].find(['\n', '\r']).map_or(text.len(), |length| at + length)
                });
                let comment = &bytes[at..end];
                let blank = |&byte: &u8| if matches!(byte, b'\n' | b'\r') { byte } else { b' ' };
                clean.extend(comment.iter().map(blank));
                continue;
            }
            _ => {}
        }
        clean.push(bytes[clean.len()]);
    }
    (String::from_utf8(clean).map_or(Cow::Borrowed(text), Cow::Owned), unclosed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_give_way_to_blanks() {
        for (text, clean) in [
            ("a /* é\nb */ c", "a      \n     c"),
            ("a \"/*\" b", "a \"/*\" b"),
            ("a \"\\\"/*\" /* x */", "a \"\\\"/*\"        "),
            ("// /* x\n b */", "// /* x\n b */"),
            ("/**/a", "    a"),
        ] {
            assert_eq!(without_comments(text), (Cow::Borrowed(clean), None), "{text}");
        }
        assert_eq!(without_comments("a /*/ b\n/* c"), (Cow::Borrowed("a      \n    "), Some(2)));
    }

    #[test]
    fn places_are_told_in_characters() {
        let files = [File { name: Some("a.prisma".to_owned()), text: "é\r\nüb\rc".to_owned() }];
        let source = Source::new(&files);
        let at = |offset| source.describe(Place { file: 0, offset });
        assert_eq!(at(0), "a.prisma, line 1, column 1");
        assert_eq!(at(6), "a.prisma, line 2, column 2");
        assert_eq!(at(8), "a.prisma, line 3, column 1");
    }
}
