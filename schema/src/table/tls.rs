//! `tls`: handshakes.
use super::table;
use crate::cell::Name;

table! {
    /// One TLS or QUIC handshake, as far as it is in clear.
    "tls" by "src_ip" {
        /// `tls`, `quic`.
        protocol: Name,
        /// Greatest version that the client offered.
        client_version: Option<Name>,
        /// Version that the server chose.
        version: Option<Name>,
        /// Cipher suite that the server chose, four hex digits.
        cipher: Option<Name>,
        /// Server name asked for.
        sni: Option<Name>,
        /// Application protocols that the client offered, joined by `,`.
        alpn: Option<Name>,
        /// Application protocol that the server chose.
        alpn_chosen: Option<Name>,
        /// JA4 fingerprint of the client hello.
        ja4: Option<Name>,
        /// SHA-256 of the server's certificate, hex (not visible from TLS 1.3 on).
        cert_sha256: Option<Name>,
        /// SHA-256 of the client's certificate, hex (not visible from TLS 1.3 on).
        client_cert_sha256: Option<Name>,
        /// Whether the server asked for a client certificate (not visible from TLS 1.3 on).
        client_cert_requested: Option<bool>,
        /// `ok` (server hello seen), `refused` (alert), `unanswered`, `not_seen`.
        outcome: Name,
        /// Alert description.
        error_code: Option<u32>,
    }
}
