//! How a login went, from the lengths of what is encrypted.
//!
//! The two offers say which cipher and code are in use, and so how long a packet with a given payload is. That a login
//! succeeded is a message of one octet, the shortest packet there can be: nothing else of the login has its length. A failure
//! carries the list of methods left and is short too. OpenSSH and what descends from it pads everything that a user typed to a
//! multiple of 64 octets, so an answer to such a packet is the answer to a password; a public key that is only asked about, and
//! the first question for the methods, are not padded and are no attempt. Other clients' requests count from the second on.
//!
//! Where the cipher leaves the length field in clear (GCM, encrypt-then-MAC), packets are told apart wherever segments were
//! cut, and success is sure. With the others a segment stands for a packet: sure enough (`medium`), unless success shares a
//! segment with what follows it. For that case much traffic is success as well (`volume`). What cannot be told is `unknown`.
use super::kex::Framing;
use crate::decode::Mark;

/// Payload of a failure at most: message, list of methods, one octet.
const MOST_FAILURE: usize = 6 + 80;
/// What a user typed is padded to a multiple of this.
const TYPED: usize = 64;
/// Octets of a padded packet at most.
const MOST_TYPED: usize = 320;
/// Octets of long answers that only a session brings; banners and the server's extensions stay below.
const SESSION_ANSWERED: usize = 16 * 1024;
/// Octets of long requests that only a session brings.
const SESSION_ASKED: usize = 64 * 1024;
/// A request that long is no request for a login with a password.
const LONG: usize = 1024;

const BY_LENGTH: &str = "failure by length";

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: &'static str,
    pub(super) confidence: &'static str,
    pub(super) evidence: Option<&'static str>,
    pub(super) method: Option<&'static str>,
    /// No attempt follows.
    pub(super) last: bool,
}

#[derive(Clone, Copy)]
struct Request {
    mark: Mark,
    /// Octets that were padded.
    body: usize,
    /// The first one asks which methods there are, as a rule.
    first: bool,
    /// Something longer than a failure came in answer.
    long_answer: bool,
}

impl Request {
    const fn typed(&self) -> bool {
        self.body.is_multiple_of(TYPED) && self.body > 0 && self.body <= MOST_TYPED
    }
}

/// What was seen of a login so far.
#[derive(Default)]
pub(super) struct Judge {
    /// The client has sent something encrypted, and the server answered: the service is accepted.
    asked: bool,
    accepted: bool,
    /// A request for a login was sent.
    requested: bool,
    pending: Option<Request>,
    /// Length of the first failure.
    failure: Option<usize>,
    failures: u32,
    /// A question was answered with neither success nor failure: a prompt, or a key that would do.
    prompted: bool,
    answered_long: usize,
    asked_long: usize,
}

impl Judge {
    /// The client sent so many octets.
    pub(super) fn asked(&mut self, framing: Framing, length: usize, mark: Mark) -> Option<(Verdict, Mark)> {
        self.asked = true;
        if !self.accepted {
            return None;
        }
        if length >= LONG {
            self.asked_long += length;
        }
        let first = !std::mem::replace(&mut self.requested, true);
        let before = self.pending.replace(Request { mark, body: framing.body(length), first, long_answer: false });
        if self.asked_long < SESSION_ASKED {
            return None;
        }
        self.pending = None;
        Some((volume(), before.map_or(mark, |b| b.mark)))
    }

    /// The server sent so many octets; `pads` if the client is of those that pad what was typed.
    pub(super) fn answered(&mut self, framing: Framing, length: usize, pads: bool) -> Option<(Verdict, Mark)> {
        // Before the client's first packet: extensions.
        if !self.asked {
            return None;
        }
        if !std::mem::replace(&mut self.accepted, true) {
            return None;
        }
        let mut request = self.pending.take()?;
        if length == framing.wire(1) {
            return Some((success(framing, &request, self.prompted), request.mark));
        }
        if length <= framing.wire(MOST_FAILURE) {
            return self.short(&request, length, pads).map(|verdict| (verdict, request.mark));
        }
        request.long_answer = true;
        self.answered_long += length;
        if self.answered_long >= SESSION_ANSWERED {
            return Some((volume(), request.mark));
        }
        self.pending = Some(request);
        None
    }

    /// A short answer that is no success: a failure, or a prompt.
    fn short(&mut self, request: &Request, length: usize, pads: bool) -> Option<Verdict> {
        if request.first || request.typed() {
            self.failure.get_or_insert(length);
        }
        let same = self.failure? == length;
        if !same && !request.typed() {
            self.prompted = true;
            return None;
        }
        self.failures += 1;
        let prompted = std::mem::take(&mut self.prompted);
        match () {
            () if request.first => None,
            () if request.typed() && prompted => Some(refused("medium", BY_LENGTH, Some("keyboard-interactive"))),
            () if request.typed() => Some(refused("medium", BY_LENGTH, Some("password"))),
            () if !pads && request.body <= 2 * TYPED => Some(refused("low", BY_LENGTH, None)),
            () => None,
        }
    }

    /// The connection is over: what is left to say. `said` if a row was written; `pads` as above.
    pub(super) fn closed(&mut self, said: bool, pads: bool) -> (Option<Verdict>, Option<Mark>) {
        let pending = self.pending.take();
        let mark = pending.map(|p| p.mark);
        match pending.filter(|p| p.typed() && !p.first) {
            // Too many failures: the server says so at length and closes.
            Some(request) if request.long_answer && self.failures > 0 => {
                (Some(refused("low", "closed after an answer", Some("password"))), mark)
            }
            Some(_) => (Some(unknown()), mark),
            None if said => (None, None),
            // Who pads has asked for the methods first: a second failure is a key refused.
            None if self.failures > u32::from(pads) => (Some(refused("low", "closed after failures", None)), mark),
            None => (Some(unknown()), mark),
        }
    }
}

fn success(framing: Framing, request: &Request, prompted: bool) -> Verdict {
    let method = match () {
        () if request.first => Some("none"),
        () if request.typed() && prompted => Some("keyboard-interactive"),
        () if request.typed() => Some("password"),
        () if request.body > 2 * TYPED => Some("publickey"),
        () => None,
    };
    let confidence = if framing.clear { "high" } else { "medium" };
    Verdict { outcome: "ok", confidence, evidence: Some("success by length"), method, last: true }
}

const fn volume() -> Verdict {
    Verdict { outcome: "ok", confidence: "medium", evidence: Some("volume"), method: None, last: true }
}

const fn refused(confidence: &'static str, evidence: &'static str, method: Option<&'static str>) -> Verdict {
    Verdict { outcome: "refused", confidence, evidence: Some(evidence), method, last: false }
}

const fn unknown() -> Verdict {
    Verdict { outcome: "unknown", confidence: "low", evidence: None, method: None, last: false }
}
