//! How far a similarity stands out from what is usual for a question.
//!
//! Words have a scale, which is what they could give at most. A cosine has none of its own: some models put all texts
//! between 0.7 and 0.9. What is usual is told by some of the rows, and the spread of their cosines to the question is the scale.

/// So many rows tell what is usual. Of fewer rows a part of what is usual anywhere is taken: 0, and a spread of a twelfth.
pub(super) const SAMPLED: usize = 80;
/// So many standard deviations above the usual count as the most that is possible.
const MOST: f64 = 12.0;
/// Rows that are all alike spread by nothing, and those of two subjects by what lies between these.
const LEAST_SPREAD: f64 = 0.01;
const MOST_SPREAD: f64 = 0.1;

/// What is usual, and how far above it the most that is possible lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Usual {
    mean: f64,
    width: f64,
}

impl Default for Usual {
    /// As far as nothing is known: the similarity stands for itself.
    fn default() -> Self {
        Self { mean: 0.0, width: 1.0 }
    }
}

impl Usual {
    /// From the similarities of some rows.
    pub(crate) fn of(similarities: impl Iterator<Item = f64>) -> Self {
        let known: Vec<f64> = similarities.filter(|it| it.is_finite()).take(SAMPLED).collect();
        if known.is_empty() {
            return Self::default();
        }
        let count = known.len() as f64;
        let mean = known.iter().sum::<f64>() / count;
        let variance = known.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count;
        let width = MOST * variance.sqrt().clamp(LEAST_SPREAD, MOST_SPREAD);
        let part = (count / SAMPLED as f64).powi(2);
        Self { mean: part * mean, width: part * width + (1.0 - part) }
    }

    /// From 0 to 1. Squared, so that what is a little above the usual says little: there many rows are.
    pub(crate) fn stands_out(&self, similarity: f64) -> f64 {
        ((similarity - self.mean) / self.width).clamp(0.0, 1.0).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(mean: f64, spread: f64, count: usize) -> Usual {
        Usual::of((0..count).map(|at| mean + spread * if at % 2 == 0 { 1.0 } else { -1.0 }))
    }

    #[test]
    fn where_the_cosines_of_a_model_lie_says_nothing() {
        let (wide, close) = (around(0.1, 0.08, 80), around(0.75, 0.02, 80));
        assert!((wide.stands_out(0.1 + 0.48) - 0.25).abs() < 1e-9);
        assert!((close.stands_out(0.75 + 0.12) - 0.25).abs() < 1e-9);
        assert_eq!((close.stands_out(0.7), close.stands_out(1.0)), (0.0, 1.0));
    }

    #[test]
    fn few_rows_tell_little() {
        assert_eq!(Usual::of(std::iter::empty()), Usual::default());
        assert_eq!(Usual::default().stands_out(0.5), 0.25);
        let few = around(0.75, 0.02, 4);
        assert!((few.stands_out(0.8) - 0.64).abs() < 0.01);
        // One row more changes little.
        let of = |count| around(0.5, 0.05, count).stands_out(0.8);
        assert!((2..SAMPLED).all(|count| (of(count) - of(count + 1)).abs() < 0.04));
        assert_eq!(of(SAMPLED), of(10 * SAMPLED));
    }

    #[test]
    fn rows_that_are_alike_and_what_is_no_number_do_no_harm() {
        let alike = around(0.9, 0.0, 200);
        assert!(alike.stands_out(0.9) < 1e-9 && (alike.stands_out(0.96) - 0.25).abs() < 1e-9);
        let broken = [f64::NAN, f64::INFINITY].into_iter().chain(std::iter::repeat_n(0.2, 5));
        assert!(Usual::of(broken).stands_out(0.4).is_finite());
    }
}
