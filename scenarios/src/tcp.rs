//! TCP conversations (RFC 9293): handshake, data cut at the segment size with PSH on the last piece, an acknowledgement for every
//! second segment and at the end of a turn, FIN from both sides. Timestamps (RFC 7323) are in every segment, so a full one carries
//! 1,448 octets. Nothing is lost, repeated or out of order.
use std::net::{IpAddr, SocketAddr};

use etherparse::{TcpHeader, TcpOptionElement as Opt};

use crate::{
    ScenarioError,
    net::{Net, Wrap},
};

/// One end of a conversation.
#[derive(Clone, Copy, Debug)]
struct End {
    addr: SocketAddr,
    next: u32,
    clock: u32,
    window: u16,
}

/// A conversation that is open.
#[derive(Debug)]
pub(crate) struct Tcp {
    wrap: Wrap,
    client: End,
    server: End,
    /// Round trip, µs.
    rtt: i64,
    /// Time of the last packet.
    pub(crate) now: i64,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Whoever opened.
    Client,
    /// Whoever listened.
    Server,
}

impl Side {
    fn other(self) -> Self {
        if self == Self::Client { Self::Server } else { Self::Client }
    }
}

/// Which flags a segment has besides ACK.
#[derive(Clone, Copy, Debug, Default)]
struct Flags {
    syn: bool,
    psh: bool,
    fin: bool,
    no_ack: bool,
}

impl Tcp {
    /// Opens a conversation with the three packets of the handshake.
    pub(crate) fn open(
        net: &mut Net,
        at: i64,
        wrap: Wrap,
        client: SocketAddr,
        server: SocketAddr,
    ) -> Result<Self, ScenarioError> {
        let end = |net: &mut Net, addr, window| End { addr, next: net.rng.word(), clock: net.rng.word(), window };
        let far = matches!(server.ip(), IpAddr::V4(ip) if !ip.is_private()) || server.is_ipv6();
        let rtt = if far { net.rng.span(9_000, 40_000) } else { net.rng.span(250, 1_400) };
        let mut tcp = Self { wrap, client: end(net, client, 64_240), server: end(net, server, 65_160), rtt, now: at };
        tcp.segment(net, Side::Client, Flags { syn: true, no_ack: true, ..Flags::default() }, &[])?;
        tcp.turn();
        tcp.segment(net, Side::Server, Flags { syn: true, ..Flags::default() }, &[])?;
        tcp.turn();
        tcp.segment(net, Side::Client, Flags::default(), &[])?;
        Ok(tcp)
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, span: i64) {
        self.now += span.max(0);
    }

    fn turn(&mut self) {
        self.now += self.rtt / 2;
    }

    /// Sends `data`, and the other side acknowledges.
    pub(crate) fn send(&mut self, net: &mut Net, side: Side, data: &[u8]) -> Result<(), ScenarioError> {
        let room = self.wrap.segment(self.client.addr.is_ipv6());
        let last = data.len().div_ceil(room);
        for (i, piece) in data.chunks(room).enumerate() {
            self.now += net.rng.span(8, 60);
            self.segment(net, side, Flags { psh: i + 1 == last, ..Flags::default() }, piece)?;
            if i % 2 == 1 && i + 1 != last {
                self.now += net.rng.span(5, 30);
                self.segment(net, side.other(), Flags::default(), &[])?;
            }
        }
        self.turn();
        self.segment(net, side.other(), Flags::default(), &[])
    }

    /// One question of the client and the server's answer after `think` µs.
    pub(crate) fn ask(
        &mut self,
        net: &mut Net,
        question: &[u8],
        think: i64,
        answer: &[u8],
    ) -> Result<(), ScenarioError> {
        self.send(net, Side::Client, question)?;
        self.wait(think);
        self.send(net, Side::Server, answer)?;
        self.wait(50);
        Ok(())
    }

    /// Closes from `side`.
    pub(crate) fn close(mut self, net: &mut Net, side: Side) -> Result<i64, ScenarioError> {
        self.now += net.rng.span(20, 200);
        self.segment(net, side, Flags { fin: true, ..Flags::default() }, &[])?;
        self.turn();
        self.segment(net, side.other(), Flags { fin: true, ..Flags::default() }, &[])?;
        self.turn();
        self.segment(net, side, Flags::default(), &[])?;
        Ok(self.now)
    }

    fn segment(&mut self, net: &mut Net, side: Side, flags: Flags, data: &[u8]) -> Result<(), ScenarioError> {
        let (from, to) = if side == Side::Client { (self.client, self.server) } else { (self.server, self.client) };
        let mut head = TcpHeader::new(from.addr.port(), to.addr.port(), from.next, from.window);
        (head.syn, head.psh, head.fin, head.ack) = (flags.syn, flags.psh, flags.fin, !flags.no_ack);
        let ticks =
            |end: End| end.clock.wrapping_add(u32::try_from(self.now.div_euclid(1_000) & 0xffff_ffff).unwrap_or(0));
        head.acknowledgment_number = if flags.no_ack { 0 } else { to.next };
        let stamp = Opt::Timestamp(ticks(from), if flags.no_ack { 0 } else { ticks(to) });
        let room = u16::try_from(self.wrap.segment(from.addr.is_ipv6()) + 12).unwrap_or(1_460);
        let options = if flags.syn {
            vec![
                Opt::MaximumSegmentSize(room),
                Opt::SelectiveAcknowledgementPermitted,
                stamp,
                Opt::Noop,
                Opt::WindowScale(7),
            ]
        } else {
            vec![Opt::Noop, Opt::Noop, stamp]
        };
        head.set_options(&options).map_err(|e| ScenarioError::Packet(e.to_string()))?;
        net.tcp(self.now, self.wrap, from.addr.ip(), to.addr.ip(), head, data)?;
        let sent = u32::try_from(data.len()).unwrap_or(0) + u32::from(flags.syn) + u32::from(flags.fin);
        let end = if side == Side::Client { &mut self.client } else { &mut self.server };
        end.next = end.next.wrapping_add(sent);
        Ok(())
    }
}
