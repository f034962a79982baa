//! Several values in one cell, joined by `;`: what SQL would need a table of their own for.
use std::{collections::BTreeSet, sync::Arc};

use arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::common::{Result, exec_err};

use super::strings;

fn values(list: &str) -> impl Iterator<Item = &str> {
    list.split(';').map(str::trim).filter(|v| !v.is_empty())
}

/// `each_in(list, other)`: whether every value of a list stands in another one; an empty list has none that does not.
pub(super) fn each_in(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [lists, others] = arguments else { return exec_err!("each_in needs two lists") };
    let (lists, others) = (strings(lists)?, strings(others)?);
    let inside = |i: usize| {
        if lists.is_null(i) || others.is_null(i) {
            return None;
        }
        let known: BTreeSet<&str> = values(others.value(i)).collect();
        Some(values(lists.value(i)).all(|v| known.contains(v)))
    };
    Ok(Arc::new((0..lists.len()).map(inside).collect::<BooleanArray>()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, StringArray};

    use super::*;

    #[test]
    fn order_and_spaces_do_not_count() {
        let lists = StringArray::from(vec![Some("a;b"), Some(" b ; a"), Some("a;c"), Some(""), None, Some("a")]);
        let others = StringArray::from(vec![Some("b;a;c"), Some("a;b"), Some("a;b"), Some("a"), Some("a"), None]);
        let out = each_in(&[Arc::new(lists), Arc::new(others)]).unwrap();
        let out: Vec<_> = out.as_boolean().iter().collect();
        assert_eq!(out, [Some(true), Some(true), Some(false), Some(true), None, None]);
    }
}
