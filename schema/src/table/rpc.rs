//! `rpc`: remote procedure calls and file shares.
use super::table;
use crate::cell::Name;

table! {
    /// One SMB tree or file operation or DCE-RPC call.
    "rpc" by "src_ip" {
        /// `smb`, `dcerpc`.
        protocol: Name,
        /// Verb: `tree_connect`, `create`, `write`, `bind`, `request`.
        op: Name,
        /// Share.
        share: Option<Name>,
        /// File or pipe.
        path: Option<Name>,
        /// Interface UUID or its name.
        interface: Option<Name>,
        /// Operation number.
        opnum: Option<u16>,
        /// Account.
        user: Option<Name>,
        /// `ok`, `refused`, `unanswered`, `not_seen`.
        outcome: Name,
        /// NT status or fault code.
        error_code: Option<u32>,
    }
}
