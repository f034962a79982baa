//! The event tables, one file each. A new table is its file and its line in [`tables!`].
use crate::declare::{Store, TableDef, table};

macro_rules! tables {
    ($($name:ident $variant:ident,)*) => {
        $(pub mod $name;)*

        /// A table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TableId {
            $(#[doc = concat!("`", stringify!($name), "`")] $variant,)*
        }

        /// Every table, in the order of [`TableId`].
        pub const ALL: &[TableId] = &[$(TableId::$variant,)*];

        impl TableId {
            /// The table's definition.
            #[must_use]
            pub fn def(self) -> &'static TableDef {
                match self {
                    $(Self::$variant => $name::def(),)*
                }
            }
        }

        /// One row of any table, with its common columns.
        #[derive(Clone, Debug)]
        pub enum AnyRow {
            $(#[doc = concat!("A row of `", stringify!($name), "`.")] $variant(Box<$name::Row>),)*
        }

        impl AnyRow {
            /// The table it belongs to.
            #[must_use]
            pub const fn table(&self) -> TableId {
                match self {
                    $(Self::$variant(_) => TableId::$variant,)*
                }
            }
        }

        $(impl From<$name::Row> for AnyRow {
            fn from(row: $name::Row) -> Self {
                Self::$variant(Box::new(row))
            }
        })*

        /// Column stores of all tables.
        #[derive(Debug, Default)]
        pub struct Stores {
            $(#[doc = concat!("Rows of `", stringify!($name), "`.")] pub $name: $name::Columns,)*
        }

        impl Stores {
            /// Appends a row to its table.
            pub fn push(&mut self, head: crate::head::Head, row: AnyRow) {
                match row {
                    $(AnyRow::$variant(row) => self.$name.push(head, *row),)*
                }
            }

            /// The batches of all tables that hold rows; the stores are empty afterwards.
            pub fn finish(&mut self) -> Vec<(TableId, arrow::array::RecordBatch)> {
                let mut out = Vec::new();
                $(if !self.$name.is_empty() {
                    out.push((TableId::$variant, self.$name.finish()));
                })*
                out
            }

            /// Number of rows held in all tables.
            #[must_use]
            pub fn len(&self) -> usize {
                0 $(+ self.$name.len())*
            }

            /// Whether no table holds a row.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }
    };
}

tables! {
    flow Flow,
    auth Auth,
    mgmt Mgmt,
    tasking Tasking,
    delivery Delivery,
    rpc Rpc,
    dns Dns,
    tls Tls,
    http Http,
    signal Signal,
    control Control,
    asset Asset,
    mark Mark,
    oddity Oddity,
}

impl TableId {
    /// Name in SQL, in topics and in the lake.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.def().name
    }

    /// The table of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|t| t.name() == name)
    }
}
