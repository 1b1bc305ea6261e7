//! The questions are in order, and `COMPARE.md` is what the kept runs say, made with the drivers of today.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use tidb_connect_core::ErrorKind;

use crate::{
    Change, Changes, Driver, Report, Run, Selection,
    opinion::{ADVICE, Question, SURPRISES},
    probes::{CHAPTERS, source_of},
};

/// The variable that has `COMPARE.md` written anew from the kept runs.
const WRITE: &str = "TIDB_COMPARE_DOCUMENT";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The newest kept run on each product; TiDB's first.
fn kept() -> Vec<Run> {
    let files = fs::read_dir(workspace().join("runs/compare")).expect("runs are kept");
    let read = |path: PathBuf| serde_json::from_str(&fs::read_to_string(path).expect("a file")).expect("a run");
    let mut runs: Vec<Run> = files.map(|file| read(file.expect("a file").path())).collect();
    runs.sort_by(|a, b| b.date.cmp(&a.date));
    let mut seen = BTreeSet::new();
    runs.retain(|run| seen.insert(format!("{:?}", run.server.product)));
    runs.sort_by_key(|run| !run.server.is_tidb());
    runs
}

fn ids() -> Vec<&'static str> {
    Selection::new(Vec::new(), Vec::new()).expect("all").probes().iter().map(|asked| asked.id).collect()
}

#[test]
fn every_question_has_a_name_of_its_own() {
    let ids = ids();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
    for chapter in CHAPTERS {
        assert!(!ids.contains(&chapter.name), "{} is a chapter and a probe", chapter.name);
    }
}

#[test]
fn the_kept_runs_were_made_with_the_drivers_of_today() {
    for run in kept() {
        for driver in Driver::ALL {
            let then = run.drivers.get(driver.name()).map(String::as_str);
            assert_eq!(
                then,
                Some(driver.version()),
                "Cargo.lock has another {driver} than the run on {}: make runs/compare anew, and look at what has changed \
                 with `tidb-connect compare --against`",
                run.server
            );
        }
    }
}

#[test]
fn the_kept_runs_ask_every_question() {
    for run in kept() {
        let asked: Vec<_> = run.probes.iter().map(|probe| probe.id.as_str()).collect();
        assert_eq!(asked, ids(), "the run on {} is not of these probes: make it anew", run.server);
        assert_eq!(run.failures().collect::<Vec<_>>(), [], "on {}", run.server);
    }
}

/// Where this workspace's crates do not answer alike, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    ("space_before_parenthesis", "sqlx asks for IGNORE_SPACE, which MariaDB turns into sql_mode"),
    ("session_settings", "the same"),
    ("error_source", "mysql keeps a refused connection as text"),
    ("rows_left_unread", "sqlx cannot tell a dropped stream from a dropped call"),
    ("cancelled_during_begin", "a blocking call cannot be dropped"),
    ("cancelled_during_statement", "the same"),
    ("pool_dropped", "only mysql can send COM_QUIT without waiting"),
    ("tcp_keepalive", "sqlx lets nobody set it; there, each wait for a row is limited instead"),
    ("damaged_packets", "mysql_async takes an OK packet that it cannot read for one"),
];

#[test]
fn our_crates_answer_alike_but_where_it_is_said() {
    let mut differ = BTreeSet::new();
    for run in kept() {
        for probe in &run.probes {
            let ours = Driver::ALL.iter().filter_map(|driver| probe.answers.get(driver.our_name()));
            if ours.collect::<BTreeSet<_>>().len() > 1 {
                differ.insert(probe.id.clone());
            }
        }
    }
    assert_eq!(differ, DIFFERENCES.iter().map(|(id, _)| (*id).to_owned()).collect());
}

#[test]
fn compare_md_is_what_the_kept_runs_say() {
    let [run, others @ ..] = &kept()[..] else { panic!("there is no run") };
    assert!(run.server.is_tidb() && !others.is_empty(), "a run on TiDB and one elsewhere");
    let written = Report { run, changes: None, others, bench: None }.markdown().expect("a report");
    let path = workspace().join("COMPARE.md");
    if env::var(WRITE).is_ok_and(|wanted| wanted == "write") {
        fs::write(&path, &written).expect("it can be written");
    }
    let kept = fs::read_to_string(&path).expect("COMPARE.md is there");
    assert!(kept == written, "write COMPARE.md anew: {WRITE}=write cargo test -p tidb-connect-compare");
}

#[test]
fn opinion_rests_on_questions_that_are_asked() {
    fn cited(question: &'static Question) -> Vec<&'static str> {
        question.because.iter().copied().chain(question.further.iter().flat_map(cited)).collect()
    }

    for id in ADVICE.iter().flat_map(cited).chain(SURPRISES.iter().copied()) {
        assert!(source_of(id).is_some(), "there is no probe {id}");
    }
}

#[test]
fn a_name_that_is_not_known_is_refused_with_those_that_are() {
    let error = Selection::new(Vec::new(), vec!["results".into(), "result".into()]).expect_err("no such chapter");
    assert_eq!(error.kind(), ErrorKind::Config);
    let said = error.to_string();
    assert!(
        said.contains("\"result\"") && said.contains("unchanged_row_affected") && said.contains("engineering"),
        "{said}"
    );
}

#[test]
fn a_change_is_what_was_asked_and_answered_otherwise() {
    let [earlier, ..] = &kept()[..] else { panic!("there is no run") };
    let mut run = earlier.clone();
    assert_eq!(Changes::between(earlier, &run).answers, []);

    run.drivers.insert("mysql".into(), "99.0.0".into());
    // One probe answers otherwise, one is not asked of a driver, one is new, and the others are left out.
    run.probes.truncate(3);
    run.probes[0].answers.insert("mysql".into(), "new".into());
    for name in ["sqlx", "tidb-connect-sqlx"] {
        run.probes[1].answers.remove(name);
        run.probes[1].not_observable.remove(name);
    }
    run.probes[2].id = "new".into();
    run.probes[2].answers = BTreeMap::from([("sqlx".to_owned(), "first".to_owned())]);
    let change = |id: Option<&str>, name: &str, before: Option<&str>, after: &str| Change {
        id: id.map(Into::into),
        name: name.into(),
        before: before.map(Into::into),
        after: Some(after.into()),
    };
    let changes = Changes::between(earlier, &run);
    assert_eq!(changes.drivers, [change(None, "mysql", Some(Driver::Mysql.version()), "99.0.0")]);
    let first = &earlier.probes[0];
    let before = first.answers.get("mysql").map(String::as_str);
    assert_eq!(
        changes.answers,
        [change(Some(&first.id), "mysql", before, "new"), change(Some("new"), "sqlx", None, "first")]
    );
}

#[test]
fn what_a_server_says_cannot_break_a_report() {
    let [run, ..] = &mut kept()[..] else { panic!("there is no run") };
    run.probes.truncate(1);
    let hostile = "a|b\n<script>alert(1)</script> &amp;";
    run.probes[0].answers.insert("sqlx".into(), hostile.into());
    run.probes[0].evidence.insert("sqlx".into(), vec![hostile.into()]);
    let report = Report { run, changes: None, others: &[], bench: None };

    let html = report.html().expect("a page");
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
    let markdown = report.markdown().expect("a page");
    assert!(!markdown.contains("<script") && markdown.contains("a\\|b &lt;script&gt;"), "{markdown}");
}
