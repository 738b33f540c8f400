//! What came back, without the credentials that were sent.

use courier::Response;

use super::desk::Desk;
use super::direct;
use super::event::Delivery;
use super::readable;

impl Desk {
    /// A receiver that answers with what it was sent shows nobody the credentials that were in it.
    pub fn hide_secrets(&self, delivery: &Delivery, response: &mut Response) {
        let of_request;
        let hidden = match self.endpoints.get(&delivery.endpoint) {
            Some(endpoint) if delivery.endpoint > 0 => &endpoint.settings.hidden,
            _ => {
                of_request = direct::hidden(&delivery.event);
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
