//! End to end: what a user sees, what the design promises. One binary, so that the tree links once.
// The attributes tell the linter that helpers are tests, too.

#[cfg(test)]
mod alerting;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod captures;
#[cfg(test)]
mod chromium;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod custody;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod disk_full;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod incident;
#[cfg(test)]
mod kafka_broker;
#[cfg(test)]
mod kafka_watch;
#[cfg(test)]
mod layering;
#[cfg(test)]
mod lidr;
#[cfg(test)]
mod live;
#[cfg(test)]
mod live_wire;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod ocsf;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod package;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod propose;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod records;
#[cfg(test)]
mod report;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod shape;
#[cfg(test)]
mod sigma;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod site_changes;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod three_modes;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod webhook;
