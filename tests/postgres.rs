//! Site tables from a real PostgreSQL: what it gives is what a file would give, and what does not fit is said without a secret.
use std::{
    fs,
    process::{Command, Output},
};

use crate::lidr::{KEY, Simulated, ok};

/// The server of the tests; without one the test says that it was skipped, or fails where one is required.
pub(crate) fn server(test: &str) -> Option<String> {
    if let Ok(connection) = std::env::var("LIDR_TEST_POSTGRES") {
        return Some(connection);
    }
    assert!(
        std::env::var_os("LIDR_REQUIRE_POSTGRES").is_none(),
        "a PostgreSQL is required and LIDR_TEST_POSTGRES is not set"
    );
    println!("\nskipped: {test}: LIDR_TEST_POSTGRES is not set");
    None
}

pub(crate) fn psql(connection: &str, script: &str) {
    let out =
        Command::new("psql").args([connection, "-qv", "ON_ERROR_STOP=1", "-c", script]).output().expect("psql runs");
    assert!(out.status.success(), "{script}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A table of orders as a carrier may have it: other names, other types, other spellings of the selectors.
fn orders(connection: &str, name: &str) {
    psql(
        connection,
        &format!(
            "DROP TABLE IF EXISTS {name}; \
             CREATE TABLE {name} (number text, agency text, kind text, who text, cccid int, valid tstzrange, state text, emergency bool, \
               destinations text[], approvers text[], note text); \
             INSERT INTO {name} SELECT 'O-2026-00' || n, 'agency-a', 'ipv4', '::ffff:100.64.1.1' || n, 1000 + n, \
               tstzrange('2026-11-01 01:00+01', '2026-12-31Z'), 'approved', NULL, ARRAY['mdf-sii'], ARRAY['officer1', 'officer2'], 'x' \
             FROM generate_series(1, 3) n"
        ),
    );
}

/// A query over it with the columns of the site's table.
fn query(name: &str) -> String {
    format!(
        "SELECT number AS order, agency, kind, who AS selector, cccid, lower(valid) AS start, upper(valid) AS end, state, emergency, \
         destinations, approvers FROM {name} ORDER BY number -- all of them"
    )
}

fn settings(s: &Simulated, table: &str, query: &str, more: &str) {
    let text = format!(
        "time_zone = \"Europe/Berlin\"\n[postgres]\nconnection_env = \"LIDR_TEST_POSTGRES\"\n{more}\n[postgres.tables]\n{table} = \"\"\"{query}\"\"\"\n"
    );
    fs::write(s.path("site/site.toml"), text).unwrap();
}

/// `lidr` with the connection in its environment.
fn run(connection: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lidr"));
    command
        .args(args)
        .env("LIDR_KEY", KEY)
        .env("LIDR_TEST_POSTGRES", connection)
        .env_remove("LIDR_CONFIG")
        .env("NO_COLOR", "1");
    command.output().expect("lidr runs")
}

#[test]
fn orders_in_a_database_are_judged_as_orders_in_a_file_are() {
    let Some(connection) = server("orders_in_a_database_are_judged_as_orders_in_a_file_are") else { return };
    let table = format!("lidr_orders_{}", std::process::id());
    orders(&connection, &table);
    let s = Simulated::new("s3", 500);
    let (capture, out, site, lake) = (s.path("capture.pcap"), s.path("out"), s.path("site"), s.path("out/lake"));
    ok(["replay", &capture, "--no-builtin", "--site", &site, "--out", &out, "--lake", &lake, "--quiet"]);
    let report = ["report", "taps", "--from", &out, "--site", &site, "--format", "csv"];
    let from_file = run(&connection, &report);
    fs::remove_file(s.path("site/warrants.csv")).unwrap();
    settings(&s, "warrants", &query(&table), "");
    let from_database = run(&connection, &report);
    assert!(from_database.status.success(), "{}", String::from_utf8_lossy(&from_database.stderr));
    let text = String::from_utf8(from_database.stdout).unwrap();
    assert_eq!(text.matches("\nauthorised,").count(), 3, "{text}");
    assert_eq!(String::from_utf8(from_file.stdout).unwrap(), text);
    psql(&connection, &format!("DROP TABLE {table}"));
}

#[test]
fn what_does_not_fit_is_said_with_table_query_and_column_and_nothing_can_be_written() {
    let Some(connection) = server("what_does_not_fit_is_said_with_table_query_and_column_and_nothing_can_be_written")
    else {
        return;
    };
    let table = format!("lidr_broken_{}", std::process::id());
    orders(&connection, &table);
    psql(
        &connection,
        &format!(
            "CREATE OR REPLACE FUNCTION {table}_f() RETURNS text LANGUAGE sql VOLATILE AS 'DELETE FROM {table}; SELECT ''x''::text'"
        ),
    );
    let s = Simulated::new("s3", 1);
    fs::remove_file(s.path("site/warrants.csv")).unwrap();
    let said = |name: &str, query: &str, more: &str| {
        settings(&s, name, query, more);
        let out = run(&connection, &["replay", &s.path("capture.pcap"), "--site", &s.path("site"), "--no-builtin"]);
        let text = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(2), "{query}: {text}");
        for secret in
            connection.split(' ').filter_map(|part| part.strip_prefix("password=")).chain(["100.64.1.1", "O-2026-00"])
        {
            assert!(!text.contains(secret), "{text}");
        }
        text
    };
    let text = said("warrants", &format!("SELECT number AS ordr FROM {table}"), "");
    assert!(
        text.contains("site.toml [postgres.tables] warrants")
            && text.contains("no column `ordr`, did you mean `order`?"),
        "{text}"
    );
    let text = said("warrants", &format!("SELECT number AS order, 'soon' AS start FROM {table}"), "");
    assert!(text.contains("warrants:1: column `start`: needed an RFC 3339 time"), "{text}");
    let text = said("warrants", &format!("SELECT lower(valid)::timestamp AS start FROM {table}"), "");
    assert!(
        text.contains("column `start`: needed a time with its zone") && text.contains("the query is `SELECT lower"),
        "{text}"
    );
    let text = said("warrants", &format!("SELECT nummer AS order FROM {table}"), "");
    assert!(text.contains("42703") && text.contains("the query is `SELECT nummer"), "{text}");
    let text = said("warrants", &format!("SELECT number AS order, who::int AS seq FROM {table}"), "");
    assert!(text.contains("refused it with code 22P02"), "{text}");
    let text = said("warrants", &format!("SELECT number AS order FROM {table}"), "rows = 2");
    assert!(text.contains("needed at most 2 rows"), "{text}");
    let text = said("warrants", &format!("SELECT {table}_f() AS order"), "");
    assert!(text.contains("read-only"), "{text}");
    let text = said("warrants", "SELECT pg_sleep(9)::text AS order", "timeout = \"1s\"");
    assert!(text.contains("57014"), "{text}");
    let text = said("zones", "SELECT '10.0.0.0/8' AS cidr", "");
    assert!(text.contains("the table stands in") && text.contains("zones.csv too"), "{text}");
    let count = Command::new("psql")
        .args([connection.as_str(), "-Atc", &format!("SELECT count(*) FROM {table}")])
        .output()
        .unwrap();
    assert_eq!(count.stdout, b"3\n", "nothing was written");
    psql(&connection, &format!("DROP FUNCTION {table}_f(); DROP TABLE {table}"));
}
