//! Listeners for syslog: datagrams of UDP (RFC 5426) and streams of TCP (RFC 6587), without TLS.
//!
//! A datagram is a message. Nobody can be asked to send one again, so that it is dropped and counted where the queue is full; what the
//! kernel dropped before is read from its own table. A TCP connection waits instead, and its sender with it. Connections are
//! bounded, all together and from one address, so that one sender cannot shut out the others. Every wait is short, so that a listener
//! hears soon that it shall stop.
use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{
    framing::{Framed, Framer, MOST_MESSAGE, text},
    host_time,
    queue::{Cause, Heard, Message, Mouth, Refused},
};

/// Connections at the same time.
const MOST_CONNECTIONS: usize = 256;
/// Connections from one address.
const MOST_FROM_ONE: usize = 64;
/// Longest wait before a look at whether to stop.
const WAIT: Duration = Duration::from_millis(250);
/// A connection that says nothing for so long is given up: its sender may be gone without a word.
const IDLE: Duration = Duration::from_secs(600);
/// Between two looks at what was lost.
const COUNT: Duration = Duration::from_secs(1);
/// What the kernel is asked to hold of datagrams; it gives as much as the machine's settings allow.
const RECEIVE_BUFFER: usize = 8 << 20;
/// The longest datagram.
const DATAGRAM: usize = 65_536;

/// How syslog comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One message a datagram.
    Udp,
    /// Messages in connections.
    Tcp,
}

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// How it comes.
    pub transport: Transport,
    /// The address of this machine; port 0 takes a free one.
    pub address: SocketAddr,
}

/// A listener that is bound.
#[derive(Debug)]
pub(super) enum Bound {
    Udp(UdpSocket),
    Tcp(TcpListener),
}

impl Bound {
    pub(super) fn bind(listen: &Listen) -> io::Result<Self> {
        Ok(match listen.transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(listen.address)?;
                // Less than that is no reason not to listen.
                let _ = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
                socket.set_read_timeout(Some(WAIT))?;
                Self::Udp(socket)
            }
            Transport::Tcp => {
                let listener = TcpListener::bind(listen.address)?;
                // On Linux it bounds accept(), too.
                SockRef::from(&listener).set_read_timeout(Some(WAIT))?;
                Self::Tcp(listener)
            }
        })
    }

    /// What it is called in rows and chosen by in mappings: `syslog-udp-514`.
    pub(super) fn name(&self) -> io::Result<String> {
        Ok(match self {
            Self::Udp(socket) => format!("syslog-udp-{}", socket.local_addr()?.port()),
            Self::Tcp(listener) => format!("syslog-tcp-{}", listener.local_addr()?.port()),
        })
    }

    /// Listens on a thread of its own until it shall stop or nobody hears it any more.
    pub(super) fn start(self, input: u16, mouth: Mouth, stop: Arc<AtomicBool>) -> io::Result<()> {
        let post = Post { input, mouth, stop };
        let run = move || {
            let broke = match self {
                Self::Udp(socket) => datagrams(&socket, &post),
                Self::Tcp(listener) => connections(&listener, &post),
            };
            if let Err(why) = broke {
                let _ = post.mouth.tell(Heard::Broke { input, why: why.to_string() });
            }
        };
        thread::Builder::new().name("syslog".to_owned()).spawn(run).map(drop)
    }
}

/// What every thread of a listener has.
#[derive(Clone)]
struct Post {
    input: u16,
    mouth: Mouth,
    stop: Arc<AtomicBool>,
}

impl Post {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn message(&self, sender: IpAddr, octets: &[u8], cut_from: Option<u64>) -> Heard {
        let sender = sender.to_canonical();
        Heard::Message(Message { input: self.input, received: host_time(), sender, text: text(octets), cut_from })
    }

    /// Tells how many were lost, if any were.
    fn lost(&self, cause: Cause, count: &mut u64) {
        if *count > 0 && self.mouth.tell(Heard::Lost { input: self.input, cause, count: *count }).is_ok() {
            *count = 0;
        }
    }
}

fn no_news(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn datagrams(socket: &UdpSocket, post: &Post) -> io::Result<()> {
    let mut buffer = vec![0; DATAGRAM];
    let (mut lost, mut counted) = (0, Instant::now());
    let mut kernel = KernelDrops::of(socket);
    // What has come when it shall stop is taken, too.
    let mut until: Option<Instant> = None;
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => {
                let whole = buffer.get(..length).unwrap_or_default();
                let kept = whole.get(..MOST_MESSAGE).unwrap_or(whole);
                let cut_from = (kept.len() < whole.len()).then_some(whole.len() as u64);
                match post.mouth.tell(post.message(from.ip(), kept, cut_from)) {
                    Ok(()) => {}
                    Err(Refused::Full(_)) => lost += 1,
                    Err(Refused::Gone) => return Ok(()),
                }
            }
            // Somebody told us that what we never sent did not arrive; it means nothing to a receiver.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) if no_news(&error) => {
                if until.is_some() {
                    until = Some(Instant::now());
                }
            }
            Err(error) => return Err(error),
        }
        if post.stopped() {
            until.get_or_insert_with(|| Instant::now() + COUNT);
        }
        let stopped = until.is_some_and(|end| Instant::now() >= end);
        if stopped || counted.elapsed() >= COUNT {
            counted = Instant::now();
            post.lost(Cause::Queue, &mut lost);
            post.lost(Cause::Kernel, &mut kernel.since());
        }
        if stopped {
            return Ok(());
        }
    }
}

/// Datagrams that the kernel dropped because the socket's buffer was full, from its own table.
struct KernelDrops {
    inode: Option<String>,
    told: u64,
}

impl KernelDrops {
    fn of(socket: &UdpSocket) -> Self {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok();
        let inode = link.and_then(|l| Some(l.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
        Self { inode, told: 0 }
    }

    /// How many since it was asked last; none where the system does not say.
    fn since(&mut self) -> u64 {
        let Some(inode) = &self.inode else { return 0 };
        let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"].map(|t| fs::read_to_string(t).unwrap_or_default());
        let now = tables.iter().find_map(|table| drops(table, inode)).unwrap_or(self.told);
        let new = now.saturating_sub(self.told);
        self.told = now;
        new
    }
}

/// The last column of the line of a socket: the tenth is its inode.
fn drops(table: &str, inode: &str) -> Option<u64> {
    let mut lines = table.lines().skip(1).map(|l| l.split_ascii_whitespace());
    lines.find_map(|mut words| (words.nth(9)? == inode).then(|| words.last())?)?.parse().ok()
}

/// Connections that are open, by address.
type Open = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// Whose connections are counted together: whoever has an IPv6 address has a /64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) >> 64 << 64).to_be_bytes()),
    }
}

/// One of them, counted while it is there.
struct Place(Open, IpAddr);

impl Place {
    fn take(open: &Open, address: IpAddr) -> Option<Self> {
        let mut all = open.lock().ok()?;
        let address = network(address);
        let (total, own) = (all.values().sum::<usize>(), all.get(&address).copied().unwrap_or_default());
        if total >= MOST_CONNECTIONS || own >= MOST_FROM_ONE {
            return None;
        }
        all.insert(address, own + 1);
        Some(Self(Arc::clone(open), address))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(mut all) = self.0.lock()
            && let Some(own) = all.get_mut(&self.1)
        {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.1);
            }
        }
    }
}

fn connections(listener: &TcpListener, post: &Post) -> io::Result<()> {
    let open = Open::default();
    let (mut refused, mut counted) = (0, Instant::now());
    while !post.stopped() {
        match listener.accept() {
            Ok((stream, from)) => match Place::take(&open, from.ip().to_canonical()) {
                Some(place) => refused += u64::from(serve(stream, from.ip(), place, post).is_err()),
                None => refused += 1,
            },
            Err(error) if no_news(&error) => {}
            // There is no socket any more.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
            // Given up by its sender, or no file, memory or thread is left for it: whoever connects must not be able to end the sensor.
            Err(_) => {
                refused += 1;
                thread::sleep(WAIT);
            }
        }
        if counted.elapsed() >= COUNT {
            counted = Instant::now();
            post.lost(Cause::Connections, &mut refused);
        }
    }
    post.lost(Cause::Connections, &mut refused);
    Ok(())
}

/// Reads a connection on a thread of its own.
fn serve(stream: TcpStream, from: IpAddr, place: Place, post: &Post) -> io::Result<()> {
    stream.set_read_timeout(Some(WAIT))?;
    let post = post.clone();
    let run = move || {
        connection(stream, from, &post);
        drop(place);
    };
    thread::Builder::new().name("syslog-tcp".to_owned()).stack_size(256 * 1024).spawn(run).map(drop)
}

fn connection(mut stream: TcpStream, from: IpAddr, post: &Post) {
    let (mut framer, mut buffer, mut out) = (Framer::new(), vec![0; 16 * 1024], Vec::new());
    let mut last = Instant::now();
    while !post.stopped() {
        let octets = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => buffer.get(..n).unwrap_or_default(),
            Err(error) if no_news(&error) && last.elapsed() < IDLE => continue,
            // Reset by its sender, or silent for long: what came before stays.
            Err(_) => break,
        };
        last = Instant::now();
        let broken = framer.push(octets, &mut out).is_err();
        let mut all = out.drain(..);
        while let Some(framed) = all.next() {
            if !wait_and_tell(framed, from, post) {
                return post.lost(Cause::Queue, &mut (all.len() as u64));
            }
        }
        drop(all);
        if broken {
            return post.lost(Cause::Framing, &mut 1);
        }
    }
    if let Some(rest) = framer.end() {
        wait_and_tell(rest, from, post);
    }
}

/// Hands a message over, waiting for room; false where nobody wants it any more.
fn wait_and_tell(framed: Framed, sender: IpAddr, post: &Post) -> bool {
    let mut heard = post.message(sender, &framed.octets, framed.cut_from);
    loop {
        match post.mouth.tell(heard) {
            Ok(()) => return true,
            Err(Refused::Full(back)) if !post.stopped() => heard = back,
            Err(Refused::Full(_)) => {
                post.lost(Cause::Queue, &mut 1);
                return false;
            }
            Err(Refused::Gone) => return false,
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_says_what_a_socket_dropped() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \u{20} 88: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000000000000000 0\n\
            \u{20} 89: 00000000:0203 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0000000000000000 31\n";
        assert_eq!((drops(table, "4712"), drops(table, "4711"), drops(table, "1")), (Some(31), Some(0), None));
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let open = Open::default();
        let from = |n: u8| IpAddr::from([10, 0, 0, n]);
        let taken: Vec<Place> = (0..).map_while(|_| Place::take(&open, from(1))).collect();
        assert_eq!(taken.len(), MOST_FROM_ONE);
        let others: Vec<Place> =
            (2..6).flat_map(|n| (0..70).filter_map(|_| Place::take(&open, from(n))).collect::<Vec<_>>()).collect();
        assert_eq!(taken.len() + others.len(), MOST_CONNECTIONS);
        drop(taken);
        assert!(Place::take(&open, from(9)).is_some());
        drop(others);
        assert!(open.lock().unwrap().is_empty());
    }
}
