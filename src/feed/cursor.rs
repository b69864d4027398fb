//! Positions in the feed, and the text that a consumer keeps of one.
//!
//! A cursor is opaque: 58 hexadecimal digits, or 106 on a cluster, where there are two feeds. It says of which workspace and of
//! which epoch it is, so that one from elsewhere is refused instead of being read as some other position.

use super::error::FeedError;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The place of a change. The order of positions is the order in which changes are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Position {
    pub(super) epoch: i32,
    pub(super) xid: u64,
    /// 0 is before all changes of the transaction.
    pub(super) sequence: i64,
}

/// A position, and what its epoch was recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) position: Position,
    pub(super) identity: u32,
}

/// How far somebody has come: in the feed where the workspace lies; and on a cluster in the one of the coordinator too, which has
/// the changes of the tables there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) own: Cursor,
    pub(super) coordinator: Option<Cursor>,
}

/// How many feeds there are for a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feeds {
    One,
    /// That of the node of a cluster, and that of the coordinator.
    Two,
}

/// A position and an identity.
const EACH: usize = 24;
/// Behind the version and the positions.
const SUM: usize = 4;

impl Feeds {
    /// The first byte. Another layout gets another number.
    fn version(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    fn bytes(self) -> usize {
        1 + EACH * usize::from(self.version()) + SUM
    }
}

impl Cursor {
    fn bytes(self) -> [u8; EACH] {
        let mut bytes = [0_u8; EACH];
        bytes[..4].copy_from_slice(&self.position.epoch.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.position.xid.to_be_bytes());
        bytes[12..20].copy_from_slice(&self.position.sequence.to_be_bytes());
        bytes[20..].copy_from_slice(&self.identity.to_be_bytes());
        bytes
    }

    fn of(bytes: &[u8]) -> Self {
        let position = Position {
            epoch: i32::from_be_bytes(four(bytes)),
            xid: u64::from_be_bytes(eight(&bytes[4..])),
            sequence: i64::from_be_bytes(eight(&bytes[12..])),
        };
        Self { position, identity: u32::from_be_bytes(four(&bytes[20..])) }
    }

    /// The text of one in the only feed that there is. `workspace`: None for changes of tables without one.
    pub(super) fn write(self, workspace: Option<&str>) -> String {
        Reached { own: self, coordinator: None }.write(workspace)
    }
}

impl Reached {
    pub(super) fn write(&self, workspace: Option<&str>) -> String {
        let feeds = if self.coordinator.is_some() { Feeds::Two } else { Feeds::One };
        let mut bytes = Vec::with_capacity(feeds.bytes());
        bytes.push(feeds.version());
        bytes.extend(self.own.bytes());
        bytes.extend(self.coordinator.iter().flat_map(|cursor| cursor.bytes()));
        let sum = checksum(&bytes, workspace);
        bytes.extend(sum.to_be_bytes());
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// Refuses a cursor of so many feeds as there were elsewhere, or at another time.
    pub(super) fn read(
        text: &str,
        workspace: Option<&str>,
        feeds: Feeds,
    ) -> Result<Self, FeedError> {
        let bytes = bytes(text).ok_or(FeedError::NoCursor)?;
        let (said, sum) = bytes.split_at(bytes.len().saturating_sub(SUM));
        let version = said.first().copied();
        let of = [Feeds::One, Feeds::Two].into_iter().find(|of| Some(of.version()) == version);
        let of = of.filter(|of| of.bytes() == bytes.len()).ok_or(FeedError::NoCursor)?;
        if u32::from_be_bytes(four(sum)) != checksum(said, workspace) {
            return Err(FeedError::NoCursor);
        }
        if of != feeds {
            return Err(FeedError::Elsewhere);
        }
        let mut cursors = said[1..].chunks_exact(EACH).map(Cursor::of);
        let own = cursors.next().ok_or(FeedError::NoCursor)?;
        Ok(Self { own, coordinator: cursors.next() })
    }

    /// The greater of both in each feed: two readers may have come further in one of them each.
    pub(super) fn or_further(self, other: Self) -> Self {
        let own = if other.own.position > self.own.position { other.own } else { self.own };
        let coordinator = match (self.coordinator, other.coordinator) {
            // Of another database of the same epoch nothing can be said: the later word counts.
            (Some(before), Some(now))
                if before.position > now.position
                    && (before.position.epoch != now.position.epoch
                        || before.identity == now.identity) =>
            {
                Some(before)
            }
            (before, now) => now.or(before),
        };
        Self { own, coordinator }
    }

    /// Whether both stand at the same positions.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        let position = |cursor: Option<Cursor>| cursor.map(|cursor| cursor.position);
        self.own.position == other.own.position
            && position(self.coordinator) == position(other.coordinator)
    }
}

/// Small letters and digits alone: a cursor has one spelling.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let is_of = |feeds: Feeds| digits.len() == 2 * feeds.bytes();
    if !is_of(Feeds::One) && !is_of(Feeds::Two) {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    digits.chunks_exact(2).map(|pair| Some((value(pair[0])? << 4) | value(pair[1])?)).collect()
}

/// Finds slips, and cursors of another workspace; nobody is kept from making one, who may then read no more than before.
fn checksum(bytes: &[u8], workspace: Option<&str>) -> u32 {
    let seed = workspace.map_or(1, |id| xxh3_64_with_seed(id.as_bytes(), 2));
    xxh3_64_with_seed(bytes, seed) as u32
}

fn four(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    std::array::from_fn(|at| bytes[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CURSOR: Cursor =
        Cursor { position: Position { epoch: 3, xid: 1 << 40, sequence: 77 }, identity: 9 };

    fn read(text: &str, workspace: Option<&str>) -> Option<Cursor> {
        Reached::read(text, workspace, Feeds::One).ok().map(|reached| reached.own)
    }

    fn at(epoch: i32, xid: u64, sequence: i64) -> Cursor {
        Cursor { position: Position { epoch, xid, sequence }, identity: 9 }
    }

    fn two(own: Cursor, coordinator: Cursor) -> Reached {
        Reached { own, coordinator: Some(coordinator) }
    }

    #[test]
    fn positions_are_in_the_order_of_epoch_transaction_and_number() {
        let at = |epoch, xid, sequence| Position { epoch, xid, sequence };
        assert!(
            at(1, 9, 9) < at(2, 1, 1) && at(1, 1, 9) < at(1, 2, 1) && at(1, 1, 1) < at(1, 1, 2)
        );
    }

    #[test]
    fn a_cursor_of_one_feed_is_what_it_always_was() {
        let text = CURSOR.write(Some("a"));
        assert_eq!(text.len(), 58);
        assert!(text.starts_with("01000000030000010000000000000000000000004d00000009"));
    }

    #[test]
    fn a_cursor_of_another_workspace_is_refused() {
        let text = CURSOR.write(Some("a"));
        assert_eq!(read(&text, Some("a")), Some(CURSOR));
        assert!(read(&text, Some("b")).is_none());
        assert!(read(&text, None).is_none());
        assert!(read(&text.to_uppercase(), Some("a")).is_none());
    }

    #[test]
    fn a_cursor_of_another_number_of_feeds_is_of_elsewhere() {
        let (one, both) = (CURSOR.write(Some("a")), two(CURSOR, at(1, 2, 3)).write(Some("a")));
        let elsewhere = |text: &str, feeds| {
            matches!(Reached::read(text, Some("a"), feeds), Err(FeedError::Elsewhere))
        };
        assert!(elsewhere(&one, Feeds::Two) && elsewhere(&both, Feeds::One));
        let of_other = Reached::read(&both, Some("b"), Feeds::One);
        assert!(matches!(of_other, Err(FeedError::NoCursor)));
    }

    #[test]
    fn of_two_readers_the_further_one_counts_in_each_feed() {
        let (a, b) = (two(at(1, 5, 1), at(2, 7, 0)), two(at(1, 6, 0), at(2, 3, 0)));
        let both = two(at(1, 6, 0), at(2, 7, 0));
        assert_eq!(a.or_further(b), both);
        assert_eq!(b.or_further(a), both);
        assert!(both.or_further(a).is_at(&both) && !a.is_at(&both));
        // What another database of the coordinator has given is no step back.
        let other = Cursor { identity: 8, ..at(2, 1, 0) };
        assert_eq!(a.or_further(two(at(1, 6, 0), other)), two(at(1, 6, 0), other));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(of in any::<[(i32, u64, i64, u32); 2]>(), is_two: bool) {
            let [own, coordinator] = of.map(|(epoch, xid, sequence, identity)| {
                Cursor { position: Position { epoch, xid, sequence }, identity }
            });
            let reached = Reached { own, coordinator: is_two.then_some(coordinator) };
            let feeds = if is_two { Feeds::Two } else { Feeds::One };
            prop_assert_eq!(Reached::read(&reached.write(None), None, feeds).ok(), Some(reached));
        }

        #[test]
        fn another_text_is_refused(text in "\\PC*") {
            prop_assert!(read(&text, None).is_none());
        }

        #[test]
        fn a_slip_is_noticed(at in 0..106_usize, digit in "[0-9a-f]", is_two: bool) {
            let coordinator = is_two.then_some(CURSOR);
            let text = Reached { own: CURSOR, coordinator }.write(Some("a"));
            let at = at % text.len();
            let feeds = if is_two { Feeds::Two } else { Feeds::One };
            let mut other = text.clone();
            other.replace_range(at..=at, &digit);
            prop_assert_eq!(Reached::read(&other, Some("a"), feeds).is_ok(), other == text);
        }
    }
}
