//! Evidence bundles: what stood behind a finding, listed, chained and signed.
//!
//! A bundle is one `.tar.zst` file: `manifest.json`, its signature, then what the manifest lists, in its order. Everything in it
//! follows from what is put in: no clock, no user, no machine, so that the same evidence gives the same octets. `tar`, `sha256sum`
//! and `openssl` are enough to check one without lidr. Nothing here knows packets, rules or what a finding means.
mod archive;
mod bundle;
mod error;
mod manifest;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

pub use bundle::{Bundle, Contents};
pub use error::CustodyError;
pub use manifest::{Entry, Facts, Manifest};
pub use sign::{PublicKey, Signer};
pub use verify::{Checked, verify};

use lidr_schema::hex;
use sha2::{Digest, Sha256};

/// SHA-256 of octets, hexadecimal.
#[must_use]
pub fn sha256(octets: &[u8]) -> String {
    hex::encode(&Sha256::digest(octets))
}
