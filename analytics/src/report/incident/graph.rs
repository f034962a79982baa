//! Who touched which intercept system: the picture, and the same as a table.
use lidr_schema::finding::Severity;

use crate::{
    report::html::{escaped, table},
    story::{Edge, Net, Place},
    time::span,
    words::{many, short},
};

use super::layout::{BOX, Column, Drawn, Layout, Line, layout};

/// Rows of the table.
const MOST_ROWS: usize = 60;

/// The section's content.
pub(super) fn graph(net: &Net) -> String {
    if net.nodes.is_empty() {
        return "<p>No finding names a host, an account or a system.</p>\n".to_owned();
    }
    format!("{}{}", picture(net), rows(net))
}

fn picture(net: &Net) -> String {
    let layout = layout(net);
    let mut out = format!(
        "<figure>\n<div class=\"wide\" role=\"region\" aria-label=\"Graph\" tabindex=\"0\">\n\
         <svg viewBox=\"0 0 {width} {height}\" style=\"max-width:{most}px;min-width:{least}px\" role=\"img\" aria-labelledby=\"graph-title graph-desc\" xmlns=\"http://www.w3.org/2000/svg\">\n\
         <title id=\"graph-title\">Who touched which intercept system</title>\n<desc id=\"graph-desc\">{}</desc>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"#3c4754\"/></marker></defs>\n",
        escaped(&described(net, &layout)),
        width = layout.width,
        height = layout.height,
        most = layout.width * 11 / 10,
        least = layout.width * 3 / 4,
    );
    layout.columns.iter().for_each(|c| out.push_str(&column(c)));
    layout.lines.iter().for_each(|l| out.push_str(&path(l)));
    layout.boxes.iter().for_each(|b| out.push_str(&drawn(b)));
    layout.lines.iter().for_each(|l| out.push_str(&label(l)));
    out.push_str("</svg>\n</div>\n<figcaption>An arrow goes from who acted to what was acted upon; the codes on it are the rules that found it. ");
    let hidden: usize = layout.columns.iter().map(|c| c.more).sum();
    let left_out = [(hidden, "boxes"), (layout.more, "arrows")].into_iter().filter(|(n, _)| *n > 0);
    let left_out: Vec<String> = left_out.map(|(n, what)| format!("{n} of the {what}")).collect();
    if !left_out.is_empty() {
        out.push_str(&format!("Left out for want of room, the least severe first: {}. ", left_out.join(" and ")));
    }
    out.push_str(&format!("{}</figcaption>\n</figure>\n", table_below(net, "says the same in words")));
    out
}

/// What the table below has of it: not all, where it is cut.
fn table_below(net: &Net, whole: &str) -> String {
    match net.edges.len() {
        0 => "There is no table of it: no finding shows one touching another.".to_owned(),
        n if n > MOST_ROWS => format!("The table below has the {MOST_ROWS} most severe of {n} pairs."),
        _ => format!("The table below {whole}."),
    }
}

fn described(net: &Net, layout: &Layout<'_>) -> String {
    let name = |i: usize| net.nodes.get(i).map(|n| n.name.clone()).unwrap_or_default();
    let one = |line: &Line<'_>| {
        format!("{} to {}: {}", name(line.edge.from), name(line.edge.to), line.edge.codes().join(", "))
    };
    let first: Vec<String> = layout.lines.iter().take(12).map(one).collect();
    let more = layout.lines.len().saturating_sub(first.len());
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}. {}", first.join("; "), table_below(net, "has all of it"))
}

fn column(c: &Column) -> String {
    let name = match c.place {
        Place::Account => "Accounts",
        Place::Host => "Hosts",
        Place::System => "Systems",
        Place::Destination => "Destinations",
    };
    let middle = c.x + c.width / 2;
    let mut out = format!("<text class=\"head\" x=\"{middle}\" y=\"14\" text-anchor=\"middle\">{name}</text>\n");
    if c.more > 0 {
        let (y, height) = (c.bottom, BOX / 2);
        out.push_str(&format!(
            "<rect class=\"more\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\" rx=\"4\"/>\
             <text class=\"sub\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">and {} more</text>\n",
            c.x,
            c.width,
            y + 15,
            c.more
        ));
    }
    out
}

fn drawn(b: &Drawn<'_>) -> String {
    let node = b.node;
    let whole: Vec<&str> =
        std::iter::once(node.name.as_str()).chain(node.addresses.iter().map(String::as_str)).collect();
    let zone = node.zone.as_deref();
    let address = node.addresses.first().map(String::as_str);
    let below = [address, zone].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let below = if below.is_empty() { many(node.shown, "finding") } else { below };
    let letters = usize::try_from((b.width - 14) / 7).unwrap_or(16);
    format!(
        "<g class=\"node\"><title>{}: {}</title><rect class=\"box is-{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{BOX}\" rx=\"5\"/>\
         <text class=\"name\" x=\"{}\" y=\"{}\">{}</text><text class=\"sub\" x=\"{}\" y=\"{}\">{}</text></g>\n",
        escaped(&whole.join(", ")),
        many(node.shown, "finding"),
        node.severity.name(),
        b.x,
        b.y,
        b.width,
        b.x + 8,
        b.y + 20,
        escaped(&short(&node.name, letters)),
        b.x + 8,
        b.y + 36,
        escaped(&short(&below, letters + 3)),
    )
}

/// A curve through its points, level in each of them.
fn path(line: &Line<'_>) -> String {
    let mut points = line.points.iter();
    let Some(mut last) = points.next().copied() else { return String::new() };
    let mut d = format!("M{} {}", last.0, last.1);
    for &(x, y) in points {
        let middle = (last.0 + x) / 2;
        d.push_str(&format!("C{middle} {} {middle} {y} {x} {y}", last.1));
        last = (x, y);
    }
    format!("<path class=\"edge is-{}\" d=\"{d}\" marker-end=\"url(#tip)\"/>\n", line.edge.severity().name())
}

fn label(line: &Line<'_>) -> String {
    let longest = line.codes.iter().map(|row| row.chars().count()).max().unwrap_or_default();
    let (width, height) =
        (i32::try_from(longest).unwrap_or(8) * 7 + 6, i32::try_from(line.codes.len()).unwrap_or(1) * 14);
    let (x, y) = line.label;
    let rows: String = (0i32..)
        .zip(&line.codes)
        .map(|(i, row)| {
            format!(
                "<text class=\"code\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                y - height / 2 + i * 14 + 11,
                escaped(row)
            )
        })
        .collect();
    format!(
        "<g class=\"codes\"><rect class=\"tag\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\"/>{rows}</g>\n",
        x - width / 2,
        y - height / 2
    )
}

fn rows(net: &Net) -> String {
    let mut edges: Vec<&Edge> = net.edges.iter().collect();
    edges.sort_by_key(|e| (std::cmp::Reverse(e.severity()), e.time.0, e.from, e.to));
    let name = |i: usize| {
        let Some(node) = net.nodes.get(i) else { return String::new() };
        let known = node.addresses.iter().take(2).cloned().chain(node.zone.clone()).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() {
            String::new()
        } else {
            format!(" <span class=\"soft\">({})</span>", escaped(&known))
        };
        format!("<span class=\"code\">{}</span>{known}", escaped(&node.name))
    };
    let row = |e: &&Edge| {
        let code = |(code, (_, n)): (&String, &(Severity, usize))| {
            let times = if *n > 1 { format!(" ×{n}") } else { String::new() };
            format!("<span class=\"t\">{}{times}</span>", escaped(code))
        };
        let codes = e.codes.iter().map(code).collect::<Vec<_>>().join(", ");
        vec![name(e.from), name(e.to), codes, format!("<span class=\"t\">{}</span>", span(e.time))]
    };
    let shown: Vec<Vec<String>> = edges.iter().take(MOST_ROWS).map(row).collect();
    if shown.is_empty() {
        return "<p>No finding shows one touching another.</p>\n".to_owned();
    }
    let mut out = table("Who touched what", &["Who", "Whom or what", "Rules, and how many findings", "When"], &shown);
    if edges.len() > MOST_ROWS {
        out.push_str(&format!("<p>And {}, none more severe.</p>\n", many(edges.len() - MOST_ROWS, "more pair")));
    }
    out
}
