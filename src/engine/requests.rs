//! The requests that leave: what is said in them, and who signs it.

use std::collections::HashMap;

use courier::{Bytes, HeaderName, HeaderValue, Method, Request};
use delivery::{Event, HOST_AT_ONCE, Shipment, Target, Unsendable};
use signing::{Secret, sign_sha256, sign_standard};

use super::clock;
use super::direct::{self, Direct};
use super::settings::{Settings, target};
use super::shape::Signature;
use crate::guc;

/// Bytes of an endpoint's response that are kept.
const KEEP: usize = 4096;

/// Where requests are written.
#[derive(Default)]
pub struct Desk {
    /// Part of every webhook-id.
    pub installation: String,
    pub endpoints: HashMap<i64, Settings>,
}

impl Desk {
    /// The request, or why there is none.
    pub fn request(&self, shipment: &Shipment, now: i64) -> Result<Request, Unsendable> {
        let made = match shipment.target {
            Target::Endpoint(id) => match self.endpoints.get(&id) {
                Some(settings) => self.webhook(id, settings, &shipment.event, shipment.attempts, now),
                None => Err(Unsendable { error: "endpoint", detail: "it is gone".into(), hopeless: false }),
            },
            Target::Host(_) => self.direct(&shipment.event, now),
        };
        made.map(|request| Request { id: shipment.request, group: shipment.target.group(), ..request })
    }

    fn webhook(
        &self,
        id: i64,
        settings: &Settings,
        event: &Event,
        attempts: i32,
        now: i64,
    ) -> Result<Request, Unsendable> {
        let problem = |error, hopeless| move |detail: &String| Unsendable { error, detail: detail.clone(), hopeless };
        let target = settings.target.as_ref().map_err(problem("url", false))?;
        let payload = settings.payload.as_ref().map_err(problem("payload", true))?;
        let signature = settings.signature.as_ref().map_err(problem("signature", true))?;
        if let Some(reason) = &settings.problem {
            return Err(problem("secret", false)(reason));
        }
        if let Some(reason) = &event.unread {
            return Err(problem("payload", true)(reason));
        }
        if let Some(until) = expired(settings, event, now) {
            return Err(problem("expired", true)(&format!("there was sense in sending it until {until}")));
        }
        let body = match payload.render_marked(event, id, guc::max_payload_bytes()) {
            Some(rendered) => rendered.map_err(|detail| problem("payload", true)(&detail))?,
            None => return Err(problem("payload", true)(&"the engine ended each time that it was rendered".into())),
        };
        let signed = self.standard_headers(event, settings, signature, &body, attempts, now);
        let mut headers = signed.map_err(|detail| problem("secret", false)(&detail))?;
        if !settings.headers.iter().any(|(name, _)| name == "content-type") {
            headers.push((HeaderName::from_static("content-type"), HeaderValue::from_static(payload.content_type())));
        }
        headers.extend(settings.headers.iter().cloned());
        Ok(Request {
            id: 0,
            group: 0,
            at_once: settings.max_in_flight,
            method: Method::POST,
            target: target.clone(),
            headers,
            body: body.into(),
            timeout: settings.timeout,
            keep: KEEP,
            keep_headers: false,
        })
    }

    fn direct(&self, event: &Event, now: i64) -> Result<Request, Unsendable> {
        let hopeless = |error| move |detail: String| Unsendable { error, detail, hopeless: true };
        if let Some(reason) = &event.unread {
            return Err(hopeless("payload")(reason.clone()));
        }
        let direct = Direct::parse(event).map_err(hopeless("payload"))?;
        let target = target(&direct.url, &direct::guard()).map_err(hopeless("url"))?;
        let body = direct.body().map_err(hopeless("payload"))?;
        let mut headers = direct.headers().map_err(hopeless("secret"))?;
        match &direct.sign_with {
            Some(name) => {
                let signer = self.endpoints.values().find(|settings| settings.name == *name);
                let signer = signer
                    .ok_or_else(|| hopeless("secret")(format!("endpoint \"{name}\", which was to sign it, is gone")))?;
                let signature = signer.signature.as_ref().map_err(|detail| hopeless("signature")(detail.clone()))?;
                if let Some(reason) = &signer.problem {
                    return Err(hopeless("secret")(reason.clone()));
                }
                let signed = self.standard_headers(event, signer, signature, &body, 0, now);
                headers.extend(signed.map_err(hopeless("secret"))?);
            }
            None => headers.extend([header("webhook-id", self.webhook_id(event))].into_iter().flatten()),
        }
        Ok(Request {
            id: 0,
            group: 0,
            at_once: HOST_AT_ONCE,
            method: direct.method(),
            target,
            headers,
            body: Bytes::from(body),
            timeout: direct.timeout(),
            keep: guc::max_response_bytes(),
            keep_headers: true,
        })
    }

    /// The id, the moment and the signatures. An error: it is to be signed and there is nothing to sign with.
    fn standard_headers(
        &self,
        event: &Event,
        signer: &Settings,
        signature: &Signature,
        body: &[u8],
        attempts: i32,
        now: i64,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let id = self.webhook_id(event);
        let timestamp = clock::unix_seconds(now);
        let secrets = signer.signing(now);
        if secrets.is_empty() && !matches!(signature, Signature::None) {
            return Err("there is no secret to sign with".into());
        }
        let signatures = match signature {
            Signature::Standard => {
                header("webhook-signature", sign_standard(&secrets, &id, timestamp, body)).into_iter().collect()
            }
            Signature::Sha256(name) => sha256_headers(name, &secrets, body, attempts),
            Signature::None => Vec::new(),
        };
        let named = [header("webhook-id", id), header("webhook-timestamp", timestamp.to_string())];
        Ok(named.into_iter().flatten().chain(signatures).collect())
    }

    /// Unique in the world, and the same for every attempt: Standard Webhooks' idempotency key. Its last part is the moment
    /// of the event: after a recovery to an earlier point, numbers are given out again.
    fn webhook_id(&self, event: &Event) -> String {
        format!("msg_{}_{}_{:x}", self.installation, event.id, event.created_at)
    }
}

/// Until when its policy would have it sent, when that is over.
pub fn expired(settings: &Settings, event: &Event, now: i64) -> Option<String> {
    let until = settings.policy.expires_at(clock::to_unix(event.created_at), event.record.as_deref())?;
    let until = clock::from_unix(until);
    (now > until).then(|| clock::rfc3339(until))
}

/// The header has room for one signature. While a secret is rotated its receiver may know the old one or the new one: the
/// attempts are signed with them in turn, the newest first, and a header beside it has all signatures.
fn sha256_headers(name: &HeaderName, secrets: &[Secret], body: &[u8], attempts: i32) -> Vec<(HeaderName, HeaderValue)> {
    let signatures: Vec<String> = secrets.iter().map(|secret| sign_sha256(secret, body)).collect();
    let turn = usize::try_from(attempts).unwrap_or(0) % signatures.len().max(1);
    let one = signatures.get(turn).cloned().map(|value| (Ok(name.clone()), value));
    let all = (signatures.len() > 1).then(|| (HeaderName::try_from(format!("{name}-all")), signatures.join(", ")));
    [one, all]
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.ok()?, HeaderValue::try_from(value).ok()?)))
        .collect()
}

fn header(name: &'static str, value: String) -> Option<(HeaderName, HeaderValue)> {
    Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?))
}
