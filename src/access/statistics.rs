//! Servers that show, in estimates of their planner, values of rows that policies hide (CVE-2025-8713).

/// The first minor version without the fault, of each major version that had it.
const FIXED: [(i32, i32); 5] = [(13, 22), (14, 19), (15, 14), (16, 10), (17, 6)];

/// What to tell whoever installs on a server with the fault. `version` is `server_version_num`.
pub(crate) fn warning(version: i32) -> Option<String> {
    let (major, minor) = (version / 10_000, version % 10_000);
    let (_, fixed) = FIXED.into_iter().find(|(of, _)| *of == major)?;
    (minor < fixed).then(|| {
        format!(
            "PostgreSQL {major}.{minor} lets a role read values of other workspaces from the planner's statistics \
             (CVE-2025-8713): use {major}.{fixed} or later"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_tell_statistics_are_warned_of() {
        for version in [130_021, 140_000, 150_013, 160_000, 160_009, 170_000, 170_005] {
            assert!(warning(version).is_some(), "{version}");
        }
        for version in [130_022, 140_019, 150_014, 160_010, 160_014, 170_006, 180_000, 190_001] {
            assert!(warning(version).is_none(), "{version}");
        }
        assert!(warning(160_009).is_some_and(|text| text.contains("use 16.10 or later")));
    }
}
