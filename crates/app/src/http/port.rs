//! The service's port: connections, and how long and how many of them may be.
//!
//! Promises: whoever is slow loses the connection (handshake, header, answer), and nobody else waits
//! for that; a connection too many is told so and closed; told to stop, the port closes at once,
//! idle connections with it, and requests get [`REQUESTS_END`]. HTTP/1.1, with or without TLS.
//! Bodies are watched by [`super::visit`], for only routes know what they may take.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use engine::run::stop::Stop;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::config::Connections;

/// What requests get to end by themselves when the service is told to stop.
pub const REQUESTS_END: Duration = Duration::from_secs(5);
/// Bytes of a request's header that are kept: more than any dialect allows, so that its own code
/// is what a client gets.
const HEAD_BYTES_MAX: usize = 128 * 1024;
/// How long bytes of an answer may wait for a client that does not take them.
const TAKEN_MAX: Duration = Duration::from_secs(60);
/// Connections too many that are told so at once; those beyond are closed without a word.
const REFUSALS_MAX: usize = 64;
/// How long one of them gets to read it.
const REFUSAL_MAX: Duration = Duration::from_secs(1);
/// Pause after the system refused to give a connection: it may be out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection too many is told.
const REFUSAL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\
      Content-Length: 30\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
      dbferry: too many connections\n";

/// A port that listens.
pub struct Port {
    listener: TcpListener,
    limits: Connections,
    tls: Option<TlsAcceptor>,
}

impl Port {
    /// Listens. With `tls` it speaks nothing else.
    pub async fn open(
        address: SocketAddr,
        limits: Connections,
        tls: Option<TlsAcceptor>,
    ) -> Result<Port, String> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| format!("listen on {address}: {error}"))?;
        Ok(Port { listener, limits, tls })
    }

    /// Where it listens, as the beginning of a URL.
    pub fn url(&self) -> Result<String, String> {
        let address = self.listener.local_addr().map_err(|error| format!("listen: {error}"))?;
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{address}"))
    }

    /// Answers requests until `stop` is asked and the last of them had its time.
    pub async fn serve(self, router: Router, stop: &Stop) {
        let Port { listener, limits, tls } = self;
        let room = Arc::new(Semaphore::new(limits.max));
        let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                () = stop.asked() => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                Some(_) = connections.join_next() => continue,
            };
            set_up(&stream);
            if let Ok(place) = Arc::clone(&room).try_acquire_owned() {
                let (router, stop) = (router.clone(), stop.clone());
                let (tls, limits) = (tls.clone(), limits.clone());
                connections.spawn(async move {
                    attend(stream, tls, router, &limits, &stop).await;
                    drop(place);
                });
            } else if tls.is_none()
                && let Ok(place) = Arc::clone(&refusals).try_acquire_owned()
            {
                connections.spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_MAX, refuse(stream)).await;
                    drop(place);
                });
            } else {
                tracing::debug!("a connection too many was closed");
            }
        }
        drop(listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(REQUESTS_END, ended).await.is_err() {
            tracing::warn!(connections = connections.len(), "requests are broken off");
        }
    }
}

/// Without these settings it works too, only less well.
fn set_up(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(TAKEN_MAX));
}

async fn attend(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: &Connections,
    stop: &Stop,
) {
    let header = Duration::from_secs(u64::from(limits.header_seconds));
    let Some(tls) = tls else { return converse(stream, router, header, stop).await };
    let handshake = Duration::from_secs(u64::from(limits.handshake_seconds));
    match tokio::time::timeout(handshake, tls.accept(stream)).await {
        // On the heap: a TLS session is large, and so would be every future around it.
        Ok(Ok(stream)) => Box::pin(converse(stream, router, header, stop)).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// Requests and answers of one connection.
async fn converse<S>(stream: S, router: Router, header: Duration, stop: &Stop)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.asked() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

/// Says that there are too many connections. What the client has sent is read, for closing a
/// connection over unread bytes takes the answer away from it.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(REFUSAL).await?;
    stream.shutdown().await?;
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

#[test]
fn the_refusal_is_as_long_as_it_says() {
    let text = std::str::from_utf8(REFUSAL).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{text}");
}
