use std::borrow::Cow;
use std::sync::Mutex;
use std::time::Duration;

use crate::{Answer, Command, CommandKind, lock};

/// Where in the protocol a [`Fault`] strikes: at a request of the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// A client has connected. Its request is to be greeted.
    Connect,
    /// A login, on a connection without TLS.
    Login,
    /// A command of this kind.
    Command(CommandKind),
    /// A statement with this text, sent as text or to be prepared.
    Statement(Cow<'static, str>),
}

impl Point {
    /// A statement with this text, sent as text or to be prepared.
    pub fn statement(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Statement(text.into())
    }

    fn is(&self, request: &Request) -> bool {
        match (self, request) {
            (Self::Connect, Request::Connect) | (Self::Login, Request::Login) => true,
            (Self::Command(kind), Request::Command(command)) => command.kind == *kind,
            (Self::Statement(text), Request::Command(command)) => command.text.as_deref() == Some(text),
            _ => false,
        }
    }
}

/// What happens at a [`Point`], in place of passing everything on.
///
/// An [`Answer`] of these that is made of packets begins where the server's packets end, so that the client reads it; an
/// end, and silence, come at the very byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Once this many bytes of the server's answer have been passed on, the rest waits for this long.
    Delay(u64, Duration),
    /// From here on, bytes are passed on one at a time in both directions.
    Slice,
    /// This many bytes of the request are passed on, at most all of it, and the client gets this answer from here.
    ///
    /// With 0, the server does not see the request: a [`Silence`](Answer::Silence) is then a black hole, a
    /// [`Close`](Answer::Close) a connection cut before the statement arrives, and an [`Error`](Answer::Error) a server's
    /// refusal, after which the connection goes on.
    AfterRequest(u64, Answer),
    /// The request is passed on, and done by the server; then this many bytes of the server's answer are passed on, and
    /// the client gets the rest from here. The connection goes on where the answer allows it.
    ///
    /// With 0 and a [`Close`](Answer::Close), a `COMMIT` is made and its client is not told.
    AfterAnswer(u64, Answer),
}

/// What a client has sent, as far as a fault can be meant for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Connect,
    Login,
    Command(Command),
    Other,
}

/// The faults of a proxy that have not struck yet, and how many have.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    armed: Vec<(Point, Fault)>,
    struck: usize,
}

impl Faults {
    pub(crate) fn arm(&self, point: Point, fault: Fault) {
        lock(&self.0).armed.push((point, fault));
    }

    pub(crate) fn are_armed(&self) -> bool {
        !lock(&self.0).armed.is_empty()
    }

    /// Takes away the fault for `request`.
    pub(crate) fn strike(&self, request: &Request) -> Option<Fault> {
        let mut state = lock(&self.0);
        let at = state.armed.iter().position(|(point, _)| point.is(request))?;
        state.struck += 1;
        Some(state.armed.remove(at).1)
    }

    pub(crate) fn disarm(&self) -> usize {
        let mut state = lock(&self.0);
        state.armed.clear();
        std::mem::take(&mut state.struck)
    }
}
