//! The score of a memory, from 0 to 1 for each of its parts, and the choice of results that are unlike
//! each other. Nothing is stretched over the results of one search: a threshold means the same always.

use super::embedding::Embedding;
use crate::arguments::{ArgumentError, OptionsObject};
use serde_json::Value;

/// The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009), where ranks are to be combined.
const RANK: f64 = 5.0;
/// So many hits count as the most frequent.
const MANY_HITS: f64 = 100.0;
const DAY: f64 = 86_400e6;

/// How much each part counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weights {
    pub(crate) similarity: f64,
    pub(crate) importance: f64,
    pub(crate) recency: f64,
    pub(crate) frequency: f64,
}

/// How what vectors and what words find is combined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fusion {
    vector: f64,
    /// Where nobody says how much, words count as much as vectors, and by ranks twice.
    text: Option<f64>,
    /// By ranks, with this constant; otherwise by scores.
    k: Option<f64>,
}

/// What one way of finding says of a candidate; it has a rank where it is among the best.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Half {
    pub(crate) score: f64,
    pub(crate) rank: Option<i32>,
}

impl Default for Fusion {
    fn default() -> Self {
        Self { vector: 1.0, text: None, k: None }
    }
}

impl Fusion {
    /// Reads a JSON object. What it does not name stays as it is by default.
    pub(crate) fn read(given: Value) -> Result<Self, ArgumentError> {
        let mut given = OptionsObject::open("fusion", given)?;
        let mut number = |name: &'static str, least: f64| {
            let value = given.take(name)?;
            let number = value.as_f64().filter(|number| (least..=1e6).contains(number));
            if number.is_none() {
                given.problem(format!("/{name}: must be a number from {least} to 1000000"));
            }
            Some(number.unwrap_or(1.0))
        };
        let otherwise = Self::default();
        let fusion = Self {
            vector: number("vector", 0.0).unwrap_or(otherwise.vector),
            text: number("text", 0.0),
            k: number("k", 0.0),
        };
        if fusion.vector + fusion.text() == 0.0 {
            given.problem("vector or text must count for more than 0");
        }
        given.close()?;
        Ok(fusion)
    }

    /// Whether scores count, and not ranks.
    pub(crate) fn is_of_scores(self) -> bool {
        self.k.is_none()
    }

    /// The same by ranks.
    pub(crate) fn of_ranks(self) -> Self {
        Self { k: self.k.or(Some(RANK)), ..self }
    }

    /// From 0 to 1.
    pub(crate) fn one(self, half: Half) -> f64 {
        match (self.k, half.rank) {
            (None, _) => half.score,
            // A share of what the first place gives.
            (Some(k), Some(rank)) => (k + 1.0) / (k + f64::from(rank)),
            (Some(_), None) => 0.0,
        }
    }

    pub(crate) fn both(self, vector: Half, text: Half) -> f64 {
        let sum = self.vector * self.one(vector) + self.text() * self.one(text);
        sum / (self.vector + self.text())
    }

    fn text(self) -> f64 {
        self.text.unwrap_or(if self.is_of_scores() { 1.0 } else { 2.0 })
    }
}

impl Default for Weights {
    fn default() -> Self {
        Self { similarity: 0.97, importance: 0.015, recency: 0.01, frequency: 0.005 }
    }
}

impl Weights {
    /// Reads a JSON object. Parts that it does not name do not count.
    pub(crate) fn read(given: Value) -> Result<Self, ArgumentError> {
        let mut given = OptionsObject::open("weights", given)?;
        let mut part = |name: &'static str| {
            let Some(value) = given.take(name) else { return 0.0 };
            let weight = value.as_f64().filter(|weight| (0.0..=1e6).contains(weight));
            if weight.is_none() {
                given.problem(format!("/{name}: must be a number from 0 to 1000000"));
            }
            weight.unwrap_or(1.0)
        };
        let weights = Self {
            similarity: part("similarity"),
            importance: part("importance"),
            recency: part("recency"),
            frequency: part("frequency"),
        };
        if weights.sum() == 0.0 {
            given.problem("one part must count for more than 0");
        }
        given.close()?;
        Ok(weights)
    }

    fn sum(&self) -> f64 {
        self.similarity + self.importance + self.recency + self.frequency
    }

    /// Whether the order is that of similarity alone.
    pub(crate) fn only_similarity(&self) -> bool {
        self.importance == 0.0 && self.recency == 0.0 && self.frequency == 0.0
    }

    pub(crate) fn counts_frequency(&self) -> bool {
        self.frequency != 0.0
    }

    /// The score, where `relevance` takes the place of similarity.
    pub(crate) fn score(
        &self,
        relevance: f64,
        importance: f64,
        recency: f64,
        frequency: f64,
    ) -> f64 {
        self.similarity * relevance
            + self.importance * importance
            + self.recency * recency
            + self.frequency * frequency
    }
}

/// 1 now, and half as much after each half-life: preferences stay, reasoning ages fast. Microseconds.
pub(crate) fn recency(context_type: &str, age: i64) -> f64 {
    let half_life = match context_type {
        "preference" => return 1.0,
        "reasoning" => 30.0,
        _ => 90.0,
    };
    (-(age.max(0) as f64) / (half_life * DAY)).exp2()
}

/// 0 for what was never found, 1 from a hundred times on, by the logarithm.
pub(crate) fn frequency(hits: i64) -> f64 {
    ((1.0 + hits.max(0) as f64).ln() / (1.0 + MANY_HITS).ln()).min(1.0)
}

/// Maximal marginal relevance (Carbonell and Goldstein, 1998), greedy: the order in which `wanted` of
/// the candidates are taken. `diversity` from 0 (by score) to 1 (as unlike as can be); what has no
/// embedding is like nothing but the same text.
pub(crate) fn diverse(
    scores: &[f64],
    embeddings: &[Option<Embedding>],
    texts: &[&str],
    diversity: f64,
    wanted: usize,
) -> Vec<usize> {
    let mut taken = Vec::new();
    let mut nearest = vec![0.0_f64; scores.len()];
    let mut left: Vec<usize> = (0..scores.len()).collect();
    while taken.len() < wanted && !left.is_empty() {
        let worth = |at: usize| (1.0 - diversity) * scores[at] - diversity * nearest[at];
        let mut best = 0;
        for place in 1..left.len() {
            if worth(left[place]) > worth(left[best]) {
                best = place;
            }
        }
        let at = left.remove(best);
        taken.push(at);
        for &other in &left {
            if texts[other] == texts[at] {
                nearest[other] = 1.0;
            } else if let (Some(chosen), Some(embedding)) = (&embeddings[at], &embeddings[other]) {
                nearest[other] = nearest[other].max(chosen.cosine(embedding));
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(text: &str) -> Result<Weights, ArgumentError> {
        Weights::read(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn weights_are_read_with_all_problems() {
        let only = weights(r#"{"similarity": 1}"#).unwrap();
        assert!(only.only_similarity() && only.score(0.5, 1.0, 1.0, 1.0) == 0.5);
        assert!(!Weights::default().only_similarity());
        let Err(ArgumentError::BadOptions { problems, .. }) =
            weights(r#"{"similarity": -1, "size": 1, "recency": "x", "frequency": 1e300}"#)
        else {
            panic!("must fail");
        };
        assert_eq!(problems.len(), 4);
        assert!(weights("{}").is_err() && weights("[]").is_err() && weights("null").is_err());
    }

    #[test]
    fn diversity_trades_score_for_difference() {
        let vector = |a: f32, b: f32| Some(Embedding::new(vec![a, b]));
        let scores = [0.9, 0.89, 0.5, 0.4];
        let embeddings = [vector(1.0, 0.0), vector(1.0, 0.01), vector(0.0, 1.0), None];
        let texts = ["a", "b", "c", "d"];
        assert_eq!(diverse(&scores, &embeddings, &texts, 0.0, 4), [0, 1, 2, 3]);
        assert_eq!(diverse(&scores, &embeddings, &texts, 0.5, 2), [0, 2]);
        // As many as were asked for come, or as many as there are.
        assert_eq!(diverse(&scores, &embeddings, &texts, 1.0, 10).len(), 4);
        assert!(diverse(&[], &[], &[], 0.5, 3).is_empty());
        // Without embeddings the same text is the same.
        let none = [None, None, None, None];
        assert_eq!(diverse(&scores, &none, &["a", "a", "a", "b"], 0.6, 2), [0, 3]);
    }

    #[test]
    fn parts_lie_between_0_and_1() {
        let day = DAY as i64;
        assert_eq!(recency("preference", 1000 * day), 1.0);
        assert!((recency("reasoning", 30 * day) - 0.5).abs() < 1e-12);
        assert!((recency("pattern", 90 * day) - 0.5).abs() < 1e-12);
        assert_eq!(recency("fact", -day), 1.0);
        assert_eq!((frequency(0), frequency(100), frequency(1_000_000)), (0.0, 1.0, 1.0));
        assert!(frequency(9) > 0.4 && frequency(9) < 0.6);
    }

    #[test]
    fn halves_are_combined_by_score_or_by_rank() {
        let half = |score, rank| Half { score, rank };
        let fusion = |text: &str| Fusion::read(serde_json::from_str(text).unwrap());
        assert_eq!(fusion("{}").unwrap(), Fusion::default());
        let equal = fusion(r#"{"vector": 1, "text": 1}"#).unwrap();
        assert_eq!(equal.both(half(0.5, Some(9)), half(0.1, None)), 0.3);
        assert_eq!(Fusion::default().both(half(0.5, Some(9)), half(0.1, None)), 0.3);
        // By ranks words count twice, unless somebody says how much.
        let alone = |fusion: Fusion| fusion.both(half(0.5, Some(1)), half(0.1, None));
        assert_eq!(alone(Fusion::default().of_ranks()), 1.0 / 3.0);
        assert_eq!(alone(equal.of_ranks()), 0.5);
        let ranks = fusion(r#"{"vector": 1, "text": 1, "k": 60}"#).unwrap();
        assert_eq!(ranks.both(half(0.1, Some(1)), half(0.2, Some(1))), 1.0);
        assert_eq!(ranks.both(half(0.1, Some(1)), half(0.9, None)), 0.5);
        assert!(ranks.one(half(0.9, Some(2))) < 1.0);
        assert_eq!(ranks.of_ranks(), ranks);
        let Err(ArgumentError::BadOptions { problems, .. }) =
            fusion(r#"{"vector": 0, "text": 0, "k": -1, "size": 1}"#)
        else {
            panic!("must fail");
        };
        assert_eq!(problems.len(), 3);
    }
}
