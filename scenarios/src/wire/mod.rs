//! Writers of the protocols that the scenarios speak: each gives the octets of one message. They write only what the scenarios
//! need, and by the book; what a decoder must survive besides is the business of its own tests.
pub(crate) mod ber;
pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod snmp;
pub(crate) mod ssh;
pub(crate) mod tls;
pub(crate) mod x1;
pub(crate) mod x2x3;
