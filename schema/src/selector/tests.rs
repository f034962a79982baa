//! Every spelling of one selector is one selector, and normalising twice changes nothing.
use proptest::prelude::*;

use super::*;

fn same(kind: Kind, spellings: &[&str], of: Kind, text: &str) {
    for spelling in spellings {
        let had = normal(kind, spelling);
        assert_eq!((had.kind, had.text.as_str(), had.form), (of, text, Form::Good), "{spelling}");
    }
}

#[test]
fn numbers() {
    let spellings = [
        "+494012345",
        "494012345",
        "00494012345",
        "+49 40 123-45",
        "+49 (0)40 / 12345",
        "0049.40.12345",
        "msisdn-494012345",
    ];
    same(Kind::E164, &spellings, Kind::E164, "494012345");
    same(
        Kind::Tel,
        &["tel:+49-40-12345", "TEL:+494012345;ext=7", "+494012345", "<tel:+494012345>"],
        Kind::E164,
        "494012345",
    );
    same(
        Kind::Sip,
        &["sip:+494012345@ims.example;user=phone", "SIPS:+49-40-12345@x;USER=Phone"],
        Kind::E164,
        "494012345",
    );
    for national in ["04012345", "0 40 / 123-45", "(040) 12345"] {
        let had = normal(Kind::E164, national);
        assert_eq!((had.text.as_str(), had.form), ("04012345", Form::National), "{national}");
    }
    assert_eq!(normal(Kind::E164, "110").form, Form::National);
    let local = normal(Kind::Tel, "tel:70-42;phone-context=Example.COM");
    assert_eq!((local.kind, local.text.as_str()), (Kind::Tel, "7042;phone-context=example.com"));
}

#[test]
fn identities_of_subscribers_and_devices() {
    same(Kind::Imsi, &["001010123456789", "00101 0123456789", "imsi-001010123456789"], Kind::Imsi, "001010123456789");
    let imeis = [
        "49015420323751",
        "490154203237518",
        "4901542032375108",
        "49-015420-323751-8",
        "imei-490154203237518",
        "imeisv-4901542032375108",
    ];
    same(Kind::Imei, &imeis, Kind::Imei, "49015420323751");
    same(Kind::Nai, &["Joe@Example.COM", "Joe@example.com."], Kind::Nai, "Joe@example.com");
    let uris = [
        "sip:Joe@Example.com",
        "SIP:Joe@example.com:5060",
        "sips:Joe@example.com;transport=tls",
        "Joe@EXAMPLE.com",
        "\"J\" <sip:J%6fe:pw@example.com>;tag=1",
        "sip:Joe@example.com?subject=x",
    ];
    same(Kind::Sip, &uris, Kind::Sip, "sip:Joe@example.com");
    same(Kind::Sip, &["sip:joe@[2001:DB8::1]:5060"], Kind::Sip, "sip:joe@[2001:db8::1]");
    assert_ne!(normal(Kind::Sip, "sip:joe@a:5070"), normal(Kind::Sip, "sip:joe@a"), "another port is another place");
}

#[test]
fn addresses_and_ranges() {
    same(Kind::Ip, &["192.0.2.7", "::ffff:192.0.2.7", "::FFFF:c000:207", "192.0.2.7/32"], Kind::Ip, "192.0.2.7");
    same(Kind::Prefix, &["192.0.2.7/32", "192.0.2.7"], Kind::Ip, "192.0.2.7");
    same(Kind::Prefix, &["192.0.2.7/24", "192.0.2.0/24", "::ffff:192.0.2.9/120"], Kind::Prefix, "192.0.2.0/24");
    same(
        Kind::Ip,
        &["2001:DB8:0:0:0:0:0:1", "2001:db8::1", "[2001:db8::1]", "2001:db8::1/128"],
        Kind::Ip,
        "2001:db8::1",
    );
    same(Kind::Prefix, &["2001:db8::1/64", "2001:0db8::/64"], Kind::Prefix, "2001:db8::/64");
}

#[test]
fn what_has_no_form_stays_itself_and_is_told() {
    for (kind, text) in [
        (Kind::Imsi, "0010"),
        (Kind::Imsi, "00101012345678X"),
        (Kind::Imei, "4901"),
        (Kind::E164, "nobody"),
        (Kind::E164, "+0123456"),
        (Kind::Ip, "192.0.2"),
        (Kind::Prefix, "192.0.2.0/40"),
        (Kind::Nai, ""),
        (Kind::Sip, ""),
        (Kind::Tel, "tel:"),
    ] {
        assert_eq!(normal(kind, text).form, Form::Odd, "{kind:?} {text}");
    }
    assert_ne!(normal(Kind::Imsi, "nobody"), normal(Kind::Imsi, "somebody"), "two broken selectors are two");
    let shown = format!("{:?}", normal(Kind::Imsi, "001010123456789"));
    assert!(!shown.contains("00101"), "{shown}");
}

fn kinds() -> impl Strategy<Value = Kind> {
    proptest::sample::select(vec![
        Kind::E164,
        Kind::Imsi,
        Kind::Imei,
        Kind::Nai,
        Kind::Sip,
        Kind::Tel,
        Kind::Ip,
        Kind::Prefix,
        Kind::Xid,
        Kind::Liid,
        Kind::Cccid,
        Kind::Order,
        Kind::Circuit,
        Kind::Other,
    ])
}

/// Digits with something between them, as people write them.
fn spaced(digits: &str, seed: u64) -> String {
    let marks = ["", " ", "-", ".", "/", ""];
    let at = |i: usize| {
        marks.get((seed.rotate_left(u32::try_from(i * 7 % 64).unwrap()) % 6) as usize).copied().unwrap_or_default()
    };
    digits.chars().enumerate().map(|(i, c)| format!("{c}{}", at(i))).collect()
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(kind in kinds(), text in "[ +0-9a-zA-Z@:;.<>%/=()\\[\\]-]{0,40}") {
        let once = normal(kind, &text);
        let twice = normal(once.kind, &once.text);
        prop_assert_eq!((once.kind, &once.text), (twice.kind, &twice.text), "{}", text);
    }

    #[test]
    fn any_text_is_taken(kind in kinds(), text in "\\PC{0,60}") {
        let once = normal(kind, &text);
        let twice = normal(once.kind, &once.text);
        prop_assert_eq!(once.text, twice.text);
    }

    #[test]
    fn every_spelling_of_a_number_is_one(number in "[1-9][0-9]{6,14}", seed in any::<u64>()) {
        let spelt = spaced(&number, seed);
        for (kind, text) in [
            (Kind::E164, format!("+{spelt}")), (Kind::E164, format!("00{spelt}")), (Kind::E164, spelt.clone()),
            (Kind::Tel, format!("tel:+{spelt};isub=1")), (Kind::Sip, format!("sip:+{number}@h;user=phone")),
        ] {
            let had = normal(kind, &text);
            prop_assert_eq!((had.kind, had.text.as_str()), (Kind::E164, number.as_str()), "{}", text);
        }
    }

    #[test]
    fn every_spelling_of_a_device_is_one(number in "[0-9]{14}", check in "[0-9]{0,2}", seed in any::<u64>()) {
        prop_assert_eq!(normal(Kind::Imei, &spaced(&format!("{number}{check}"), seed)).text, number);
    }

    #[test]
    fn every_address_of_a_range_names_it(address in any::<u32>(), length in 0_u8..=32) {
        let ip = std::net::Ipv4Addr::from(address);
        let mask = u32::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0);
        let first = std::net::Ipv4Addr::from(address & mask);
        let mapped = format!("::ffff:{ip}/{}", length + 96);
        let plain = normal(Kind::Prefix, &format!("{ip}/{length}"));
        prop_assert_eq!(&plain, &normal(Kind::Prefix, &format!("{first}/{length}")));
        prop_assert_eq!(&plain, &normal(Kind::Ip, &mapped));
        prop_assert_eq!(plain.form, Form::Good);
    }
}
