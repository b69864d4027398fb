//! Hits and the messages around them, as passages: pieces of conversations that no message is in twice.

use std::collections::HashMap;

/// A hit, and how far its neighbourhood reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Surroundings {
    pub(crate) conversation_id: String,
    pub(crate) number: i32,
    /// The first and the last message around it.
    pub(crate) first: i32,
    pub(crate) last: i32,
    /// The message behind the last.
    pub(crate) next: Option<i32>,
}

/// Messages that follow each other, around one hit or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) conversation_id: String,
    pub(crate) first: i32,
    pub(crate) last: i32,
    /// The numbers of its hits, ascending, and their places among all hits, from 0.
    pub(crate) hits: Vec<(i32, usize)>,
}

impl Passage {
    /// The hit that a message stands nearest to; of two as near the better one. A passage has a hit.
    pub(crate) fn nearest_hit(&self, number: i32) -> usize {
        let distance = |hit: i32| (i64::from(hit) - i64::from(number)).abs();
        let nearest = self.hits.iter().min_by_key(|(hit, place)| (distance(*hit), *place));
        nearest.map_or(0, |(_, place)| *place)
    }

    fn best(&self) -> usize {
        self.hits.iter().map(|(_, place)| *place).min().unwrap_or(usize::MAX)
    }
}

/// Unites neighbourhoods that overlap or follow each other. `hits`: the best first; gives the passage with
/// the best hit first.
pub(crate) fn unite(hits: Vec<Surroundings>) -> Vec<Passage> {
    let mut conversations: HashMap<String, Vec<(usize, Surroundings)>> = HashMap::new();
    for (place, hit) in hits.into_iter().enumerate() {
        conversations.entry(hit.conversation_id.clone()).or_default().push((place, hit));
    }
    let mut passages = Vec::new();
    for (conversation_id, mut hits) in conversations {
        hits.sort_by_key(|(_, hit)| hit.number);
        let mut open: Option<(Passage, Option<i32>)> = None;
        for (place, hit) in hits {
            match &mut open {
                // A later hit reaches at least as far: each neighbourhood has as many messages.
                Some((passage, next)) if next.is_none_or(|next| hit.first <= next) => {
                    passage.last = passage.last.max(hit.last);
                    passage.hits.push((hit.number, place));
                    *next = hit.next;
                }
                _ => {
                    let passage = Passage {
                        conversation_id: conversation_id.clone(),
                        first: hit.first,
                        last: hit.last,
                        hits: vec![(hit.number, place)],
                    };
                    passages.extend(open.replace((passage, hit.next)).map(|(passage, _)| passage));
                }
            }
        }
        passages.extend(open.map(|(passage, _)| passage));
    }
    passages.sort_by_key(Passage::best);
    passages
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The neighbourhood of `hit` in a conversation of these numbers.
    fn around(conversation: &str, numbers: &[i32], hit: i32, expand: usize) -> Surroundings {
        let at = numbers.iter().position(|number| *number == hit).unwrap();
        let last = (at + expand).min(numbers.len() - 1);
        Surroundings {
            conversation_id: conversation.to_owned(),
            number: hit,
            first: numbers[at.saturating_sub(expand)],
            last: numbers[last],
            next: numbers.get(last + 1).copied(),
        }
    }

    fn shown(passages: &[Passage]) -> Vec<(i32, i32, Vec<usize>)> {
        let places = |passage: &Passage| passage.hits.iter().map(|(_, place)| *place).collect();
        passages.iter().map(|passage| (passage.first, passage.last, places(passage))).collect()
    }

    #[test]
    fn overlapping_neighbourhoods_are_one_passage() {
        let numbers: Vec<i32> = (1..=30).collect();
        let of = |hits: &[i32], expand| {
            let hits = hits.iter().map(|hit| around("c", &numbers, *hit, expand)).collect();
            shown(&unite(hits))
        };
        assert_eq!(of(&[20, 10, 12], 2), [(18, 22, vec![0]), (8, 14, vec![1, 2])]);
        // They touch; they leave one message out.
        assert_eq!(of(&[10, 15], 2), [(8, 17, vec![0, 1])]);
        assert_eq!(of(&[10, 16], 2), [(8, 12, vec![0]), (14, 18, vec![1])]);
        // Both ends, and everything.
        assert_eq!(of(&[30, 1], 3), [(27, 30, vec![0]), (1, 4, vec![1])]);
        assert_eq!(of(&[30, 1], 40), [(1, 30, vec![1, 0])]);
        assert!(unite(vec![]).is_empty());
    }

    #[test]
    fn deleted_messages_do_not_part_what_follows_each_other() {
        let numbers = [1, 2, 3, 50, 51, 52, 90];
        let hits = vec![around("c", &numbers, 2, 1), around("c", &numbers, 51, 1)];
        assert_eq!(shown(&unite(hits)), [(1, 52, vec![0, 1])]);
    }

    #[test]
    fn conversations_stay_apart() {
        let numbers: Vec<i32> = (1..=9).collect();
        let hits = vec![around("a", &numbers, 4, 2), around("b", &numbers, 5, 2)];
        assert_eq!(shown(&unite(hits)), [(2, 6, vec![0]), (3, 7, vec![1])]);
    }

    #[test]
    fn a_neighbour_belongs_to_the_nearest_hit() {
        let numbers: Vec<i32> = (1..=30).collect();
        let hits = [20, 10, 12].map(|hit| around("c", &numbers, hit, 2));
        let passages = unite(hits.to_vec());
        let nearest = |number| passages[1].nearest_hit(number);
        assert_eq!([8, 9, 10, 11, 12, 13, 14].map(nearest), [1, 1, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn every_neighbour_comes_once_and_none_is_missing() {
        // A thousand conversations with gaps, against sets.
        let mut state = 7_u64;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            (state >> 33) % below
        };
        for _ in 0..1_000 {
            let numbers: Vec<i32> = (1..60).filter(|_| random(3) > 0).collect();
            let expand = random(5) as usize + 1;
            let mut hits: Vec<i32> = numbers.iter().copied().filter(|_| random(8) == 0).collect();
            hits.sort_by_key(|hit| hit.wrapping_mul(7919) % 61);
            let around: Vec<_> =
                hits.iter().map(|hit| around("c", &numbers, *hit, expand)).collect();
            let expected: Vec<i32> = numbers
                .iter()
                .copied()
                .filter(|n| around.iter().any(|hit| (hit.first..=hit.last).contains(n)))
                .collect();
            let passages = unite(around);
            let inside = |passage: &Passage| {
                let range = passage.first..=passage.last;
                numbers.iter().copied().filter(move |n| range.contains(n)).collect::<Vec<_>>()
            };
            let mut given: Vec<i32> = passages.iter().flat_map(inside).collect();
            given.sort_unstable();
            assert_eq!(given, expected);
            assert!(passages.is_sorted_by_key(Passage::best));
        }
    }
}
