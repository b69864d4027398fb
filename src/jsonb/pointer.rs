//! Sets of JSON Pointers (RFC 6901), as a tree to walk beside a document.

/// The places of a document that a comparison leaves out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Pointers {
    children: Vec<(Vec<u8>, Pointers)>,
    /// A pointer ends here.
    ends: bool,
}

/// Why a text is no pointer into a document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PointerError {
    #[error("a JSON Pointer begins with a slash, as in \"/fetched_at\"")]
    NoSlash,
    #[error("in a JSON Pointer ~ is written ~0 and / is written ~1; no other ~ may occur")]
    BadEscape,
}

impl Pointers {
    /// Adds one pointer.
    pub(crate) fn insert(&mut self, pointer: &str) -> Result<(), PointerError> {
        let mut node = self;
        for token in tokens(pointer)? {
            let at = match node.children.iter().position(|(name, _)| *name == token) {
                Some(at) => at,
                None => {
                    node.children.push((token, Pointers::default()));
                    node.children.len() - 1
                }
            };
            node = &mut node.children[at].1;
        }
        node.ends = true;
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// What the set says of the member `key`.
    pub(crate) fn member(&self, key: &[u8]) -> Option<&Pointers> {
        self.children.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// What the set says of the array element `index`.
    pub(crate) fn element(&self, index: usize) -> Option<&Pointers> {
        if self.children.is_empty() { None } else { self.member(index.to_string().as_bytes()) }
    }

    /// The value here is left out, with all below it.
    pub(crate) fn ends(&self) -> bool {
        self.ends
    }
}

/// The members and indices along a pointer.
pub(crate) fn tokens(pointer: &str) -> Result<Vec<Vec<u8>>, PointerError> {
    let Some(path) = pointer.strip_prefix('/') else { return Err(PointerError::NoSlash) };
    path.split('/').map(unescape).collect()
}

fn unescape(token: &str) -> Result<Vec<u8>, PointerError> {
    let mut out = Vec::with_capacity(token.len());
    let mut bytes = token.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'~' => match bytes.next() {
                Some(b'0') => b'~',
                Some(b'1') => b'/',
                _ => return Err(PointerError::BadEscape),
            },
            other => other,
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pointers() {
        let mut set = Pointers::default();
        for pointer in ["/a~1b/c", "/a~1b/0", "/~0", "/"] {
            set.insert(pointer).unwrap();
        }
        assert!(set.member(b"a/b").unwrap().member(b"c").unwrap().ends());
        assert!(set.member(b"a/b").unwrap().element(0).unwrap().ends());
        assert!(!set.member(b"a/b").unwrap().ends());
        assert!(set.member(b"~").unwrap().ends() && set.member(b"").unwrap().ends());
        assert_eq!(set.insert("a"), Err(PointerError::NoSlash));
        assert_eq!(set.insert(""), Err(PointerError::NoSlash));
        assert_eq!(set.insert("/a~2"), Err(PointerError::BadEscape));
    }
}
