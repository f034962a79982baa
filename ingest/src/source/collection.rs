//! Captures of the reference collection, where it is there: every packet of every file is read, and what is in it is found.
//!
//! The counts are those of capinfos, taken once. Where the collection is absent the tests say nothing.
use std::path::{Path, PathBuf};

use super::*;

const COUNTS: &str = "
177 lateral/covenant_copy_smb_CreateRequest_2020-09-22145302.cap
153 lateral/covenant_psremoting_command_2020-08-06115603.cap
253 lateral/covenant_sharpsc_create_dcerpc_smb_svcctl_2020-08-06022635.cap
244 lateral/covenant_sharpwmi_create_dcerpc_wmi_2020-08-06035621.cap
427 lateral/empire_dcom_shellwindows_WORKSTATION5_2020-09-18130751.cap
630 lateral/empire_getsession_dcerpc_smb_srvsvc_NetSessEnum_2020-09-22034513.cap
329 lateral/empire_psexec_dcerpc_tcp_svcctl_WORKSTATION5_2020-09-20121608.cap
249 lateral/empire_shell_rubeus_asktgt_ptt_2020-09-21223848.cap
482 lateral/empire_smbexec_dcerpc_smb_svcctl_WORKSTATION5_2020-09-20025716.cap
1121 lateral/purplesharp_ad_playbook_I_2020-10-22042947.cap
2839 lateral/schtask_create_2020-12-1907003032.pcapng
143 li/etsi_10_pings.pcap
6 li/pspdu.pcap
5 li/snmp.pcap
24 li/vectors.pcap
1 li/x2-demo-01.pcap
8 mgmt/SNMPv2c_get_requests.pcap
8 mgmt/SNMPv3.pcap
125 mgmt/dcerpc_synthetic.pcap
16 mgmt/http-simple-get.pcap
218 mgmt/ntlm_synthetic.pcap
4 mgmt/radius.pcap
19 mgmt/radius_localhost.pcap
431 mgmt/sshguess.pcap
106 mgmt/tcp-reassembly-synthetic.pcap
99 mgmt/tftp_rrq.pcap
35 mgmt/tls-split-client-hello.pcap
125 mgmt/wireshark-smb-on-windows10.pcap
6 telecom/diameter.pcap
22 telecom/diameter_synthetic.pcap
106 telecom/gtp-iphone.pcap
4 telecom/gtp_c.pcap
90 telecom/m3ua_synthetic.pcap
11 telecom/pfcp.pcapng
34 telecom/radius.pcap
84 telecom/sctp-www.pcap
565 telecom/testattach.pcapng
4104 telecom/testregistration.pcapng
371 telecom/volte.pcapng
100 tunnel/100_packets.pcapng
100 tunnel/100_packetsns.pcap
10 tunnel/erspanI.pcap
4 tunnel/erspanII.pcap
40 tunnel/gre-sample.pcap
108 tunnel/gtp1_gn_normal_incl_fragmentation.pcap
2 tunnel/gtp7_ipv6.pcap
2 tunnel/gtp_ext_header.pcap
100 tunnel/sll.pcap
12 tunnel/vxlan-encapsulated-http.pcap
";

fn collection() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    folder.is_dir().then_some(folder)
}

fn read(path: PathBuf) -> (Vec<Record>, Vec<ReaderOdd>, Reader) {
    let mut reader = Reader::open(&[Input::Path { sensor: None, path }]).unwrap();
    let (mut records, mut odds) = (Vec::new(), Vec::new());
    while reader.next_block(&mut records).unwrap().is_some() {
        odds.extend(reader.take_odds());
    }
    odds.extend(reader.take_odds());
    (records, odds, reader)
}

#[test]
fn every_packet_of_every_capture_is_read() {
    let Some(folder) = collection() else { return };
    for line in COUNTS.trim().lines() {
        let (count, name) = line.split_once(' ').unwrap();
        let (_, odds, reader) = read(folder.join(name));
        let summary = &reader.summary()[0];
        assert_eq!(summary.packets.to_string(), count, "{name}");
        let cut = odds.iter().any(|o| o.stage == "reader" && o.kind == "truncated");
        assert_eq!(summary.truncated, cut, "{name}: a cut is said, and nothing else is");
    }
}

#[test]
fn tunnels_of_the_collection_are_opened() {
    let Some(folder) = collection() else { return };
    let cases = [
        ("tunnel/erspanI.pcap", "erspan1"),
        ("tunnel/erspanII.pcap", "erspan2"),
        ("tunnel/vxlan-encapsulated-http.pcap", "vxlan"),
        ("tunnel/gre-sample.pcap", "gre"),
        ("tunnel/gtp_ext_header.pcap", "gtpu"),
        ("telecom/testregistration.pcapng", "gtpu"),
    ];
    for (name, path) in cases {
        let (records, _, reader) = read(folder.join(name));
        let inner = records.iter().filter(|r| r.outer.as_deref().is_some_and(|o| o.path == path)).count();
        assert!(inner > 0, "{name}: no {path} among {} records, {:?}", records.len(), reader.counters());
    }
}
