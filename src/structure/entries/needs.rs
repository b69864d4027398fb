//! In which order entries are written that need each other.
//!
//! An entry that refers to another one of the same batch lands after it, or with it where they go round in a circle.
//! So a batch may be cut between units, wherever the database refuses one, and what is rejected does not depend on
//! the cut. Tarjan's strongly connected components, without recursion.

/// Groups of rows: each group needs only itself and what stands before it. `needs` gives the rows that a row needs, as
/// places among `count`. Otherwise the order stays as it is.
pub(crate) fn units(count: usize, needs: &[Vec<u32>]) -> Vec<Vec<u32>> {
    const UNSEEN: u32 = u32::MAX;
    let mut index = vec![UNSEEN; count];
    let mut low = vec![0; count];
    let mut is_open = vec![false; count];
    let (mut open, mut path) = (Vec::new(), Vec::new());
    let (mut units, mut next) = (Vec::new(), 0);
    for start in 0..count as u32 {
        if index[start as usize] != UNSEEN {
            continue;
        }
        path.push((start, 0));
        while let Some((row, at)) = path.last_mut() {
            let here = *row as usize;
            if *at == 0 && index[here] == UNSEEN {
                index[here] = next;
                low[here] = next;
                next += 1;
                open.push(*row);
                is_open[here] = true;
            }
            if let Some(&needed) = needs[here].get(*at) {
                *at += 1;
                let there = needed as usize;
                if index[there] == UNSEEN {
                    path.push((needed, 0));
                } else if is_open[there] {
                    low[here] = low[here].min(index[there]);
                }
                continue;
            }
            path.pop();
            if let Some((before, _)) = path.last() {
                let before = *before as usize;
                low[before] = low[before].min(low[here]);
            }
            if low[here] == index[here] {
                let from = open.iter().rposition(|row| *row as usize == here).unwrap_or(0);
                let mut unit = open.split_off(from);
                for &row in &unit {
                    is_open[row as usize] = false;
                }
                unit.sort_unstable();
                units.push(unit);
            }
        }
    }
    units
}

/// Some units, and the others.
type Halves<'u, T> = (&'u [Vec<T>], &'u [Vec<T>]);

/// Cuts units into two halves of about as many rows; none where there is only one.
pub(crate) fn halves<T>(units: &[Vec<T>]) -> Option<Halves<'_, T>> {
    let rows: usize = units.iter().map(Vec::len).sum();
    let mut before = 0;
    let cut = units.iter().position(|unit| {
        before += unit.len();
        2 * before >= rows
    })?;
    let cut = (cut + 1).min(units.len() - 1);
    (cut > 0).then(|| units.split_at(cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_needed_comes_before() {
        let needs = [vec![3], vec![2], vec![], vec![], vec![5], vec![4], vec![6]];
        let expected: [&[u32]; 6] = [&[3], &[0], &[2], &[1], &[4, 5], &[6]];
        assert_eq!(units(7, &needs), expected);
        // Nothing is needed: as it was.
        assert_eq!(units(3, &[vec![], vec![], vec![]]), [[0], [1], [2]]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let count = 200_000;
        let needs: Vec<Vec<u32>> = (0..count)
            .map(|row| (row + 1 < count).then_some(row + 1).into_iter().collect())
            .collect();
        let found = units(count as usize, &needs);
        assert_eq!((found.len(), &found[0]), (count as usize, &vec![count - 1]));
    }

    #[test]
    fn halves_never_part_a_unit() {
        let units = [vec![0, 1, 2, 3], vec![4], vec![5]];
        let (first, second) = halves(&units).unwrap();
        assert_eq!((first.len(), second.len()), (1, 2));
        assert!(halves(&units[..1]).is_none() && halves::<u32>(&[]).is_none());
        let (first, second) = halves(&units[1..]).unwrap();
        assert_eq!((first.len(), second.len()), (1, 1));
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_unit_after_what_it_needs(
            needs in prop::collection::vec(prop::collection::vec(0..12_u32, 0..3), 12),
        ) {
            let found = units(12, &needs);
            let place = |row: u32| found.iter().position(|unit| unit.contains(&row)).unwrap();
            prop_assert_eq!(found.iter().map(Vec::len).sum::<usize>(), 12);
            let reaches = |from: u32, to: u32| {
                let (mut seen, mut waiting) = (vec![false; 12], vec![from]);
                while let Some(row) = waiting.pop() {
                    if !std::mem::replace(&mut seen[row as usize], true) {
                        waiting.extend(&needs[row as usize]);
                    }
                }
                seen[to as usize]
            };
            for row in 0..12 {
                for other in 0..12 {
                    if reaches(row, other) {
                        prop_assert!(place(other) <= place(row));
                        prop_assert_eq!(place(other) == place(row), reaches(other, row));
                    }
                }
            }
        }
    }
}
