//! Words of counts, and of names that are many or long.

/// `1 finding`, `3 findings`, `2 more stories`.
#[must_use]
pub(crate) fn many(n: usize, one: &str) -> String {
    match (n, one.strip_suffix('y')) {
        (1, _) => format!("1 {one}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {one}s"),
    }
}

/// The first names, as many as that, and how many more; nothing of none.
#[must_use]
pub(crate) fn listed(names: &[String], most: usize) -> String {
    let first = names.get(..most.min(names.len())).unwrap_or_default();
    match (first, names.len() - first.len()) {
        ([], _) => String::new(),
        ([one], 0) => one.clone(),
        ([rest @ .., last], 0) => format!("{} and {last}", rest.join(", ")),
        (_, more) => format!("{} and {more} more", first.join(", ")),
    }
}

/// The first letters of a text, and that there are more.
#[must_use]
pub(crate) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
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

    #[test]
    fn of_no_name_nothing_is_said_and_of_many_how_many() {
        let of = |n: usize, most: usize| {
            let names: Vec<String> = ["a", "b", "c", "d"].iter().take(n).map(|t| (*t).to_owned()).collect();
            listed(&names, most)
        };
        assert_eq!([of(0, 3), of(1, 3), of(2, 3), of(3, 3)], ["", "a", "a and b", "a, b and c"]);
        assert_eq!([of(4, 3), of(4, 2), of(2, 1)], ["a, b, c and 1 more", "a, b and 2 more", "a and 1 more"]);
        assert_eq!([short("abcdef", 4), short("äöü", 3)], ["abc…", "äöü"]);
    }
}
