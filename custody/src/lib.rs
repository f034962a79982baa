//! Evidence bundles: what stood behind a finding, listed, chained and signed.
