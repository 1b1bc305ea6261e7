//! What the doctor has found, for a person and for a program.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use textwrap::{Options, wrap};

use crate::driver::Driver;

/// What fits a terminal of the usual width.
const WIDTH: usize = 80;

/// Behind the mark and the longest name of a stage.
const INDENT: &str = "              ";

/// One step of the way, in the order in which it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    Settings,
    Name,
    Tcp,
    Greeting,
    Tls,
    Login,
    Database,
    Privileges,
    Timeouts,
    Path,
    Clock,
    RoundTrip,
}

impl Stage {
    /// As the report names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Name => "name",
            Self::Tcp => "TCP",
            Self::Greeting => "greeting",
            Self::Tls => "TLS",
            Self::Login => "login",
            Self::Database => "database",
            Self::Privileges => "privileges",
            Self::Timeouts => "time-outs",
            Self::Path => "path",
            Self::Clock => "clock",
            Self::RoundTrip => "round trip",
        }
    }

    /// What the program exits with after a cross here. Documented in `--help` and `docs/doctor.md`.
    fn exit_code(self) -> u8 {
        match self {
            Self::Settings => 2,
            Self::Name => 10,
            Self::Tcp => 11,
            Self::Greeting => 12,
            Self::Tls => 13,
            Self::Login => 14,
            Self::Database => 15,
            Self::Privileges => 16,
            Self::Timeouts | Self::Path | Self::Clock | Self::RoundTrip => 17,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Passed,
    Warning,
    Failed,
}

/// One line of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) stage: Stage,
    pub(crate) verdict: Verdict,
    /// What was seen; of a cross, in the words of who reported it.
    pub(crate) found: String,
    /// What to do about it. Of a cross it is one sentence that stands for itself.
    pub(crate) advice: Option<String>,
    pub(crate) details: Vec<String>,
}

impl Check {
    pub(crate) fn passed(stage: Stage, found: impl Into<String>) -> Self {
        Self { stage, verdict: Verdict::Passed, found: found.into(), advice: None, details: Vec::new() }
    }

    pub(crate) fn warning(stage: Stage, found: impl Into<String>, advice: impl Into<String>) -> Self {
        let (found, advice) = (found.into(), Some(advice.into()));
        Self { stage, verdict: Verdict::Warning, found, advice, details: Vec::new() }
    }
}

/// All that was found, in order; after a cross comes nothing more.
#[derive(Debug)]
pub(crate) struct Report {
    /// The server as it was looked for; `None` when the settings do not say.
    pub(crate) server: Option<String>,
    pub(crate) driver: Driver,
    pub(crate) checks: Vec<Check>,
}

/// The shape of `--json`. Documented in `docs/doctor.md`.
#[derive(Serialize)]
struct Json<'a> {
    summary: String,
    exit_code: u8,
    server: Option<&'a str>,
    driver: &'a str,
    checks: &'a [Check],
}

impl Report {
    pub(crate) fn new(driver: Driver) -> Self {
        Self { server: None, driver, checks: Vec::new() }
    }

    /// The cross, if there is one.
    pub(crate) fn failed(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.verdict == Verdict::Failed)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.failed().map_or(0, |check| check.stage.exit_code())
    }

    /// The answer, in one sentence.
    fn summary(&self) -> String {
        if let Some(advice) = self.failed().and_then(|check| check.advice.as_deref()) {
            return advice.to_owned();
        }
        let warnings = self.checks.iter().filter(|check| check.verdict == Verdict::Warning).count();
        let but = match warnings {
            0 => "nothing is in the way".to_owned(),
            1 => "1 thing is worth a look".to_owned(),
            more => format!("{more} things are worth a look"),
        };
        format!("{} can be used: {but}", self.server.as_deref().unwrap_or_default())
    }

    /// Writes the answer, and below it how it was found.
    pub(crate) fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        for line in wrap(&self.summary(), WIDTH) {
            writeln!(out, "{line}")?;
        }
        writeln!(out)?;
        for check in &self.checks {
            let (mark, color) = match check.verdict {
                Verdict::Passed => ('✓', AnsiColor::Green),
                Verdict::Warning => ('!', AnsiColor::Yellow),
                Verdict::Failed => ('✗', AnsiColor::Red),
            };
            let style = Style::new().fg_color(Some(color.into()));
            let mut found = wrap(&check.found, Options::new(WIDTH - INDENT.len())).into_iter();
            let first = found.next().unwrap_or_default();
            writeln!(out, "{style}{mark}{style:#} {:<12}{first}", check.stage.name())?;
            for line in found {
                writeln!(out, "{INDENT}{line}")?;
            }
            // The advice of a cross stands at the top.
            let advice = check.advice.as_ref().filter(|_| check.verdict == Verdict::Warning);
            for text in advice.into_iter().chain(&check.details) {
                for line in wrap(text, Options::new(WIDTH).initial_indent(INDENT).subsequent_indent(INDENT)) {
                    writeln!(out, "{line}")?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let json = Json {
            summary: self.summary(),
            exit_code: self.exit_code(),
            server: self.server.as_deref(),
            driver: self.driver.name(),
            checks: &self.checks,
        };
        serde_json::to_writer_pretty(&mut *out, &json)?;
        writeln!(out)
    }
}
