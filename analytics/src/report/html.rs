//! What pages have in common: everything that came from a table or the wire is escaped.
use crate::output::plain;

/// Text inside HTML and SVG, in elements and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in plain(text).chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Names and what is said of them; those without a value are left out. Values are HTML.
pub(super) fn facts(rows: &[(&str, String)]) -> String {
    let one = |(name, value): &(&str, String)| format!("<dt>{}</dt><dd>{value}</dd>\n", escaped(name));
    let rows: String = rows.iter().filter(|(_, value)| !value.is_empty()).map(one).collect();
    if rows.is_empty() { rows } else { format!("<dl class=\"facts\">\n{rows}</dl>\n") }
}

/// A table with a caption; the first cell of a row is its heading. Cells are HTML.
pub(super) fn table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = heads.iter().map(|h| format!("<th scope=\"col\">{}</th>", escaped(h))).collect();
    let cell = |(i, cell): (usize, &String)| {
        if i == 0 { format!("<th scope=\"row\">{cell}</th>") } else { format!("<td>{cell}</td>") }
    };
    let row = |row: &Vec<String>| format!("<tr>{}</tr>\n", row.iter().enumerate().map(cell).collect::<String>());
    let rows: String = rows.iter().map(row).collect();
    let caption = escaped(caption);
    format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\">\n<table>\n<caption>{caption}</caption>\n\
         <thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Tags in order, closed in the order they were opened; gives how often each was opened.
    pub(in crate::report) fn balanced(page: &str) -> Result<std::collections::BTreeMap<&str, usize>, String> {
        let (mut open, mut count) = (Vec::new(), std::collections::BTreeMap::new());
        for part in page.split('<').skip(1) {
            let (tag, _) = part.split_once('>').ok_or_else(|| format!("not closed: {part}"))?;
            let name = tag.split_whitespace().next().unwrap_or_default().trim_end_matches('/');
            let name = if name.is_empty() { tag } else { name };
            match tag.strip_prefix('/') {
                _ if ["!DOCTYPE", "meta", "br"].contains(&name) || tag.ends_with('/') => {}
                Some(name) => match open.pop() {
                    Some(last) if last == name => {}
                    last => return Err(format!("</{name}> closes {last:?}")),
                },
                None => {
                    *count.entry(name).or_default() += 1;
                    open.push(name);
                }
            }
        }
        if open.is_empty() { Ok(count) } else { Err(format!("open: {open:?}")) }
    }

    #[test]
    fn markup_stays_text_and_letters_that_turn_the_writing_are_dropped() {
        assert_eq!(escaped("<b a=\"1\" c='2'>&\u{202e}x\u{7}"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp; x ");
    }
}
