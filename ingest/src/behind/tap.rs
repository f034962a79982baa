//! What is known of each tap that is set up over SNMP: an enabling request repeats destination and target known so far.
//!
//! A manager sets mediation, stream and filter entries in separate requests, often from separate ports (RFC 3924, CISCO-TAP2-MIB),
//! so no single request says both "on" and "to whom". Keyed by (agent, content id); at the bound the tap touched longest ago goes.
//! Filters of several streams add up: the enabling row has the latest target as its target and all of them in its list. Which
//! stream a filter belongs to is not kept, so a target that is replaced stays in the list until the tap is deleted.
use std::collections::{BTreeMap, HashMap};

use lidr_schema::{Ip, Micros, Name, Pseudonym, table::tasking};

use crate::decode::MOST_LISTED;

/// Taps that are remembered.
const MOST_TAPS: usize = 65_536;

type TapId = (Ip, Pseudonym);

#[derive(Clone, Debug, Default)]
struct Tap {
    touched: u64,
    dest_ip: Option<Ip>,
    dest_port: Option<u16>,
    delivery_type: Option<Name>,
    target: Option<(Option<Name>, Pseudonym, Option<u8>)>,
    /// All of them, as the rows have them.
    targets: Vec<String>,
    timeout: Option<Micros>,
    notify: Option<bool>,
}

/// The taps of all elements.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    known: HashMap<TapId, Tap>,
    order: BTreeMap<u64, TapId>,
    serial: u64,
    /// Taps forgotten at the bound.
    pub(crate) forgotten: u64,
}

impl Taps {
    /// Sees a request, in row order, and completes it.
    pub(crate) fn see(&mut self, row: &mut tasking::Row) {
        let Some(task) = row.task.filter(|_| row.protocol == "snmp") else { return };
        let id = (row.ne, task);
        // What an element refused has changed nothing.
        let done = row.outcome != "refused";
        if row.op == "delete" {
            self.complete(&id, row);
            if done && let Some(tap) = self.known.remove(&id) {
                self.order.remove(&tap.touched);
            }
            return;
        }
        if done {
            self.learn(id, row);
        }
        if matches!(&*row.op, "create" | "enable" | "notify_off") {
            self.complete(&id, row);
        }
    }

    fn learn(&mut self, id: TapId, row: &tasking::Row) {
        self.serial += 1;
        let serial = self.serial;
        let tap = self.known.entry(id).or_default();
        self.order.remove(&tap.touched);
        tap.touched = serial;
        self.order.insert(serial, id);
        tap.dest_ip = row.dest_ip.or(tap.dest_ip);
        tap.dest_port = row.dest_port.or(tap.dest_port);
        tap.delivery_type = row.delivery_type.clone().or(tap.delivery_type.take());
        tap.timeout = row.timeout.or(tap.timeout);
        tap.notify = row.notify.or(tap.notify);
        if let Some(target) = row.target {
            tap.target = Some((row.target_kind.clone(), target, row.prefix_len));
        }
        for target in row.target_list.iter().flat_map(|list| list.split(';')) {
            if tap.targets.len() < MOST_LISTED && !tap.targets.iter().any(|t| t == target) {
                tap.targets.push(target.to_owned());
            }
        }
        if self.known.len() > MOST_TAPS
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.known.remove(&oldest);
            self.forgotten += 1;
        }
    }

    fn complete(&self, id: &TapId, row: &mut tasking::Row) {
        let Some(tap) = self.known.get(id) else { return };
        row.dest_ip = row.dest_ip.or(tap.dest_ip);
        row.dest_port = row.dest_port.or(tap.dest_port);
        row.delivery_type = row.delivery_type.take().or_else(|| tap.delivery_type.clone());
        row.timeout = row.timeout.or(tap.timeout);
        if row.target.is_none()
            && let Some((kind, target, len)) = &tap.target
        {
            row.target_kind.clone_from(kind);
            row.target = Some(*target);
            row.prefix_len = *len;
        }
        if !tap.targets.is_empty() {
            row.target_list = Some(Name::Owned(tap.targets.join(";")));
            row.targets = row.targets.max(u32::try_from(tap.targets.len()).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(op: &'static str, task: u8) -> tasking::Row {
        tasking::Row {
            protocol: "snmp".into(),
            op: op.into(),
            outcome: "ok".into(),
            task: Some(Pseudonym::from_octets([task; 16])),
            ..tasking::Row::default()
        }
    }

    #[test]
    fn the_enabling_request_repeats_what_was_set_before() {
        let mut taps = Taps::default();
        let mut set = tasking::Row { dest_ip: Some(Ip::v4([9, 9, 9, 9])), dest_port: Some(1813), ..row("change", 1) };
        taps.see(&mut set);
        let mut refused = tasking::Row { dest_port: Some(1), outcome: "refused".into(), ..row("change", 1) };
        taps.see(&mut refused);
        let filter = |octet, list| {
            let target = Some(Pseudonym::from_octets([octet; 16]));
            tasking::Row { target, targets: 1, target_list: Some(Name::Borrowed(list)), ..row("create", 1) }
        };
        for mut one in [filter(6, "06"), filter(7, "07"), filter(7, "07")] {
            taps.see(&mut one);
        }
        let mut enable = row("enable", 1);
        taps.see(&mut enable);
        assert_eq!((enable.dest_ip, enable.dest_port), (set.dest_ip, Some(1813)));
        assert_eq!((enable.target, enable.targets), (Some(Pseudonym::from_octets([7; 16])), 2));
        assert_eq!(enable.target_list.as_deref(), Some("06;07"));
        let mut other = row("enable", 2);
        taps.see(&mut other);
        assert_eq!(other.dest_ip, None, "another content id is another tap");
        taps.see(&mut row("delete", 1));
        let mut again = row("enable", 1);
        taps.see(&mut again);
        assert_eq!(again.dest_ip, None, "a deleted tap is forgotten");
    }
}
