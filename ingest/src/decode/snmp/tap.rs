//! Objects of the lawful-intercept MIBs.
//!
//! Cisco's service independent intercept (RFC 3924) and its PacketCable twin: a mediation row says where product goes and until
//! when, a stream row switches it on, a filter row of a second MIB says whose traffic. All are indexed by the content id, which
//! is the task's number; filter rows and streams by a stream index after it. Old CISCO-TAP-MIB has stream and filter in one row.
//! The content id stands in every instance's name, so an object identifier is only ever shown up to its column.
use super::columns::{CISCO, Mib, PKTC, STATES};
use crate::decode::ber::Oid;

pub(super) use super::columns::Column;

/// An object under a lawful-intercept MIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    mib: Mib,
    suffix: Option<&'static str>,
    pub(super) column: Column,
    /// Content id, where the object is indexed by it and the index is there.
    pub(super) content: Option<u32>,
    /// It is that notification, counted from 0.
    notifies: Option<usize>,
}

/// Arcs of a row's identifier beyond the MIB that are looked at: group, table, entry, column, content id and stream.
const DEEPEST: usize = 8;

impl Tap {
    /// Reads an object identifier, if it is under one of these MIBs.
    pub(super) fn of(oid: Oid<'_>) -> Option<Self> {
        Self::find(oid, &[])
    }

    /// The notification that a version 1 trap is: its name has a zero between enterprise and number (RFC 3584 §3.1).
    pub(super) fn of_trap(enterprise: Oid<'_>, specific: u32) -> Option<Self> {
        Self::find(enterprise, &[0, specific])
    }

    fn find(oid: Oid<'_>, more: &[u32]) -> Option<Self> {
        let more = more.iter().copied();
        match oid.after(CISCO) {
            Some(mut rest) => Self::under(Mib::of_cisco(rest.next()?)?, rest.chain(more)),
            None => Self::under(Mib::PktcTap, oid.after(PKTC)?.chain(more)),
        }
    }

    fn under(mib: Mib, rest: impl Iterator<Item = u32>) -> Option<Self> {
        let mut tail = [0; DEEPEST];
        let mut length = 0;
        for (slot, arc) in tail.iter_mut().zip(rest) {
            *slot = arc;
            length += 1;
        }
        let tail = tail.get(..length)?;
        Some(Self::in_table(mib, tail).unwrap_or_else(|| Self::outside(mib, tail)))
    }

    fn in_table(mib: Mib, tail: &[u32]) -> Option<Self> {
        mib.tables().iter().find_map(|table| {
            let index = tail.strip_prefix(table.path)?;
            let (number, index) = index.split_first()?;
            let place = usize::try_from(*number).ok()?.checked_sub(1)?;
            let (suffix, column) = table.columns.get(place)?;
            Some(Self { mib, suffix: Some(suffix), column: *column, content: index.first().copied(), notifies: None })
        })
    }

    fn outside(mib: Mib, tail: &[u32]) -> Self {
        let notifies = match tail {
            [0, number] => {
                usize::try_from(*number).ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < mib.notifications().len())
            }
            _ => None,
        };
        let unnamed = Self { mib, suffix: None, column: Column::Other, content: None, notifies };
        let found = mib.scalars().iter().find(|(path, ..)| tail.starts_with(path));
        found.map_or(unnamed, |(_, suffix, column)| Self { suffix: Some(suffix), column: *column, ..unnamed })
    }

    /// What a notification says of a tap's state.
    pub(super) fn state(self) -> Option<&'static str> {
        STATES.get(self.notifies?).copied().flatten()
    }

    /// The MIB, as `mgmt.tap` says it.
    pub(super) const fn mib(self) -> &'static str {
        self.mib.name()
    }

    /// Name of the object.
    pub(super) fn object(self) -> Option<String> {
        match self.notifies {
            Some(number) => self.mib.notifications().get(number).map(|n| (*n).to_owned()),
            None => Some(format!("{}{}", self.mib.prefix(), self.suffix?)),
        }
    }

    /// Arcs of the identifier that name the object and nothing of its instance: group, table, entry, column after the MIB.
    pub(super) const fn shown(self) -> usize {
        self.mib.arcs() + 5
    }

    /// Whether the value is an integer that is no secret.
    pub(super) const fn shows_int(self) -> bool {
        use Column as C;
        let named =
            matches!(self.column, C::Session | C::Mac | C::Liid | C::Content | C::Voip | C::Called | C::Subscriber);
        !named && !matches!(self.column, C::Other | C::FilterDest | C::FilterSource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::testing::hex;

    fn tap(text: &str) -> Option<Tap> {
        Tap::of(Oid::read(&hex(text)).unwrap())
    }

    #[test]
    fn objects_are_named_and_their_content_id_is_read() {
        let status = tap("2b060104010909830f010102010d8769").unwrap();
        assert_eq!((status.column, status.content, status.mib()), (Column::MediationStatus, Some(1001), "tap2"));
        assert_eq!(status.object().as_deref(), Some("cTap2MediationStatus"));
        let source = tap("2b060104010909830a0101020105876901").unwrap();
        assert_eq!((source.column, source.content), (Column::FilterSource, Some(1001)));
        assert_eq!(source.object().as_deref(), Some("citapStreamSourceAddress"));
        let trap = tap("2b060104010909830f0002").unwrap();
        assert_eq!((trap.object().as_deref(), trap.state()), (Some("ciscoTap2MediationTimedOut"), Some("expired")));
        let older = Tap::of_trap(Oid::read(&hex("2b060104010909817c")).unwrap(), 4).unwrap();
        assert_eq!((older.object().as_deref(), older.state()), (Some("cTapStreamIpDebug"), Some("fault")));
        assert_eq!(tap("2b060104010909830f0009").unwrap().object(), None, "no such notification");
        let ether = tap("2b060104010909817c010203010c0501").unwrap();
        assert_eq!((ether.object().as_deref(), ether.column), (Some("cTapStream802Status"), Column::StreamOnStatus));
        let cable = tap("2b06010401a30b020209010101020101030102").unwrap();
        assert_eq!((cable.mib(), cable.column, cable.content), ("pktc-es-tap", Column::Enable, Some(1)));
    }

    #[test]
    fn the_subtree_itself_counts_and_its_neighbours_do_not() {
        assert_eq!(tap("2b060104010909830f").unwrap().object(), None);
        for near in ["2b060104010909830e", "2b0601040109098311", "2b06010401090a830f", "2b0601", ""] {
            assert_eq!(tap(near), None, "{near}");
        }
    }

    #[test]
    fn nothing_of_an_instance_is_shown() {
        let octets = hex("2b060104010909830f010102010d8769");
        let oid = Oid::read(&octets).unwrap();
        assert_eq!(oid.dotted(Tap::of(oid).unwrap().shown()), "1.3.6.1.4.1.9.9.399.1.1.2.1.13");
    }
}
