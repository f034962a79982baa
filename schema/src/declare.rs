//! One declaration of a table gives its Arrow schema, its typed row, its column store and its page of documentation.
use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};

use crate::head::Head;

/// A column as declared.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name in SQL.
    pub name: &'static str,
    /// Arrow type.
    pub data_type: DataType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether it holds pseudonyms.
    pub pseudonym: bool,
    /// What it holds, from the doc comment.
    pub doc: &'static str,
}

/// A table as declared.
#[derive(Clone, Debug)]
pub struct TableDef {
    /// Name in SQL, in topics and in the lake.
    pub name: &'static str,
    /// What its rows are, from the doc comment.
    pub doc: &'static str,
    /// The columns of every row, then its own.
    pub columns: Vec<Column>,
    /// The column whose value chooses the Kafka partition.
    pub partition_by: &'static str,
}

impl TableDef {
    /// The Arrow schema.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let field = |c: &Column| Field::new(c.name, c.data_type.clone(), c.nullable);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }
}

/// The column store of one table: rows in, record batches out.
pub trait Store: Default {
    /// The typed row.
    type Row;
    /// The table's definition.
    fn def() -> &'static TableDef;
    /// Appends a row.
    fn push(&mut self, head: Head, row: Self::Row);
    /// Number of rows held.
    fn len(&self) -> usize;
    /// Whether no row is held.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// All rows held as one batch; the store is empty afterwards.
    fn finish(&mut self) -> RecordBatch;
}

/// A batch of columns that were made for the schema; lengths agree by construction.
pub(crate) fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap_or_else(|_| RecordBatch::new_empty(Arc::clone(schema)))
}

macro_rules! table {
    (
        $(#[doc = $table_doc:literal])*
        $table:literal by $partition:literal {
            $($(#[doc = $doc:literal])* $field:ident: $kind:ty,)*
        }
    ) => {
        $(#[doc = $table_doc])*
        #[derive(Clone, Debug, Default)]
        pub struct Row {
            $($(#[doc = $doc])* pub $field: $kind,)*
        }

        /// The growing columns of the table.
        #[derive(Debug, Default)]
        pub struct Columns {
            rows: usize,
            head: $crate::head::HeadColumns,
            $($field: <$kind as $crate::cell::Cell>::Store,)*
        }

        /// The table's definition, made once.
        pub fn def() -> &'static $crate::declare::TableDef {
            static DEF: std::sync::LazyLock<$crate::declare::TableDef> = std::sync::LazyLock::new(|| {
                let mut columns = $crate::head::columns();
                columns.extend([$($crate::declare::Column {
                    name: stringify!($field),
                    data_type: <$kind as $crate::cell::Cell>::data_type(),
                    nullable: <$kind as $crate::cell::Cell>::NULLABLE,
                    pseudonym: <$kind as $crate::cell::Cell>::PSEUDONYM,
                    doc: concat!($($doc),*).trim_ascii(),
                },)*]);
                $crate::declare::TableDef {
                    name: $table,
                    doc: concat!($($table_doc),*).trim_ascii(),
                    columns,
                    partition_by: $partition,
                }
            });
            &DEF
        }

        impl $crate::declare::Store for Columns {
            type Row = Row;
            fn def() -> &'static $crate::declare::TableDef {
                def()
            }
            fn push(&mut self, head: $crate::head::Head, row: Row) {
                self.rows += 1;
                self.head.push(head);
                $(<$kind as $crate::cell::Cell>::push(&mut self.$field, row.$field);)*
            }
            fn len(&self) -> usize {
                self.rows
            }
            fn finish(&mut self) -> arrow::array::RecordBatch {
                static SCHEMA: std::sync::LazyLock<arrow::datatypes::SchemaRef> =
                    std::sync::LazyLock::new(|| def().schema());
                self.rows = 0;
                let mut columns = self.head.finish();
                $(columns.push(<$kind as $crate::cell::Cell>::finish(&mut self.$field, None));)*
                $crate::declare::batch(&SCHEMA, columns)
            }
        }
    };
}
pub(crate) use table;
