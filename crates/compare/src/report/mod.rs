//! A run, for people to read.

mod bench;
mod text;
mod view;

use minijinja::{AutoEscape, Environment, syntax::SyntaxConfig, value::Serde};
use serde::Serialize;
use tidb_connect_core::{BoxError, Error, ErrorKind, Result};

use view::View;

use crate::{Changes, Run};

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The run that it is about.
    pub run: &'a Run,
    /// What has changed since an earlier run.
    pub changes: Option<&'a Changes>,
    /// Runs on other servers, of which it tells what is different there.
    pub others: &'a [Run],
    /// How fast the drivers are, for Markdown and HTML.
    pub bench: Option<&'a tidb_connect_bench::Run>,
}

impl Report<'_> {
    /// The run itself, with the changes where they are asked for: the form that `--from` and `--against` read.
    ///
    /// # Errors
    /// None that is known.
    pub fn json(&self) -> Result<String> {
        #[derive(Serialize)]
        struct Json<'a> {
            #[serde(flatten)]
            run: &'a Run,
            #[serde(skip_serializing_if = "Option::is_none")]
            changes: Option<&'a Changes>,
        }

        let text = serde_json::to_string_pretty(&Json { run: self.run, changes: self.changes });
        text.map(|text| text + "\n").map_err(broken)
    }

    /// As Markdown: the advice, the surprises, and every answer.
    ///
    /// # Errors
    /// When the template is broken.
    pub fn markdown(&self) -> Result<String> {
        render("report.md", include_str!("report.md.jinja"), self)
    }

    /// As one page of HTML that needs nothing else, not even scripts: what is in the Markdown, the evidence and the source
    /// of every probe, and charts.
    ///
    /// # Errors
    /// When the template is broken.
    pub fn html(&self) -> Result<String> {
        render("report.html", include_str!("report.html.jinja"), self)
    }
}

fn render(name: &str, template: &str, report: &Report<'_>) -> Result<String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(broken)?);
    environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    // A cell of a table in Markdown is one line, and ends at a bar. Angle brackets would be HTML.
    environment.add_filter("cell", |text: String| {
        text.replace('|', "\\|").replace('\n', " ").replace('<', "&lt;").replace('>', "&gt;")
    });
    let rendered = environment.render_named_str(name, template, Serde(View::new(report)));
    rendered.map_err(broken)
}

fn broken(error: impl Into<BoxError>) -> Error {
    Error::new(ErrorKind::Driver, "the report cannot be written").with_source(error)
}
