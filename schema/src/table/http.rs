//! `http`: requests and their answers.
use super::table;
use crate::cell::Name;

table! {
    /// One HTTP request with its answer; bodies, queries and credentials are not kept.
    "http" by "src_ip" {
        /// Method.
        method: Name,
        /// Host asked for.
        host: Option<Name>,
        /// Path as it stood on the wire, without query.
        path: Name,
        /// Path decoded twice and lower case, for rules.
        path_decoded: Name,
        /// Whether there was a query.
        has_query: bool,
        /// Protocol version: `1.0`, `1.1`.
        version: Name,
        /// Status of the answer.
        status: Option<u16>,
        /// What the client says it is.
        user_agent: Option<Name>,
        /// What the server says it is.
        server: Option<Name>,
        /// Media type of the request.
        request_type: Option<Name>,
        /// Media type of the answer.
        response_type: Option<Name>,
        /// Scheme of the Authorization header: `basic`, `bearer`, `digest`, …
        auth_scheme: Option<Name>,
        /// Names of headers that rules look for, lower case, joined by `,`.
        marks: Option<Name>,
        /// Octets of the request's body seen.
        request_bytes: u64,
        /// Octets of the answer's body seen.
        response_bytes: u64,
        /// What the body was recognised as: `x1`, `wsma`, …
        body_kind: Option<Name>,
        /// `ok` (answered), `unanswered`, `not_seen`.
        outcome: Name,
    }
}
