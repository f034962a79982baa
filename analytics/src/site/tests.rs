//! Site folders, good and bad.
use super::*;

fn key() -> Key {
    Key::from_hex(&"00".repeat(32)).unwrap()
}

fn load(files: &[(&str, &str)]) -> Result<Site, SiteError> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    Site::load(Some(dir.path()), &key())
}

#[test]
fn tables_lists_and_names() {
    let site = load(&[
        ("zones.csv", "cidr,zone,rank\n10.0.0.0/8,core,3\n10.66.0.0/16,li-admin,9\n"),
        ("devices.csv", "name,role,addresses\npe1,router,10.0.0.1;10.255.0.1\n"),
        ("policy.csv", "src_zone,dst_zone,protocol,ports\nmgmt,li-admin,tcp,443;8000-8100\nmgmt,li-admin,any,\n"),
    ])
    .unwrap();
    assert_eq!(site.zones().of("10.66.1.1".parse().unwrap()).map(|z| z.rank), Some(Some(9)));
    assert_eq!(site.name_of("10.255.0.1".parse().unwrap()), Some("pe1"));
    assert_eq!(site.table("policy").map(RecordBatch::num_rows), Some(3), "a row a range of ports");
    assert!(site.has("zones") && site.has("devices_addresses") && !site.has("warrants"));
}

#[test]
fn identifiers_are_hashed_and_nothing_else_is_kept() {
    let site = load(&[(
        "warrants.csv",
        "order,kind,selector,xid,state\nO-77,imsi,001010123456789,29f28e1c-f230-486a-a860-f5a784ab9172,approved\n",
    )])
    .unwrap();
    let table = site.table("warrants").unwrap();
    let sixteen = |name: &str| table.column_by_name(name).unwrap().as_fixed_size_binary().value(0).to_vec();
    assert_eq!(sixteen("target"), key().pseudonym(lidr_schema::Kind::Imsi, "001010123456789").octets());
    assert_eq!(sixteen("order_id"), key().pseudonym(lidr_schema::Kind::Order, "O-77").octets());
    assert!(!format!("{site:?}").contains("001010123456789"));
}

#[test]
fn selectors_meet_what_is_on_the_wire_in_any_spelling_and_doubtful_ones_are_told_without_being_shown() {
    let lines = "kind,selector\ne164,+49 (0)40 1234-5\ntel,tel:+494012345\nimei,49-015420-323751-8\nprefix,192.0.2.9/24\nsip,Joe@IMS.example\n\
                 e164,04012345\nimsi,0010X\n";
    let site = load(&[("warrants.csv", lines)]).unwrap();
    let target = |row: usize| {
        site.table("warrants").unwrap().column_by_name("target").unwrap().as_fixed_size_binary().value(row).to_vec()
    };
    let wire = |kind, text: &str| key().pseudonym(kind, text).octets().to_vec();
    assert_eq!(
        [target(0), target(1)],
        [wire(lidr_schema::Kind::E164, "494012345"), wire(lidr_schema::Kind::E164, "494012345")]
    );
    assert_eq!(target(2), wire(lidr_schema::Kind::Imei, "4901542032375101"));
    assert_eq!(target(3), wire(lidr_schema::Kind::Prefix, "192.0.2.0/24"));
    assert_eq!(target(4), wire(lidr_schema::Kind::Sip, "sip:Joe@ims.example;transport=tcp"));
    assert_eq!(site.doubts.len(), 2, "{:?}", site.doubts);
    assert!(
        site.doubts[0].contains("warrants.csv:7: column `selector`: a number without its country code"),
        "{:?}",
        site.doubts
    );
    assert!(site.doubts[1].contains(":8") && site.doubts[1].contains("needed 14 or 15 digits"), "{:?}", site.doubts);
    assert!(!format!("{:?}", site.doubts).contains("0010X") && !format!("{:?}", site.doubts).contains("04012345"));
    let refused = load(&[("warrants.csv", "kind,selector\nphone,+494012345\n")]).unwrap_err().to_string();
    assert!(
        refused.contains("warrants.csv:2") && refused.contains("a column `kind` of e164") && !refused.contains("4940"),
        "{refused}"
    );
}

#[test]
fn a_line_has_the_hash_that_the_next_one_must_repeat() {
    let site = load(&[("warrants.csv", "order,kind,selector,seq,prev_hash\nO-1,imsi,001010123456789,1,\n")]).unwrap();
    let hash =
        site.table("warrants").unwrap().column_by_name("line_hash").unwrap().as_string::<i32>().value(0).to_owned();
    // printf %s 'O-1,imsi,001010123456789,1,' | sha256sum
    assert_eq!(hash, "ff4ade516398e3743e054703011db76b5a8b2b1f7b9904485be7cf0c02438429");
}

#[test]
fn the_time_zone_comes_from_site_toml() {
    let zone = |text: &str| load(&[("site.toml", text)]).map(|s| s.zones().time_zone().iana_name().map(str::to_owned));
    assert_eq!(zone("time_zone = \"Europe/Berlin\"\n").unwrap().as_deref(), Some("Europe/Berlin"));
    assert_eq!(zone("carrier = \"x\"\n").unwrap().as_deref(), Some("UTC"));
    let text = zone("time_zone = \"Berlin\"\n").unwrap_err().to_string();
    assert!(text.contains("site.toml") && text.contains("Europe/Berlin"), "{text}");
}

#[test]
fn what_does_not_fit_is_named_with_file_line_and_neighbour() {
    let said = |files: &[(&str, &str)]| load(files).unwrap_err().to_string();
    let text = said(&[("zones.csv", "cidr,zoen\n10.0.0.0/8,core\n")]);
    assert!(text.contains("zones.csv:1") && text.contains("`zoen`, did you mean `zone`?"), "{text}");
    let text = said(&[("zones.csv", "cidr,zone\n10.0.0.0/8,core\nten,core\n")]);
    assert!(text.contains("zones.csv:3") && text.contains("had `ten`"), "{text}");
    let text = said(&[("zone.csv", "cidr,zone\n")]);
    assert!(text.contains("no such table `zone`, did you mean `zones`?"), "{text}");
    let text = said(&[("warrants.csv", "order,start\nO,yesterday\n")]);
    assert!(text.contains("warrants.csv:2") && text.contains("RFC 3339"), "{text}");
    let text = said(&[("zones.csv", "cidr,zone\n10.0.0.0/8\n")]);
    assert!(text.contains("zones.csv"), "{text}");
}

#[test]
fn no_table_is_passed_over_for_its_ending() {
    let said = |files: &[(&str, &str)]| load(files).err().map(|e| e.to_string()).unwrap_or_default();
    let text = said(&[("warrants.CSV", "order\nO\n")]);
    assert!(text.contains("warrants.CSV: needed warrants.csv or warrants.parquet"), "{text}");
    let text = said(&[("Zones.txt", "")]);
    assert!(text.contains("needed zones.csv or zones.parquet"), "{text}");
    let text = said(&[("zones.csv", "cidr\n"), ("zones.parquet", "x")]);
    assert!(text.contains("zones.parquet"), "{text}");
    assert_eq!(said(&[("site.toml", ""), ("notes.md", ""), ("zones.csv", "cidr,zone\n"), ("zones.csv.bak", "x")]), "");
}

#[test]
fn parquet_and_csv_give_the_same_tables() {
    let csv = load(&[("history.csv", "src,dst,port,protocol\n10.0.0.1,10.0.0.2,22,tcp\n")]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let text = |v: &str| Arc::new(arrow::array::StringArray::from(vec![v])) as arrow::array::ArrayRef;
    let columns =
        [("src", text("10.0.0.1")), ("dst", text("10.0.0.2")), ("port", text("22")), ("protocol", text("tcp"))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs::File::create(dir.path().join("history.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let parquet = Site::load(Some(dir.path()), &key()).unwrap();
    assert_eq!(parquet.table("history"), csv.table("history"));
}

const REGISTER: &str = "order,kind,selector,xid,liid,state,seq,prev_hash\n\
    O-7755,imsi,001010123456789,29f28e1c-f230-486a-a860-f5a784ab9172,LIID-4711,approved,1,\n\
    O-7756,e164,+49 4012345,,,approved,2,00ff\n";

#[test]
fn lines_that_leave_the_enclave_name_nobody() {
    let tickets = "id,user,objects,note\nT-1,bob,pe1;29f28e1c-f230-486a-a860-f5a784ab9172,\"for O-7755 (494012345), see LIID-4711\"\nT-2,eve,aaaaaaaa-0000-4000-8000-000000000001,routine work\n";
    let site = load(&[("warrants.csv", REGISTER), ("tickets.csv", tickets)]).unwrap();
    let of = |table: &str| site.lines(&[table.to_owned()], &BTreeSet::new()).unwrap().remove(0).1;
    let all = serde_json::to_string(&[of("tickets"), of("tickets_objects"), of("warrants")]).unwrap();
    for raw in ["O-7755", "494012345", "4012345", "LIID-4711", "29f28e1c", "aaaaaaaa-0000", "001010123456789", "00ff"] {
        assert!(!all.contains(raw), "{raw} in {all}");
    }
    let order = key().pseudonym(lidr_schema::Kind::Order, "O-7755").token();
    let number = key().pseudonym(lidr_schema::Kind::E164, "494012345").token();
    assert!(of("tickets")[0]["note"].as_str().unwrap().starts_with(&format!("for {order} ({number}), see ")), "{all}");
    assert_eq!(
        (&of("tickets")[1]["note"], &of("tickets_objects")[0]["value"]),
        (&"routine work".into(), &"pe1".into())
    );
    assert_eq!(of("warrants")[0]["order_id"], Value::String(order));
    assert_eq!(site.present().iter().filter(|name| name.starts_with("tickets")).count(), 2);
}

/// People write identifiers in sentences: with a full stop behind them, a word before them, digits in groups.
#[test]
fn identifiers_inside_sentences_name_nobody() {
    let register = "order,kind,selector,liid,state\nO-2026-001,e164,+49 40 7654321,47110,approved\nO-2026-002,imsi,001010123456789,,approved\n";
    let note = "rebuilt tap of O-2026-001. Line +49 40 7654321, see LIID-47110. Order:O-2026-002 (+49-40/7654321!) at 10.0.0.1 a.b.c.d.e.f.g.h.i.j.k.l.m.n/O-2026-001";
    let site = load(&[("warrants.csv", register), ("tickets.csv", &format!("id,note\nT-1,\"{note}\"\n"))]).unwrap();
    let told = serde_json::to_string(&site.lines(&["tickets".to_owned()], &BTreeSet::new()).unwrap()).unwrap();
    for raw in ["2026-001", "2026-002", "7654321", "47110"] {
        assert!(!told.contains(raw), "{raw} in {told}");
    }
    assert!(told.contains("rebuilt tap of ") && told.contains("10.0.0.1"), "{told}");
}

#[test]
fn an_error_in_the_register_shows_nothing_of_it() {
    for register in [
        "O-2026-021,imsi,001010123450021\nO-2026-022,imsi,001010123450022\n",
        "order,kind,start,selector\nO-2026-021,imsi,001010123450021,2026-01-01T00:00:00Z\n",
    ] {
        let said = load(&[("warrants.csv", register)]).unwrap_err().to_string();
        assert!(said.contains("warrants.csv") && said.contains("not shown"), "{said}");
        assert!(!said.contains("2026-02") && !said.contains("00101012345"), "{said}");
    }
}

#[test]
fn who_holds_the_key_and_the_register_finds_the_way_back() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("warrants.csv"), REGISTER).unwrap();
    let token = |kind, text| key().pseudonym(kind, text).token();
    let (order, number) = (token(lidr_schema::Kind::Order, "O-7755"), token(lidr_schema::Kind::E164, "494012345"));
    let wanted = BTreeSet::from([order.clone(), number.clone(), token(lidr_schema::Kind::Order, "O-9")]);
    let found = reveal(dir.path(), &key(), &wanted).unwrap();
    assert_eq!(found, BTreeMap::from([(order, "order:O-7755".to_owned()), (number, "e164:+49 4012345".to_owned())]));
    let other = Key::from_hex(&"01".repeat(32)).unwrap();
    assert!(reveal(dir.path(), &other, &wanted).unwrap().is_empty());
    assert!(reveal(&dir.path().join("none"), &key(), &wanted).is_err());
}
