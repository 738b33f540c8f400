//! One connection.

use std::error::Error;
use std::future::poll_fn;
use std::sync::Arc;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::desk::{Desk, NoAnswer};
use crate::raw::{Stream, misbehave};

/// Serves requests until either side ends it. Errors of the peer are its own affair.
pub(crate) async fn serve(desk: Arc<Desk>, stream: impl Stream) {
    let service = service_fn(|request| {
        let desk = desk.clone();
        // boxed because hyper gives the stream back only for futures that can be moved
        Box::pin(async move { desk.serve(request).await })
    });
    let mut connection = http1::Builder::new().pipeline_flush(true).serve_connection(TokioIo::new(stream), service);
    let Err(ended) = poll_fn(|cx| connection.poll_without_shutdown(cx)).await else { return };
    if let Some(NoAnswer::Raw(raw)) = ended.source().and_then(|cause| cause.downcast_ref()) {
        let stream = connection.into_parts().io.into_inner();
        // the peer hanging up in the middle is the purpose
        let _ = misbehave(stream, *raw).await;
    }
}

/// The same over HTTP/2.
pub(crate) async fn serve_http2(desk: Arc<Desk>, stream: impl Stream) {
    let service = service_fn(move |request| {
        let desk = desk.clone();
        async move { desk.serve(request).await }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(128)
        .serve_connection(TokioIo::new(stream), service);
    // the peer hanging up is its own affair
    let _ = connection.await;
}
