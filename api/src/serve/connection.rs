//! A connection that was accepted: it has a place among those that are open, and it must begin.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};

/// What an HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose reads fail once its first bytes are overdue. The deadlines of the HTTP
/// protocols begin only when it is known which of them is spoken: until then this one holds.
pub(super) struct Connection {
    stream: TcpStream,
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

impl Connection {
    /// One that has to begin within `patience`.
    pub(super) fn new(stream: TcpStream, place: OwnedSemaphorePermit, patience: Duration) -> Self {
        let opening = Opening { came: 0, deadline: Box::pin(sleep(patience)) };
        Self { stream, opening: Some(opening), _place: place }
    }
}

impl AsyncRead for Connection {
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

impl AsyncWrite for Connection {
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
