//! X1 (ETSI TS 103 221-1): the XML of requests and responses, one message per container. Children of `ipAddressAndPort` stand in
//! the namespace of TS 103 280.
use std::net::Ipv4Addr;

use crate::when;

/// Who speaks to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parties {
    /// Identifier of the administration function.
    pub(crate) admf: &'static str,
    /// Identifier of the network element.
    pub(crate) ne: &'static str,
}

/// A delivery destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination {
    /// Destination id.
    pub(crate) did: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it is.
    pub(crate) address: Ipv4Addr,
    /// Its port.
    pub(crate) port: u16,
}

/// An interception task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    /// Task id.
    pub(crate) xid: &'static str,
    /// Target: a subscriber identity.
    pub(crate) imsi: &'static str,
    /// Where its product goes; several joined by `;`.
    pub(crate) did: &'static str,
    /// Lawful interception identifier.
    pub(crate) liid: &'static str,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// Is the element there?
    Ping,
    /// A new destination.
    Create(Destination),
    /// Another address for a destination.
    Modify(Destination),
    /// A new task.
    Activate(Task),
    /// The end of a task.
    Deactivate(Task),
    /// Which tasks are there?
    List,
}

impl Ask {
    fn name(self) -> &'static str {
        match self {
            Self::Ping => "Ping",
            Self::Create(_) => "CreateDestination",
            Self::Modify(_) => "ModifyDestination",
            Self::Activate(_) => "ActivateTask",
            Self::Deactivate(_) => "DeactivateTask",
            Self::List => "GetAllTaskDetails",
        }
    }

    fn body(self) -> String {
        match self {
            Self::Ping | Self::List => String::new(),
            Self::Deactivate(task) => format!("<xId>{}</xId>", task.xid),
            Self::Create(to) | Self::Modify(to) => destination(to),
            Self::Activate(task) => activate(task),
        }
    }
}

fn destination(to: Destination) -> String {
    let Destination { did, name, address, port } = to;
    format!(
        "<destinationDetails><dId>{did}</dId><friendlyName>{name}</friendlyName><deliveryType>X2andX3</deliveryType><deliveryAddress>\
         <ipAddressAndPort><c:address><c:IPv4Address>{address}</c:IPv4Address></c:address><c:port><c:TCPPort>{port}</c:TCPPort></c:port>\
         </ipAddressAndPort></deliveryAddress></destinationDetails>"
    )
}

fn activate(task: Task) -> String {
    let Task { xid, imsi, did, liid } = task;
    let did: String = did.split(';').map(|d| format!("<dId>{d}</dId>")).collect();
    format!(
        "<taskDetails><xId>{xid}</xId><targetIdentifiers><targetIdentifier><imsi>{imsi}</imsi></targetIdentifier></targetIdentifiers>\
         <deliveryType>X2andX3</deliveryType><listOfDIDs>{did}</listOfDIDs><listOfMediationDetails><mediationDetails>\
         <LIID>{liid}</LIID><deliveryType>HI2andHI3</deliveryType></mediationDetails></listOfMediationDetails></taskDetails>"
    )
}

fn container(root: &str, kind: &str, at: i64, parties: Parties, transaction: &str, body: &str) -> String {
    let message = if root == "X1Request" { "x1RequestMessage" } else { "x1ResponseMessage" };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://uri.etsi.org/03221/X1/2017/10\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:c=\"http://uri.etsi.org/03280/common/2017/07\">\
         <{message} xsi:type=\"{kind}\"><admfIdentifier>{}</admfIdentifier><neIdentifier>{}</neIdentifier>\
         <messageTimestamp>{}</messageTimestamp><version>v1.22.1</version><x1TransactionId>{transaction}</x1TransactionId>\
         {body}</{message}></{root}>",
        parties.admf,
        parties.ne,
        when::micros(at),
    )
}

/// The request.
pub(crate) fn request(ask: Ask, at: i64, parties: Parties, transaction: &str) -> String {
    container("X1Request", &format!("{}Request", ask.name()), at, parties, transaction, &ask.body())
}

/// The answer that it is done.
pub(crate) fn done(ask: Ask, at: i64, parties: Parties, transaction: &str) -> String {
    let body = "<oK>AcknowledgedAndCompleted</oK>";
    container("X1Response", &format!("{}Response", ask.name()), at, parties, transaction, body)
}

/// The answer that lists tasks.
pub(crate) fn listed(tasks: &[Task], at: i64, parties: Parties, transaction: &str) -> String {
    let one = |task: &Task| {
        let status = "<taskStatus><provisioningStatus>complete</provisioningStatus><listOfFaults/></taskStatus>";
        format!("<taskResponseDetails>{}{status}</taskResponseDetails>", activate(*task))
    };
    let body: String = tasks.iter().map(one).collect();
    let body = format!("<listOfTaskResponseDetails>{body}</listOfTaskResponseDetails>");
    container("X1Response", "GetAllTaskDetailsResponse", at, parties, transaction, &body)
}

#[cfg(test)]
mod tests {
    use super::{Ask, Parties, done, request};

    #[test]
    fn a_ping_and_its_answer_share_a_transaction() {
        let parties = Parties { admf: "admf01", ne: "poi-01" };
        let id = "3741800e-971b-4aa9-85f4-466d2b1adc7f";
        let (there, back) = (request(Ask::Ping, 0, parties, id), done(Ask::Ping, 5, parties, id));
        assert!(there.contains("xsi:type=\"PingRequest\"") && back.contains("xsi:type=\"PingResponse\""));
        assert!(there.contains(id) && back.contains(id));
        assert!(there.contains("1970-01-01T00:00:00.000000Z"));
    }
}
