//! `auth`: any login attempt.
use super::table;
use crate::{cell::Name, ip::Ip, pseudonym::Pseudonym};

table! {
    /// One login attempt, whatever the protocol, with its outcome and how sure that is.
    "auth" by "dst_ip" {
        /// `ssh`, `telnet`, `tacacs`, `radius`, `kerberos`, `ntlm`, `ldap`, `rdp`, `smb`, `http`, `vnc`, `snmp`.
        service: Name,
        /// The account, where it is visible; administrators' names are clear.
        user: Option<Name>,
        /// `password`, `publickey`, `keyboard-interactive`, `pap`, `chap`, `usm`, …
        method: Option<Name>,
        /// `ok`, `refused`, `unknown`.
        outcome: Name,
        /// How sure the outcome is: `high`, `medium`, `low`.
        confidence: Name,
        /// Which packets or records told the outcome.
        evidence: Option<Name>,
        /// What the client says it is.
        client_software: Option<Name>,
        /// What the server says it is.
        server_software: Option<Name>,
        /// Fingerprint of the client's offer (HASSH for SSH).
        client_fingerprint: Option<Name>,
        /// Fingerprint of the server's offer (HASSH server for SSH).
        server_fingerprint: Option<Name>,
        /// Class of the key for key logins.
        key_class: Option<Name>,
        /// Whether the credential crossed the wire in clear.
        cleartext: bool,
        /// Network access server that asked, for TACACS+ and RADIUS.
        nas: Option<Ip>,
        /// Remote address that the access server reported.
        rem_addr: Option<Ip>,
        /// Error or reject code of the protocol.
        error_code: Option<u32>,
        /// The account, where it is a subscriber's.
        subscriber: Option<Pseudonym>,
        /// Whether a RADIUS request carried a Message-Authenticator (RFC 3579).
        message_authenticator: Option<bool>,
    }
}
