//! The request types of X1: what each asks for and what stands in the bodies of its messages (TS 103 221-1 §6.2 to §6.6).
//!
//! Of a type that is not listed (an extension, or a later version) only the verb at its front says what it asks for.

/// A request type.
pub(super) struct Request {
    pub(super) name: &'static str,
    /// As `tasking.op` says it.
    pub(super) op: &'static str,
    /// As `tasking.list_kind` says it.
    pub(super) list_kind: Option<&'static str>,
    /// Elements of the request after the common ones, as [`super::shape`] reads them.
    pub(super) body: &'static str,
    /// Those of its response.
    pub(super) response: &'static str,
}

const fn ask(
    name: &'static str,
    op: &'static str,
    list_kind: Option<&'static str>,
    body: &'static str,
    response: &'static str,
) -> Request {
    Request { name, op, list_kind, body, response }
}

const ALL_DETAILS: &str =
    "neStatusDetails listOfTaskResponseDetails listOfDestinationResponseDetails listOfGenericObjectResponseDetails?";
const TASK_ISSUE: &str = "xId taskReportType taskIssueErrorCode? taskIssueDetails? taskIssueExtensions*";
const DESTINATION_ISSUE: &str = "dId destinationReportType destinationIssueErrorCode? destinationIssueDetails?";
const NE_ISSUE: &str = "typeOfNeIssueMessage description issueCode? nEIssueExtensions*";

/// All types that the standard lists.
pub(super) const REQUESTS: &[Request] = &[
    ask("ActivateTask", "create", None, "taskDetails", "oK"),
    ask("ModifyTask", "change", None, "taskDetails", "oK"),
    ask("DeactivateTask", "delete", None, "xId", "oK"),
    ask("DeactivateAllTasks", "delete", Some("tasks"), "", "oK"),
    ask("CreateDestination", "destination_create", None, "destinationDetails", "oK"),
    ask("ModifyDestination", "destination_change", None, "destinationDetails", "oK"),
    ask("RemoveDestination", "destination_delete", None, "dId", "oK"),
    ask("RemoveAllDestinations", "destination_delete", Some("destinations"), "", "oK"),
    ask("GetTaskDetails", "get", Some("tasks"), "xId", "taskResponseDetails"),
    ask("GetDestinationDetails", "get", Some("destinations"), "dId", "destinationResponseDetails"),
    ask("GetNEStatus", "get", Some("status"), "", "neStatusDetails"),
    ask("GetAllDetails", "list", Some("all"), "", ALL_DETAILS),
    ask("ListAllDetails", "list", Some("all"), "", "ListOfXIDs ListOfDIDs ListOfGenericObjectIDs?"),
    ask("GetAllTaskDetails", "list", Some("tasks"), "", "listOfTaskResponseDetails?"),
    ask("GetAllDestinationDetails", "list", Some("destinations"), "", "listOfDestinationResponseDetails?"),
    ask("GetAllGenericObjectDetails", "list", Some("objects"), "objectType?", "listOfGenericObjectResponseDetails?"),
    ask("ReportTaskIssue", "report", None, TASK_ISSUE, "oK"),
    ask("ReportDestinationIssue", "report", None, DESTINATION_ISSUE, "oK"),
    ask("ReportNEIssue", "report", None, NE_ISSUE, "oK"),
    ask("Ping", "keepalive", None, "", "oK"),
    ask("Keepalive", "keepalive", None, "", "oK"),
    ask("CreateObject", "create", Some("objects"), "createObject", "oK"),
    ask("ModifyObject", "change", Some("objects"), "modifyObject", "oK"),
    ask("GetObject", "get", Some("objects"), "objectId", "genericObjectResponseDetails"),
    ask("DeleteObject", "delete", Some("objects"), "objectId", "oK"),
    ask("ListObjectsOfType", "list", Some("objects"), "objectType", "listOfObjects"),
    ask("DeleteAllObjects", "delete", Some("objects"), "", "oK"),
];

/// The type of that name.
pub(super) fn named(name: &str) -> Option<&'static Request> {
    REQUESTS.iter().find(|r| r.name == name)
}

/// What a type that is not listed asks for, by its verb.
pub(super) fn extended(name: &str) -> &'static str {
    const VERBS: &[(&str, &str)] = &[
        ("Activate", "create"),
        ("Create", "create"),
        ("Modify", "change"),
        ("Deactivate", "delete"),
        ("Delete", "delete"),
        ("Remove", "delete"),
        ("Get", "get"),
        ("List", "list"),
        ("Report", "report"),
    ];
    VERBS.iter().find(|(verb, _)| name.starts_with(verb)).map_or("unknown", |(_, op)| op)
}
