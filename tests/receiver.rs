//! A receiver of webhooks that lives in the test, and a client for what others serve.
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use openssl::{
    asn1::Asn1Time,
    hash::MessageDigest,
    pkey::PKey,
    rsa::Rsa,
    ssl::{SslAcceptor, SslMethod},
    x509::{X509, X509Name, extension::SubjectAlternativeName},
};

/// A connection, plain or not.
trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// What was posted.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    /// First line and headers.
    head: Vec<String>,
    pub(crate) body: String,
}

impl Posted {
    /// A header; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut all = self.head.iter().filter_map(|line| line.split_once(": "));
        all.find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The request line.
    pub(crate) fn line(&self) -> &str {
        &self.head[0]
    }
}

/// Listens on loopback as long as the test runs; its threads end with the process.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Receiver {
    /// Answers the request of that number (from 0) with a status line and headers.
    pub(crate) fn start(answer: impl Fn(usize) -> &'static str + Send + Sync + 'static) -> Self {
        Self::begin(answer, |tcp| Some(Box::new(tcp)))
    }

    /// Answers over TLS; gives the certificate that it shows, which is its own authority.
    pub(crate) fn secure(answer: impl Fn(usize) -> &'static str + Send + Sync + 'static) -> (Self, String) {
        let (acceptor, certificate) = acceptor();
        let accept = move |tcp| acceptor.accept(tcp).ok().map(|tls| Box::new(tls) as Box<dyn Stream>);
        (Self::begin(answer, accept), certificate)
    }

    fn begin(
        answer: impl Fn(usize) -> &'static str + Send + Sync + 'static,
        accept: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync + 'static,
    ) -> Self {
        let accept = Arc::new(accept);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, posted) = (listener.local_addr().unwrap().port(), Arc::default());
        let (all, answer) = (Arc::clone(&posted), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, answer, accept) = (Arc::clone(&all), Arc::clone(&answer), Arc::clone(&accept));
                thread::spawn(move || accept(stream).map(|stream| converse(stream, &all, &*answer)));
            }
        });
        Self { port, posted }
    }

    /// What has been posted so far.
    pub(crate) fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// One connection, request by request, until the other side has enough.
fn converse(stream: Box<dyn Stream>, all: &Mutex<Vec<Posted>>, answer: &dyn Fn(usize) -> &'static str) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                text => head.push(text.to_owned()),
            }
        }
        let mut posted = Posted { head, body: String::new() };
        let mut body = vec![0; posted.header("content-length").parse().unwrap_or_default()];
        reader.read_exact(&mut body).unwrap();
        posted.body = String::from_utf8(body).unwrap();
        let n = {
            let mut all = all.lock().unwrap();
            all.push(posted);
            all.len() - 1
        };
        let text = format!("HTTP/1.1 {}\r\ncontent-length: 2\r\n\r\nok", answer(n));
        if reader.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// A key and a certificate for 127.0.0.1, good for a day.
fn acceptor() -> (SslAcceptor, String) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "receiver").unwrap();
    let name = name.build();
    let mut made = X509::builder().unwrap();
    made.set_version(2).unwrap();
    made.set_subject_name(&name).unwrap();
    made.set_issuer_name(&name).unwrap();
    made.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    made.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    made.set_pubkey(&key).unwrap();
    let of = SubjectAlternativeName::new().ip("127.0.0.1").build(&made.x509v3_context(None, None)).unwrap();
    made.append_extension(of).unwrap();
    made.sign(&key, MessageDigest::sha256()).unwrap();
    let certificate = made.build();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    (acceptor.build(), String::from_utf8(certificate.to_pem().unwrap()).unwrap())
}

/// The body of what is served there; empty where nobody answers.
pub(crate) fn get(port: u16, path: &str) -> String {
    let mut page = String::new();
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return page };
    let request = format!("GET {path} HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n");
    drop(stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut page)));
    page.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}
