//! lidr
fn main() {}
