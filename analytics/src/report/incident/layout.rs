//! Where the boxes and lines of the graph stand.
//!
//! Columns from left to right: accounts, hosts, systems, destinations. In a column the order follows the neighbours, so that few lines
//! cross. The codes of a line have a place of their own between two columns, and no two of them overlap. A line over more than one
//! column goes through a lane between the boxes. Integers and sorted maps only: the same findings always give the same picture.
use std::collections::BTreeMap;

use crate::story::{Edge, Net, Node, Place};

/// Boxes of a column.
pub(super) const MOST_BOXES: usize = 8;
/// Lines.
pub(super) const MOST_LINES: usize = 40;
/// Space between columns.
pub(super) const GAP: i32 = 118;
/// Height of a box.
pub(super) const BOX: i32 = 46;
/// Height of the columns' names.
const HEAD: i32 = 28;
const SPACE: i32 = 20;
const LANE: i32 = 14;
/// Height of a line of codes, and codes that stand in one.
const TEXT: i32 = 14;
const CODES: usize = 2;
/// Lines of codes.
const MOST_CODES: usize = 3;

/// A box.
pub(super) struct Drawn<'a> {
    pub(super) node: &'a Node,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
}

/// A line with its codes.
pub(super) struct Line<'a> {
    pub(super) edge: &'a Edge,
    /// It goes through these, level in each.
    pub(super) points: Vec<(i32, i32)>,
    /// The middle of its codes.
    pub(super) label: (i32, i32),
    /// The codes.
    pub(super) codes: Vec<String>,
}

/// A column.
pub(super) struct Column {
    pub(super) place: Place,
    pub(super) x: i32,
    pub(super) width: i32,
    /// Boxes that it would have had, and where that is said.
    pub(super) more: usize,
    pub(super) bottom: i32,
}

/// The whole picture.
pub(super) struct Layout<'a> {
    pub(super) width: i32,
    pub(super) height: i32,
    pub(super) columns: Vec<Column>,
    pub(super) boxes: Vec<Drawn<'a>>,
    pub(super) lines: Vec<Line<'a>>,
    /// Lines between boxes that are drawn, and that are left out.
    pub(super) more: usize,
}

/// What stands in a column: a box, or the lane of a line that passes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Node(usize),
    Lane(usize),
}

/// The height of a line's other end, the line, and whether it leaves here.
type Port = (i32, usize, bool);

const fn width(place: Place) -> i32 {
    match place {
        Place::Account => 124,
        Place::Host | Place::System | Place::Destination => 156,
    }
}

/// A line's codes, two in a row, the most severe first.
pub(super) fn codes(edge: &Edge) -> Vec<String> {
    let all = edge.codes();
    let room = CODES * MOST_CODES;
    let shown = if all.len() > room { room - 1 } else { all.len() };
    let mut shown: Vec<String> = all.iter().take(shown).map(|code| crate::words::short(code, 8)).collect();
    if all.len() > shown.len() {
        shown.push(format!("+{}", all.len() - shown.len()));
    }
    shown.chunks(CODES).map(|row| row.join(" ")).collect()
}

/// Lays the graph out.
pub(super) fn layout(net: &Net) -> Layout<'_> {
    let places: Vec<Place> = [Place::Account, Place::Host, Place::System, Place::Destination]
        .into_iter()
        .filter(|place| net.at(*place).next().is_some())
        .collect();
    let mut draft = Draft::new(net, places);
    draft.order();
    draft.draw()
}

struct Draft<'a> {
    net: &'a Net,
    places: Vec<Place>,
    /// The column of each node that is drawn.
    column: BTreeMap<usize, usize>,
    /// Lines that are drawn.
    edges: Vec<&'a Edge>,
    left_out: usize,
    items: Vec<Vec<Item>>,
}

impl<'a> Draft<'a> {
    fn new(net: &'a Net, places: Vec<Place>) -> Self {
        let mut column = BTreeMap::new();
        let mut items: Vec<Vec<Item>> = Vec::new();
        for (c, place) in places.iter().enumerate() {
            let of = net.nodes.iter().enumerate().filter(|(_, node)| node.place == *place).take(MOST_BOXES);
            let of: Vec<usize> = of.map(|(i, _)| i).collect();
            column.extend(of.iter().map(|i| (*i, c)));
            items.push(of.into_iter().map(Item::Node).collect());
        }
        let drawn = |e: &&Edge| column.contains_key(&e.from) && column.contains_key(&e.to);
        let mut edges: Vec<&Edge> = net.edges.iter().filter(drawn).collect();
        edges.sort_by_key(|e| (std::cmp::Reverse(e.severity()), e.from, e.to));
        let left_out = edges.len().saturating_sub(MOST_LINES);
        edges.truncate(MOST_LINES);
        let mut draft = Self { net, places, column, edges, left_out, items };
        for e in 0..draft.edges.len() {
            let (from, to) = draft.ends(e);
            for c in from.min(to) + 1..from.max(to) {
                if let Some(column) = draft.items.get_mut(c) {
                    column.push(Item::Lane(e));
                }
            }
        }
        draft
    }

    /// The columns of a line's ends.
    fn ends(&self, e: usize) -> (usize, usize) {
        let of = |node: usize| self.column.get(&node).copied().unwrap_or_default();
        self.edges.get(e).map_or((0, 0), |edge| (of(edge.from), of(edge.to)))
    }

    /// Orders each column by where its neighbours in the one before stand, from left to right and back.
    fn order(&mut self) {
        let columns = self.items.len();
        let forth = (1..columns).map(|c| (c, c - 1));
        let back = (0..columns.saturating_sub(1)).rev().map(|c| (c, c + 1));
        for (c, neighbour) in forth.chain(back).collect::<Vec<_>>() {
            let stands: BTreeMap<Item, usize> =
                self.items.get(neighbour).into_iter().flatten().enumerate().map(|(i, item)| (*item, i)).collect();
            let weight = |item: &Item, own: usize| {
                let next = self.neighbours(*item, neighbour);
                let at: Vec<usize> = next.iter().filter_map(|n| stands.get(n).copied()).collect();
                // In thousandths: no float decides an order.
                if at.is_empty() { own * 1000 } else { at.iter().sum::<usize>() * 1000 / at.len() }
            };
            let mut order: Vec<(usize, usize, Item)> = Vec::new();
            for (i, item) in self.items.get(c).into_iter().flatten().enumerate() {
                order.push((weight(item, i), i, *item));
            }
            order.sort_unstable();
            if let Some(column) = self.items.get_mut(c) {
                *column = order.into_iter().map(|(_, _, item)| item).collect();
            }
        }
    }

    /// What is joined to it in that column.
    fn neighbours(&self, item: Item, column: usize) -> Vec<Item> {
        let stand_in = |e: usize, node: usize| {
            if self.column.get(&node) == Some(&column) { Item::Node(node) } else { Item::Lane(e) }
        };
        let of = |(e, edge): (usize, &&Edge)| match item {
            Item::Node(i) if edge.from == i => vec![stand_in(e, edge.to)],
            Item::Node(i) if edge.to == i => vec![stand_in(e, edge.from)],
            Item::Lane(own) if own == e => vec![stand_in(e, edge.from), stand_in(e, edge.to)],
            _ => Vec::new(),
        };
        self.edges.iter().enumerate().flat_map(of).collect()
    }

    fn draw(&self) -> Layout<'a> {
        let tall = |item: &Item| if matches!(item, Item::Node(_)) { BOX } else { LANE };
        let more = |place: Place| self.net.at(place).count().saturating_sub(MOST_BOXES);
        let heights: Vec<i32> = self
            .items
            .iter()
            .zip(&self.places)
            .map(|(items, place)| {
                let extra = if more(*place) > 0 { BOX / 2 + SPACE } else { 0 };
                items.iter().map(|i| tall(i) + SPACE).sum::<i32>() - SPACE + extra
            })
            .collect();
        let labels = self.labels();
        let need = labels.values().map(|all| all.iter().map(|(_, h)| h + 6).sum::<i32>()).max().unwrap_or_default();
        let inner = heights.iter().copied().max().unwrap_or_default().max(need);
        let (mut x, mut columns, mut boxes, mut middle) = (1, Vec::new(), Vec::new(), BTreeMap::new());
        for ((items, place), height) in self.items.iter().zip(&self.places).zip(&heights) {
            let mut y = HEAD + (inner - height) / 2;
            for item in items {
                if let Item::Node(i) = item
                    && let Some(node) = self.net.nodes.get(*i)
                {
                    boxes.push(Drawn { node, x, y, width: width(*place) });
                }
                middle.insert((columns.len(), *item), y + tall(item) / 2);
                y += tall(item) + SPACE;
            }
            columns.push(Column { place: *place, x, width: width(*place), more: more(*place), bottom: y });
            x += width(*place) + GAP;
        }
        let last = columns.len().saturating_sub(1);
        // Lines from a box of the last column to another of it pass on the right.
        let right = if labels.contains_key(&last) { GAP } else { 0 };
        let mut layout = Layout {
            width: x - GAP + right + 1,
            height: HEAD + inner + 8,
            columns,
            boxes,
            lines: Vec::new(),
            more: self.left_out,
        };
        layout.lines = self.lines(&layout, &labels, &middle);
        layout
    }

    /// Between which columns a line's codes stand: behind its source, on the way to its target.
    fn gap(&self, e: usize) -> usize {
        let (from, to) = self.ends(e);
        if to < from { from - 1 } else { from }
    }

    /// The lines whose codes stand in each gap, with the height of the codes.
    fn labels(&self) -> BTreeMap<usize, Vec<(usize, i32)>> {
        let mut out: BTreeMap<usize, Vec<(usize, i32)>> = BTreeMap::new();
        for (e, edge) in self.edges.iter().enumerate() {
            let rows = i32::try_from(codes(edge).len()).unwrap_or(1);
            out.entry(self.gap(e)).or_default().push((e, rows * TEXT));
        }
        out
    }

    fn lines(
        &self,
        layout: &Layout<'_>,
        labels: &BTreeMap<usize, Vec<(usize, i32)>>,
        middle: &BTreeMap<(usize, Item), i32>,
    ) -> Vec<Line<'a>> {
        let ports = self.ports(middle);
        let mut at: BTreeMap<usize, i32> = BTreeMap::new();
        for all in labels.values() {
            at.extend(slots(all, |e| self.wanted(e, &ports, middle), layout.height));
        }
        let line = |(e, edge): (usize, &&'a Edge)| {
            let column = |c: usize| layout.columns.get(c);
            let (from, to) = self.ends(e);
            let gap = column(self.gap(e))?;
            let label = (gap.x + gap.width + GAP / 2, at.get(&e).copied()?);
            let (out, into) = ports.get(&e).copied()?;
            let (source, target) = (column(from)?, column(to)?);
            let edge_of = |c: &Column, right: bool| if right { c.x + c.width } else { c.x };
            let mut points = vec![(edge_of(source, from <= to), out), label];
            let between: Vec<usize> = (from.min(to) + 1..from.max(to)).collect();
            let ordered: Vec<usize> = if to < from { between.into_iter().rev().collect() } else { between };
            for c in ordered {
                let (col, y) = (column(c)?, middle.get(&(c, Item::Lane(e))).copied()?);
                points.push((edge_of(col, from > to), y));
                points.push((edge_of(col, from < to), y));
            }
            points.push((edge_of(target, to <= from), into));
            Some(Line { edge, points, label, codes: codes(edge) })
        };
        self.edges.iter().enumerate().filter_map(line).collect()
    }

    /// Where a line would like its codes to be.
    fn wanted(&self, e: usize, ports: &BTreeMap<usize, (i32, i32)>, middle: &BTreeMap<(usize, Item), i32>) -> i32 {
        let (from, to) = self.ends(e);
        let (out, into) = ports.get(&e).copied().unwrap_or_default();
        let next = if to < from { from.saturating_sub(1) } else { from + 1 };
        let next = middle.get(&(next, Item::Lane(e))).copied().unwrap_or(into);
        // Of many lines from one box, or to one, the codes stand where the lines are apart.
        let count = |same: fn(&Edge, &Edge) -> bool| {
            let own = self.edges.get(e);
            self.edges.iter().filter(|other| own.is_some_and(|own| same(own, other))).count()
        };
        let (leave, enter) = (count(|a, b| a.from == b.from), count(|a, b| a.to == b.to));
        match leave.cmp(&enter) {
            std::cmp::Ordering::Greater => next,
            std::cmp::Ordering::Less => out,
            std::cmp::Ordering::Equal => (out + next) / 2,
        }
    }

    /// Where each line leaves and enters its boxes: apart from each other, in the order of their other ends.
    fn ports(&self, middle: &BTreeMap<(usize, Item), i32>) -> BTreeMap<usize, (i32, i32)> {
        let y = |node: usize| {
            self.column.get(&node).and_then(|c| middle.get(&(*c, Item::Node(node)))).copied().unwrap_or_default()
        };
        let mut sides: BTreeMap<(usize, bool), Vec<Port>> = BTreeMap::new();
        for (e, edge) in self.edges.iter().enumerate() {
            let (from, to) = self.ends(e);
            sides.entry((edge.from, from <= to)).or_default().push((y(edge.to), e, true));
            sides.entry((edge.to, to <= from)).or_default().push((y(edge.from), e, false));
        }
        let mut out: BTreeMap<usize, (i32, i32)> = BTreeMap::new();
        for ((node, _), mut all) in sides {
            all.sort_unstable();
            let n = i32::try_from(all.len()).unwrap_or(1);
            let step = ((BOX - 12) / n).min(9);
            for (k, (_, e, leaves)) in (0i32..).zip(all) {
                let here = y(node) + (2 * k - (n - 1)) * step / 2;
                let port = out.entry(e).or_default();
                if leaves { port.0 = here } else { port.1 = here }
            }
        }
        out
    }
}

/// The middles of codes in one gap, near to where they would like to be and none over another.
fn slots(all: &[(usize, i32)], wanted: impl Fn(usize) -> i32, height: i32) -> Vec<(usize, i32)> {
    let mut order: Vec<(i32, usize, i32)> = all.iter().map(|(e, h)| (wanted(*e), *e, *h)).collect();
    order.sort_unstable();
    let n = i32::try_from(order.len()).unwrap_or(1).max(1);
    let mut out: Vec<(usize, i32, i32)> = Vec::new();
    for (y, e, h) in &order {
        let least = out.last().map_or(HEAD + h / 2, |(_, last, before)| last + (before + h) / 2 + 6);
        out.push((*e, least.max(*y), *h));
    }
    // What was pushed down is moved back up together, as far as there is room.
    let pushed = out.iter().zip(&order).map(|((_, y, _), (wanted, ..))| y - wanted).sum::<i32>() / n;
    let room = out.first().map_or(0, |(_, y, h)| y - h / 2 - HEAD);
    let over = out.last().map_or(0, |(_, y, h)| y + h / 2 - height + 4).max(0);
    let up = pushed.max(over).min(room).max(0);
    out.into_iter().map(|(e, y, _)| (e, y - up)).collect()
}
