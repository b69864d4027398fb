//! Exact sums and products of `numeric` datums.
//!
//! Schoolbook arithmetic on the base-10000 digits, with the display scales that `numeric_add` and
//! `numeric_mul` of `numeric.c` give. One thing is stricter: a product that needs more digits after
//! the point than a `numeric` can hold is refused, where Postgres rounds it.

use super::builder::length_word;
use super::number::{self, MAX_SCALE, MAX_WEIGHT, MIN_WEIGHT, OutOfRange, Sign};
use std::cmp::Ordering;

const BASE: i32 = 10_000;
/// Decimal digits in one base-10000 digit.
const GROUP: i64 = 4;

/// A finite number: `digits` times powers of 10000, the first one's power being `weight`.
#[derive(Debug, Clone)]
struct Decimal {
    negative: bool,
    weight: i64,
    scale: i64,
    digits: Vec<i16>,
}

/// Appends the sum of two `numeric` datums as a datum.
pub(crate) fn append_sum(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Result<(), OutOfRange> {
    let (a, b) = (Decimal::read(a)?, Decimal::read(b)?);
    let scale = a.scale.max(b.scale);
    // Both on one grid of digits, the highest place first, with room for a carry.
    let low = a.lowest().min(b.lowest());
    let high = a.weight.max(b.weight) + 1;
    let (x, y) = (a.spread(low, high), b.spread(low, high));
    let (digits, negative) = if a.negative == b.negative {
        (add(&x, &y), a.negative)
    } else {
        match x.cmp(&y) {
            Ordering::Less => (subtract(&y, &x), b.negative),
            _ => (subtract(&x, &y), a.negative),
        }
    };
    Decimal { negative, weight: high, scale, digits }.append(out)
}

/// Appends the product of two `numeric` datums as a datum.
pub(crate) fn append_product(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Result<(), OutOfRange> {
    let (a, b) = (Decimal::read(a)?, Decimal::read(b)?);
    let mut digits = vec![0_i16; a.digits.len() + b.digits.len()];
    for (i, &x) in a.digits.iter().enumerate().rev() {
        let mut carry = 0;
        for (j, &y) in b.digits.iter().enumerate().rev() {
            let sum = i32::from(digits[i + j + 1]) + i32::from(x) * i32::from(y) + carry;
            digits[i + j + 1] = (sum % BASE) as i16;
            carry = sum / BASE;
        }
        digits[i] = carry as i16;
    }
    let weight = a.weight + b.weight + 1;
    let negative = a.negative != b.negative;
    Decimal { negative, weight, scale: a.scale + b.scale, digits }.append(out)
}

fn add(x: &[i16], y: &[i16]) -> Vec<i16> {
    let mut sum = x.to_vec();
    let mut carry = 0;
    for (digit, other) in sum.iter_mut().zip(y).rev() {
        let value = i32::from(*digit) + i32::from(*other) + carry;
        *digit = (value % BASE) as i16;
        carry = value / BASE;
    }
    sum
}

/// `x` must not be the smaller.
fn subtract(x: &[i16], y: &[i16]) -> Vec<i16> {
    let mut difference = x.to_vec();
    let mut borrowed = 0;
    for (digit, other) in difference.iter_mut().zip(y).rev() {
        let value = i32::from(*digit) - i32::from(*other) - borrowed;
        borrowed = i32::from(value < 0);
        *digit = (value + borrowed * BASE) as i16;
    }
    difference
}

impl Decimal {
    /// NaN and the infinities are refused.
    fn read(datum: &[u8]) -> Result<Self, OutOfRange> {
        let parts = number::parts(datum);
        let negative = match parts.sign {
            Sign::Positive => false,
            Sign::Negative => true,
            _ => return Err(OutOfRange),
        };
        let digits = parts.digits.chunks_exact(2).map(|d| i16::from_ne_bytes([d[0], d[1]]));
        Ok(Self {
            negative,
            weight: parts.weight.into(),
            scale: number::scale(datum).into(),
            digits: digits.collect(),
        })
    }

    /// The power of the last digit.
    fn lowest(&self) -> i64 {
        self.weight - self.digits.len() as i64 + 1
    }

    /// The digits for the powers from `high` down to `low`.
    fn spread(&self, low: i64, high: i64) -> Vec<i16> {
        let mut digits = vec![0; (high - low + 1).max(0) as usize];
        let first = (high - self.weight) as usize;
        for (to, from) in digits.iter_mut().skip(first).zip(&self.digits) {
            *to = *from;
        }
        digits
    }

    fn append(&self, out: &mut Vec<u8>) -> Result<(), OutOfRange> {
        let leading = self.digits.iter().take_while(|digit| **digit == 0).count();
        let digits = &self.digits[leading..];
        let trailing = digits.iter().rev().take_while(|digit| **digit == 0).count();
        let digits = &digits[..digits.len() - trailing];
        let (weight, negative) = match digits {
            [] => (0, false),
            _ => (self.weight - leading as i64, self.negative),
        };
        if let Some(&last) = digits.last() {
            let mut places = (digits.len() as i64 - 1 - weight) * GROUP;
            let mut last = last;
            while last % 10 == 0 {
                last /= 10;
                places -= 1;
            }
            if places > MAX_SCALE {
                return Err(OutOfRange);
            }
        }
        if !(MIN_WEIGHT..=MAX_WEIGHT).contains(&weight) {
            return Err(OutOfRange);
        }
        let scale = self.scale.min(MAX_SCALE);
        let (head, head_length) = number::header(negative, weight as i16, scale as u16);
        out.extend_from_slice(&length_word(4 + head_length + 2 * digits.len()));
        out.extend_from_slice(&head[..head_length]);
        out.extend(digits.iter().flat_map(|digit| digit.to_ne_bytes()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Operation = fn(&[u8], &[u8], &mut Vec<u8>) -> Result<(), OutOfRange>;

    fn datum(text: &str) -> Vec<u8> {
        let mut out = Vec::new();
        number::append_numeric(text.as_bytes(), &mut out).unwrap();
        out
    }

    fn of(operation: Operation, a: &str, b: &str) -> Result<Vec<u8>, OutOfRange> {
        let mut out = Vec::new();
        operation(&datum(a), &datum(b), &mut out).map(|()| out)
    }

    #[test]
    fn results_are_the_datums_of_their_texts() {
        for (a, b, sum, product) in [
            ("1", "2", "3", "2"),
            ("0.1", "0.2", "0.3", "0.02"),
            ("1.50", "-1.5", "0.00", "-2.250"),
            ("9999", "1", "10000", "9999"),
            ("99999999", "0.00000001", "99999999.00000001", "0.99999999"),
            ("-5", "3", "-2", "-15"),
            ("0", "0", "0", "0"),
            ("0.0", "7", "7.0", "0.0"),
            ("1e30", "1", "1000000000000000000000000000001", "1e30"),
            ("1e-30", "-1e-30", "0e-30", "-1e-60"),
            ("10000", "-1", "9999", "-10000"),
            ("123456789", "987654321", "1111111110", "121932631112635269"),
        ] {
            assert_eq!(of(append_sum, a, b), Ok(datum(sum)), "{a} + {b}");
            assert_eq!(of(append_product, a, b), Ok(datum(product)), "{a} * {b}");
        }
    }

    #[test]
    fn refuses_what_numeric_cannot_hold() {
        assert_eq!(of(append_product, "1e131071", "10"), Err(OutOfRange));
        assert_eq!(of(append_sum, "9e131071", "9e131071"), Err(OutOfRange));
        assert_eq!(of(append_product, "1e-16383", "0.1"), Err(OutOfRange));
        assert_eq!(of(append_product, "1e-16383", "10.0"), Ok(datum(&format!("0.{:0>16382}0", 1))));
    }

    proptest! {
        #[test]
        fn reckons_as_integers_do(
            a in -(1_i128 << 60)..1 << 60, b in -(1_i128 << 60)..1 << 60, x in 0_usize..9, y in 0_usize..9,
        ) {
            let text = |value: i128, scale: usize| {
                let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                let sign = if value < 0 { "-" } else { "" };
                let point = if scale > 0 { "." } else { "" };
                format!("{sign}{whole}{point}{fraction}")
            };
            let scale = x.max(y);
            let shift = |value: i128, by: usize| value * 10_i128.pow((scale - by) as u32);
            prop_assert_eq!(
                of(append_sum, &text(a, x), &text(b, y)),
                Ok(datum(&text(shift(a, x) + shift(b, y), scale)))
            );
            prop_assert_eq!(of(append_product, &text(a, x), &text(b, y)), Ok(datum(&text(a * b, x + y))));
            let order = shift(a, x).cmp(&shift(b, y));
            prop_assert_eq!(number::compare(&datum(&text(a, x)), &datum(&text(b, y))), order);
        }
    }
}
