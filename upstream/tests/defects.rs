//! Each defect is still there in the locked versions of the drivers, and is written down.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tidb_connect_core::ConnectionConfig;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tidb-connect-upstream");

/// How long a program may take; the longest waits for some five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the drivers' maintainers keep their threads.
const TRACKERS: [&str; 4] =
    ["transact-rs/sqlx", "blackbeam/rust-mysql-simple", "blackbeam/mysql_async", "blackbeam/rust_mysql_common"];

#[test]
fn each_defect_is_still_there() {
    let url = &url();
    // Most of them wait for something.
    let unseen: Vec<_> = thread::scope(|scope| {
        let run = |name: String| scope.spawn(move || verdict(name.clone(), url).map(|_| name));
        let running: Vec<_> = names().into_iter().map(run).collect();
        running.into_iter().filter_map(|defect| defect.join().expect("no panic")).collect()
    });
    // So many at once keep some from being in time.
    let wrong: Vec<_> = unseen.into_iter().filter_map(|name| verdict(name, url)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_defect_has_a_program() {
    let files = fs::read_dir(here().join("src")).expect("the programs").map(|file| file.expect("a file").path());
    let modules: BTreeSet<_> =
        files.filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).filter(|name| name != "main").collect();
    assert_eq!(modules, names().into_iter().collect());
}

#[test]
fn each_defect_has_a_row_with_a_thread_or_a_text() {
    let readme = fs::read_to_string(here().join("README.md")).expect("a README");
    for name in names() {
        let program = format!("[`{name}`](src/{name}.rs)");
        let rows: Vec<_> = readme.lines().filter(|line| line.starts_with('|') && line.contains(&program)).collect();
        let [row] = rows[..] else { panic!("{} rows for {name}", rows.len()) };
        let upstream = row.split('|').nth(4).expect("a cell for what is upstream");
        let told = links(upstream).any(|link| is_thread(link) || link.ends_with(".md"));
        assert!(told, "neither a thread nor a text for {name}: {upstream}");
    }
}

#[test]
fn each_text_belongs_to_a_row_and_can_be_filed() {
    let readme = fs::read_to_string(here().join("README.md")).expect("a README");
    for file in fs::read_dir(here()).expect("the texts").map(|file| file.expect("a file").path()) {
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        if !name.ends_with(".md") || name == "README.md" {
            continue;
        }
        assert!(readme.contains(&format!("]({name})")), "no row leads to {name}");
        let text = fs::read_to_string(&file).expect("a text");
        assert!(text.starts_with("# "), "no title in {name}");
        let parts = ["What happens", "What is expected", "Reproduction", "Cause", "Suggested fix"];
        for part in parts {
            assert!(text.contains(&format!("\n## {part}\n")), "no '{part}' in {name}");
        }
    }
}

#[test]
fn links_to_files_lead_somewhere() {
    for file in fs::read_dir(here()).expect("the texts").map(|file| file.expect("a file").path()) {
        if file.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&file).expect("a text");
            for link in links(&text).filter(|link| !link.starts_with("https://")) {
                assert!(here().join(link).exists(), "{} in {}", link, file.display());
            }
        }
    }
}

/// What is wrong where a defect is not shown.
fn verdict(name: String, url: &str) -> Option<String> {
    let mut program = Command::new(PROGRAM);
    program.arg(&name).env("DATABASE_URL", url).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = program.spawn().expect("the program runs");
    let started = Instant::now();
    while program.try_wait().expect("the program is a child").is_none() {
        if started.elapsed() > PATIENCE {
            program.kill().expect("the program is a child");
        }
        thread::sleep(Duration::from_millis(50));
    }
    let output = program.wait_with_output().expect("the program has ended");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    match output.status.code() {
        Some(2) => None,
        Some(0) => Some(format!("{name} is mended: its row, and what was done about it here, can go\n{said}")),
        _ => Some(format!("{name} could not be seen: {}\n{said}", output.status)),
    }
}

/// The server that the environment names, as the programs want it.
fn url() -> String {
    let config = ConnectionConfig::from_env().expect("the environment names a server");
    assert!(!config.uses_tls(), "the programs connect without TLS");
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    // sqlx takes an empty password in a URL for none, and the others too.
    let (user, password) = (encoded(config.user()), encoded(config.password().expose()));
    format!("mysql://{user}:{password}@{}:{}/{}", config.host(), config.port(), encoded(config.database()))
}

fn names() -> Vec<String> {
    let output = Command::new(PROGRAM).arg("--list").output().expect("the program runs");
    String::from_utf8(output.stdout).expect("names").lines().map(str::to_owned).collect()
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The targets of Markdown's links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

fn is_thread(link: &str) -> bool {
    TRACKERS.iter().any(|tracker| {
        let number = ["issues", "pull"].iter().find_map(|kind| {
            link.strip_prefix("https://github.com/")?.strip_prefix(tracker)?.strip_prefix('/')?.strip_prefix(kind)
        });
        number.is_some_and(|number| number[1..].parse::<u32>().is_ok())
    })
}
