//! S12: an insider reads who is tapped (catalogue of threats, scenario S12).
//!
//! At night the account of a clerk logs in from a host that it never used, exports four thousand orders, moves the beginning of one
//! order back, and switches four interceptions on for a few minutes each that no order covers. The audit log of the
//! order-management system says so, line by line; on the wire there is nothing but ordinary traffic. In the twin an auditor makes
//! the quarterly export, and a clerk on call renews an order with an approver.
use crate::{
    ScenarioError,
    lab::START,
    net::Net,
    when::{MINUTE, SECOND, rfc3339},
};

pub(crate) const WARRANTS: &str = "\
order,agency,kind,selector,type,start,end,state,emergency,test,destinations,xid,liid,elements,creator,approvers,created_at,seq
O-2026-021,agency-a,imsi,001010123450021,both,2026-11-10T00:00:00Z,2026-12-31T00:00:00Z,approved,,,lemf-A-hi3,2b1c0a52-6f52-4c0e-8a59-0d8f3a1c0021,LIID-000221,poi1,clerk1,officer1,2026-11-09T10:00:00Z,1
O-2026-022,agency-a,imsi,001010123450022,both,2026-11-10T00:00:00Z,2026-11-21T00:00:00Z,approved,,,lemf-A-hi3,2b1c0a52-6f52-4c0e-8a59-0d8f3a1c0022,LIID-000222,poi1,clerk1,officer1,2026-11-09T11:00:00Z,2
";

/// People and systems of the register.
pub(crate) const SITE: &[(&str, &str)] = &[
    (
        "accounts.csv",
        "user,role,hosts,on_call,hours\nli-admf,li-operator,10.66.0.10,true,\nclerk1,li-clerk,10.66.0.4,true,0;1;2;3;4@7-18\n\
         clerk3,li-clerk,10.66.0.5,false,0;1;2;3;4@7-18\nofficer1,li-officer,10.66.0.6,true,\nauditor1,auditor,10.66.0.7,,\n",
    ),
    (
        "elements.csv",
        "name,role,address,identifier,x1_port,keepalive_s,managers\nadmf1,admf,10.66.0.10,admf01,,,\nlims1,lims,10.66.0.11,,,,\n\
         mdf1,mdf,10.66.0.20,mdf-east,,,\npoi1,poi,10.0.1.20,smf-poi-01,8443,60,10.66.0.10\nlemf-A,lemf,192.0.2.10,,,,\n",
    ),
];

pub(crate) const EXPECTED: &str = "\
expect:
  - {code: LI-10, level: high}
  - {code: LI-08, level: medium, entity: [clerk3]}
  - {code: LI-24, level: high}
  - {code: LI-12, level: high}
  - {code: LI-01, level: critical}
allow:
  - {code: LI-02}
  - {code: LI-03}
  - {code: LI-07}
  - {code: LI-09}
later: []
";

pub(crate) const EXPECTED_BENIGN: &str = "\
expect: []
allow: []
later: []
";

fn line(net: &mut Net, now: i64, user: &str, host: &str, action: &str, more: &str) {
    let system = if action.starts_with("task") { "admf" } else { "lims" };
    let time = rfc3339(now);
    net.audit(
        now,
        format!(
            "{{\"time\":\"{time}\",\"system\":\"{system}\",\"user\":\"{user}\",\"host\":\"{host}\",\"action\":\"{action}\",\"result\":\"success\"{more}}}"
        ),
    );
}

/// What honest people do that night.
pub(crate) fn lawful(net: &mut Net) -> Result<(), ScenarioError> {
    line(net, START + MINUTE, "officer1", "10.66.0.6", "login", ",\"server\":\"10.66.0.11\"");
    line(net, START + 2 * MINUTE, "clerk1", "10.66.0.4", "login", ",\"server\":\"10.66.0.11\"");
    let renewal = ",\"order\":\"O-2026-022\",\"approver\":\"officer1\",\"end\":\"2026-12-21T00:00:00Z\",\"state\":\"approved\",\
                   \"element\":{\"name\":\"lims1\",\"address\":\"10.66.0.11\"}";
    line(net, START + 6 * MINUTE, "clerk1", "10.66.0.4", "order.renew", renewal);
    let approval =
        ",\"order\":\"O-2026-022\",\"state\":\"approved\",\"element\":{\"name\":\"lims1\",\"address\":\"10.66.0.11\"}";
    line(net, START + 9 * MINUTE, "officer1", "10.66.0.6", "order.approve", approval);
    line(net, START + 30 * MINUTE, "auditor1", "10.66.0.7", "login", ",\"server\":\"10.66.0.11\"");
    let export = ",\"rows\":4000,\"element\":{\"name\":\"lims1\",\"address\":\"10.66.0.11\"}";
    line(net, START + 31 * MINUTE, "auditor1", "10.66.0.7", "order.export", export);
    Ok(())
}

/// What the account of the clerk does.
pub(crate) fn attack(net: &mut Net) -> Result<(), ScenarioError> {
    const HOST: &str = "10.20.0.77";
    line(net, START + 12 * MINUTE, "clerk3", HOST, "login", ",\"server\":\"10.66.0.11\"");
    let export = ",\"rows\":4000,\"element\":{\"name\":\"lims1\",\"address\":\"10.66.0.11\"}";
    line(net, START + 13 * MINUTE, "clerk3", HOST, "order.export", export);
    let backwards = ",\"order\":\"O-2026-021\",\"start\":\"2026-10-01T00:00:00Z\",\"end\":\"2026-12-31T00:00:00Z\",\"state\":\"approved\",\
                     \"element\":{\"name\":\"lims1\",\"address\":\"10.66.0.11\"}";
    line(net, START + 20 * MINUTE, "clerk3", HOST, "order.change", backwards);
    for n in 0..4_i64 {
        let now = START + (25 + 3 * n) * MINUTE;
        let task = format!(
            ",\"xid\":\"{}\",\"target\":{{\"type\":\"e164\",\"value\":\"4930901820{n:02}\"}},\"element\":{{\"name\":\"poi1\",\"address\":\"10.0.1.20\"}}",
            net.rng.uuid()
        );
        line(net, now, "clerk3", HOST, "task.enable", &task);
        line(net, now + 8 * MINUTE, "clerk3", HOST, "task.disable", &task);
        line(net, now + 8 * MINUTE + 20 * SECOND, "clerk3", HOST, "task.delete", &task);
    }
    Ok(())
}
