//! What every row carries: when, where from, which packets prove it, between whom.
use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};

use crate::{
    cell::{Cell, Micros, Name},
    declare::Column,
    ip::Ip,
};

/// The two ends of a conversation as the protocol sees them: `src` opened it or asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ends {
    /// Who opened the conversation or asked.
    pub src_ip: Ip,
    /// Whom it went to.
    pub dst_ip: Ip,
    /// Source port; the ICMP type for ICMP; 0 where the protocol has none.
    pub src_port: u16,
    /// Destination port; the ICMP code for ICMP; 0 where the protocol has none.
    pub dst_port: u16,
    /// IANA protocol number.
    pub proto: u8,
}

impl Ends {
    /// Whether the source is the lesser of both ends. ICMP has no ports: there the addresses tell.
    #[must_use]
    pub fn from_low(&self) -> bool {
        match self.proto {
            1 | 58 => self.src_ip <= self.dst_ip,
            _ => (self.src_ip, self.src_port) <= (self.dst_ip, self.dst_port),
        }
    }
}

/// The tunnel that a packet came in: the outermost addresses and the innermost name and key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outer {
    /// Source address of the outermost IP header.
    pub src_ip: Ip,
    /// Destination address of the outermost IP header.
    pub dst_ip: Ip,
    /// Names from the outside in, joined by `/`: `gre`, `vxlan`, `gtpu`, `ipip`.
    pub path: Name,
    /// GRE key, VXLAN network identifier or GTP tunnel endpoint identifier of the innermost tunnel.
    pub id: Option<u64>,
}

macro_rules! head {
    ($($(#[doc = $doc:literal])* $field:ident: $kind:ty,)*) => {
        /// The columns that every row has.
        #[derive(Clone, Debug, Default)]
        pub struct Head {
            $($(#[doc = $doc])* pub $field: $kind,)*
        }
        /// The growing columns of [`Head`].
        #[derive(Debug, Default)]
        pub(crate) struct HeadColumns {
            $($field: <$kind as Cell>::Store,)*
        }
        impl HeadColumns {
            pub(crate) fn push(&mut self, head: Head) {
                $(<$kind as Cell>::push(&mut self.$field, head.$field);)*
            }
            pub(crate) fn finish(&mut self) -> Vec<ArrayRef> {
                vec![$(<$kind as Cell>::finish(&mut self.$field, None),)*]
            }
        }
        /// The columns of every table, as declared.
        #[must_use]
        pub fn columns() -> Vec<Column> {
            vec![$(Column {
                name: stringify!($field),
                data_type: <$kind as Cell>::data_type(),
                nullable: <$kind as Cell>::NULLABLE,
                pseudonym: <$kind as Cell>::PSEUDONYM,
                doc: concat!($($doc),*).trim_ascii(),
            },)*]
        }
    };
}

head! {
    /// When it happened.
    ts: Micros,
    /// When it may be known: a function of its own packets only.
    due: Micros,
    /// The sensor that saw it.
    sensor: Name,
    /// Epoch and input number of the capture or record file, never a path.
    capture: Name,
    /// Frame number in the capture, from 1; line number where `file` is set.
    frame: u64,
    /// Ordinal inside the frame.
    n: u32,
    /// Name of the record file, for rows that come from one.
    file: Option<Name>,
    /// Who opened the conversation or asked.
    src_ip: Ip,
    /// Whom it went to.
    dst_ip: Ip,
    /// Source port; the ICMP type for ICMP.
    src_port: u16,
    /// Destination port; the ICMP code for ICMP.
    dst_port: u16,
    /// IANA protocol number (6 TCP, 17 UDP, 132 SCTP).
    proto: u8,
    /// Outermost VLAN id.
    vlan: Option<u16>,
    /// Source address of the outermost IP header, where there was a tunnel.
    outer_src_ip: Option<Ip>,
    /// Destination address of the outermost IP header, where there was a tunnel.
    outer_dst_ip: Option<Ip>,
    /// Tunnels from the outside in, joined by `/`.
    tunnel: Option<Name>,
    /// GRE key, VXLAN network identifier or GTP tunnel endpoint identifier of the innermost tunnel.
    tunnel_id: Option<u64>,
    /// The decoder that wrote the row.
    decoder: Name,
    /// How sure the decoder is of the protocol: `clear` (read), `inferred` (from behaviour), `port` (by the port only).
    trust: Name,
}

/// The place of a row in the order of rows: (due, ts, sensor, capture, frame, n).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowKey {
    /// When it may be known, µs.
    pub due: i64,
    /// When it happened, µs.
    pub ts: i64,
    /// The sensor.
    pub sensor: String,
    /// Epoch and input number.
    pub capture: String,
    /// Frame or line.
    pub frame: u64,
    /// Ordinal inside the frame.
    pub n: u32,
}

impl Head {
    /// Its place in the order of rows.
    #[must_use]
    pub fn key(&self) -> RowKey {
        RowKey {
            due: self.due.0,
            ts: self.ts.0,
            sensor: self.sensor.to_string(),
            capture: self.capture.to_string(),
            frame: self.frame,
            n: self.n,
        }
    }

    /// Sets the tunnel, where there is one.
    pub fn set_outer(&mut self, outer: Option<&Outer>) {
        let Some(outer) = outer else { return };
        self.outer_src_ip = Some(outer.src_ip);
        self.outer_dst_ip = Some(outer.dst_ip);
        self.tunnel = Some(outer.path.clone());
        self.tunnel_id = outer.id;
    }

    /// Sets the flow key.
    pub fn set_ends(&mut self, ends: Ends) {
        self.src_ip = ends.src_ip;
        self.dst_ip = ends.dst_ip;
        self.src_port = ends.src_port;
        self.dst_port = ends.dst_port;
        self.proto = ends.proto;
    }
}
