//! HTTP/1.1 (RFC 9112): requests and responses with a length, as browsers and X1 peers send them.

/// A request; `more` are header lines of its own, each ended by CR LF.
pub(crate) fn request(method: &str, host: &str, path: &str, more: &str, body: &str) -> Vec<u8> {
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{more}{length}\r\n{body}").into_bytes()
}

/// A response with status 200.
pub(crate) fn response(kind: &str, server: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: {server}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Text of about `n` octets.
pub(crate) fn page(n: usize) -> Vec<u8> {
    let text = b"<!doctype html><title>weather</title><p>Light rain in the morning, clearing from the west, wind 3 to 4.</p>\n";
    text.iter().copied().cycle().take(n).collect()
}

#[cfg(test)]
mod tests {
    use super::{request, response};

    #[test]
    fn lengths_are_said() {
        assert_eq!(request("GET", "h", "/", "", ""), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(request("POST", "h", "/", "", "abc").ends_with(b"Content-Length: 3\r\n\r\nabc"));
        assert!(response("text/plain", "s", b"ab").ends_with(b"Content-Length: 2\r\n\r\nab"));
    }
}
