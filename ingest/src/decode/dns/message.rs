//! One message: its questions, and what is kept of its answers.
use lidr_schema::Ip;

use super::super::{Verdict, cursor::Cursor};

/// Octets of the header.
pub(super) const HEADER: usize = 12;
/// Octets of a name at most (RFC 1035 §3.1).
const MOST_NAME: usize = 255;
/// Octets of a usual name.
const USUAL_NAME: usize = 32;
/// Questions read of one message; there is one in practice.
const MOST_QUESTIONS: usize = 16;
/// Types that are asked in practice; others are no proof of the protocol.
const USUAL: [u16; 15] = [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 43, 48, 64, 65, 255];

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Short,
    PointerLoop,
    Label,
    LongName,
}

impl Trouble {
    pub(super) const fn detail(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::PointerLoop => "pointer_loop",
            Self::Label => "label",
            Self::LongName => "long_name",
        }
    }
}

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) name: String,
    pub(super) kind: u16,
}

/// What is kept of the answer section.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    pub(super) rcode: u8,
    pub(super) count: u32,
    pub(super) ip: Option<Ip>,
    pub(super) name: Option<String>,
    pub(super) min_ttl: Option<u32>,
    pub(super) octets: u32,
    pub(super) truncated: bool,
}

/// A message as far as it could be read.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) response: bool,
    pub(super) opcode: u8,
    pub(super) questions: Vec<Question>,
    pub(super) answers: Answers,
    /// What stopped the reading of the answers.
    pub(super) trouble: Option<Trouble>,
}

impl Message {
    /// Reads header and questions; broken answers are kept as far as they go.
    pub(super) fn read(data: &[u8]) -> Result<Self, Trouble> {
        let mut c = Cursor::new(data);
        let (id, flags) = c.u16().zip(c.u16()).ok_or(Trouble::Short)?;
        let (questions, answers) = c.u16().zip(c.u16()).ok_or(Trouble::Short)?;
        c.u32().ok_or(Trouble::Short)?;
        let mut message = Self {
            id,
            response: flags & 0x8000 != 0,
            opcode: (flags >> 11) as u8 & 15,
            questions: Vec::new(),
            answers: Answers {
                rcode: flags as u8 & 15,
                octets: data.len() as u32,
                truncated: flags & 0x0200 != 0,
                ..Answers::default()
            },
            trouble: None,
        };
        for at in 0..usize::from(questions) {
            let name = name(data, &mut c)?;
            let (kind, _class) = c.u16().zip(c.u16()).ok_or(Trouble::Short)?;
            if at < MOST_QUESTIONS {
                message.questions.push(Question { name, kind });
            }
        }
        if message.response {
            message.trouble = message.answers.read(data, &mut c, answers).err();
        }
        Ok(message)
    }
}

impl Answers {
    fn read<'a>(&mut self, data: &'a [u8], c: &mut Cursor<'a>, count: u16) -> Result<(), Trouble> {
        for _ in 0..count {
            pass(data, c)?;
            let (kind, _class) = c.u16().zip(c.u16()).ok_or(Trouble::Short)?;
            let ttl = c.u32().ok_or(Trouble::Short)?;
            let start = data.len() - c.rest().len() + 2;
            let content = c.counted16().ok_or(Trouble::Short)?;
            self.count += 1;
            self.min_ttl = Some(self.min_ttl.map_or(ttl, |least| least.min(ttl)));
            self.content(data, start, kind, content)?;
        }
        Ok(())
    }

    fn content(&mut self, data: &[u8], start: usize, kind: u16, content: &[u8]) -> Result<(), Trouble> {
        let ip = match kind {
            1 => <[u8; 4]>::try_from(content).ok().map(|a| Ip::from(std::net::Ipv4Addr::from(a))),
            28 => <[u8; 16]>::try_from(content).ok().map(|a| Ip::from(std::net::IpAddr::from(a))),
            _ => None,
        };
        self.ip = self.ip.or(ip);
        // MX has a preference before its name.
        let skip = match kind {
            2 | 5 | 12 | 39 => 0,
            15 => 2,
            _ => return Ok(()),
        };
        if self.name.is_none() {
            let mut c = Cursor::new(data.get(start + skip..).ok_or(Trouble::Short)?);
            self.name = Some(name(data, &mut c)?);
        }
        Ok(())
    }
}

/// A name, lower case, without the final dot.
fn name<'a>(data: &'a [u8], c: &mut Cursor<'a>) -> Result<String, Trouble> {
    let mut text = String::with_capacity(USUAL_NAME);
    labels(data, c, |label| push_label(&mut text, label))?;
    Ok(if text.is_empty() { ".".to_owned() } else { text })
}

/// Passes over a name.
fn pass<'a>(data: &'a [u8], c: &mut Cursor<'a>) -> Result<(), Trouble> {
    labels(data, c, |_| {})
}

/// The labels of a name. A pointer must go back before where the name, or the part that a pointer led to, began: so it ends.
fn labels<'a>(data: &'a [u8], c: &mut Cursor<'a>, mut each: impl FnMut(&[u8])) -> Result<(), Trouble> {
    let mut octets = 0;
    let mut began = data.len() - c.rest().len();
    let mut far: Option<Cursor<'a>> = None;
    loop {
        let at = far.as_mut().unwrap_or(&mut *c);
        let length = at.u8().ok_or(Trouble::Short)?;
        match length >> 6 {
            0 if length == 0 => return Ok(()),
            0 => {
                let label = at.take(usize::from(length)).ok_or(Trouble::Short)?;
                octets += label.len() + 1;
                if octets >= MOST_NAME {
                    return Err(Trouble::LongName);
                }
                each(label);
            }
            3 => {
                let to = usize::from(length & 0x3f) << 8 | usize::from(at.u8().ok_or(Trouble::Short)?);
                if to >= began {
                    return Err(Trouble::PointerLoop);
                }
                began = to;
                far = Some(Cursor::new(data.get(to..).ok_or(Trouble::Short)?));
            }
            _ => return Err(Trouble::Label),
        }
    }
}

/// Octets that cannot be printed, and a dot or backslash inside a label, are escaped as in zone files.
fn push_label(text: &mut String, label: &[u8]) {
    if !text.is_empty() {
        text.push('.');
    }
    for octet in label {
        match octet {
            b'.' | b'\\' => text.extend(['\\', char::from(*octet)]),
            o if o.is_ascii_graphic() => text.push(char::from(o.to_ascii_lowercase())),
            o => text.extend(['\\', digit(o / 100), digit(o / 10), digit(*o)]),
        }
    }
}

/// The last decimal digit of a number.
fn digit(number: u8) -> char {
    char::from(b'0' + number % 10)
}

/// Whether it could be a message: sure where it reads to its last octet and asks something that is asked in practice.
pub(super) fn probe(data: &[u8]) -> Verdict {
    let mut c = Cursor::new(data);
    let Some((flags, [questions, answers, authorities, additional])) = counts(&mut c) else { return Verdict::No };
    let (response, opcode, rcode) = (flags & 0x8000 != 0, flags >> 11 & 15, flags & 15);
    let plain = matches!(opcode, 0 | 2 | 4 | 5) && flags & 0x0040 == 0 && (response || rcode == 0) && rcode <= 10;
    let asks = questions <= 16 && (questions > 0 || response && answers > 0);
    if !plain || !asks || answers.max(authorities).max(additional) > 512 {
        return Verdict::No;
    }
    let mut usual = questions == 1;
    for _ in 0..questions {
        let (Ok(_), Some(kind), Some(class)) = (pass(data, &mut c), c.u16(), c.u16()) else { return Verdict::Maybe };
        usual &= class & 0x7fff == 1 && USUAL.contains(&kind);
    }
    for _ in 0..answers + authorities + additional {
        let whole = pass(data, &mut c).is_ok() && c.take(8).is_some() && c.counted16().is_some();
        if !whole {
            return Verdict::Maybe;
        }
    }
    if usual && c.is_empty() { Verdict::Certain } else { Verdict::Maybe }
}

/// Flags and the counts of the four sections.
fn counts(c: &mut Cursor<'_>) -> Option<(u16, [u16; 4])> {
    c.u16()?;
    Some((c.u16()?, [c.u16()?, c.u16()?, c.u16()?, c.u16()?]))
}
