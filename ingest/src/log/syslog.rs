//! One line of syslog, as it stands in a file.
//!
//! RFC 5424 (`<PRI>1 TIME HOST APP PROCID MSGID [data] text`) and RFC 3164 (`<PRI>Mmm dd hh:mm:ss HOST TAG[pid]: text`), both
//! with or without the priority, which most collectors leave out. Collectors also write RFC 5424's time into RFC 3164's place,
//! and Cisco's devices a year before or behind the day; all of these are read. `content` is all that follows the host and
//! `message` what follows the tag: routers put a sequence number where others put their name.

/// The fields of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Syslog<'a> {
    pri: Option<u16>,
    timestamp: &'a str,
    host: &'a str,
    app: &'a str,
    pid: &'a str,
    msgid: &'a str,
    content: &'a str,
    message: &'a str,
    /// `id.name` and value of structured data.
    data: Vec<(String, String)>,
}

/// The address that a listener heard a message from; a line of a file has none.
pub(super) const SENDER: &str = "sender";
/// When a listener heard it, RFC 3339.
pub(super) const RECEIVED: &str = "received";

/// Fields that every line may have (`level` is what the RFCs rank a message by, 0 to 7); those of structured data are `sd.ID.NAME`.
pub(super) const FIELDS: [&str; 12] =
    ["pri", "facility", "level", "timestamp", "host", "app", "pid", "msgid", "content", "message", SENDER, RECEIVED];

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Syslog<'_> {
    /// A field by its name.
    pub(super) fn get(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        let number = |of: fn(u16) -> u16| self.pri.map(|p| of(p).to_string().into());
        let text = match name {
            "pri" => return number(|p| p),
            "facility" => return number(|p| p / 8),
            "level" => return number(|p| p % 8),
            "timestamp" => self.timestamp,
            "host" => self.host,
            "app" => self.app,
            "pid" => self.pid,
            "msgid" => self.msgid,
            "content" => self.content,
            "message" => self.message,
            _ => {
                let wanted = name.strip_prefix("sd.")?;
                let (_, value) = self.data.iter().find(|(n, _)| n == wanted)?;
                return Some(value.into());
            }
        };
        Some(text.into())
    }
}

/// Reads a line; nothing where it has no header that says when and from whom.
pub(super) fn parse(line: &str) -> Option<Syslog<'_>> {
    let (pri, rest) = priority(line);
    match rest.strip_prefix("1 ") {
        Some(rest) => rfc5424(pri, rest),
        None => rfc3164(pri, rest),
    }
}

pub(super) fn priority(line: &str) -> (Option<u16>, &str) {
    let inside = line.strip_prefix('<').and_then(|l| l.split_once('>'));
    match inside.and_then(|(n, rest)| Some((n.parse::<u16>().ok().filter(|p| *p < 192)?, rest))) {
        Some((pri, rest)) => (Some(pri), rest),
        None => (None, line),
    }
}

fn rfc5424(pri: Option<u16>, rest: &str) -> Option<Syslog<'_>> {
    let mut rest = rest;
    let mut word = || {
        let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = tail;
        if word == "-" { "" } else { word }
    };
    let (timestamp, host, app, pid, msgid) = (word(), word(), word(), word(), word());
    if !timestamp.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (data, message) = structured(rest)?;
    let message = message.trim_start_matches('\u{feff}');
    Some(Syslog { pri, timestamp, host, app, pid, msgid, content: message, message, data })
}

type Data = Vec<(String, String)>;

/// Structured data and what follows it.
fn structured(text: &str) -> Option<(Data, &str)> {
    let mut data = Vec::new();
    if let Some(rest) = text.strip_prefix('-') {
        return Some((data, rest.strip_prefix(' ').unwrap_or(rest)));
    }
    let mut rest = text;
    while let Some(inside) = rest.strip_prefix('[') {
        let (id, mut tail) = inside.split_at(inside.find([' ', ']'])?);
        while let Some(parameter) = tail.strip_prefix(' ') {
            let (name, after) = parameter.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            data.push((format!("{id}.{name}"), value));
            tail = after;
        }
        rest = tail.strip_prefix(']')?;
    }
    Some((data, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// A value up to its closing quote, and what follows that.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                c @ ('"' | '\\' | ']') => value.push(c),
                c => value.extend(['\\', c]),
            },
            c => value.push(c),
        }
    }
    None
}

fn rfc3164(pri: Option<u16>, text: &str) -> Option<Syslog<'_>> {
    let (timestamp, rest) = timestamp(text)?;
    let rest = rest.trim_start();
    let first = rest.split(' ').next().unwrap_or_default();
    // Without a host the tag follows at once.
    let (host, content) = match first.ends_with(':') {
        true => ("", rest),
        false => rest.split_once(' ').unwrap_or((rest, "")),
    };
    let content = content.trim_start();
    let (app, pid, message) = tag(content);
    Some(Syslog { pri, timestamp, host, app, pid, content, message, ..Syslog::default() })
}

/// `Mmm dd hh:mm:ss`, the same with a year before or behind the day, or RFC 3339; and what follows.
fn timestamp(text: &str) -> Option<(&str, &str)> {
    let mut ends = Vec::with_capacity(4);
    let mut at = 0;
    for word in text.split_inclusive(' ') {
        if !word.trim().is_empty() {
            ends.push((at, at + word.trim_end().len()));
        }
        at += word.len();
        if ends.len() == 4 {
            break;
        }
    }
    let word = |i: usize| ends.get(i).and_then(|(from, to)| text.get(*from..*to)).unwrap_or_default();
    let clock = |i: usize| word(i).len() >= 8 && word(i).as_bytes().get(2) == Some(&b':');
    let month = |i: usize| MONTHS.contains(&word(i));
    let last = match () {
        () if month(0) && clock(2) => 2,
        () if (month(0) || month(1)) && clock(3) => 3,
        () if word(0).len() >= 19 && word(0).as_bytes().get(10) == Some(&b'T') => 0,
        () => return None,
    };
    let end = ends.get(last)?.1;
    // A colon behind the time is Cisco's: its own time, not a collector's.
    Some((text.get(..end)?.trim_end_matches(':'), text.get(end..)?))
}

/// `app[pid]: text` or `app: text`.
fn tag(content: &str) -> (&str, &str, &str) {
    let end = content.find(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c))).unwrap_or(content.len());
    let (app, rest) = content.split_at(end.min(48));
    let (pid, rest) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((pid, rest)) => (pid, rest),
        None => ("", rest),
    };
    match rest.strip_prefix(':') {
        Some(message) if !app.is_empty() => (app, pid, message.trim_start()),
        _ => ("", "", content),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get(line: &str, names: &[&str]) -> Vec<String> {
        let read = parse(line).unwrap_or_else(|| panic!("{line}"));
        names.iter().map(|n| read.get(n).unwrap_or_default().into_owned()).collect()
    }

    #[test]
    fn rfc5424_with_and_without_structured_data() {
        let line = r#"<165>1 2026-11-20T02:13:05.003Z mdf1 admf 8710 ID47 [lims@32473 user="a\"b" rows="4"][x y="\n"] text here"#;
        let names = [
            "facility",
            "level",
            "timestamp",
            "host",
            "app",
            "pid",
            "msgid",
            "sd.lims@32473.user",
            "sd.x.y",
            "message",
        ];
        assert_eq!(
            get(line, &names),
            ["20", "5", "2026-11-20T02:13:05.003Z", "mdf1", "admf", "8710", "ID47", "a\"b", "\\n", "text here"]
        );
        assert_eq!(
            get("<34>1 2026-11-20T02:13:05Z h - - - - \u{feff}su failed", &["host", "app", "message"]),
            ["h", "", "su failed"]
        );
        assert_eq!(get("1 2026-11-20T02:13:05Z h a - - -", &["app", "message"]), ["a", ""]);
    }

    #[test]
    fn rfc3164_as_collectors_write_it() {
        let names = ["timestamp", "host", "app", "pid", "message"];
        assert_eq!(
            get("<13>Nov 20 02:13:05 aaa1 sshd[77]: Accepted", &names),
            ["Nov 20 02:13:05", "aaa1", "sshd", "77", "Accepted"]
        );
        assert_eq!(
            get("Nov  2 02:13:05 aaa1 Accepted: yes", &names),
            ["Nov  2 02:13:05", "aaa1", "Accepted", "", "yes"]
        );
        assert_eq!(
            get("2026-11-20T02:13:05.1+01:00 aaa1 su: no", &names),
            ["2026-11-20T02:13:05.1+01:00", "aaa1", "su", "", "no"]
        );
        let cisco = "<189>Nov 20 02:13:05 pe1 4711: *Nov 20 2026 02:13:04.9 UTC: %SYS-5-CONFIG_I: Configured";
        assert_eq!(
            get(cisco, &["host", "content"])[1],
            "4711: *Nov 20 2026 02:13:04.9 UTC: %SYS-5-CONFIG_I: Configured"
        );
        assert_eq!(get("2026 Nov 20 02:13:05 nx1 %X: y", &["timestamp", "host"]), ["2026 Nov 20 02:13:05", "nx1"]);
        assert_eq!(get("Nov 20 2026 02:13:05: %X-1-Y: z", &["timestamp", "host"]), ["Nov 20 2026 02:13:05", ""]);
    }

    #[test]
    fn what_has_no_header_is_no_syslog() {
        for line in [
            "",
            "hello",
            "<1>",
            "<999>Nov",
            "Nov 20",
            "<34>1 - h a p m -",
            "<34>1 2026-01-01T00:00:00Z h a p m [x",
            "{}",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_text_and_every_cut_of_it_is_survived(text in "(<1>)?(1 )?[ -~é]{0,80}") {
            for at in 0..=text.len() {
                let _ = text.get(..at).map(parse);
            }
        }
    }
}
