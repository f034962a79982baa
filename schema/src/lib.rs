//! The contract of lidr: event tables, findings, pseudonyms and the wire format.
//!
//! A leaf: it knows no input or output, no clock, no query engine and no packet. Everything else rests on it; it grows by
//! addition only, and `schema.json` beside this crate is the committed form that a test compares.

pub mod cell;
pub mod community;
mod declare;
pub mod docs;
pub mod dynamic;
pub mod finding;
pub mod head;
pub mod hex;
pub mod ip;
pub mod problem;
pub mod pseudonym;
pub mod selector;
pub mod table;
pub mod wire;
pub mod yaml;

pub use cell::{Micros, Name, Text};
pub use declare::{Column, Store, TableDef};
pub use head::{Ends, Head, Outer, RowKey};
pub use ip::{Cidr, Ip};
pub use pseudonym::{Key, Kind, Pseudonym};
pub use table::{AnyRow, Stores, TableId};

/// Version of the tables on the wire: a reader refuses a newer major and fills the columns of a newer minor with null.
pub const SCHEMA_VERSION: (u16, u16) = (1, 1);
