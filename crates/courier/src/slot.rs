//! How an idle connection is given its next job.

use std::future::poll_fn;
use std::sync::{Mutex, PoisonError};
use std::task::{Poll, Waker};

use crate::inbox::Job;

/// What an idle connection is told to do.
pub(crate) enum Hand {
    Job(Job),
    Close,
}

/// One per worker. Only who has taken the slot out of the pool's idle list may give, so there is never a second hand.
#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hand: Option<Hand>,
    waker: Option<Waker>,
}

impl Slot {
    pub(crate) fn give(&self, hand: Hand) {
        let waker = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.hand = Some(hand);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) async fn take(&self) -> Hand {
        poll_fn(|cx| {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            match state.hand.take() {
                Some(hand) => Poll::Ready(hand),
                None => {
                    state.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
