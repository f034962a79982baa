//! One receiver over HTTP/1.1: an address, a connection that is kept, a POST.
//!
//! No proxy, no redirect, no cookie. Certificates are verified against those that OpenSSL trusts on this machine; the variable
//! `SSL_CERT_FILE` names others. A password in the address (`https://user:secret@host/`) is sent as basic authentication and shown
//! nowhere.
use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

use super::DeliverError;

/// Longest time for connection, request and answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of an answer that are read so that the connection can be kept.
const MOST_ANSWER: usize = 65_536;

/// What a receiver said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<String>,
}

/// A receiver.
pub(super) struct Client {
    /// Scheme, host and port: paths and queries of webhooks may be secrets.
    name: String,
    https: bool,
    host: String,
    port: u16,
    /// The host as the receiver wants to hear it.
    authority: String,
    path: String,
    authorization: Option<String>,
    kept: Option<SendRequest<Full<Bytes>>>,
}

/// A connection, plain or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Client {
    /// A receiver by its address; `suffix` is added to the path unless it stands there.
    pub(super) fn new(text: &str, option: &str, suffix: &str) -> Result<Self, DeliverError> {
        let needed = || DeliverError(format!("{option}: needed http://HOST[:PORT][/PATH], or the same with https"));
        let uri: Uri = text.trim().parse().map_err(|_| needed())?;
        let (scheme, standard) = match uri.scheme_str() {
            Some("http") => ("http", 80),
            Some("https") => ("https", 443),
            _ => return Err(needed()),
        };
        if scheme == "https" && !cfg!(feature = "https") {
            return Err(DeliverError(format!("{option}: this lidr was built without https")));
        }
        let authority = uri.authority().filter(|a| !a.host().is_empty()).ok_or_else(needed)?;
        let port = authority.port_u16().unwrap_or(standard);
        let authorization = authority.as_str().rsplit_once('@').map(|(user, _)| {
            let plain: Vec<u8> = percent_encoding::percent_decode_str(user).collect();
            format!("Basic {}", STANDARD.encode(plain))
        });
        let spoken = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, host)| host);
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        let path = match path.ends_with(suffix) {
            true => path.to_owned(),
            false => format!("{}{suffix}", path.trim_end_matches('/')),
        };
        Ok(Self {
            name: format!("{scheme}://{}:{port}", authority.host()),
            https: scheme == "https",
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            authority: spoken.to_owned(),
            path,
            authorization,
            kept: None,
        })
    }

    /// Which receiver, without what may be secret.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Posts JSON.
    pub(super) async fn post(&mut self, headers: &[(&'static str, String)], body: &str) -> Result<Answer, String> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        // Whoever closes a connection that was silent for a while may do so while something is sent.
        if let Some(kept) = self.kept.take().filter(|kept| !kept.is_closed())
            && let Ok(Ok(answer)) = timeout(PATIENCE, self.once(kept, headers, body.clone())).await
        {
            return Ok(answer);
        }
        let fresh = async {
            let connection = self.connect().await?;
            self.once(connection, headers, body).await
        };
        timeout(PATIENCE, fresh).await.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
    }

    async fn once(
        &mut self,
        mut connection: SendRequest<Full<Bytes>>,
        headers: &[(&'static str, String)],
        body: Bytes,
    ) -> Result<Answer, String> {
        let said = |e: hyper::Error| format!("the connection broke ({e})");
        connection.ready().await.map_err(said)?;
        let mut request = Request::builder().method(Method::POST).uri(&self.path).header(HOST, &self.authority);
        request = request.header(CONTENT_TYPE, "application/json");
        request = request.header(USER_AGENT, concat!("lidr/", env!("CARGO_PKG_VERSION")));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body)).map_err(|e| format!("no request can be made ({e})"))?;
        let (head, body) = connection.send_request(request).await.map_err(said)?.into_parts();
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()).map(str::to_owned);
        if Limited::new(body, MOST_ANSWER).collect().await.is_ok() {
            self.kept = Some(connection);
        }
        Ok(Answer { status: head.status, retry_after })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, String> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await;
        let tcp = tcp.map_err(|e| format!("cannot be reached ({e})"))?;
        let stream: Box<dyn Stream> = if self.https { secure(&self.host, tcp).await? } else { Box::new(tcp) };
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| format!("no HTTP ({e})"))?;
        // It ends with the sender or with the receiver, whose errors the sender hears.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

#[cfg(feature = "https")]
async fn secure(host: &str, tcp: TcpStream) -> Result<Box<dyn Stream>, String> {
    use openssl::ssl::{SslConnector, SslMethod};
    let made = SslConnector::builder(SslMethod::tls_client()).and_then(|b| b.build().configure()?.into_ssl(host));
    let stream = made.and_then(|ssl| tokio_openssl::SslStream::new(ssl, tcp));
    let mut stream = stream.map_err(|e| format!("no TLS ({e})"))?;
    std::pin::Pin::new(&mut stream)
        .connect()
        .await
        .map_err(|e| format!("no TLS ({e}): is its certificate trusted?"))?;
    Ok(Box::new(stream))
}

#[cfg(not(feature = "https"))]
async fn secure(_: &str, _: TcpStream) -> Result<Box<dyn Stream>, String> {
    Err("this lidr was built without https".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_what_is_shown_of_them() {
        let client = |text: &str, suffix: &str| Client::new(text, "--x", suffix).unwrap();
        let plain = client("http://am:9093", "/api/v2/alerts");
        assert_eq!((plain.name(), plain.path.as_str()), ("http://am:9093", "/api/v2/alerts"));
        assert_eq!((plain.host.as_str(), plain.port, plain.authority.as_str()), ("am", 9093, "am:9093"));
        assert_eq!(client("http://am/prefix/", "/api/v2/alerts").path, "/prefix/api/v2/alerts");
        assert_eq!(client("http://am/api/v2/alerts", "/api/v2/alerts").path, "/api/v2/alerts");
        assert_eq!(client("http://h", "").path, "/");
        let v6 = client("http://[::1]:80/x", "");
        assert_eq!((v6.host.as_str(), v6.authority.as_str()), ("::1", "[::1]:80"));
        for text in ["", "am:9093", "ftp://am", "http://", "/path", "http:///x"] {
            let said = Client::new(text, "--webhook", "").err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.contains("--webhook: needed http://HOST"), "{text}: {said}");
        }
    }

    #[cfg(feature = "https")]
    #[test]
    fn a_password_is_sent_and_not_shown() {
        let client = Client::new("https://noc:s%40crEt@hooks.example/t0ken?k=v", "--webhook", "").unwrap();
        assert_eq!(client.name(), "https://hooks.example:443");
        assert_eq!(client.authorization.as_deref(), Some("Basic bm9jOnNAY3JFdA=="));
        assert_eq!((client.authority.as_str(), client.path.as_str()), ("hooks.example", "/t0ken?k=v"));
    }
}
