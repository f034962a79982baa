//! What was written is found to be whole, and nothing else is: octets, parts, order, links, signatures.
use proptest::prelude::*;

use super::*;
use crate::archive;

fn signer(seed: u8) -> Signer {
    // A key of nobody: the PKCS#8 wrapping of Ed25519 (RFC 8410 §7) around 32 equal octets.
    let der = [hex::decode("302e020100300506032b657004220420").unwrap(), vec![seed; 32]].concat();
    let base64 = {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut out = String::new();
        for three in der.chunks(3) {
            let n = three.iter().fold(0u32, |n, o| n << 8 | u32::from(*o));
            assert_eq!(three.len(), 3, "48 octets");
            (0..4).for_each(|i| out.push(char::from(LETTERS[(n >> (18 - 6 * i) & 63) as usize])));
        }
        out
    };
    Signer::from_pem(&format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----\n")).unwrap()
}

fn facts(finding: &str) -> Facts {
    Facts {
        finding: finding.to_owned(),
        rule: "LI-01".to_owned(),
        created: 1_790_000_000_123,
        key_id: "abcd".into(),
        ..Facts::default()
    }
}

fn bundle(finding: &str, previous: Option<String>) -> Bundle {
    let mut contents = Contents::default();
    contents.add("rows.ndjson", b"{\"a\":1}\n".to_vec()).unwrap();
    contents.add("site/zones.ndjson", b"{}\n".to_vec()).unwrap();
    contents.add("finding.ndjson", finding.as_bytes().to_vec()).unwrap();
    Bundle::make(facts(finding), contents, previous, &signer(7)).unwrap()
}

fn problems(files: &[Vec<u8>]) -> Vec<Vec<String>> {
    let named: Vec<_> = files.iter().enumerate().map(|(i, f)| (format!("b{i}"), f.clone())).collect();
    verify(&named, &[signer(7).public()]).into_iter().map(|c| c.problems).collect()
}

fn said(file: Vec<u8>) -> String {
    problems(&[file]).concat().join("\n")
}

#[test]
fn a_bundle_is_whole_and_the_same_each_time() {
    let (one, two) = (bundle("f", None).pack().unwrap(), bundle("f", None).pack().unwrap());
    assert_eq!(one, two, "nothing but the evidence decides its octets");
    assert_eq!(said(one.clone()), "");
    let read = Bundle::read(&one).unwrap();
    assert_eq!(read.part("rows.ndjson"), Some(b"{\"a\":1}\n".as_slice()));
    let paths: Vec<_> = read.manifest.entries.iter().map(|e| e.path.as_str()).collect();
    assert_eq!(paths, ["finding.ndjson", "rows.ndjson", "site/zones.ndjson"]);
}

/// Whether a difference is seen before any signature is looked at, which takes long two thousand times.
fn is_seen(file: &[u8]) -> bool {
    Bundle::read(file).map_or(true, |bundle| !bundle.differences().is_empty())
}

#[test]
fn every_changed_octet_is_found() {
    let whole = bundle("f", None).pack().unwrap();
    assert!(!is_seen(&whole));
    for at in 0..whole.len() {
        for flip in [1 << (at % 8), 0xff] {
            let mut changed = whole.clone();
            changed[at] ^= flip;
            assert!(is_seen(&changed), "octet {at} of {}, {flip:02x}", whole.len());
        }
    }
}

#[test]
fn every_truncation_and_every_addition_is_found() {
    let whole = bundle("f", None).pack().unwrap();
    (0..whole.len()).for_each(|length| assert!(is_seen(&whole[..length]), "{length} octets"));
    assert!(said([whole, vec![0]].concat()).contains("hash at the end"));
}

#[test]
fn parts_that_changed_went_came_or_moved_are_named() {
    let with = |change: &dyn Fn(&mut archive::Parts)| {
        let mut bundle = bundle("f", None);
        change(bundle.parts_mut());
        said(bundle.pack().unwrap())
    };
    assert_eq!(with(&|_| ()), "");
    assert_eq!(with(&|p| p[1].1[2] = b'b'), "rows.ndjson: was changed, its SHA-256 is not the one in the manifest");
    assert_eq!(with(&|p| drop(p.remove(1))), "rows.ndjson: was removed, the manifest lists it");
    assert_eq!(with(&|p| p.push(("x".into(), vec![]))), "x: was added, the manifest does not list it");
    assert_eq!(with(&|p| p.swap(0, 2)), "the parts are not in the order of the manifest");
    assert!(with(&|p| p.push(p[0].clone())).contains("finding.ndjson: stands in it twice"));
    assert!(with(&|p| p[0].0 = ".up".into()).contains("no name for a part"));
}

#[test]
fn an_archive_packed_anew_is_found_by_its_headers() {
    let parts = archive::unpack(&bundle("f", None).pack().unwrap()).unwrap().parts;
    let mut tar = archive::tar(&parts).unwrap();
    // The owner's name of the first header, and its checksum: tar itself would not mind.
    tar[265] = b'x';
    let sum: u32 =
        tar[..512].iter().enumerate().map(|(i, o)| if (148..156).contains(&i) { 32 } else { u32::from(*o) }).sum();
    tar[148..155].copy_from_slice(format!("{sum:07o}").as_bytes());
    let mut file = zstd::encode_all(tar.as_slice(), 1).unwrap();
    let hash = hex::decode(&sha256(&file)).unwrap();
    file.extend([0x5d, 0x2a, 0x4d, 0x18, 32, 0, 0, 0]);
    file.extend(hash);
    assert!(said(file).contains("an owner, time, mode or padding"));
}

#[test]
fn chains_hold_and_breaks_are_found() {
    let first = bundle("1", None);
    let second = bundle("2", Some(first.manifest.hash().unwrap()));
    let third = bundle("3", Some(second.manifest.hash().unwrap()));
    let [a, b, c] = [&first, &second, &third].map(|bundle| bundle.pack().unwrap());
    let told = |files: &[&Vec<u8>]| problems(&files.iter().map(|f| (*f).clone()).collect::<Vec<_>>());
    assert!(told(&[&a, &b, &c]).concat().is_empty());
    assert!(told(&[&b, &c]).concat().is_empty(), "a chain may be given from its middle on");
    assert!(told(&[&a, &c])[1][0].contains("one is missing or out of order"));
    assert!(!told(&[&b, &a]).concat().is_empty() && !told(&[&a, &c, &b])[2].is_empty());
    assert!(told(&[&a, &bundle("2", None).pack().unwrap()])[1][0].contains("it names no bundle before it"));
    assert!(told(&[&vec![1, 2, 3], &b])[1][0].contains("cannot be read"));
}

#[test]
fn a_signature_is_of_that_manifest_and_of_a_key_that_may() {
    let made = |seed: u8| Bundle::make(facts("f"), Contents::default(), None, &signer(seed)).unwrap().pack().unwrap();
    let with = |keys: &[PublicKey], file: Vec<u8>| verify(&[("b".into(), file)], keys)[0].problems.join("\n");
    assert_eq!(with(&[], made(8)), "", "its own word");
    assert!(with(&[signer(7).public()], made(8)).contains("none of those given"));
    assert_eq!(with(&[signer(7).public(), signer(8).public()], made(8)), "");
    let mut parts = archive::unpack(&made(8)).unwrap().parts;
    parts[0].1 = archive::unpack(&made(9)).unwrap().parts[0].1.clone();
    assert!(with(&[], archive::pack(&parts).unwrap()).contains("not the signature of manifest.json"));
    let two = [("a".to_owned(), made(7)), ("b".to_owned(), made(8))];
    assert!(verify(&two, &[])[1].problems.join("\n").contains("another key than a"));
}

#[test]
fn a_manifest_is_read_in_one_spelling_only() {
    let text = bundle("f", None).manifest.text().unwrap();
    assert!(Manifest::read(text.as_bytes()).is_ok());
    for other in [
        text.replace("\": ", "\":"),
        text.replace("lidr-evidence", "other"),
        text.replace("\"previous\"", "\"before\""),
    ] {
        assert!(Manifest::read(other.as_bytes()).is_err(), "{other}");
    }
}

#[test]
fn keys_are_made_kept_and_told_apart() {
    let (made, pem) = Signer::generate().unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{}", pem.len());
    let again = Signer::from_pem(&pem).unwrap();
    assert_eq!(again.public(), made.public());
    assert_eq!(PublicKey::from_pem(&made.public().pem().unwrap()).unwrap(), made.public());
    assert_ne!(Signer::generate().unwrap().0.public(), made.public());
    assert!(Signer::from_pem("x").unwrap_err().to_string().contains("openssl genpkey"));
    assert!(!format!("{made:?}").contains(&pem[28..60]));
}

#[test]
fn names_that_lead_out_are_refused() {
    let mut contents = Contents::default();
    for name in ["", "/etc/x", "a/../b", "..", ".x", "a//b", "A", "a b", "manifest.json", &"a".repeat(101)] {
        assert!(contents.add(name, vec![]).is_err(), "{name}");
    }
    contents.add("a/b.c", vec![]).unwrap();
    assert!(contents.add("a/b.c", vec![]).unwrap_err().to_string().contains("twice"));
}

/// What stands behind the archive is no part of it, even where the hash at the end was made anew.
#[test]
fn what_was_put_behind_the_archive_is_found() {
    let file = archive::pack(&[("a.txt".to_owned(), b"a".to_vec())]).unwrap();
    let (body, _) = file.split_at(file.len() - archive::TRAILER_WHOLE);
    let more: [Vec<u8>; 2] = [zstd::encode_all(&b"more"[..], 0).unwrap(), b"text".to_vec()];
    for more in more {
        let body = [body, &more].concat();
        let hash = <sha2::Sha256 as sha2::Digest>::digest(&body);
        let file = [&body[..], &archive::TRAILER, &hash].concat();
        match archive::unpack(&file) {
            Ok(unpacked) => {
                assert!(unpacked.oddities.iter().any(|o| o.contains("behind the archive")), "{:?}", unpacked.oddities)
            }
            Err(error) => assert!(error.to_string().contains("zstd"), "{error}"),
        }
    }
}

proptest! {
    #[test]
    fn no_octets_do_harm(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Bundle::read(&octets).is_err());
    }
}
