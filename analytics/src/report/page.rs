//! The taps as one HTML page that needs nothing beside itself, reads on a screen and prints on paper.
//!
//! States are words, and colours only repeat them; everything that came from a table or the wire is escaped.
use super::{
    html::escaped,
    taps::{State, Tap, Taps},
};
use crate::time::seconds_text;

const STYLE: &str = "\
:root{color-scheme:light}body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1.5rem;color:#1a1f26;background:#fff}\
h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2rem 0 .6rem}p.head{color:#4a5563;margin:0 0 1.2rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.45rem .6rem;border-bottom:1px solid #d8dde3}\
th{font-weight:600;background:#f3f5f7;font-size:.85rem}table.states{width:auto}td.n{text-align:right;font-variant-numeric:tabular-nums}\
code{font:.8rem/1.35 ui-monospace,monospace;overflow-wrap:anywhere}.small{font-size:.85rem;color:#4a5563}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .7rem;margin:0}\
dt{color:#4a5563;font-size:.85rem}dd{margin:0}b.state{display:inline-block;padding:.1rem .5rem;border-radius:.25rem;border:1px solid;white-space:nowrap}\
.bad{color:#8c1310;background:#fdecea}.odd{color:#7a4a00;background:#fdf3e1}.dim{color:#3c4754;background:#eef1f4}.good{color:#14532d;background:#e7f5ec}\
ul.notes{background:#fdf3e1;border-left:4px solid #c98a1b;padding:.6rem 1rem .6rem 2rem;margin:1rem 0}\
@media print{@page{size:A4 landscape;margin:12mm}body{margin:0;max-width:none;padding:0;font-size:10px}thead{display:table-header-group}tr{break-inside:avoid}\
b.state,ul.notes,th{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

impl Taps {
    /// For people who hand it over.
    #[must_use]
    pub fn html(&self) -> String {
        let moment = seconds_text(self.moment);
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Taps at {moment} UTC</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Taps at {moment} UTC</h1>\n\
             <p class=\"head\">Register, administration functions, elements and product on the wire, reconciled by lidr {}. Data from {} to {} UTC. \
             Key {}, site <code>{}</code>. Orders, tasks and interceptions are pseudonyms.</p>\n",
            env!("CARGO_PKG_VERSION"),
            seconds_text(self.data.0),
            seconds_text(self.data.1),
            escaped(&self.key_id),
            escaped(self.site_hash.get(..16).unwrap_or(&self.site_hash)),
        );
        if !self.notes.is_empty() {
            let notes: String = self.notes.iter().map(|note| format!("<li>{}</li>", escaped(note))).collect();
            out.push_str(&format!("<ul class=\"notes\">{notes}</ul>\n"));
        }
        out.push_str(
            "<table class=\"states\">\n<thead><tr><th>State</th><th>Taps</th><th>Meaning</th></tr></thead>\n<tbody>\n",
        );
        for state in State::ALL {
            let (badge, count) = (badge(state), self.count(state));
            out.push_str(&format!(
                "<tr><td>{badge}</td><td class=\"n\">{count}</td><td>{}</td></tr>\n",
                state.meaning()
            ));
        }
        out.push_str("</tbody>\n</table>\n<h2>Every tap</h2>\n");
        if self.taps.is_empty() {
            out.push_str("<p>No tap runs or delivers, and no order is in force.</p>\n");
        } else {
            out.push_str("<table>\n<thead><tr><th>State</th><th>Tap</th><th>Four sources</th><th>Why</th><th>Evidence</th></tr></thead>\n<tbody>\n");
            self.taps.iter().for_each(|tap| out.push_str(&row(tap)));
            out.push_str("</tbody>\n</table>\n");
        }
        out.push_str("</body>\n</html>\n");
        out
    }
}

fn row(tap: &Tap) -> String {
    let list = |rows: &[(&str, &str, bool)]| {
        let one = |(name, value, code): &(&str, &str, bool)| {
            let value = if *code { format!("<code>{}</code>", escaped(value)) } else { escaped(value) };
            format!("<dt>{name}</dt><dd>{value}</dd>")
        };
        let rows: String = rows.iter().filter(|(_, value, _)| !value.is_empty()).map(one).collect();
        format!("<dl>{rows}</dl>")
    };
    let address = if tap.at == tap.address { "" } else { &tap.address };
    let what = list(&[
        ("at", &tap.at, false),
        ("address", address, false),
        ("task", &tap.task, true),
        ("order", &tap.order, true),
        ("LIID", &tap.liid, true),
        ("since", &tap.since, false),
    ]);
    let sources = list(&[
        ("register", &tap.register, false),
        ("ADMF", &tap.admf, false),
        ("element", &tap.element, false),
        ("wire", &tap.wire, false),
    ]);
    let disagree = if tap.disagree.is_empty() {
        String::new()
    } else {
        format!("<br><span class=\"small\">disagree: {}</span>", escaped(&tap.disagree))
    };
    format!(
        "<tr><td>{}</td><td>{what}</td><td>{sources}</td><td>{}{disagree}</td><td class=\"small\">{}</td></tr>\n",
        badge(tap.state),
        escaped(&tap.reason),
        escaped(&tap.evidence)
    )
}

fn badge(state: State) -> String {
    let class = match state {
        State::Unauthorised | State::Orphaned | State::Redirected | State::Expired => "bad",
        State::Silent => "odd",
        State::Unknown => "dim",
        State::Authorised => "good",
    };
    format!("<b class=\"state {class}\">{}</b>", state.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{html::tests::balanced, text::tests::report};

    #[test]
    fn the_page_is_well_formed_escaped_and_needs_nothing_else() {
        let page = report().html();
        assert_eq!(balanced(&page).map(|tags| tags["tr"]), Ok(2 + State::ALL.len() + 2), "{page}");
        assert!(
            page.contains("=cmd|&lt;pe1&gt;") && page.contains("a &quot;reason&quot;, with a comma &amp; &lt;b&gt;"),
            "{page}"
        );
        for outside in ["http:", "https:", "src=", "<script", "url(", "@import"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("@media print") && page.contains("<td class=\"n\">1</td>"));
    }

    #[test]
    fn a_report_without_taps_says_so() {
        let none = Taps { taps: Vec::new(), notes: Vec::new(), ..report() };
        assert!(balanced(&none.html()).is_ok() && none.html().contains("No tap runs or delivers"));
    }
}
