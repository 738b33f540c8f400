//! What came back, as the core takes it: without the credentials that were sent.

use std::time::SystemTime;

use courier::{FailureKind, Response};
use delivery::{Answer, Core, Delivery, Receipt, Reply, Target};

use super::requests::Desk;
use super::{clock, direct, readable};

impl Desk {
    pub fn receipt(&self, receipt: courier::Receipt, core: &Core) -> Receipt {
        let reply = match receipt.result {
            Ok(response) => Reply::Answer(self.answer(response, core.flying(receipt.id))),
            Err(failure) if failure.kind == FailureKind::Recalled => Reply::Recalled,
            Err(failure) => {
                Reply::Failure { error: failure.kind.as_str(), detail: readable(failure.detail.as_bytes()) }
            }
        };
        Receipt {
            request: receipt.id,
            started_at: clock::from_system(receipt.started_at),
            duration_ms: receipt.duration.as_secs_f32() * 1000.0,
            address: receipt.address,
            reply,
        }
    }

    fn answer(&self, mut response: Response, delivery: Option<&Delivery>) -> Answer {
        if let Some(delivery) = delivery {
            self.hide_secrets(delivery, &mut response);
        }
        let retry_after = response.retry_after.as_deref();
        Answer {
            status: response.status,
            retry_after: retry_after.and_then(|value| retry::retry_after(value, SystemTime::now())),
            headers: delivery.filter(|delivery| is_direct(delivery)).map(|_| headers(response.headers)),
            body: response.body,
        }
    }

    /// A receiver that answers with what it was sent shows nobody the credentials that were in it.
    fn hide_secrets(&self, delivery: &Delivery, response: &mut Response) {
        let of_request;
        let hidden = match delivery.target().endpoint().and_then(|id| self.endpoints.get(&id)) {
            Some(settings) => &settings.hidden,
            None => {
                of_request = direct::hidden(delivery.event());
                &of_request
            }
        };
        if hidden.is_empty() {
            return;
        }
        if let Some(masked) = sealing::mask(&response.body, hidden) {
            response.body = masked;
        }
        for (_, value) in &mut response.headers {
            if let Some(masked) = sealing::mask(value.as_bytes(), hidden) {
                *value = readable(&masked);
            }
        }
    }
}

fn is_direct(delivery: &Delivery) -> bool {
    matches!(delivery.target(), Target::Host(_))
}

fn headers(headers: Vec<(String, String)>) -> String {
    let headers: serde_json::Map<String, serde_json::Value> =
        headers.into_iter().map(|(name, value)| (name, value.replace('\0', "").into())).collect();
    serde_json::Value::Object(headers).to_string()
}
