//! Words of counts.

/// `1 finding`, `3 findings`, `2 more stories`.
#[must_use]
pub(crate) fn many(n: usize, one: &str) -> String {
    match (n, one.strip_suffix('y')) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(
            [many(1, "more story"), many(2, "more story"), many(0, "finding")],
            ["1 more story", "2 more stories", "0 findings"]
        );
    }
}
