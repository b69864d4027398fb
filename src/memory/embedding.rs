//! Embeddings in Rust, as pgvector stores them.
//!
//! Where SQL can carry a vector it stays there; here come query vectors, to be checked, and those of
//! results that are to be unlike each other.

use crate::jsonb::builder::length_word;
use crate::pg::varlena;
use pgrx::pg_sys;

/// Dimensions and a reserved word, two bytes each.
const HEAD: usize = 4;

/// A vector.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Embedding(pgvector::Vector);

impl Embedding {
    pub(crate) fn new(numbers: Vec<f32>) -> Self {
        Self(pgvector::Vector::from(numbers))
    }

    /// Reads what lies behind the length word of a stored vector (pgvector's `src/vector.h`): the number
    /// of dimensions, a reserved word, the numbers.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let numbers = bytes.get(HEAD..).unwrap_or_default().chunks_exact(4);
        Self::new(numbers.map(|b| f32::from_ne_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// # Safety
    /// `datum` must be a non-null `vector`.
    pub(crate) unsafe fn from_datum(datum: pg_sys::Datum) -> Self {
        // SAFETY: the caller vouches for the datum; the bytes are copied at once.
        Self::from_bytes(unsafe { varlena::bytes(datum) })
    }

    pub(crate) fn numbers(&self) -> &[f32] {
        self.0.as_slice()
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.numbers().len()
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.numbers().iter().all(|number| *number == 0.0)
    }

    /// As Postgres stores it, the length word included.
    pub(crate) fn stored(&self) -> Vec<u8> {
        let length = 4 + HEAD + 4 * self.dimensions();
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&length_word(length));
        bytes.extend_from_slice(&(self.dimensions() as u16).to_ne_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend(self.numbers().iter().flat_map(|number| number.to_ne_bytes()));
        bytes
    }

    /// The cosine of the angle between two; 0 where one has no direction.
    pub(crate) fn cosine(&self, other: &Self) -> f64 {
        let (mut product, mut a2, mut b2) = (0.0, 0.0, 0.0);
        for (a, b) in self.numbers().iter().zip(other.numbers()) {
            let (a, b) = (f64::from(*a), f64::from(*b));
            product += a * b;
            a2 += a * a;
            b2 += b * b;
        }
        if a2 == 0.0 || b2 == 0.0 { 0.0 } else { product / (a2 * b2).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_stores() {
        let embedding = Embedding::new(vec![1.0, -0.5, 3e-20]);
        let stored = embedding.stored();
        assert_eq!(stored.len(), 4 + 4 + 12);
        assert_eq!(Embedding::from_bytes(&stored[4..]), embedding);
        assert_eq!(Embedding::from_bytes(&[]).dimensions(), 0);
    }

    #[test]
    fn compares_directions() {
        let vector = |numbers: &[f32]| Embedding::new(numbers.to_vec());
        assert!((vector(&[1.0, 2.0]).cosine(&vector(&[2.0, 4.0])) - 1.0).abs() < 1e-12);
        assert_eq!(vector(&[1.0, 0.0]).cosine(&vector(&[0.0, 1.0])), 0.0);
        assert_eq!(vector(&[0.0]).cosine(&vector(&[1.0])), 0.0);
        assert!(vector(&[0.0, -0.0]).is_zero() && !vector(&[0.0, 1e-30]).is_zero());
    }
}
