//! What is found while a schema is read: problems, which end the call, and warnings.

use super::source::Place;

/// The warnings that are told one by one.
const MAX_WARNINGS: usize = 500;
/// The problems that are looked for: who has more of them will come again.
const MAX_PROBLEMS: usize = 10_000;

/// Something that must be put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) place: Place,
    /// Whether it is the language that is broken, and not what is said in it.
    pub(crate) syntax: bool,
    pub(crate) text: String,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Notes {
    problems: Vec<Problem>,
    warnings: Vec<(Place, String)>,
    more_warnings: usize,
}

impl Notes {
    pub(super) fn syntax(&mut self, place: Place, text: impl Into<String>) {
        self.add(place, true, text.into());
    }

    pub(super) fn problem(&mut self, place: Place, text: impl Into<String>) {
        self.add(place, false, text.into());
    }

    fn add(&mut self, place: Place, syntax: bool, text: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(Problem { place, syntax, text });
        }
    }

    pub(super) fn warn(&mut self, place: Place, text: impl Into<String>) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push((place, text.into()));
        } else {
            self.more_warnings += 1;
        }
    }

    /// Whether there are so few problems that it pays to guess what was meant.
    pub(super) fn are_few(&self) -> bool {
        self.problems.len() < 100
    }

    /// How many problems there are: more afterwards means that something was found in between.
    pub(super) fn count(&self) -> usize {
        self.problems.len()
    }

    /// The warnings in the order of the files, or the problems if there are any.
    pub(super) fn into_result(mut self) -> Result<Warnings, Vec<Problem>> {
        if !self.problems.is_empty() {
            self.problems.sort_by_key(|problem| problem.place);
            self.problems.dedup();
            return Err(self.problems);
        }
        self.warnings.sort_by_key(|&(place, _)| place);
        Ok(Warnings { found: self.warnings, more: self.more_warnings })
    }
}

/// Warnings, and how many more were left out.
#[derive(Debug)]
pub(super) struct Warnings {
    pub(super) found: Vec<(Place, String)>,
    pub(super) more: usize,
}

/// A word of a list that somebody may have meant: at most two letters of a long word are wrong, and none of a word of
/// one or two.
pub(super) fn meant<'w>(given: &str, words: &[&'w str]) -> Option<&'w str> {
    let allowed = match given.chars().count() {
        0..=2 => 0,
        3 | 4 => 1,
        _ => 2,
    };
    words.iter().copied().find(|word| {
        word.len().abs_diff(given.len()) <= allowed && distance(given, word) <= allowed
    })
}

/// How many letters are put in, left out, changed or swapped (the restricted distance of Damerau and Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.to_lowercase().chars().collect(), b.to_lowercase().chars().collect());
    let mut rows: [Vec<usize>; 3] =
        [vec![0; b.len() + 1], vec![0; b.len() + 1], (0..=b.len()).collect()];
    for i in 1..=a.len() {
        rows.rotate_left(1);
        rows[2][0] = i;
        for j in 1..=b.len() {
            let changed = rows[1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = least;
        }
    }
    rows[2][b.len()]
}
