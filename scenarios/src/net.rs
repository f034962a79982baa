//! From payload to frames: UDP or TCP over IPv4 or IPv6, in the clear or inside GRE (RFC 2784), VXLAN (RFC 7348) or GTP-U
//! (TS 29.281), over Ethernet. Lengths and checksums are right at every layer; nothing here fragments, so a payload must fit a
//! frame of 1,514 octets with what stands around it.
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use etherparse::{IpHeaders, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader};

use crate::{ScenarioError, rng::Rng, trace::Trace};

/// The largest frame.
pub(crate) const MAX_FRAME: usize = 1_514;

/// What a packet travels inside of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrap {
    /// Nothing.
    Plain,
    /// GRE between two routers.
    Gre(Ipv4Addr, Ipv4Addr),
    /// VXLAN between two switches, with its network id.
    Vxlan(Ipv4Addr, Ipv4Addr, u32),
    /// GTP-U between a base station and a gateway; tunnel ids towards the gateway and back.
    Gtpu(Ipv4Addr, Ipv4Addr, u32, u32),
}

impl Wrap {
    /// The same tunnel, seen from the other side.
    pub(crate) fn back(self) -> Self {
        match self {
            Self::Plain => Self::Plain,
            Self::Gre(a, b) => Self::Gre(b, a),
            Self::Vxlan(a, b, vni) => Self::Vxlan(b, a, vni),
            Self::Gtpu(a, b, there, back) => Self::Gtpu(b, a, back, there),
        }
    }

    /// Octets of a TCP segment that fit inside.
    pub(crate) fn segment(self, v6: bool) -> usize {
        let room = if self == Self::Plain { 1_448 } else { 1_348 };
        if v6 { room - 20 } else { room }
    }
}

/// The wire: frames so far and the noise that they carry.
#[derive(Debug)]
pub(crate) struct Net {
    /// What was sent.
    pub(crate) trace: Trace,
    /// Noise of this part.
    pub(crate) rng: Rng,
    /// Lines of the order-management system's audit log, with their times.
    pub(crate) audit: Vec<(i64, String)>,
}

impl Net {
    /// A wire with nothing on it.
    pub(crate) fn new(rng: Rng) -> Self {
        Self { trace: Trace::default(), rng, audit: Vec::new() }
    }

    /// Somebody did something in the order-management system.
    pub(crate) fn audit(&mut self, at: i64, line: String) {
        self.audit.push((at, line));
    }

    /// Sends a UDP datagram.
    pub(crate) fn udp(
        &mut self,
        at: i64,
        wrap: Wrap,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> Result<(), ScenarioError> {
        let builder = PacketBuilder::ip(self.ip(from.ip(), to.ip())?).udp(from.port(), to.port());
        let mut packet = Vec::with_capacity(payload.len() + 48);
        builder.write(&mut packet, payload).map_err(|e| ScenarioError::Packet(e.to_string()))?;
        self.send(at, wrap, from.ip(), to.ip(), packet)
    }

    /// Sends a TCP segment.
    pub(crate) fn tcp(
        &mut self,
        at: i64,
        wrap: Wrap,
        from: IpAddr,
        to: IpAddr,
        head: TcpHeader,
        payload: &[u8],
    ) -> Result<(), ScenarioError> {
        let builder = PacketBuilder::ip(self.ip(from, to)?).tcp_header(head);
        let mut packet = Vec::with_capacity(payload.len() + 80);
        builder.write(&mut packet, payload).map_err(|e| ScenarioError::Packet(e.to_string()))?;
        self.send(at, wrap, from, to, packet)
    }

    fn ip(&mut self, from: IpAddr, to: IpAddr) -> Result<IpHeaders, ScenarioError> {
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => Ok(IpHeaders::Ipv4(self.v4(from, to), Default::default())),
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let head = Ipv6Header {
                    hop_limit: 61,
                    source: from.octets(),
                    destination: to.octets(),
                    ..Ipv6Header::default()
                };
                Ok(IpHeaders::Ipv6(head, Default::default()))
            }
            _ => Err(ScenarioError::Packet(format!("both ends need one IP version, {from} and {to} differ"))),
        }
    }

    fn v4(&mut self, from: Ipv4Addr, to: Ipv4Addr) -> Ipv4Header {
        let [.., last] = from.octets();
        Ipv4Header {
            identification: u16::try_from(self.rng.below(65_536)).unwrap_or(0),
            dont_fragment: true,
            time_to_live: 64 - last % 4,
            source: from.octets(),
            destination: to.octets(),
            ..Ipv4Header::default()
        }
    }

    fn send(&mut self, at: i64, wrap: Wrap, from: IpAddr, to: IpAddr, packet: Vec<u8>) -> Result<(), ScenarioError> {
        match wrap {
            Wrap::Plain => self.frame(at, from, to, &packet),
            Wrap::Gre(a, b) => {
                let kind: [u8; 2] = if from.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
                let inner = [&[0, 0], kind.as_slice(), &packet].concat();
                let mut outer = Vec::with_capacity(inner.len() + 20);
                let head = IpHeaders::Ipv4(self.v4(a, b), Default::default());
                PacketBuilder::ip(head)
                    .write(&mut outer, IpNumber::GRE, &inner)
                    .map_err(|e| ScenarioError::Packet(e.to_string()))?;
                self.frame(at, a.into(), b.into(), &outer)
            }
            Wrap::Vxlan(a, b, vni) => {
                let mut inner = vec![0x08, 0, 0, 0];
                inner.extend((vni << 8).to_be_bytes());
                inner.extend(ethernet(from, to));
                inner.extend(packet);
                let port = 49_152 + u16::from(fold(from) ^ fold(to));
                self.udp(at, Wrap::Plain, SocketAddr::new(a.into(), port), SocketAddr::new(b.into(), 4_789), &inner)
            }
            Wrap::Gtpu(a, b, teid, _) => {
                let mut inner = vec![0x30, 0xff];
                inner.extend(u16::try_from(packet.len()).unwrap_or(u16::MAX).to_be_bytes());
                inner.extend(teid.to_be_bytes());
                inner.extend(packet);
                self.udp(at, Wrap::Plain, SocketAddr::new(a.into(), 2_152), SocketAddr::new(b.into(), 2_152), &inner)
            }
        }
    }

    fn frame(&mut self, at: i64, from: IpAddr, to: IpAddr, packet: &[u8]) -> Result<(), ScenarioError> {
        let frame = [ethernet(from, to).as_slice(), packet].concat();
        if frame.len() > MAX_FRAME {
            return Err(ScenarioError::Packet(format!(
                "a frame may have {MAX_FRAME} octets, this one has {}: send less at once",
                frame.len()
            )));
        }
        self.trace.push(at, &frame);
        Ok(())
    }
}

fn fold(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(ip) => ip.octets().iter().fold(0, |a, b| a ^ b),
        IpAddr::V6(ip) => ip.octets().iter().fold(0, |a, b| a ^ b),
    }
}

/// Ethernet header; a host's address on the link is locally administered and follows from its IP address.
fn ethernet(from: IpAddr, to: IpAddr) -> Vec<u8> {
    let station = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => [&[0x02, 0x00], ip.octets().as_slice()].concat(),
        IpAddr::V6(ip) => [&[0x02, 0x06], ip.octets().get(12..).unwrap_or_default()].concat(),
    };
    let kind: [u8; 2] = if from.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
    [station(to), station(from), kind.to_vec()].concat()
}
