//! State that spans conversations: behind the workers, in one place that sees the rows concerned in row order.
mod tap;

pub(crate) use tap::Taps;
