use tidb_connect_wire::{Answer as Says, Script, Then};

use super::{attempt, server};
use crate::{
    lab::{Panicked, plural},
    probes::{
        prelude::*,
        sessions::pools::{Pool, at_most},
    },
};

pub(super) const PROBE: Probe = Probe {
    question: "A server answers with packets that are cut short, or are none: does the caller get errors?",
    meaning: "A panic ends a task or a thread, or with `panic = \"abort\"` the program; an answer made of nothing is worse.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

/// Each as the first packet after a statement, and the end of the connection.
const DAMAGED: [&[u8]; 13] = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\0\0\0\x01",
    b"\x07\0",
    b"\x07\0\0\x01\0\0\0",
    // The first byte of OK, of an error, of a request for a file, of a number.
    b"\x01\0\0\x01\0",
    b"\x02\0\0\x01\0\xfe",
    b"\x01\0\0\x01\xff",
    b"\x02\0\0\x01\xff\x15",
    b"\x01\0\0\x01\xfb",
    b"\x01\0\0\x01\xfc",
    b"\x01\0\0\x01\xfe",
    // One column is promised.
    b"\x01\0\0\x01\x01\x03\0\0\x02def",
    b"\x01\0\0\x01\x01\x05\0\0\x02hello\x05\0\0\x03hello\x05\0\0\x04hello",
];

async fn as_it_comes(driver: Driver, _: Lab) -> Observed {
    let mut outcomes = Vec::new();
    for damaged in DAMAGED {
        let (_server, config) = server(says(damaged))?;
        outcomes.push(attempt(&Pool::as_it_comes(driver, &config, 1).await?, "SELECT 1").await);
    }
    answer(outcomes)
}

async fn ours(driver: Driver, _: Lab) -> Observed {
    let mut outcomes = Vec::new();
    for damaged in DAMAGED {
        let (_server, config) = server(says(damaged))?;
        outcomes.push(attempt(&Pool::ours(driver, &config, at_most(1))?, "SELECT 1").await);
    }
    answer(outcomes)
}

fn says(damaged: &'static [u8]) -> Script {
    Script::new().on_statement("SELECT 1", Says::Bytes(damaged.into(), Then::Close))
}

fn answer(outcomes: Vec<Result<String, BoxError>>) -> Observed {
    let (mut taken, mut panics, mut evidence) = (0, 0, Vec::new());
    for (damaged, outcome) in DAMAGED.iter().zip(outcomes) {
        let said = match outcome {
            Ok(_) => {
                taken += 1;
                "no error".to_owned()
            }
            Err(error) => {
                panics += u64::from(error.is::<Panicked>());
                error.to_string()
            }
        };
        evidence.push(format!("{}: {said}", damaged.escape_ascii()));
    }
    let answer = match (taken, panics) {
        (0, 0) => Answer::new("errors"),
        (0, _) => Answer::new(plural(panics, "panic")),
        (_, 0) => Answer::new(format!("{} with no error", plural(taken, "packet"))),
        (..) => Answer::new(format!("{}, {} with no error", plural(panics, "panic"), plural(taken, "packet"))),
    };
    Ok(evidence.into_iter().fold(answer, Answer::with))
}
