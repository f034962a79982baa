//! The tables of a site folder: what a carrier says about itself, and how its columns stand in SQL.
//!
//! One list for the loader that reads the files and for the lint that checks rules, so that a rule can never name a column
//! that no file can fill. A column of several values is a table of its own in SQL, `TABLE_COLUMN(KEY, value…)`, so that rules
//! join instead of searching text. Identifiers that could tell who is tapped are pseudonyms in SQL and never kept as text.
use lidr_schema::Kind;

/// A table of the site folder.
#[derive(Debug)]
pub struct SiteTable {
    /// Name of the file without its ending, and of the table in SQL.
    pub name: &'static str,
    /// Columns of the file; the first one is the key that tables of several values repeat.
    pub columns: &'static [SiteColumn],
}

/// A column of a site file.
#[derive(Debug)]
pub struct SiteColumn {
    /// Name in the header line.
    pub name: &'static str,
    /// How it is read and what it is in SQL.
    pub kind: ColumnKind,
}

/// What a column of a site file holds. Empty cells are null everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text; Utf8.
    Text,
    /// One address; FixedSizeBinary(16).
    Address,
    /// An address or range `net/len`; Utf8 as written, beside it `first` and `last`, FixedSizeBinary(16).
    Cidr,
    /// RFC 3339; a timestamp in µs.
    Time,
    /// A whole number; Int64.
    Int,
    /// `true` or `false`, `yes` or `no`, `1` or `0`; Boolean, false where empty.
    Bool,
    /// An IP protocol: Utf8 as written, beside it `proto`, Int64, its number (`any` and empty: null).
    Protocol,
    /// Ports and ranges `a-b`, several separated by `;`; the row is repeated for each, with `first_port` and `last_port`,
    /// Int64, in place of the column (empty: 0 to 65535).
    Ports,
    /// Several values separated by `;`; a table of its own, nothing in the row.
    List(Item),
    /// A pseudonym under the key of the run; FixedSizeBinary(16).
    Pseudo(PseudoKind),
    /// Hash of the line before; Utf8, and beside it `line_hash`, Utf8, the hash of this line: SHA-256, hexadecimal, of its cells
    /// in the order of the file, joined by commas.
    Chain,
}

/// What one of several values is in the table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// `value`, Utf8.
    Text,
    /// `value`, FixedSizeBinary(16).
    Address,
    /// `value`, Utf8 as written, `first` and `last`, FixedSizeBinary(16).
    Cidr,
    /// `ADDRESS` or `ADDRESS/USER`: `address`, FixedSizeBinary(16), and `user`, Utf8, null for any user.
    Manager,
}

/// What is hashed into a pseudonym, and how the column is called in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PseudoKind {
    /// Always this kind; the column keeps its name.
    Fixed(Kind),
    /// The kind that the row's column `kind` names ([`Kind::named`]); the column is called `target` in SQL.
    Target,
    /// An order id; the column is called `order_id` in SQL.
    Order,
}

/// A table as SQL sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlTable {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<SqlColumn>,
}

/// A column as SQL sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub sql: SqlType,
}

/// Types of site columns in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlType {
    /// Utf8.
    Text,
    /// FixedSizeBinary(16): an address or a pseudonym.
    Sixteen,
    /// Timestamp, µs.
    Time,
    /// Int64.
    Int,
    /// Boolean.
    Bool,
}

impl SiteColumn {
    /// What the column is in the row, by name and type; nothing for several values.
    #[must_use]
    pub fn in_row(&self) -> Vec<(&'static str, SqlType)> {
        match self.kind {
            ColumnKind::Text => vec![(self.name, SqlType::Text)],
            ColumnKind::Address => vec![(self.name, SqlType::Sixteen)],
            ColumnKind::Cidr => {
                vec![(self.name, SqlType::Text), ("first", SqlType::Sixteen), ("last", SqlType::Sixteen)]
            }
            ColumnKind::Time => vec![(self.name, SqlType::Time)],
            ColumnKind::Int => vec![(self.name, SqlType::Int)],
            ColumnKind::Bool => vec![(self.name, SqlType::Bool)],
            ColumnKind::Protocol => vec![(self.name, SqlType::Text), ("proto", SqlType::Int)],
            ColumnKind::Ports => vec![("first_port", SqlType::Int), ("last_port", SqlType::Int)],
            ColumnKind::List(_) => Vec::new(),
            ColumnKind::Chain => vec![(self.name, SqlType::Text), ("line_hash", SqlType::Text)],
            ColumnKind::Pseudo(PseudoKind::Fixed(_)) => vec![(self.name, SqlType::Sixteen)],
            ColumnKind::Pseudo(PseudoKind::Target) => vec![("target", SqlType::Sixteen)],
            ColumnKind::Pseudo(PseudoKind::Order) => vec![("order_id", SqlType::Sixteen)],
        }
    }
}

impl Item {
    /// Its columns in the table of its own, after the key.
    #[must_use]
    pub fn columns(self) -> &'static [(&'static str, SqlType)] {
        match self {
            Self::Text => &[("value", SqlType::Text)],
            Self::Address => &[("value", SqlType::Sixteen)],
            Self::Cidr => &[("value", SqlType::Text), ("first", SqlType::Sixteen), ("last", SqlType::Sixteen)],
            Self::Manager => &[("address", SqlType::Sixteen), ("user", SqlType::Text)],
        }
    }
}

impl SiteTable {
    /// The tables in SQL: its own first, then one per column of several values, in the order of the columns.
    #[must_use]
    pub fn sql(&self) -> Vec<SqlTable> {
        let column = |(name, sql): (&str, SqlType)| SqlColumn { name: name.to_owned(), sql };
        let own = self.columns.iter().flat_map(SiteColumn::in_row).map(column).collect();
        let key = self.columns.first().and_then(|c| c.in_row().first().copied());
        let lists = self.columns.iter().filter_map(|c| match c.kind {
            ColumnKind::List(item) => Some(SqlTable {
                name: format!("{}_{}", self.name, c.name),
                columns: key.into_iter().chain(item.columns().iter().copied()).map(column).collect(),
            }),
            _ => None,
        });
        std::iter::once(SqlTable { name: self.name.to_owned(), columns: own }).chain(lists).collect()
    }

    /// The table of that name in the site folder.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SITE_TABLES.iter().find(|t| t.name == name)
    }
}

/// The words that a column may hold, where they are a closed set; rules know these and no others.
#[must_use]
pub fn words(table: &str, column: &str) -> Option<&'static [&'static str]> {
    Some(match (table, column) {
        ("elements", "role") => &["admf", "mdf", "poi", "lims", "lims-db", "lemf", "ne-snmp-tap"],
        ("warrants", "type") => &["iri", "cc", "both"],
        ("warrants", "state") => &["pending", "approved", "suspended", "cancelled", "expired"],
        ("destinations", "kind") => &["X2Only", "X3Only", "X2andX3", "HI2", "HI3", "SII", "CCC", "CDC"],
        ("mirror_sessions", "kind") => &["erspan", "gre", "vxlan", "tzsp", "jmirror", "shim"],
        ("allow", "kind") => &[
            "aaa",
            "syslog",
            "trap",
            "ntp",
            "nms",
            "backup",
            "smi_director",
            "bastion",
            "scanner",
            "flow_collector",
            "dns",
            "proxy",
        ],
        ("accounts", "role") => &[
            "noc",
            "engineer",
            "li-operator",
            "li-officer",
            "li-approver",
            "li-clerk",
            "auditor",
            "automation",
            "break-glass",
        ],
        _ => return None,
    })
}

/// What an entry of `needs` asks for: a table, and the columns of which one must hold a value (`warrants.xid|cccid`).
#[must_use]
pub fn needed(entry: &str) -> (&str, Vec<&str>) {
    entry.split_once('.').map_or((entry, Vec::new()), |(table, columns)| (table, columns.split('|').collect()))
}

/// The file whose table, or table of several values, has that name in SQL.
#[must_use]
pub fn file_of(sql_name: &str) -> Option<&'static SiteTable> {
    SITE_TABLES.iter().find(|t| t.sql().iter().any(|s| s.name == sql_name))
}

macro_rules! tables {
    ($($table:ident { $($column:literal $kind:expr;)* })*) => {
        /// Every table that a site folder may hold.
        pub const SITE_TABLES: &[SiteTable] = &[$(SiteTable {
            name: stringify!($table),
            columns: &[$(SiteColumn { name: $column, kind: $kind },)*],
        },)*];
    };
}

use ColumnKind::{Address, Bool, Chain, Cidr, Int, List, Ports, Protocol, Pseudo, Text, Time};

const XID: ColumnKind = Pseudo(PseudoKind::Fixed(Kind::Xid));
const LIID: ColumnKind = Pseudo(PseudoKind::Fixed(Kind::Liid));
const CCCID: ColumnKind = Pseudo(PseudoKind::Fixed(Kind::Cccid));

tables! {
    zones { "cidr" Cidr; "zone" Text; "rank" Int; }
    policy { "src_zone" Text; "dst_zone" Text; "protocol" Protocol; "ports" Ports; }
    devices {
        "name" Text; "role" Text; "vendor" Text; "addresses" List(Item::Address); "loopback" Address; "zone" Text;
        "aaa_only" Bool; "app_hosting" Bool;
    }
    elements {
        "name" Text; "role" Text; "address" Address; "identifier" Text; "x1_port" Int; "keepalive_s" Int; "cert_sha256" Text;
        "managers" List(Item::Manager);
    }
    warrants {
        "order" Pseudo(PseudoKind::Order); "agency" Text; "kind" Text; "selector" Pseudo(PseudoKind::Target); "type" Text;
        "start" Time; "end" Time; "state" Text; "emergency" Bool; "test" Bool; "destinations" List(Item::Text); "xid" XID;
        "liid" LIID; "cccid" CCCID; "elements" List(Item::Text); "creator" Text; "approvers" List(Item::Text);
        "created_at" Time; "seq" Int; "prev_hash" Chain;
    }
    destinations {
        "id" Text; "name" Text; "address" Address; "port" Int; "kind" Text; "agency" Text; "cert_sha256" Text;
    }
    mirror_sessions { "device" Text; "destination" Address; "kind" Text; "session" Text; }
    allow { "kind" Text; "address" Cidr; "port" Int; "note" Text; }
    accounts { "user" Text; "role" Text; "hosts" List(Item::Address); "on_call" Bool; "hours" Text; }
    tunnels { "device" Text; "peer" Address; "kind" Text; "note" Text; }
    partners { "name" Text; "plmn" Text; "realm" Text; "ranges" List(Item::Cidr); "elements" List(Item::Text); }
    tickets {
        "id" Text; "user" Text; "objects" List(Item::Text); "from" Time; "to" Time; "approved_by" Text; "note" Text;
    }
    sensors { "name" Text; "sees" List(Item::Text); "x1_clear_port" Int; "note" Text; }
    history {
        "src" Address; "dst" Address; "port" Int; "protocol" Protocol; "first_seen" Time; "last_seen" Time; "days" Int;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(sql_name: &str) -> Vec<String> {
        let table = SITE_TABLES.iter().flat_map(SiteTable::sql).find(|t| t.name == sql_name);
        table.unwrap_or_else(|| panic!("no table {sql_name}")).columns.into_iter().map(|c| c.name).collect()
    }

    #[test]
    fn several_values_are_a_table_of_their_own() {
        assert_eq!(columns("warrants_destinations"), ["order_id", "value"]);
        assert_eq!(columns("elements_managers"), ["name", "address", "user"]);
        assert_eq!(columns("tickets_objects"), ["id", "value"]);
        assert!(!columns("devices").contains(&"addresses".to_owned()), "a list is not in the row");
        assert_eq!(file_of("devices_addresses").map(|t| t.name), Some("devices"));
    }

    #[test]
    fn ranges_ports_and_targets_have_columns_that_sql_can_compare() {
        assert_eq!(columns("zones"), ["cidr", "first", "last", "zone", "rank"]);
        assert_eq!(columns("policy"), ["src_zone", "dst_zone", "protocol", "proto", "first_port", "last_port"]);
        let warrants = columns("warrants");
        assert!(warrants.contains(&"target".to_owned()) && !warrants.contains(&"selector".to_owned()), "{warrants:?}");
    }

    #[test]
    fn words_stand_for_columns_that_are_there() {
        let all = SITE_TABLES.iter().flat_map(|t| t.columns.iter().map(move |c| (t.name, c)));
        let closed: Vec<_> = all.filter(|(table, column)| words(table, column.name).is_some()).collect();
        assert!(closed.len() == 7 && closed.iter().all(|(_, c)| c.kind == ColumnKind::Text), "{closed:?}");
    }

    #[test]
    fn names_are_unique() {
        for table in SITE_TABLES.iter().flat_map(SiteTable::sql) {
            let mut names: Vec<_> = table.columns.iter().map(|c| &c.name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), table.columns.len(), "{} has a column twice", table.name);
        }
    }
}
