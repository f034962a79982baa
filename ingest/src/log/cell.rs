//! A value of a record as a cell of a column, or what would have been needed.
//!
//! Cells leave here as JSON in the short form that `lidr_schema::dynamic` reads, so that any column of a table can be filled
//! without a line of code for it. An identifier leaves as the hexadecimal text of its pseudonym and in no other way: the column
//! says that it holds pseudonyms, and the key is here. Names of hosts become addresses by the site's tables; a name that they do
//! not have is an unknown address (`::`) and counted, an address that is none is an error.
use std::collections::HashMap;

use arrow::datatypes::DataType;
use lidr_schema::{Cidr, Column, Ip, Key, Kind, Pseudonym};
use serde_json::Value;

use super::mask::mask;

/// Most octets of a text.
const MOST_TEXT: usize = 1024;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Address,
    Pseudonym,
    Time,
    Bool,
    /// The greatest value that fits.
    Unsigned(u64),
    Int,
    Name,
}

impl Cell {
    /// By the column's declaration.
    pub(super) fn of(column: &Column) -> Option<Self> {
        Some(match &column.data_type {
            DataType::FixedSizeBinary(16) if column.pseudonym => Self::Pseudonym,
            DataType::FixedSizeBinary(16) => Self::Address,
            DataType::Timestamp(..) => Self::Time,
            DataType::Boolean => Self::Bool,
            DataType::UInt8 => Self::Unsigned(u64::from(u8::MAX)),
            DataType::UInt16 => Self::Unsigned(u64::from(u16::MAX)),
            DataType::UInt32 => Self::Unsigned(u64::from(u32::MAX)),
            DataType::UInt64 => Self::Unsigned(u64::MAX),
            DataType::Int64 => Self::Int,
            DataType::Utf8 | DataType::Dictionary(..) => Self::Name,
            _ => return None,
        })
    }
}

/// The kind of identifier that a column always holds.
pub(super) fn own_kind(column: &str) -> Option<Kind> {
    match column {
        "liid" => Some(Kind::Liid),
        "order_id" => Some(Kind::Order),
        _ => None,
    }
}

/// Operations of `tasking`: rules know these names and no others.
const OPS: [&str; 18] = [
    "create",
    "change",
    "enable",
    "disable",
    "delete",
    "list",
    "get",
    "destination_create",
    "destination_change",
    "destination_delete",
    "notify_off",
    "keepalive",
    "report",
    "order_create",
    "order_change",
    "order_delete",
    "order_approve",
    "unknown",
];

/// Values of columns that have a closed set of them.
fn closed(table: &str, column: &str) -> Option<(&'static [&'static str], &'static str)> {
    match (table, column) {
        ("tasking", "op") => {
            Some((&OPS, "an operation of tasking (create, change, enable, …; `lidr rules schema tasking`)"))
        }
        ("tasking", "outcome") => {
            Some((&["ok", "refused", "unanswered", "not_seen"], "ok, refused, unanswered or not_seen"))
        }
        ("auth", "outcome") => Some((&["ok", "refused", "unknown"], "ok, refused or unknown")),
        ("mgmt", "outcome") => {
            Some((&["ok", "refused", "unanswered", "not_seen", "none"], "ok, refused, unanswered, not_seen or none"))
        }
        _ => None,
    }
}

/// Whether a text fits a column that holds no identifier and no time; else what would.
pub(super) fn check(table: &str, column: &str, cell: Cell, text: &str) -> Result<(), &'static str> {
    match cell {
        Cell::Time | Cell::Pseudonym => Ok(()),
        cell => plain(table, column, cell, text, &Hosts::default()).map(drop),
    }
}

/// Addresses by the names of hosts, lower case.
pub(super) type Hosts = HashMap<String, Ip>;

/// What a text becomes.
pub(super) enum Plain {
    Value(Value),
    /// A host that no table of the site names.
    Unresolved,
}

/// A text as a cell of a column that holds no identifier and no time; else what was needed.
pub(super) fn plain(table: &str, column: &str, cell: Cell, text: &str, hosts: &Hosts) -> Result<Plain, &'static str> {
    let text = text.trim();
    let value = match cell {
        Cell::Address => match address(text, hosts)? {
            Some(ip) => Value::from(ip.to_string()),
            None => return Ok(Plain::Unresolved),
        },
        Cell::Bool => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" | "t" | "y" => Value::from(true),
            "false" | "no" | "off" | "0" | "f" | "n" => Value::from(false),
            _ => return Err("true or false"),
        },
        Cell::Unsigned(most) => match text.parse::<u64>() {
            Ok(n) if n <= most => Value::from(n),
            Ok(_) => return Err("a smaller number"),
            Err(_) => return Err("a whole number from 0"),
        },
        Cell::Int => Value::from(text.parse::<i64>().map_err(|_| "a whole number")?),
        Cell::Name => return name(table, column, text).map(Plain::Value),
        // The caller has the format of the one and the kind of the other.
        Cell::Time | Cell::Pseudonym => return Err("a value of another kind"),
    };
    Ok(Plain::Value(value))
}

fn name(table: &str, column: &str, text: &str) -> Result<Value, &'static str> {
    if let Some((values, needed)) = closed(table, column) {
        return if values.contains(&text) { Ok(text.into()) } else { Err(needed) };
    }
    Ok(match (table, column) {
        ("tasking", "status") => short(&text.to_lowercase()).into(),
        // Commands and messages are free text; nothing else is, unless a mapping makes it so.
        ("mgmt", "value" | "object") | ("tasking", "message") => short(&mask(text)).into(),
        _ => short(text).into(),
    })
}

/// At most so many octets, cut between characters.
fn short(text: &str) -> String {
    let end = (0..=MOST_TEXT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text.get(..end).unwrap_or_default().to_owned()
}

fn address(text: &str, hosts: &Hosts) -> Result<Option<Ip>, &'static str> {
    if let Ok(ip) = text.parse() {
        return Ok(Some(ip));
    }
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') || text.contains(':') || text.contains('/');
    if numeric {
        return Err("an address or the name of a host");
    }
    let name = text.to_lowercase();
    let first = name.split('.').next().unwrap_or_default();
    Ok(hosts.get(&name).or_else(|| hosts.get(first)).copied())
}

/// An identifier: its kind in the end, its pseudonym, and the length of a prefix.
pub(super) fn identifier(key: &Key, kind: Kind, text: &str) -> (Kind, Pseudonym, Option<u8>) {
    if matches!(kind, Kind::Ip | Kind::Prefix)
        && let Ok(range) = text.trim().parse::<Cidr>()
    {
        let v4 = range.first().is_v4();
        let length = if v4 { range.len128().saturating_sub(96) } else { range.len128() };
        // A range of one address is that address: the register and other decoders call it so.
        if range.len128() == 128 {
            return (Kind::Ip, key.pseudonym(Kind::Ip, &range.first().to_string()), Some(length));
        }
        return (Kind::Prefix, key.pseudonym(Kind::Prefix, text), Some(length));
    }
    (kind, key.pseudonym(kind, text), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(column: &str, cell: Cell, text: &str) -> Result<Option<Value>, &'static str> {
        let hosts = Hosts::from([("pe1".to_owned(), Ip::v4([10, 0, 0, 1]))]);
        plain("tasking", column, cell, text, &hosts).map(|p| match p {
            Plain::Value(value) => Some(value),
            Plain::Unresolved => None,
        })
    }

    #[test]
    fn values_fit_their_columns_or_say_what_would() {
        let ok = |column, cell, text, json: Value| assert_eq!(value(column, cell, text), Ok(Some(json)), "{text}");
        ok("ne", Cell::Address, " 10.0.0.1 ", "10.0.0.1".into());
        ok("ne", Cell::Address, "PE1.core.example", "10.0.0.1".into());
        ok("dest_port", Cell::Unsigned(65535), "443", 443.into());
        ok("notify", Cell::Bool, "No", false.into());
        ok("status", Cell::Name, "ACTIVE", "active".into());
        ok("op", Cell::Name, "list", "list".into());
        assert_eq!(value("ne", Cell::Address, "pe9"), Ok(None), "a host that nobody knows");
        for (column, cell, text) in [
            ("ne", Cell::Address, "10.0.0.300"),
            ("ne", Cell::Address, "fe80::x"),
            ("dest_port", Cell::Unsigned(65535), "70000"),
            ("dest_port", Cell::Unsigned(65535), "-1"),
            ("notify", Cell::Bool, "maybe"),
            ("op", Cell::Name, "purge"),
        ] {
            assert!(value(column, cell, text).is_err(), "{text}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let long = format!("x{}", "é".repeat(2000));
        let Ok(Some(Value::String(cut))) = value("actor_name", Cell::Name, &long) else { panic!("no text") };
        assert_eq!(cut.len(), 1023);
    }

    #[test]
    fn a_range_of_one_address_is_that_address() {
        let key = Key::from_hex(&"0b".repeat(32)).unwrap();
        let of = |kind, text| identifier(&key, kind, text);
        assert_eq!(of(Kind::Prefix, "192.0.2.7/32"), (Kind::Ip, key.pseudonym(Kind::Ip, "192.0.2.7"), Some(32)));
        assert_eq!(of(Kind::Ip, "192.0.2.7").1, key.pseudonym(Kind::Ip, "192.0.2.7"));
        assert_eq!(
            of(Kind::Prefix, "192.0.2.0/24"),
            (Kind::Prefix, key.pseudonym(Kind::Prefix, "192.0.2.0/24"), Some(24))
        );
        assert_eq!(of(Kind::Prefix, "2001:db8::/64").2, Some(64));
    }
}
