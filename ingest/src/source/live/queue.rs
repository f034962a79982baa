//! Between the threads that hear and the reader: one queue for all live inputs of a sensor, bounded by the octets that wait in it.
//!
//! The bound is of octets and not of messages, because a message is one line or five hundred packets. Whoever finds no room keeps
//! what he has, drops and counts it, or waits: an interface cannot wait, a TCP connection can.
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use crate::record::Block;

/// What a message costs beside its octets.
const OVERHEAD: usize = 128;

/// A packet of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Captured {
    /// µs.
    pub(super) ts: i64,
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) wire_len: u32,
}

/// Packets that were captured together.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    pub(super) input: u16,
    /// Link type (LINKTYPE_ number).
    pub(super) link: u32,
    /// Frame number of the first of them.
    pub(super) first: u64,
    pub(super) block: Block,
    pub(super) packets: Vec<Captured>,
}

/// A syslog message.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) input: u16,
    /// When it came, µs by the clock of this machine.
    pub(super) received: i64,
    pub(super) sender: IpAddr,
    pub(super) text: String,
    /// Octets that it had when it was sent, where it was cut.
    pub(super) cut_from: Option<u64>,
}

/// Why something that was sent to us was never decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The kernel had no room left for what this process had not read.
    Kernel,
    /// The interface or its driver had none.
    #[cfg(any(feature = "live", test))]
    Interface,
    /// The queue was full.
    Queue,
    /// As many connections as may be were open.
    Connections,
    /// A connection that was none of syslog.
    Framing,
}

/// What a live input tells the reader.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    #[cfg(any(feature = "live", test))]
    Packets(Packets),
    Message(Message),
    /// So many since it was told last.
    Lost {
        input: u16,
        cause: Cause,
        count: u64,
    },
    /// It broke and will tell nothing more.
    Broke {
        input: u16,
        why: String,
    },
}

impl Heard {
    /// Octets that it takes. What was lost must be heard even where there is no room.
    fn cost(&self) -> usize {
        match self {
            #[cfg(any(feature = "live", test))]
            Self::Packets(p) => p.block.len() + p.packets.len() * size_of::<Captured>() + OVERHEAD,
            Self::Message(m) => m.text.len() + OVERHEAD,
            Self::Lost { .. } | Self::Broke { .. } => 0,
        }
    }
}

/// Why something was not taken.
#[derive(Debug)]
pub(super) enum Refused {
    /// No room; here it is again.
    Full(Heard),
    /// Nobody listens any more.
    Gone,
}

/// The end that threads have.
#[derive(Clone, Debug)]
pub(super) struct Mouth {
    send: mpsc::Sender<Heard>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

/// The reader's end.
#[derive(Debug)]
pub(super) struct Ear {
    receive: mpsc::Receiver<Heard>,
    waiting: Arc<AtomicUsize>,
}

/// What the reader found.
#[derive(Debug)]
pub(super) enum Found {
    Heard(Heard),
    Nothing,
    /// Every thread has ended.
    Over,
}

/// A queue for so many octets.
pub(super) fn queue(most: usize) -> (Mouth, Ear) {
    let (send, receive) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Mouth { send, waiting: Arc::clone(&waiting), most }, Ear { receive, waiting })
}

impl Mouth {
    /// One that takes only so much of the room: whoever can send to it must not crowd out the others.
    pub(super) fn part(&self, of: usize) -> Self {
        Self { most: self.most / of, ..self.clone() }
    }

    /// Hands something over, if there is room.
    pub(super) fn tell(&self, heard: Heard) -> Result<(), Refused> {
        let cost = heard.cost();
        let room =
            |waiting: usize| (cost == 0 || waiting == 0 || waiting + cost <= self.most).then_some(waiting + cost);
        if self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_err() {
            return Err(Refused::Full(heard));
        }
        self.send.send(heard).map_err(|_| Refused::Gone)
    }
}

impl Ear {
    /// The next thing that was told, waiting for it so long.
    pub(super) fn hear(&self, patience: Duration) -> Found {
        let found = match patience {
            Duration::ZERO => self.receive.try_recv().map_err(|e| e == mpsc::TryRecvError::Disconnected),
            patience => self.receive.recv_timeout(patience).map_err(|e| e == mpsc::RecvTimeoutError::Disconnected),
        };
        match found {
            Ok(heard) => {
                self.waiting.fetch_sub(heard.cost(), Ordering::Relaxed);
                Found::Heard(heard)
            }
            Err(false) => Found::Nothing,
            Err(true) => Found::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(octets: usize) -> Heard {
        let sender = IpAddr::from([10, 0, 0, 1]);
        Heard::Message(Message { input: 0, received: 5, sender, text: "x".repeat(octets), cut_from: None })
    }

    #[test]
    fn what_has_no_room_comes_back_and_room_comes_back_with_hearing() {
        let (mouth, ear) = queue(1000);
        mouth.tell(message(500)).unwrap();
        assert!(matches!(mouth.tell(message(500)), Err(Refused::Full(Heard::Message(m))) if m.text.len() == 500));
        assert!(matches!(ear.hear(Duration::ZERO), Found::Heard(Heard::Message(_))));
        assert_eq!(ear.waiting.load(Ordering::Relaxed), 0);
        mouth.tell(message(500)).unwrap();
    }

    #[test]
    fn what_was_lost_is_heard_though_the_queue_is_full() {
        let (mouth, ear) = queue(200);
        mouth.tell(message(50)).unwrap();
        assert!(matches!(mouth.tell(message(50)), Err(Refused::Full(_))));
        mouth.tell(Heard::Lost { input: 3, cause: Cause::Queue, count: 7 }).unwrap();
        assert!(matches!(ear.hear(Duration::ZERO), Found::Heard(Heard::Message(_))));
        assert!(matches!(ear.hear(Duration::ZERO), Found::Heard(Heard::Lost { input: 3, count: 7, .. })));
        assert!(matches!(ear.hear(Duration::from_millis(1)), Found::Nothing));
    }

    #[test]
    fn both_ends_know_when_the_other_is_gone() {
        let (mouth, ear) = queue(1000);
        drop(mouth);
        assert!(matches!(ear.hear(Duration::from_millis(1)), Found::Over));
        let (mouth, ear) = queue(1000);
        drop(ear);
        assert!(matches!(mouth.tell(message(1)), Err(Refused::Gone)));
    }
}
