//! Reads the blocks of a file. A line that cannot be read is a problem, and reading goes on behind it: all
//! problems are told at once.

use super::ast::{Blocks, Config, Enum, EnumValue, Field, Model, Word};
use super::grammar::{self, is_word, whole};
use super::problem::{Notes, meant};
use super::source::{Lines, Place, Source, is_space};

const KEYWORDS: [&str; 6] = ["model", "enum", "datasource", "generator", "view", "type"];

/// Reads all files.
pub(super) fn read<'t>(source: &'t Source<'_>, notes: &mut Notes) -> Blocks<'t> {
    let mut blocks = Blocks::default();
    for &place in source.open_comments() {
        notes.syntax(place, "the comment is not closed");
    }
    for (at, text) in source.texts().enumerate() {
        if let Some(offset) = text.find('\0') {
            // Neither a text nor a JSON of Postgres can hold it, so no document could.
            notes.syntax(Place::start(at).plus(offset), "a schema holds no null bytes");
        }
        let mut reader = Reader { lines: Lines::new(text, at), notes, closed: false };
        reader.file(&mut blocks);
    }
    blocks
}

struct Reader<'r, 't> {
    lines: Lines<'t>,
    notes: &'r mut Notes,
    /// The block that was opened last ends on its first line.
    closed: bool,
}

/// The first line of a block.
struct Header<'t> {
    keyword: &'t str,
    name: Word<'t>,
    comment: Vec<&'t str>,
}

/// What a line of a block is.
enum Line<'t> {
    Text(Place, &'t str),
    /// The block ends; whether by its brace.
    End(bool),
}

impl<'t> Reader<'_, 't> {
    fn file(&mut self, blocks: &mut Blocks<'t>) {
        let mut comment = Vec::new();
        while let Some((place, line)) = self.lines.next() {
            if let Some(text) = line.strip_prefix("///") {
                comment.push(text.trim_matches(is_space));
            } else if !line.is_empty() && !line.starts_with("//") {
                self.top(place, line, std::mem::take(&mut comment), blocks);
            }
        }
    }

    fn top(&mut self, place: Place, line: &'t str, comment: Vec<&'t str>, blocks: &mut Blocks<'t>) {
        let Some((keyword, rest)) = split_word(line) else {
            self.notes.syntax(place, format!("expected a block ({})", KEYWORDS.join(", ")));
            return;
        };
        let known = KEYWORDS.contains(&keyword);
        if !known {
            return self.unknown(place, line, keyword, blocks);
        }
        let at = |text: &str| place.plus(line.len() - text.len());
        let Some((text, behind)) = split_word(rest) else {
            self.notes.syntax(at(rest), format!("expected the name of the {keyword}"));
            blocks.lost = true;
            if let Some(open) = rest.find('{') {
                self.skip(&rest[open + 1..]);
            }
            return;
        };
        let name = Word { text, place: at(rest) };
        let rest = behind;
        if keyword == "type" && rest.starts_with('=') {
            let text = "aliases of types are not part of the language any more: write the type at each field";
            self.notes.syntax(place, text);
            blocks.lost = true;
            return;
        }
        let header = Header { keyword, name, comment };
        match rest.strip_prefix('{') {
            Some(behind) => self.open(header, at(behind), behind, blocks),
            None => {
                self.notes
                    .syntax(at(rest), format!("expected \"{{\" behind the name of the {keyword}"));
                blocks.lost = true;
                if let Some((next, line)) = self.lines.next() {
                    match line.strip_prefix('{') {
                        Some(behind) => self.open(header, next.plus(1), behind, blocks),
                        None => self.lines.go_to(next),
                    }
                }
            }
        }
    }

    /// Behind the opening brace stands nothing but a comment.
    fn open(&mut self, header: Header<'t>, place: Place, behind: &'t str, blocks: &mut Blocks<'t>) {
        let text = behind.trim_start_matches(is_space);
        let mut broken = false;
        if !text.is_empty() && !text.starts_with("//") {
            self.closed = text.ends_with('}');
            if text != "}" {
                let place = place.plus(behind.len() - text.len());
                self.notes.syntax(place, "what is in a block stands on lines of its own");
                broken = true;
            }
        }
        match header.keyword {
            "model" | "view" => blocks.models.push(self.model(header, broken)),
            "enum" => blocks.enums.push(self.enumeration(header, broken)),
            "type" => {
                blocks.types.push(header.name);
                while let Line::Text(..) = self.line(header.name) {}
            }
            "generator" => {
                self.config(header, broken);
            }
            _ => {
                let config = self.config(header, broken);
                blocks.datasources.push(config);
            }
        }
    }

    /// The next line of a block that says something.
    fn line(&mut self, block: Word<'t>) -> Line<'t> {
        if std::mem::take(&mut self.closed) {
            return Line::End(true);
        }
        while let Some((place, line)) = self.lines.next() {
            if line.starts_with('}') {
                // What follows the brace on its line is read as a line of its own.
                self.lines.go_to(place.plus(1));
                return Line::End(true);
            }
            if is_header(line) {
                let text = format!("block \"{}\" is not closed before this one", block.text);
                self.notes.syntax(place, text);
                self.lines.go_to(place);
                return Line::End(false);
            }
            if !line.is_empty() && (!line.starts_with("//") || line.starts_with("///")) {
                return Line::Text(place, line);
            }
        }
        let text = format!("block \"{}\" is not closed", block.text);
        self.notes.syntax(block.place, text);
        Line::End(false)
    }

    fn model(&mut self, header: Header<'t>, broken: bool) -> Model<'t> {
        let Header { keyword, name, comment } = header;
        let (fields, attributes) = (Vec::new(), Vec::new());
        let mut model =
            Model { name, view: keyword == "view", comment, fields, attributes, broken };
        let mut comment = Vec::new();
        loop {
            let (place, line) = match self.line(name) {
                Line::Text(place, line) => (place, line),
                Line::End(properly) => {
                    model.broken |= !properly;
                    break;
                }
            };
            if let Some(text) = line.strip_prefix("///") {
                comment.push(text.trim_matches(is_space));
            } else if line.starts_with("@@") {
                match whole(line, place, grammar::block_attribute) {
                    Ok(attribute) => model.attributes.push(attribute),
                    Err(problem) => model.broken = self.spoilt(problem),
                }
            } else {
                match whole(line, place, grammar::field) {
                    Ok((name, kind, arity, attributes)) => {
                        let comment = std::mem::take(&mut comment);
                        model.fields.push(Field { name, kind, arity, comment, attributes });
                    }
                    Err(problem) => model.broken = self.spoilt(problem),
                }
            }
        }
        model
    }

    fn enumeration(&mut self, header: Header<'t>, broken: bool) -> Enum<'t> {
        let Header { name, comment, .. } = header;
        let (values, attributes) = (Vec::new(), Vec::new());
        let mut found = Enum { name, comment, values, attributes, broken };
        loop {
            let (place, line) = match self.line(name) {
                Line::Text(place, line) => (place, line),
                Line::End(properly) => {
                    found.broken |= !properly;
                    break;
                }
            };
            if line.starts_with("//") {
                continue;
            }
            if line.starts_with("@@") {
                match whole(line, place, grammar::block_attribute) {
                    Ok(attribute) => found.attributes.push(attribute),
                    Err(problem) => found.broken = self.spoilt(problem),
                }
            } else {
                match whole(line, place, grammar::enum_value) {
                    Ok((name, attributes)) => found.values.push(EnumValue { name, attributes }),
                    Err(problem) => found.broken = self.spoilt(problem),
                }
            }
        }
        found
    }

    fn config(&mut self, header: Header<'t>, broken: bool) -> Config<'t> {
        let mut config = Config { name: header.name, settings: Vec::new(), broken };
        while let Line::Text(place, line) = self.line(header.name) {
            if line.starts_with("//") {
                continue;
            }
            match whole(line, place, grammar::setting) {
                Ok(setting) => config.settings.push(setting),
                Err(problem) => config.broken = self.spoilt(problem),
            }
        }
        config
    }

    fn spoilt(&mut self, (place, text): (Place, String)) -> bool {
        self.notes.syntax(place, text);
        true
    }

    /// A block that is not Prisma's is left out; one that nearly is was meant.
    fn unknown(&mut self, place: Place, line: &'t str, keyword: &str, blocks: &mut Blocks<'t>) {
        let Some(open) = line.find('{') else {
            self.notes.syntax(place, format!("expected a block ({})", KEYWORDS.join(", ")));
            return;
        };
        let head = line[..open].trim_end_matches(is_space);
        let is_alone = head.len() == keyword.len();
        match meant(keyword, &KEYWORDS) {
            _ if is_alone => {
                let text =
                    format!("\"{keyword}\" is no block: what it is stands in front of its name");
                self.notes.syntax(place, text);
                blocks.lost = true;
            }
            Some(meant) => {
                let text = format!("block \"{keyword}\" is not known: did you mean \"{meant}\"?");
                self.notes.syntax(place, text);
                blocks.lost = true;
            }
            None => {
                let head = crate::json::shorten(head);
                self.notes
                    .warn(place, format!("block \"{head}\" is not Prisma's and was left out"));
            }
        }
        self.skip(&line[open + 1..]);
    }

    /// Goes behind the brace that closes a block.
    fn skip(&mut self, behind: &str) {
        if behind.trim_end_matches(is_space).ends_with('}') {
            return;
        }
        while let Some((place, line)) = self.lines.next() {
            if line.starts_with('}') {
                self.lines.go_to(place.plus(1));
                return;
            }
        }
    }
}

/// The first word of a text, and what follows it without the space between.
fn split_word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !is_word(c));
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (!word.is_empty()).then(|| (word, rest.trim_start_matches(is_space)))
}

/// Whether a line opens a block.
fn is_header(line: &str) -> bool {
    split_word(line)
        .filter(|(keyword, _)| KEYWORDS.contains(keyword))
        .and_then(|(_, rest)| split_word(rest))
        .is_some_and(|(_, rest)| rest.starts_with('{'))
}
