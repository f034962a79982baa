//! A webhook: each finding's OCSF line as the body of a POST, signed as <https://www.standardwebhooks.com> says, so that receivers find
//! a library for it in their language.
//!
//! `webhook-id` is the finding's id with activity and severity: what receivers drop repeats by (contracts: finding).
//! `webhook-timestamp` is the time of the attempt in seconds since the epoch; `webhook-signature` is `v1,` and the base64 of
//! HMAC-SHA-256 over `ID.TIMESTAMP.BODY`.
use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::{
    DeliverError,
    sender::{Format, Message},
};
use crate::Finding;

/// What messages are signed with; it is never shown.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads base64 of 24 to 64 octets, with or without `whsec_` before it.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn parse(text: &str) -> Result<Self, DeliverError> {
        let text = text.trim();
        let octets = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).ok();
        let fits = octets.filter(|octets| (24..=64).contains(&octets.len()));
        fits.map(Self).ok_or_else(|| {
            let needed = "needed base64 of 24 to 64 octets on one line, for instance of `openssl rand -base64 32`";
            DeliverError(format!("{needed}, had {} characters", text.chars().count()))
        })
    }

    fn sign(&self, id: &str, timestamp: &str, body: &str) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

/// Speaks to webhooks.
pub(super) struct Webhook {
    secret: Option<Secret>,
}

impl Webhook {
    pub(super) const fn new(secret: Option<Secret>) -> Self {
        Self { secret }
    }
}

impl Format for Webhook {
    fn most(&self) -> usize {
        1
    }

    fn message(&mut self, findings: &[Arc<Finding>], _: i64) -> Message {
        let id = |f: &Arc<Finding>| format!("{}-{}-{}", f.uid, f.activity.id(), f.severity.id());
        let body = |f: &Arc<Finding>| f.to_json().to_string();
        Message {
            id: findings.first().map(id).unwrap_or_default(),
            body: findings.first().map(body).unwrap_or_default(),
        }
    }

    fn headers(&self, message: &Message, now: i64) -> Vec<(&'static str, String)> {
        let timestamp = now.div_euclid(1_000_000).to_string();
        let signature = self.secret.as_ref().and_then(|s| s.sign(&message.id, &timestamp, &message.body));
        let mut all = vec![("webhook-id", message.id.clone()), ("webhook-timestamp", timestamp)];
        all.extend(signature.map(|text| ("webhook-signature", text)));
        all
    }

    fn again(&mut self, _: i64) -> Vec<Message> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standard() {
        let webhook = Webhook::new(Some(Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap()));
        let message = Message { id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(), body: r#"{"test": 2432232314}"#.into() };
        let headers = webhook.headers(&message, 1_614_265_330_999_999);
        assert_eq!(headers[1], ("webhook-timestamp", "1614265330".to_owned()));
        assert_eq!(headers[2], ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".to_owned()));
    }

    #[test]
    fn a_secret_is_long_enough_and_stays_one() {
        let secret = Secret::parse("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret");
        for text in ["", "hunter2", "c2hvcnQ=", "whsec_"] {
            let said = Secret::parse(text).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(said.contains("openssl rand -base64 32") && !said.contains("hunter2"), "{said}");
        }
    }
}
