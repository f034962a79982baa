//! HI2 and HI3: intercept product handed over to an agency (ETSI TS 102 232-1, PS-PDU over TCP).
//!
//! A stream of BER values without length before them or port of its own; the domain identifier 0.4.0.2.2.5.1 at the front of each
//! tells the protocol. Read are the header (LIID, CIN, country, operator, element, interception point, sequence number) and of
//! the payload what kind it is: IRI with its types, CC with its directions, encrypted, HI1 notifications, integrity checks,
//! keepalives. The product itself is passed over without being held (`ber/walk.rs`), so none can stay here.
//!
//! What comes out is `delivery` rows, one series per (sender, protocol, LIID, CIN): `hi2` for IRI, `hi3` for CC, each with its own
//! sequence numbers; `hi` for what does not say which it is: encrypted payload, tests and notices of the transport, payload of
//! other interfaces. `bytes` are octets of contents, the OCTET STRING or structure of the service. Integrity checks count in the
//! series whose product they cover; their own sequence numbers and those of keepalives count nowhere. A notification that an
//! intercept was activated, modified or deactivated is a `tasking` row, op `report`, of the sender.
//!
//! After a loss the next PS-PDU is searched for. Not read: contents of IRI and CC, time stamps, TS 101 671 over FTP or ROSE,
//! strings in pieces (constructed), and streams inside TLS (those are `tls` rows).
mod pdu;
#[cfg(test)]
mod tests;

use lidr_schema::{Key, Kind, Name, Pseudonym, table::tasking};
use pdu::{MOST_LIID, Payload, Pdu};

use super::{
    Protocol, Rows, Segment, Transport,
    ber::stream::{Message, Stream},
    cursor::identifier,
    delivery::{
        Count, Facts, Series, Subject, Unit,
        decoder::{Counted, Delivered, wrong},
    },
};

/// HI2 and HI3 over TCP.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: Pdu::NAME,
    transport: Transport::Stream,
    ports: &[],
    probe: |data, _| Pdu::begins(data),
    start: || Counted::boxed(Stream::<Pdu>::default()),
};

impl Delivered for Pdu {
    /// LIID and CIN.
    type Id = (Vec<u8>, Option<u64>);
    const NAME: &'static str = "hi";

    fn count(mut self, series: &mut Series<Self::Id>, segment: &Segment<'_>, rows: &mut Rows<'_>) {
        if let Some(detail) = self.wrong {
            wrong(detail, segment, rows);
        }
        let product = Count { pdus: 1, bytes: self.bytes, ..Count::default() };
        let (protocol, count) = match self.payload {
            Payload::Keepalive => return series.keepalive(segment, rows),
            Payload::Answer => return series.answer(segment, rows),
            Payload::Notice(message, status) => return notice(&self, (message, status), segment, rows),
            Payload::Missing => return wrong("payload", segment, rows),
            Payload::Iri => ("hi2", product),
            Payload::Cc => {
                let (from_target, to_target) = (u64::from(self.from_target), u64::from(self.to_target));
                ("hi3", Count { from_target, to_target, ..product })
            }
            Payload::Encrypted => ("hi", Count { encrypted: u64::from(self.encryption.is_some()), ..product }),
            Payload::Other => ("hi", product),
            Payload::Transport => ("hi", Count::default()),
            Payload::Integrity(over) => {
                let protocol = match over {
                    Some(1) => "hi2",
                    Some(2) => "hi3",
                    _ => "hi",
                };
                (protocol, Count { integrity: 1, ..Count::default() })
            }
        };
        if count.pdus == 0 {
            // What is no product has numbers of its own.
            self.sequence = None;
        }
        let id = (std::mem::take(&mut self.liid), self.cin);
        let liid = id.0.clone();
        let subject = |key: &Key| Subject { liid: pseudonym(key, &liid), ..Subject::default() };
        series.count(segment, (protocol, id), subject, unit(self, count), rows);
    }
}

fn unit(pdu: Pdu, count: Count) -> Unit {
    let facts = Facts {
        ne_name: pdu.element.or(pdu.function),
        point: pdu.point,
        correlation: pdu.cin,
        format: pdu.format.map(Name::Borrowed),
        country: pdu.country,
        operator: pdu.operator,
        ..Facts::default()
    };
    Unit { count, facts, sequence: pdu.sequence, records: pdu.records }
}

/// A LIID may be any octets: what is no text is hashed as its hexadecimal digits, as X1 writes it.
fn pseudonym(key: &Key, liid: &[u8]) -> Option<Pseudonym> {
    (!liid.is_empty()).then(|| key.pseudonym(Kind::Liid, &identifier(liid, 2 * MOST_LIID)))
}

/// What a mediation function tells an agency about a task.
fn notice(pdu: &Pdu, (message, status): (&'static str, &'static str), segment: &Segment<'_>, rows: &mut Rows<'_>) {
    let ends = rows.ends_from(segment.dir);
    let row = tasking::Row {
        protocol: Name::Borrowed("hi1"),
        op: Name::Borrowed("report"),
        message: Some(Name::Borrowed(message)),
        list_kind: Some(Name::Borrowed("tasks")),
        actor: ends.src_ip,
        actor_name: pdu.operator.clone(),
        ne: ends.src_ip,
        ne_name: pdu.element.clone().or_else(|| pdu.function.clone()),
        liid: pseudonym(rows.key, &pdu.liid),
        dest_ip: Some(ends.dst_ip),
        dest_port: Some(ends.dst_port),
        outcome: Name::Borrowed("ok"),
        cleartext: true,
        schema_ok: pdu.wrong.is_none(),
        status: Some(Name::Borrowed(status)),
        ..tasking::Row::default()
    };
    let mark = rows.mark(segment.dir, segment.first);
    rows.push_between(mark, segment.last.eff, ends, row);
}
