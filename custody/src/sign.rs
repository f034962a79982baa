//! Ed25519 keys: PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes them, and what they sign.
//!
//! The signature is over the octets of `manifest.json` themselves, so that `openssl pkeyutl -verify -rawin` checks it too.
use ed25519_dalek::{
    Signature, Signer as _, SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes, spki::der::pem::LineEnding,
    },
};
use lidr_schema::hex;

use crate::CustodyError;

/// Octets of a signature.
pub(crate) const SIGNATURE: usize = Signature::BYTE_SIZE;

/// The private key of whoever makes bundles. It prints nothing of itself.
pub struct Signer(SigningKey);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.public().hex())
    }
}

impl Signer {
    /// Reads a private key.
    ///
    /// # Errors
    /// If it is no Ed25519 key in PKCS#8 PEM.
    pub fn from_pem(text: &str) -> Result<Self, CustodyError> {
        SigningKey::from_pkcs8_pem(text).map(Self).map_err(|e| CustodyError::Key("private", e.to_string()))
    }

    /// A new key and its PEM.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn generate() -> Result<(Self, String), CustodyError> {
        let mut secret_key = [0; 32];
        getrandom::fill(&mut secret_key).map_err(|e| CustodyError::Random(e.to_string()))?;
        // Without the public half, as OpenSSL writes it: older ones do not read the longer form.
        let pair = KeypairBytes { secret_key, public_key: None };
        let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(|e| CustodyError::Key("private", e.to_string()))?;
        Ok((Self(SigningKey::from_bytes(&secret_key)), pem.to_string()))
    }

    /// The half that everybody may have.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, octets: &[u8]) -> [u8; SIGNATURE] {
        self.0.sign(octets).to_bytes()
    }
}

/// The public key that a signature is checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// If it is no Ed25519 key in PEM.
    pub fn from_pem(text: &str) -> Result<Self, CustodyError> {
        VerifyingKey::from_public_key_pem(text).map(Self).map_err(|e| CustodyError::Key("public", e.to_string()))
    }

    /// From the text in a manifest.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let octets: [u8; 32] = hex::decode(text)?.try_into().ok()?;
        VerifyingKey::from_bytes(&octets).ok().map(Self)
    }

    /// As PEM.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn pem(&self) -> Result<String, CustodyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|e| CustodyError::Key("public", e.to_string()))
    }

    /// Its 32 octets as hex.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0.as_bytes())
    }

    /// Whether it made that signature; the strict reading, in which no signature has two forms.
    pub(crate) fn signed(&self, octets: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(octets, &signature).is_ok())
    }
}
