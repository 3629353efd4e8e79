//! A connection that was accepted: it has a place among those that are open, it must begin, and
//! its client must stay.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// After how long without a word the system asks whether the other side is still there, and how
/// long it waits between asking.
const SILENCE: Duration = Duration::from_mins(1);
const ASKING: Duration = Duration::from_secs(10);

/// Sets up a socket that was accepted: answers go out at once, and a client that vanished without a
/// word is noticed, whatever protocol it spoke or had not begun to speak. Where the system does not
/// do that answers go out later, and the protocols' own deadlines have to do.
pub(crate) fn accepted(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let keep_alive = TcpKeepalive::new().with_time(SILENCE).with_interval(ASKING);
    if let Err(error) = SockRef::from(socket).set_tcp_keepalive(&keep_alive) {
        tracing::debug!(%error, "a connection is not kept alive by the system");
    }
}

/// A connection whose reads fail once its first bytes are overdue. The deadlines of the HTTP
/// protocols begin only when it is known which of them is spoken: until then this one holds.
pub(crate) struct Connection<S> {
    stream: S,
    opening: Option<Opening>,
    /// Goes with the stream wherever it goes, also to a socket that it is upgraded to.
    _place: OwnedSemaphorePermit,
}

/// A connection that has not shown yet what it speaks.
struct Opening {
    /// How many bytes of the preface have come.
    came: usize,
    deadline: Pin<Box<Sleep>>,
}

impl<S> Connection<S> {
    /// One that has to begin within `patience`.
    pub(crate) fn new(stream: S, place: OwnedSemaphorePermit, patience: Duration) -> Self {
        let opening = Opening { came: 0, deadline: Box::pin(sleep(patience)) };
        Self { stream, opening: Some(opening), _place: place }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let Some(opening) = &mut this.opening else { return read };
        if read.is_pending() {
            let overdue = opening.deadline.as_mut().poll(context);
            return overdue.map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        let bytes = &buffer.filled()[before..];
        let rest = &PREFACE[opening.came..];
        opening.came += bytes.len();
        if bytes.len() >= rest.len() || !rest.starts_with(bytes) {
            this.opening = None;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_system_asks_after_a_client_that_says_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        accepted(&socket);
        let set = SockRef::from(&socket);
        assert!(set.keepalive().unwrap() && socket.nodelay().unwrap());
        assert_eq!(set.tcp_keepalive_time().unwrap(), SILENCE);
        assert_eq!(set.tcp_keepalive_interval().unwrap(), ASKING);
    }
}
