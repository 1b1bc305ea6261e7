//! The HTML report in a browser: Chromium, without a window.

use std::{collections::BTreeMap, env, fs, path::Path, process::Command};

use serde::Deserialize;
use tidb_connect_compare::{Report, Run};

/// What the page beside this file finds.
#[derive(Debug, Deserialize)]
struct Found {
    dark: bool,
    /// By how many pixels the report is wider than a window of this width.
    too_wide: BTreeMap<u32, i64>,
    rows: usize,
    differing_rows: usize,
    rows_of_the_filter: usize,
    opened_by_a_click: usize,
    reached_by_keyboard: usize,
    evidence_in_view: bool,
    broken_links: Vec<String>,
    headings: Vec<u32>,
    tables_without_headers: usize,
    unlabelled: usize,
    /// The lowest contrast of a text with what is behind it, and which text.
    contrast: (f64, String),
}

#[test]
fn the_report_is_one_file_without_scripts() {
    let html = report();
    for forbidden in ["<script", "<link", "<img", "<iframe", "src=", "url(", "@import", " onclick"] {
        // In the page's own text, not in the sources of probes that it shows.
        let own = html.split("<pre").map(|part| part.split_once("</pre>").map_or(part, |(_, rest)| rest));
        assert!(own.into_iter().all(|part| !part.contains(forbidden)), "the report has {forbidden:?}");
    }
}

#[test]
fn it_reads_well_by_day() {
    check(&look("1"), false);
}

#[test]
fn it_reads_well_by_night() {
    check(&look("0"), true);
}

fn check(found: &Found, dark: bool) {
    assert_eq!(found.dark, dark, "the browser was not asked for what the test looks at");
    let wide: Vec<_> = found.too_wide.iter().filter(|(_, pixels)| **pixels > 0).collect();
    assert!(wide.is_empty(), "it must be scrolled sideways in windows of these widths, by so many pixels: {wide:?}");
    assert!(found.rows > 0, "there is no row");
    assert_eq!(found.opened_by_a_click, found.rows, "a click does not open every row");
    assert_eq!(found.reached_by_keyboard, found.rows, "the keyboard does not reach every row");
    assert!(found.evidence_in_view, "an open row does not show its evidence");
    assert!(found.differing_rows < found.rows, "every row differs, so that the filter cannot be seen to work");
    assert_eq!(found.rows_of_the_filter, found.differing_rows, "the filter shows other rows than those that differ");
    assert_eq!(found.broken_links, [""; 0], "links lead nowhere");
    assert_eq!(found.headings.iter().filter(|level| **level == 1).count(), 1, "one title");
    let skips = found.headings.windows(2).any(|pair| pair[1] > pair[0] + 1);
    assert!(!skips, "a level of headings is skipped: {:?}", found.headings);
    assert_eq!(found.tables_without_headers, 0, "a table without headers or without a caption");
    assert_eq!(found.unlabelled, 0, "a control without a label");
    // What WCAG 2.2 asks of text at level AA (1.4.3).
    assert!(found.contrast.0 >= 4.5, "text is hard to read: {:?}", found.contrast);
}

/// A kept run, with another beside it and as what has changed, as a page.
fn report() -> String {
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runs/compare");
    let mut runs: Vec<_> = fs::read_dir(runs).expect("kept runs").map(|run| run.expect("a file").path()).collect();
    runs.sort_by(|a, b| b.cmp(a));
    let read =
        |path: &Path| -> Run { serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("a run") };
    let (run, other) = (read(&runs[0]), read(&runs[1]));
    let changes = tidb_connect_compare::Changes::between(&other, &run);
    Report { run: &run, changes: Some(&changes), others: &[other], bench: None }.html().expect("a report")
}

fn look(scheme: &str) -> Found {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    // The report is a value of the page's script, which must not end at a tag that the report shows.
    let report = serde_json::to_string(&report()).expect("a text").replace("</", "<\\/");
    fs::write(&page, include_str!("browser.html").replace("REPORT", &report)).expect("a page");
    let browser = env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let output = Command::new(&browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=20000"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap_or_else(|error| {
            panic!("{browser} cannot be run: install Chromium, or say where it is in CHROMIUM: {error}")
        });
    let page = String::from_utf8(output.stdout).expect("a page is text");
    let found = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title);
    let found = found.unwrap_or_else(|| panic!("the browser says {}", String::from_utf8_lossy(&output.stderr)));
    let found = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&found).unwrap_or_else(|error| panic!("{error}: {found}"))
}
