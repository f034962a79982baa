//! What must not stand in a row as it stood in a command or message: secrets, and identifiers of subscribers and intercepts.
//!
//! Commands and messages are free text and kept, because they say what was done. Whatever follows a word that announces a
//! secret (`password 7 0822455D0A16`, `snmp-server community …`, `key …`) is left out, and so is everything that has the shape of
//! an identifier that only a pseudonym may stand for: runs of ten digits and more (IMSI, IMEI, E.164), UUIDs (XID), SIP and
//! telephone URIs, network access identifiers behind a scheme. Shapes are all there is to go by: a LIID in a message that calls
//! it nothing is not known here. Mappings therefore put identifiers into columns of their own.
use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// What stands where something was left out.
const GONE: &str = "***";

/// Words behind `key` that are no key.
const VERBS: [&str; 5] = ["generate", "zeroize", "chain", "import", "export"];

static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)
        (?P<said> (?-u:\b) (?: password | passwd | secret | community | key(?:-string)? | psk | pre-shared-key | auth(?:-key)? | priv | md5 | sha
            | token | enable-secret ) (?: [\x20\t]+ (?: [0-9] | md5 | sha | des | 3des | aes [\x20\t]+ (?: 128 | 192 | 256 ) | aes | local | address[\x20\t]+[^\x20\t]+ | encrypted | ascii | hex )(?-u:\b) )* [\x20\t=:]+ ) (?P<gone> [^\x20\t,;\)\]]+ )
        | (?: sips? | tel | imsi | msisdn | imei | nai | liid | xid ) [:=] \x20? [^\x20\t,;\)\]]+
        | (?-u:\b) [0-9a-f]{8} - [0-9a-f]{4} - [0-9a-f]{4} - [0-9a-f]{4} - [0-9a-f]{12} (?-u:\b)
        | \+? [0-9]{10,}",
    )
    .ok()
});

/// The text without them.
pub(super) fn mask(text: &str) -> Cow<'_, str> {
    // Without the expression nothing can be told apart, so nothing is shown.
    let Some(shapes) = SHAPES.as_ref() else { return GONE.into() };
    let group =
        |found: &regex::Captures<'_>, name: &str| found.name(name).map_or(String::new(), |m| m.as_str().to_owned());
    shapes.replace_all(text, |found: &regex::Captures<'_>| {
        let (said, gone) = (group(found, "said"), group(found, "gone"));
        let shown = if VERBS.contains(&gone.as_str()) { &gone } else { GONE };
        format!("{said}{shown}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_identifiers_go_and_commands_stay() {
        let cases = [
            ("username x privilege 15 secret 5 $1$abc$def", "username x privilege 15 secret 5 ***"),
            ("snmp-server community s3cret RW", "snmp-server community *** RW"),
            ("tacacs-server key 7 0822455D0A16", "tacacs-server key 7 ***"),
            ("crypto isakmp key hush address 10.0.0.1", "crypto isakmp key *** address 10.0.0.1"),
            ("show tap imsi=001010123456789 on 10.0.0.1", "show tap *** on 10.0.0.1"),
            ("call from +4940123456 to sip:bob@ims.example", "call from *** to ***"),
            ("task 29f28e1c-f230-486a-a860-f5a784ab9172 off", "task *** off"),
            (
                "snmp-server user u g v3 auth sha pass1 priv aes 128 pass2",
                "snmp-server user u g v3 auth sha *** priv aes 128 ***",
            ),
            ("crypto key zeroize rsa", "crypto key zeroize rsa"),
            ("interface GigabitEthernet0/1", "interface GigabitEthernet0/1"),
            ("router bgp 4200000000", "router bgp ***"),
            ("ip address 10.1.2.3 255.255.255.0", "ip address 10.1.2.3 255.255.255.0"),
        ];
        for (text, masked) in cases {
            assert_eq!(mask(text), masked);
        }
    }
}
