//! End to end: what a user sees, what the design promises. One binary, so that the tree links once.

mod bad_input;
mod captures;
mod custody;
mod cli;
mod edges;
mod kafka_broker;
mod kafka_watch;
mod layering;
mod lidr;
mod ocsf;
mod postgres;
mod records;
mod report;
mod scenarios;
mod shape;
mod sigma;
mod three_modes;
mod tree;
