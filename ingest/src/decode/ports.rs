//! Ports that the settings give to protocols: what has no port of its own and too little content to be sure of (call content of
//! PacketCable, X1 inside TLS) is only taken for what it is where the operator says so.
use lidr_schema::dynamic::{hint, nearest};

use super::ALL;

/// Protocols that no decoder has the name of, because another one reads them: X1 inside TLS is read as TLS.
const ROLES: &[&str] = &["x1"];
/// Ports that may be given.
const MOST: usize = 1024;

/// Which protocol the settings give a port, sorted by port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(Vec<(u16, &'static str)>);

impl Ports {
    /// Reads `NAME=PORT[,PORT…]`, one text per option.
    ///
    /// # Errors
    /// If a name is no protocol of lidr, a port no port, or one port is given to two protocols.
    pub fn read(options: &[String]) -> Result<Self, String> {
        let mut all: Vec<(u16, &'static str)> = Vec::new();
        for text in options {
            let (name, ports) =
                text.split_once('=').ok_or_else(|| format!("needed NAME=PORT[,PORT…], had `{text}`"))?;
            let known = || ALL.iter().map(|p| p.name).chain(ROLES.iter().copied());
            let name = known()
                .find(|k| *k == name)
                .ok_or_else(|| format!("no protocol `{name}`{}", hint(&nearest(name, known()))))?;
            for port in ports.split(',') {
                let port = port
                    .trim()
                    .parse()
                    .map_err(|_| format!("`{text}`: needed a port from 0 to 65535, had `{port}`"))?;
                all.push((port, name));
            }
        }
        all.sort_unstable();
        all.dedup();
        if let Some([(port, one), (_, other)]) = all.array_windows().find(|[a, b]| a.0 == b.0) {
            return Err(format!("port {port} was given to `{one}` and to `{other}`, needed one protocol a port"));
        }
        if all.len() > MOST {
            return Err(format!("needed at most {MOST} ports, had {}", all.len()));
        }
        Ok(Self(all))
    }

    /// The protocol of a port.
    #[must_use]
    pub fn of(&self, port: u16) -> Option<&'static str> {
        if self.0.is_empty() {
            return None;
        }
        let place = self.0.binary_search_by_key(&port, |(p, _)| *p).ok()?;
        self.0.get(place).map(|(_, name)| *name)
    }

    /// One text for equal settings: they change rows, so that they are part of a run's name.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(|(port, name)| format!("{name}={port};")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[&str]) -> Result<Ports, String> {
        Ports::read(&options.iter().map(|o| (*o).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn ports_have_the_protocol_that_was_given() {
        let ports = read(&["x1=8443,443", "ssh=2222"]).unwrap();
        assert_eq!(
            [ports.of(443), ports.of(8443), ports.of(2222), ports.of(22)],
            [Some("x1"), Some("x1"), Some("ssh"), None]
        );
        assert_eq!(ports.text(), "x1=443;ssh=2222;x1=8443;");
        assert_eq!(read(&["x1=443", "x1=443"]).unwrap().text(), "x1=443;", "said twice is said once");
    }

    #[test]
    fn what_cannot_be_is_said() {
        let error = |text: &str| read(&[text]).unwrap_err();
        assert_eq!(error("sssh=22"), "no protocol `sssh`, did you mean `ssh`?");
        assert_eq!(error("ssh"), "needed NAME=PORT[,PORT…], had `ssh`");
        assert_eq!(error("ssh=70000"), "`ssh=70000`: needed a port from 0 to 65535, had `70000`");
        assert_eq!(
            read(&["ssh=22", "x1=22"]).unwrap_err(),
            "port 22 was given to `ssh` and to `x1`, needed one protocol a port"
        );
    }
}
