//! `asset`: evidence of what a device is.
use super::table;
use crate::{cell::Name, ip::Ip};

table! {
    /// Evidence that an address is a certain product: LLDP, CDP, DHCP, SSDP, sysObjectID, banners that name one.
    "asset" by "src_ip" {
        /// The device.
        host: Ip,
        /// Its hardware address, hex.
        mac: Option<Name>,
        /// Where the evidence came from: `lldp`, `cdp`, `dhcp`, `ssdp`, `sysobjectid`, `banner`.
        evidence: Name,
        /// Vendor.
        vendor: Option<Name>,
        /// Product.
        product: Option<Name>,
        /// Version.
        version: Option<Name>,
        /// The text or number that told it, 64 octets at most.
        value: Option<Name>,
    }
}
