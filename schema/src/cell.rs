//! How a typed Rust value becomes a cell of an Arrow column.
//!
//! One implementation of [`Cell`] per representation, as measured to be right for both ends: plain vectors while rows are
//! written (a builder call per cell costs 640 instructions more a row), one conversion when a batch is full.
//! An address is 16 octets, IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2), never a dictionary; a name is a dictionary, so that a
//! rule tests each distinct value once; a time is microseconds since the epoch, UTC.
use std::{borrow::Cow, hash::BuildHasher, sync::Arc};

use arrow::{
    array::{
        ArrayRef, BooleanArray, DictionaryArray, FixedSizeBinaryArray, Int32Array, PrimitiveArray, StringArray,
        TimestampMicrosecondArray,
    },
    buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, Int32Type, Int64Type, TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::{ip::Ip, pseudonym::Pseudonym};

/// A name, host, user, command or other text that repeats: a dictionary column.
pub type Name = Cow<'static, str>;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// Text that hardly repeats (a Community ID): a plain string column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub String);

/// A value that a table column can hold.
pub trait Cell: Sized {
    /// The growing column.
    type Store: Default + std::fmt::Debug;
    /// The Arrow type of the column.
    fn data_type() -> DataType;
    /// Whether the column may hold null.
    const NULLABLE: bool = false;
    /// Whether the column holds pseudonyms, so that text may only come into it through the key.
    const PSEUDONYM: bool = false;
    /// Appends one value.
    fn push(store: &mut Self::Store, value: Self);
    /// Appends what an optional column holds where there is nothing.
    fn push_blank(store: &mut Self::Store);
    /// Turns the column into an array and leaves the store empty.
    fn finish(store: &mut Self::Store, nulls: Option<NullBuffer>) -> ArrayRef;
}

/// Room of a column that is kept for the next batch, in rows: growing again from nothing costs more than writing the cells, and
/// one great batch must not make all that follow it great.
const KEPT_ROOM: usize = 4096;

/// The values of a column; an empty one with room for as many takes its place.
fn taken<T>(column: &mut Vec<T>) -> Vec<T> {
    let room = column.len().min(KEPT_ROOM);
    std::mem::replace(column, Vec::with_capacity(room))
}

macro_rules! primitive {
    ($($rust:ty => $arrow:ty),*) => {$(
        impl Cell for $rust {
            type Store = Vec<$rust>;
            fn data_type() -> DataType {
                <$arrow as arrow::datatypes::ArrowPrimitiveType>::DATA_TYPE
            }
            fn push(store: &mut Self::Store, value: Self) {
                store.push(value);
            }
            fn push_blank(store: &mut Self::Store) {
                store.push(<$rust>::default());
            }
            fn finish(store: &mut Self::Store, nulls: Option<NullBuffer>) -> ArrayRef {
                Arc::new(PrimitiveArray::<$arrow>::new(ScalarBuffer::from(taken(store)), nulls))
            }
        }
    )*};
}
primitive!(u8 => UInt8Type, u16 => UInt16Type, u32 => UInt32Type, u64 => UInt64Type, i64 => Int64Type);

impl Cell for Micros {
    type Store = Vec<i64>;
    fn data_type() -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
    }
    fn push(store: &mut Self::Store, value: Self) {
        store.push(value.0);
    }
    fn push_blank(store: &mut Self::Store) {
        store.push(0);
    }
    fn finish(store: &mut Self::Store, nulls: Option<NullBuffer>) -> ArrayRef {
        let values = ScalarBuffer::from(taken(store));
        Arc::new(TimestampMicrosecondArray::new(values, nulls).with_timezone("UTC"))
    }
}

/// Booleans as bits, the first one the lowest; the column is empty afterwards.
fn bits(column: &mut Vec<bool>) -> BooleanBuffer {
    let (eights, rest) = column.as_chunks::<8>();
    // Eight octets of 0 or 1: the product brings each of them to its place in the topmost octet.
    let octet = |eight: &[bool; 8]| u64::from_le_bytes(eight.map(u8::from)).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    let mut octets: Vec<u8> = Vec::with_capacity(eights.len() + 1);
    octets.extend(eights.iter().map(|eight| octet(eight) as u8));
    octets.push(rest.iter().rev().fold(0, |octet, bit| octet << 1 | u8::from(*bit)));
    let bits = BooleanBuffer::new(Buffer::from(octets), 0, column.len());
    column.clear();
    column.shrink_to(KEPT_ROOM);
    bits
}

impl Cell for bool {
    type Store = Vec<bool>;
    fn data_type() -> DataType {
        DataType::Boolean
    }
    fn push(store: &mut Self::Store, value: Self) {
        store.push(value);
    }
    fn push_blank(store: &mut Self::Store) {
        store.push(false);
    }
    fn finish(store: &mut Self::Store, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(BooleanArray::new(bits(store), nulls))
    }
}

macro_rules! sixteen {
    ($($rust:ty, $pseudonym:literal;)*) => {$(
        impl Cell for $rust {
            type Store = Vec<[u8; 16]>;
            const PSEUDONYM: bool = $pseudonym;
            fn data_type() -> DataType {
                DataType::FixedSizeBinary(16)
            }
            fn push(store: &mut Self::Store, value: Self) {
                store.push(value.octets());
            }
            fn push_blank(store: &mut Self::Store) {
                store.push([0; 16]);
            }
            fn finish(store: &mut Self::Store, nulls: Option<NullBuffer>) -> ArrayRef {
                let buffer = Buffer::from(taken(store).into_flattened());
                Arc::new(FixedSizeBinaryArray::new(16, buffer, nulls))
            }
        }
    )*};
}
sixteen! { Ip, false; Pseudonym, true; }

/// Keys and distinct values of a dictionary column while it grows.
#[derive(Debug, Default)]
pub struct NameStore {
    keys: Vec<i32>,
    values: Vec<Name>,
    /// Places of the values, once there are more than a few.
    index: HashTable<i32>,
    hasher: DefaultHashBuilder,
    last: i32,
}

impl NameStore {
    #[inline]
    fn key_of(&mut self, value: Name) -> i32 {
        // Runs of one value are the rule (sensor, capture, decoder), so the last one is asked first.
        if !self.values.get(self.last as usize).is_some_and(|v| same(v, &value)) {
            self.last = self.other(value);
        }
        self.last
    }

    /// The key of a value that is not the last one.
    #[inline(never)]
    fn other(&mut self, value: Name) -> i32 {
        self.known(&value).unwrap_or_else(|| self.add(value))
    }

    /// Most columns have a handful of values: looking through them is quicker than hashing.
    fn known(&self, value: &Name) -> Option<i32> {
        if self.values.len() > FEW {
            let is = |place: &i32| self.values.get(*place as usize).is_some_and(|v| v == value);
            return self.index.find(self.hasher.hash_one(value), is).copied();
        }
        self.values.iter().position(|v| same(v, value)).and_then(|i| i32::try_from(i).ok())
    }

    fn add(&mut self, value: Name) -> i32 {
        let next = i32::try_from(self.values.len()).unwrap_or(i32::MAX);
        self.values.push(value);
        // The value that makes them many brings all before it into the index.
        let first = if self.values.len() == FEW + 1 { 0 } else { next };
        if self.values.len() > FEW {
            let hash = |place: &i32| self.values.get(*place as usize).map_or(0, |v| self.hasher.hash_one(v));
            for place in first..=next {
                self.index.insert_unique(hash(&place), place, hash);
            }
        }
        next
    }
}

/// Values of a dictionary that are looked through one by one.
const FEW: usize = 8;

/// Whether two names are equal: most of them are the same text in memory.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && (std::ptr::eq(a, b) || a == b)
}

impl Cell for Name {
    type Store = NameStore;
    fn data_type() -> DataType {
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
    }
    #[inline]
    fn push(store: &mut Self::Store, value: Self) {
        let key = store.key_of(value);
        store.keys.push(key);
    }
    fn push_blank(store: &mut Self::Store) {
        store.keys.push(0);
    }
    fn finish(store: &mut Self::Store, nulls: Option<NullBuffer>) -> ArrayRef {
        let keys = Int32Array::new(ScalarBuffer::from(taken(&mut store.keys)), nulls);
        let mut values = std::mem::take(&mut store.values);
        match store.index.capacity() > KEPT_ROOM {
            true => store.index = HashTable::new(),
            false => store.index.clear(),
        }
        store.last = 0;
        if values.is_empty() {
            values.push(Name::Borrowed(""));
        }
        let values: ArrayRef = Arc::new(StringArray::from_iter_values(values));
        // Keys index `values` by construction: 0 stands under null, and every other key was handed out with its value.
        match DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(&values)) {
            Ok(array) => Arc::new(array),
            Err(_) => arrow::array::new_empty_array(&Self::data_type()),
        }
    }
}

impl Cell for Text {
    type Store = (Vec<i32>, String);
    fn data_type() -> DataType {
        DataType::Utf8
    }
    fn push(store: &mut Self::Store, value: Self) {
        if store.0.is_empty() {
            store.0.push(0);
        }
        store.1.push_str(&value.0);
        store.0.push(i32::try_from(store.1.len()).unwrap_or(i32::MAX));
    }
    fn push_blank(store: &mut Self::Store) {
        Self::push(store, Self::default());
    }
    fn finish(store: &mut Self::Store, nulls: Option<NullBuffer>) -> ArrayRef {
        let (mut offsets, text) = (taken(&mut store.0), std::mem::take(&mut store.1));
        store.1.reserve(text.len().min(KEPT_ROOM * 8));
        if offsets.is_empty() {
            offsets.push(0);
        }
        // Offsets only grow, and each ends a text: what is refused cannot be there.
        let (offsets, values) = (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from(text.into_bytes()));
        match StringArray::try_new(offsets, values, nulls) {
            Ok(array) => Arc::new(array),
            Err(_) => arrow::array::new_empty_array(&Self::data_type()),
        }
    }
}

/// An optional column: its values and which of them are there.
#[derive(Debug, Default)]
pub struct OptionStore<S> {
    values: S,
    there: Vec<bool>,
}

impl<T: Cell> Cell for Option<T> {
    type Store = OptionStore<T::Store>;
    const NULLABLE: bool = true;
    const PSEUDONYM: bool = T::PSEUDONYM;
    fn data_type() -> DataType {
        T::data_type()
    }
    fn push(store: &mut Self::Store, value: Self) {
        store.there.push(value.is_some());
        match value {
            Some(value) => T::push(&mut store.values, value),
            None => T::push_blank(&mut store.values),
        }
    }
    fn push_blank(store: &mut Self::Store) {
        Self::push(store, None);
    }
    fn finish(store: &mut Self::Store, _: Option<NullBuffer>) -> ArrayRef {
        let there = bits(&mut store.there);
        T::finish(&mut store.values, Some(NullBuffer::new(there)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn booleans_keep_their_places(mut column in prop::collection::vec(any::<bool>(), 0..100)) {
            let bits_one_by_one = BooleanBuffer::from(column.as_slice());
            prop_assert_eq!(bits(&mut column), bits_one_by_one);
            prop_assert!(column.is_empty());
        }
    }
}
