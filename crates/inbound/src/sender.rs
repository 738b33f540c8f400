//! What each sender calls a delivery, and what happened.

use serde_json::Value;
use signing::VerifyScheme;

use crate::headers::Headers;
use crate::{fingerprint, text};

pub struct Sender<'a> {
    pub scheme: &'a VerifyScheme,
    pub headers: Headers<'a>,
    pub document: &'a Value,
    pub body: &'a [u8],
}

impl Sender<'_> {
    /// The same for a repeat. Meta gives none: what it repeats it repeats to the letter, and each message has an id of its
    /// own in it.
    pub fn id(&self) -> Option<String> {
        match self.scheme {
            VerifyScheme::Standard => self.header(&["webhook-id", "svix-id"]),
            VerifyScheme::Sha256 => self.header(&["x-github-delivery"]).or_else(|| self.any_id()),
            VerifyScheme::Meta => Some(fingerprint(self.body)),
            VerifyScheme::Stripe => self.field("id"),
            VerifyScheme::Twilio => self.twilio(),
            VerifyScheme::Chatwoot => self.header(&["x-chatwoot-delivery"]),
            VerifyScheme::Slack => self.field("event_id").or_else(|| self.field("trigger_id")),
            VerifyScheme::Telegram => self.field("update_id"),
            VerifyScheme::Token(_) | VerifyScheme::Basic | VerifyScheme::None if self.is_meta() => {
                Some(fingerprint(self.body))
            }
            VerifyScheme::Token(_) | VerifyScheme::Basic | VerifyScheme::None => self.any_id(),
        }
    }

    fn any_id(&self) -> Option<String> {
        self.header(&["webhook-id", "idempotency-key", "x-delivery-id"])
    }

    /// Twilio tells of one message several times: once for each of its states.
    fn twilio(&self) -> Option<String> {
        if let Some(id) = self.header(&["i-twilio-idempotency-token"]) {
            return Some(id);
        }
        let id = self.field("MessageSid").or_else(|| self.field("SmsSid")).or_else(|| self.field("CallSid"))?;
        let state = ["MessageStatus", "SmsStatus", "CallStatus"].iter().find_map(|name| self.field(name));
        Some(state.map_or(id.clone(), |state| format!("{id} {state}")))
    }

    pub fn kind(&self) -> Option<String> {
        match self.scheme {
            VerifyScheme::Sha256 => match (self.header(&["x-github-event"]), self.field("action")) {
                (Some(event), Some(action)) => Some(format!("{event}.{action}")),
                (Some(event), None) => Some(event),
                (None, _) => self.any_kind(),
            },
            VerifyScheme::Meta => self.meta_kind(),
            VerifyScheme::Twilio => self.twilio_kind(),
            VerifyScheme::Chatwoot => self.field("event"),
            VerifyScheme::Slack => match self.field("type").as_deref() {
                Some("event_callback") => self.document["event"]["type"].as_str().map(str::to_string),
                Some(kind) => Some(kind.to_string()),
                None => self.field("command").map(|_| "command".to_string()),
            },
            VerifyScheme::Telegram => {
                let keys = self.document.as_object()?.keys();
                keys.into_iter().find(|key| *key != "update_id").cloned()
            }
            _ if self.is_meta() => self.meta_kind(),
            _ => self.any_kind(),
        }
    }

    fn any_kind(&self) -> Option<String> {
        ["type", "event", "event_type", "eventType"].iter().find_map(|name| self.field(name))
    }

    /// WhatsApp's through 360dialog have the same shape.
    fn is_meta(&self) -> bool {
        self.document["object"].is_string() && self.document["entry"].is_array()
    }

    fn meta_kind(&self) -> Option<String> {
        let entry = &self.document["entry"][0];
        let change = &entry["changes"][0];
        match change["field"].as_str() {
            // One field for what was written and for what became of what was sent.
            Some("messages") if change["value"]["messages"].is_null() && change["value"]["statuses"].is_array() => {
                Some("statuses".to_string())
            }
            Some(field) => Some(field.to_string()),
            None => entry["messaging"].is_array().then(|| "messaging".to_string()),
        }
    }

    fn twilio_kind(&self) -> Option<String> {
        let message = self.field("MessageSid").or_else(|| self.field("SmsSid")).is_some();
        let state = self.field("MessageStatus").or_else(|| self.field("SmsStatus"));
        match (message, state, self.field("CallStatus")) {
            (true, state, _) => Some(format!("message.{}", state.as_deref().unwrap_or("received"))),
            (false, _, Some(state)) => Some(format!("call.{state}")),
            _ => None,
        }
    }

    /// Slack asks, signed, whether this is the place that was told.
    pub fn reply(&self) -> Option<String> {
        let asks = *self.scheme == VerifyScheme::Slack && self.document["type"] == "url_verification";
        asks.then(|| self.field("challenge")).flatten()
    }

    fn header(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.headers.get(name)).filter(|value| !value.is_empty()).map(str::to_string)
    }

    fn field(&self, name: &str) -> Option<String> {
        self.document.get(name).and_then(text).filter(|value| !value.is_empty())
    }
}
