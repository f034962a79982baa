//! Functions for rule authors: addresses, zones, pseudonyms, lists in one cell, local hours, the window's edges.
//!
//! `pseudonym_of_ip` lets traffic meet an intercept whose selector is an address: the register and the rows of tasking hold the
//! selector as a pseudonym only, so the address of a conversation is hashed with the same key. Rules alone have it; in a query at
//! hand, which is given no key, it knows none: it would tell of any address whether it is tapped.
mod hours;
mod lists;
mod zones;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, FixedSizeBinaryBuilder, Int64Array, StringArray,
    },
    datatypes::{DataType, TimeUnit},
};
use datafusion::{
    common::{DataFusionError, Result, ScalarValue, exec_err},
    execution::context::SessionContext,
    logical_expr::{ColumnarValue, ScalarFunctionImplementation, Volatility, create_udf},
};
use lidr_schema::{Cidr, Ip, Key, Kind};
pub(crate) use zones::ZonesNow;
pub use zones::{Zone, Zones};

const SIXTEEN: DataType = DataType::FixedSizeBinary(16);

/// The edges of the window that is being judged: plans are made once, so they are read when a plan runs.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    start: AtomicI64,
    end: AtomicI64,
}

impl Edges {
    pub(crate) fn set(&self, start: i64, end: i64) {
        self.start.store(start, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
    }
}

/// Registers all functions.
pub(crate) fn register(context: &SessionContext, zones: &Arc<ZonesNow>, key: Option<&Key>, edges: &Arc<Edges>) {
    let text = DataType::Utf8;
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let add = |name: &str, takes: Vec<DataType>, gives: DataType, volatility, run: ScalarFunctionImplementation| {
        context.register_udf(create_udf(name, takes, gives, volatility, run));
    };
    let pure = Volatility::Immutable;
    add("ip", vec![text.clone()], SIXTEEN, pure, each(1, ip));
    add("cidr", vec![SIXTEEN, text.clone()], DataType::Boolean, pure, Arc::new(cidr));
    add("ip_text", vec![SIXTEEN], text.clone(), pure, each(1, ip_text));
    add("token", vec![SIXTEEN], text.clone(), pure, each(1, token));
    let map = Arc::clone(zones);
    add("zone", vec![SIXTEEN], text, pure, each(1, move |a| zone(&map.get(), a)));
    let map = Arc::clone(zones);
    add("rank", vec![SIXTEEN], DataType::Int64, pure, each(1, move |a| rank(&map.get(), a)));
    let key = key.cloned();
    add("pseudonym_of_ip", vec![SIXTEEN], SIXTEEN, pure, each(1, move |a| pseudonym_of_ip(key.as_ref(), a)));
    add("each_in", vec![DataType::Utf8, DataType::Utf8], DataType::Boolean, pure, each(2, lists::each_in));
    let map = Arc::clone(zones);
    add(
        "week_hour",
        vec![time.clone()],
        DataType::Int64,
        pure,
        each(1, move |a| hours::week_hour(map.get().time_zone(), a)),
    );
    let map = Arc::clone(zones);
    add(
        "in_hours",
        vec![DataType::Utf8, time.clone()],
        DataType::Boolean,
        pure,
        each(2, move |a| hours::in_hours(map.get().time_zone(), a)),
    );
    for (name, is_end) in [("window_start", false), ("window_end", true)] {
        let edges = Arc::clone(edges);
        let run = move |_: &[ColumnarValue]| {
            let edge = if is_end { &edges.end } else { &edges.start };
            let value = ScalarValue::TimestampMicrosecond(Some(edge.load(Ordering::Relaxed)), Some("UTC".into()));
            Ok(ColumnarValue::Scalar(value))
        };
        add(name, Vec::new(), time.clone(), Volatility::Volatile, Arc::new(run));
    }
}

/// A function of whole columns; a call on literals only gives a literal.
fn each(
    columns: usize,
    run: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarFunctionImplementation {
    Arc::new(move |arguments: &[ColumnarValue]| {
        if arguments.len() != columns {
            return exec_err!("needed {columns} arguments, had {}", arguments.len());
        }
        let scalar = arguments.iter().all(|a| matches!(a, ColumnarValue::Scalar(_)));
        let result = run(&ColumnarValue::values_to_arrays(arguments)?)?;
        match scalar {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)),
            false => Ok(ColumnarValue::Array(result)),
        }
    })
}

fn sixteen(array: &ArrayRef) -> Result<&FixedSizeBinaryArray> {
    array.as_fixed_size_binary_opt().ok_or_else(|| DataFusionError::Execution("needed an address column".into()))
}

fn strings(array: &ArrayRef) -> Result<&StringArray> {
    array.as_string_opt::<i32>().ok_or_else(|| DataFusionError::Execution("needed text".into()))
}

/// The address in a cell.
pub(crate) fn ip_at(array: &FixedSizeBinaryArray, row: usize) -> Option<Ip> {
    (row < array.len() && array.is_valid(row)).then(|| array.value(row)).and_then(|o| o.try_into().ok()).map(Ip::new)
}

fn ip(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [texts] = arguments else { return exec_err!("ip needs one argument") };
    let mut out = FixedSizeBinaryBuilder::new(16);
    for text in strings(texts)? {
        // Text of a column is what somebody sent: what is no address is null, and judging goes on.
        match text.and_then(|t| t.parse::<Ip>().ok()) {
            Some(address) => out.append_value(address.octets())?,
            None => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn ip_text(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [addresses] = arguments else { return exec_err!("ip_text needs one argument") };
    let addresses = sixteen(addresses)?;
    let texts = (0..addresses.len()).map(|i| ip_at(addresses, i).map(|ip| ip.to_string()));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

/// `token(pseudonym)`: as lists of pseudonyms in one cell write it.
fn token(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [pseudonyms] = arguments else { return exec_err!("token needs one argument") };
    let texts = sixteen(pseudonyms)?.iter().map(|octets| octets.map(lidr_schema::hex::encode));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn zone(zones: &Zones, arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [addresses] = arguments else { return exec_err!("zone needs one argument") };
    let addresses = sixteen(addresses)?;
    let names = (0..addresses.len()).map(|i| ip_at(addresses, i).and_then(|ip| zones.of(ip)).map(|z| z.name.clone()));
    Ok(Arc::new(names.collect::<StringArray>()))
}

fn rank(zones: &Zones, arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [addresses] = arguments else { return exec_err!("rank needs one argument") };
    let addresses = sixteen(addresses)?;
    let ranks = (0..addresses.len()).map(|i| ip_at(addresses, i).and_then(|ip| zones.of(ip)).and_then(|z| z.rank));
    Ok(Arc::new(ranks.collect::<Int64Array>()))
}

fn pseudonym_of_ip(key: Option<&Key>, arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [addresses] = arguments else { return exec_err!("pseudonym_of_ip needs one argument") };
    let addresses = sixteen(addresses)?;
    let mut out = FixedSizeBinaryBuilder::with_capacity(addresses.len(), 16);
    for row in 0..addresses.len() {
        match (key, ip_at(addresses, row)) {
            (Some(key), Some(ip)) => out.append_value(key.pseudonym(Kind::Ip, &ip.to_string()).octets())?,
            _ => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

/// `cidr(address, 'net/len')`: the range is read once where it is a literal, and has to be one; a text of a column that is none
/// holds nothing.
fn cidr(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [addresses, net] = arguments else { return exec_err!("cidr needs an address and a range") };
    if let (ColumnarValue::Array(addresses), ColumnarValue::Scalar(net)) = (addresses, net) {
        let Some(text) = net.try_as_str().flatten() else { return exec_err!("cidr needs a range, had null") };
        let range: Cidr =
            text.parse().map_err(|e: lidr_schema::ip::BadCidr| DataFusionError::Execution(e.to_string()))?;
        let addresses = sixteen(addresses)?;
        let inside: BooleanArray =
            (0..addresses.len()).map(|i| ip_at(addresses, i).map(|ip| range.contains(ip))).collect();
        return Ok(ColumnarValue::Array(Arc::new(inside)));
    }
    each(2, ranges)(arguments)
}

fn ranges(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let [addresses, nets] = arguments else { return exec_err!("cidr needs an address and a range") };
    let addresses = sixteen(addresses)?;
    let inside = |(i, net): (usize, Option<&str>)| Some(net?.parse::<Cidr>().ok()?.contains(ip_at(addresses, i)?));
    Ok(Arc::new(strings(nets)?.iter().enumerate().map(inside).collect::<BooleanArray>()))
}
