//! From the queues to the courier.

use std::rc::Rc;
use std::sync::Arc;

use courier::{Bytes, HeaderName, HeaderValue, Method, Request, Target};
use pgrx::check_for_interrupts;
use retry::Gate;
use signing::{Secret, sign_sha256, sign_standard};

use super::clock;
use super::desk::Desk;
use super::direct::{self, Direct};
use super::endpoint::Endpoint;
use super::event::{Delivery, Event};
use super::memory::Held;
use super::settings::target;
use super::shape::Signature;
use crate::guc;

/// Bytes of an endpoint's response that are kept.
const KEEP: usize = 4096;

/// A request that could not be made.
pub struct Unsendable {
    /// The word for frontdesk.attempt.error.
    pub error: &'static str,
    pub detail: String,
    /// Can it succeed later as it is?
    pub hopeless: bool,
}

impl Desk {
    pub fn dispatch(&mut self) {
        let now = clock::now();
        if now >= self.next_gate {
            // Somebody may be sent to again.
            self.next_due = i64::MIN;
        }
        self.next_gate = i64::MAX;
        let mut batch = Vec::new();
        let ids: Vec<i64> = self.endpoints.keys().copied().collect();
        for id in ids {
            while let Some(endpoint) = self.endpoints.get_mut(&id) {
                match endpoint.next(now) {
                    Ok(delivery) => self.send(delivery, &mut batch),
                    Err(until) => {
                        self.next_gate = self.next_gate.min(until);
                        break;
                    }
                }
            }
            if let Some(endpoint) = self.endpoints.get(&id)
                && endpoint.settings.active
                && let Gate::No { until } = endpoint.breaker.allows(now)
            {
                self.next_gate = self.next_gate.min(until);
            }
        }
        self.hosts.retain(|_, id| self.endpoints.get(id).is_some_and(|host| host.in_flight + host.queued() > 0));
        self.endpoints.retain(|id, _| *id > 0 || self.hosts.values().any(|host| host == id));
        if !batch.is_empty() {
            self.courier.send(batch);
        }
        check_for_interrupts!();
    }

    fn send(&mut self, mut delivery: Delivery, batch: &mut Vec<Request>) {
        let made = match self.endpoints.get(&delivery.endpoint) {
            Some(endpoint) if delivery.endpoint > 0 => self.request(endpoint, &delivery),
            host => self.direct(host, &delivery.event),
        };
        if let Some(endpoint) = self.endpoints.get_mut(&delivery.endpoint) {
            endpoint.in_flight += 1;
        }
        match made {
            Ok(request) => {
                self.next_request += 1;
                delivery.sent = Rc::new(Held::new(request.body.len()));
                batch.push(Request { id: self.next_request, ..request });
                self.in_flight.insert(self.next_request, delivery);
            }
            Err(unsendable) => self.judge_unsendable(delivery, unsendable),
        }
    }

    fn request(&self, endpoint: &Endpoint, delivery: &Delivery) -> Result<Request, Unsendable> {
        let settings = &endpoint.settings;
        let event = &*delivery.event;
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
        if let Some(until) = self.expired(endpoint, event) {
            return Err(problem("expired", true)(&format!("there was sense in sending it until {until}")));
        }
        let body = match payload.render_marked(event, settings.id, guc::max_payload_bytes()) {
            Some(rendered) => rendered.map_err(|detail| problem("payload", true)(&detail))?,
            None => return Err(problem("payload", true)(&"the engine ended each time that it was rendered".into())),
        };
        let signed = self.standard_headers(event, endpoint, signature, &body, delivery.attempts);
        let mut headers = signed.map_err(|detail| problem("secret", false)(&detail))?;
        if !settings.headers.iter().any(|(name, _)| name == "content-type") {
            headers.push((HeaderName::from_static("content-type"), HeaderValue::from_static(payload.content_type())));
        }
        headers.extend(settings.headers.iter().cloned());
        Ok(Request {
            id: 0,
            group: settings.id,
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

    /// Until when its policy would have it sent, when that is over.
    fn expired(&self, endpoint: &Endpoint, event: &Event) -> Option<String> {
        let until = endpoint.settings.policy.expires_at(clock::to_unix(event.created_at), event.record.as_deref())?;
        let until = clock::from_unix(until);
        (clock::now() > until).then(|| clock::rfc3339(until))
    }

    fn direct(&self, host: Option<&Endpoint>, event: &Event) -> Result<Request, Unsendable> {
        let hopeless = |error| move |detail: String| Unsendable { error, detail, hopeless: true };
        if let Some(reason) = &event.unread {
            return Err(hopeless("payload")(reason.clone()));
        }
        let direct = Direct::parse(event).map_err(hopeless("payload"))?;
        let target: Arc<Target> = target(&direct.url, &direct::guard()).map_err(hopeless("url"))?;
        let body = direct.body().map_err(hopeless("payload"))?;
        let mut headers = direct.headers().map_err(hopeless("secret"))?;
        match &direct.sign_with {
            Some(name) => {
                let signer = self
                    .endpoints
                    .values()
                    .find(|endpoint| endpoint.settings.id > 0 && endpoint.settings.name == *name);
                let signer = signer
                    .ok_or_else(|| hopeless("secret")(format!("endpoint \"{name}\", which was to sign it, is gone")))?;
                let signature =
                    signer.settings.signature.as_ref().map_err(|detail| hopeless("signature")(detail.clone()))?;
                if let Some(reason) = &signer.settings.problem {
                    return Err(hopeless("secret")(reason.clone()));
                }
                let signed = self.standard_headers(event, signer, signature, &body, 0);
                headers.extend(signed.map_err(hopeless("secret"))?);
            }
            None => headers.extend([header("webhook-id", self.webhook_id(event))].into_iter().flatten()),
        }
        Ok(Request {
            id: 0,
            group: host.map_or(0, |host| host.settings.id),
            at_once: host.map_or(1, |host| host.settings.max_in_flight),
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
        signer: &Endpoint,
        signature: &Signature,
        body: &[u8],
        attempts: i32,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let id = self.webhook_id(event);
        let now = clock::now();
        let timestamp = clock::unix_seconds(now);
        let secrets = signer.settings.signing(now);
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
