//! Why a bundle cannot be written, read or believed: what was needed and what was there.

/// Why a bundle or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CustodyError {
    /// A name that would not stay inside a folder, or that tar cannot hold.
    #[error(
        "`{0}` is no name for a part of a bundle: needed up to 100 of a-z, 0-9, `.`, `_`, `-`, with `/` between folders"
    )]
    Path(String),
    /// The same name twice, or one of lidr's own.
    #[error("`{0}` stands in the bundle twice")]
    Twice(String),
    /// More than a bundle may hold.
    #[error("too large: needed at most {most} {what}, had {had}")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// The bound.
        most: u64,
        /// What was there.
        had: u64,
    },
    /// Octets that are no bundle, or no whole one.
    #[error("not a whole bundle: {0}")]
    Broken(String),
    /// The manifest is not as lidr writes it.
    #[error("manifest.json: {0}")]
    Manifest(String),
    /// The signing key or the public key.
    #[error(
        "not an Ed25519 {0} key in PEM (needed what `openssl genpkey -algorithm ed25519` or `openssl pkey -pubout` writes): {1}"
    )]
    Key(&'static str, String),
    /// The system's randomness.
    #[error("no random octets for a key: {0}")]
    Random(String),
    /// Packing.
    #[error("packing: {0}")]
    Pack(#[from] std::io::Error),
}
