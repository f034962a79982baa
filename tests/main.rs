//! End to end: what a user sees, what the design promises. One binary, so that the tree links once.

mod layering;
mod shape;
mod tree;
