//! Site tables from PostgreSQL: one query a table, all of them in one read-only snapshot, each row as a line of named cells.
//!
//! A row comes as JSON in the order of its columns, so that times, lists and addresses have one form whatever their types are, and
//! is then read as a line of a CSV file would be: the same checks, the same hashing, the same messages. The session cannot write
//! (`default_transaction_read_only` and a read-only transaction), a query has a time limit, a table has most rows that it may have,
//! and nothing that the server says about data is repeated: its message may hold a selector.
use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use openssl::ssl::{SslConnector, SslMethod};
use postgres_openssl::MakeTlsConnector;
use serde_json::{Map, Value};
use tokio_postgres::{
    Config, IsolationLevel, Transaction,
    config::{Host, SslMode},
    types::Type,
};

use super::{error, read::text, settings::Postgres, table::Line};
use crate::{SiteError, plan::rows_as_json};

/// Lines by table, each with the name that messages call it by.
pub(super) type Tables = BTreeMap<String, (PathBuf, Vec<Line>)>;

/// Reads every table.
pub(super) fn fetch(settings: &Postgres) -> Result<Tables, SiteError> {
    let bad = |message: String| error(&settings.file, None, format!("[postgres]: {message}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| bad(e.to_string()))?;
    // The server's own limit stops a query; this one a server that does not answer at all.
    let most = settings.timeout.saturating_mul(u32::try_from(settings.tables.len()).unwrap_or(u32::MAX))
        + Duration::from_secs(15);
    let done = runtime.block_on(async { tokio::time::timeout(most, all(settings)).await });
    done.unwrap_or_else(|_| Err(bad(format!("no answer within {} s", most.as_secs()))))
}

async fn all(settings: &Postgres) -> Result<Tables, SiteError> {
    let bad = |message: String| error(&settings.file, None, format!("[postgres]: {message}"));
    let config = config(settings).map_err(bad)?;
    let mut tls = SslConnector::builder(SslMethod::tls()).map_err(|e| bad(e.to_string()))?;
    if let Some(ca) = &settings.tls_ca {
        tls.set_ca_file(ca).map_err(|_| bad(format!("`tls_ca` {}: needed certificates in PEM", ca.display())))?;
    }
    let (mut client, connection) =
        config.connect(MakeTlsConnector::new(tls.build())).await.map_err(|e| bad(what(&e)))?;
    let driver = tokio::spawn(async move { drop(connection.await) });
    let begun =
        client.build_transaction().read_only(true).isolation_level(IsolationLevel::RepeatableRead).start().await;
    let transaction = begun.map_err(|e| bad(what(&e)))?;
    let mut out = Tables::new();
    for (name, query) in &settings.tables {
        let place = PathBuf::from(format!("{} [postgres.tables] {name}", settings.file.display()));
        let lines = one(&transaction, query, settings.rows).await;
        let lines =
            lines.map_err(|message| error(&place, None, format!("{message}; the query is `{}`", short(query))))?;
        out.insert(name.clone(), (place, lines));
    }
    drop(transaction);
    driver.abort();
    Ok(out)
}

/// Where to connect and as whom; what is not said is made safe.
fn config(settings: &Postgres) -> Result<Config, String> {
    // What the parser says quotes the string.
    let parsed: Result<Config, _> = settings.connection.parse();
    let mut config = parsed.map_err(|_| {
        "needed a connection as `host=… user=… dbname=…` or `postgresql://…`; what was there is not shown".to_owned()
    })?;
    if settings.in_file && config.get_password().is_some() {
        return Err("a password stands in `connection`: put it into `password_file` or `password_env`".to_owned());
    }
    if let Some(password) = &settings.password {
        config.password(password);
    }
    let near = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
    };
    if !settings.connection.contains("sslmode") {
        // An address is what is connected to, whatever name stands beside it.
        let local =
            config.get_hosts().iter().all(near) && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        config.ssl_mode(if local { SslMode::Disable } else { SslMode::Require });
    }
    let own = format!(
        "-c default_transaction_read_only=on -c statement_timeout={} -c TimeZone=UTC",
        settings.timeout.as_millis()
    );
    let options = config.get_options().map_or_else(|| own.clone(), |given| format!("{given} {own}"));
    config.options(options).application_name("lidr").connect_timeout(Duration::from_secs(10));
    Ok(config)
}

/// The rows of one query as lines.
async fn one(transaction: &Transaction<'_>, query: &str, most: u64) -> Result<Vec<Line>, String> {
    let statement = transaction.prepare(query).await.map_err(|e| what(&e))?;
    let names: Arc<[String]> = statement.columns().iter().map(|c| c.name().to_owned()).collect();
    if names.is_empty() || !statement.params().is_empty() {
        return Err("needed a query that returns columns and has no parameters".to_owned());
    }
    for (i, column) in statement.columns().iter().enumerate() {
        if names.iter().take(i).any(|name| name == column.name()) {
            return Err(format!("column `{}` stands there twice", column.name()));
        }
        if [Type::TIMESTAMP, Type::TIMESTAMP_ARRAY, Type::BYTEA].contains(column.type_()) {
            return Err(format!(
                "column `{}`: needed a time with its zone or a text, had type {}",
                column.name(),
                column.type_()
            ));
        }
    }
    let mut out = vec![Line { number: 0, names: Arc::clone(&names), cells: Vec::new(), header: true }];
    for (i, row) in
        transaction.query(&rows_as_json(query, most + 1), &[]).await.map_err(|e| what(&e))?.iter().enumerate()
    {
        if i as u64 >= most {
            return Err(format!("needed at most {most} rows, which `rows` in [postgres] raises"));
        }
        let json: &str = row.try_get(0).map_err(|e| what(&e))?;
        let cells: Map<String, Value> =
            serde_json::from_str(json).map_err(|_| format!("row {} is no object", i + 1))?;
        let cells = names.iter().map(|name| cells.get(name).map(text).unwrap_or_default()).collect();
        out.push(Line { number: i + 1, names: Arc::clone(&names), cells, header: false });
    }
    Ok(out)
}

/// What went wrong. Of errors about data only their code: the message may quote a value.
fn what(error: &tokio_postgres::Error) -> String {
    let Some(db) = error.as_db_error() else {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        return text;
    };
    let code = db.code().code();
    // Connection, transaction state, authorisation, catalogue, resources, the operator's doing, syntax and access rules.
    let plain = ["08", "25", "28", "3D", "42", "53", "55", "57"].iter().any(|class| code.starts_with(class));
    if plain {
        format!("the server says: {} ({code})", db.message())
    } else {
        format!("the server refused it with code {code}")
    }
}

fn short(query: &str) -> String {
    let one_line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    if one_line.chars().count() <= 120 {
        one_line
    } else {
        format!("{}…", one_line.chars().take(120).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(connection: &str, in_file: bool) -> Postgres {
        Postgres {
            file: "site.toml".into(),
            connection: connection.to_owned(),
            in_file,
            password: Some("geheim".to_owned()),
            tls_ca: None,
            timeout: Duration::from_secs(3),
            rows: 9,
            refresh: None,
            tables: BTreeMap::new(),
        }
    }

    #[test]
    fn a_session_cannot_write_and_another_host_is_reached_with_tls() {
        let mode = |text: &str| config(&settings(text, true)).unwrap().get_ssl_mode();
        assert_eq!([mode("host=127.0.0.1 user=a"), mode("host=/run/postgresql user=a")], [SslMode::Disable; 2]);
        assert_eq!(
            [mode("host=db.example user=a"), mode("host=127.0.0.1 user=a sslmode=require")],
            [SslMode::Require; 2]
        );
        assert_eq!(
            [mode("hostaddr=192.0.2.5 user=a"), mode("host=localhost hostaddr=192.0.2.5 user=a")],
            [SslMode::Require; 2],
            "the address is what is connected to"
        );
        let made = config(&settings("host=db user=a options='-c work_mem=1MB'", true)).unwrap();
        let options = made.get_options().unwrap();
        assert!(
            options.starts_with("-c work_mem=1MB ")
                && options.contains("default_transaction_read_only=on")
                && options.contains("statement_timeout=3000"),
            "{options}"
        );
        assert_eq!(made.get_password(), Some("geheim".as_bytes()));
    }

    #[test]
    fn no_secret_is_said() {
        for (text, in_file) in
            [("host=db password=geheim user=a", true), ("host=db pasword=geheim", false), ("geheim", false)]
        {
            let said = config(&settings(text, in_file)).unwrap_err();
            assert!(!said.contains("geheim"), "{said}");
        }
        assert!(config(&settings("host=db password=geheim user=a", false)).is_ok());
        assert!(!format!("{:?}", settings("password=geheim", false)).contains("geheim"));
    }
}
