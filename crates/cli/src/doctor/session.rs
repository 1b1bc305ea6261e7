//! What can be seen from within: login, database, privileges, time-outs, the path, the clock, the round trip.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tidb_connect_core::{BoxError, ConnectionConfig, Deployment, ErrorKind, Fault};
use tidb_connect_wire::Greeting;
use time::{OffsetDateTime, PrimitiveDateTime, macros::format_description};

use super::{Check, Crossed, DOCTOR, Doctor, Product, Stage, Verdict, login_sentence};
use crate::{
    driver::{Rows, Session},
    failure::chain_of,
};

/// A login that takes longer is mentioned: a cluster that sleeps has to wake for it.
const SLOW: Duration = Duration::from_secs(3);

/// A clock that is further off is worth a warning.
const CLOCK_TOLERANCE: i64 = 60;

/// A round trip that takes longer is worth a warning: the server is in another part of the world.
const FAR: Duration = Duration::from_millis(50);

/// How many round trips are measured.
const PINGS: usize = 10;

const WHO: &str = "SELECT VERSION(), CURRENT_USER(), USER(), UTC_TIMESTAMP()";
const GRANTS: &str = "SHOW GRANTS";
const DATABASES: &str = "SHOW DATABASES";
const TABLE: &str = "SHOW TABLES LIKE 'players'";
const FROM: &str = "SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()";
const VARIABLES: &str = "SHOW VARIABLES WHERE Variable_name IN ('wait_timeout', 'tidb_idle_transaction_timeout', \
     'innodb_lock_wait_timeout', 'max_connections')";

impl Doctor {
    pub(super) async fn log_in(&mut self, config: &ConnectionConfig) -> Result<Session, Crossed> {
        self.begin(Stage::Login);
        let (driver, started) = (self.report.driver, Instant::now());
        let error = match driver.log_in(config).await {
            Ok(session) => {
                let took = started.elapsed();
                let mut check = Check::passed(
                    Stage::Login,
                    format!("user '{}' is let in ({}, {took:.1?})", config.user(), driver.name()),
                );
                if took > SLOW && config.deployment() == Deployment::Starter {
                    check.details.push("it took so long because a cluster that sleeps has to wake".into());
                }
                self.add(check);
                return Ok(session);
            }
            Err(error) => error,
        };
        let stage = Stage::of_login(error.kind());
        if stage == Stage::Database {
            self.add(Check::passed(Stage::Login, format!("user '{}' is let in", config.user())));
        }
        let crossed = self.cross_with(stage, &error, login_sentence(config, &error));
        let mut more = Vec::new();
        match error.kind() {
            ErrorKind::UnknownDatabase | ErrorKind::PermissionDenied => {
                more.extend(self.databases(config).await);
            }
            ErrorKind::AccessDenied if config.password().is_empty() => more.push("no password is set".to_owned()),
            _ => {}
        }
        if let Some(check) = self.report.checks.last_mut() {
            check.details.extend(more);
        }
        Err(crossed)
    }

    /// Those databases that the user may see.
    async fn databases(&self, config: &ConnectionConfig) -> Option<String> {
        // The one that is always there, and that everybody may use.
        let config = config.clone().with_database("information_schema");
        let rows = self.report.driver.log_in(&config).await.ok()?.query(DATABASES).await.ok()?;
        let system = ["information_schema", "performance_schema", "metrics_schema", "mysql", "sys"];
        let name = |row: Vec<String>| {
            row.into_iter().next().filter(|name| !system.iter().any(|system| name.eq_ignore_ascii_case(system)))
        };
        let names: Vec<String> = rows.into_iter().filter_map(name).collect();
        Some(match names.as_slice() {
            [] => "the user sees no database there: create one, or have it granted".to_owned(),
            names => format!("the databases that the user sees there: {}", names.join(", ")),
        })
    }

    /// The answer to `statement`, or the cross of a connection that failed in use.
    async fn ask(&mut self, stage: Stage, session: &mut Session, statement: &'static str) -> Result<Rows, Crossed> {
        self.begin(stage);
        session.query(statement).await.map_err(|error| self.broken(stage, statement, &error))
    }

    fn broken(&mut self, stage: Stage, statement: &str, error: &BoxError) -> Crossed {
        let found = "the server let the user in, and then failed".to_owned();
        let advice = Some(format!("{found} at {statement}: look at its log, and at that of a proxy in between"));
        self.add(Check { stage, verdict: Verdict::Failed, found, advice, details: chain_of(&**error) });
        Crossed
    }
}

/// Everything after the login, in the order in which it is reported.
pub(super) async fn look(
    doctor: &mut Doctor,
    config: &ConnectionConfig,
    session: &mut Session,
    privileges: &[&str],
    greeting: &Greeting,
    local: Option<SocketAddr>,
) -> Result<(), Crossed> {
    let who = doctor.ask(Stage::Database, session, WHO).await?.into_iter().next().unwrap_or_default();
    let [version, account, from, utc] = <[String; 4]>::try_from(who).unwrap_or_default();
    let table = doctor.ask(Stage::Database, session, TABLE).await?;
    let mut check = Check::passed(Stage::Database, format!("'{}' can be used", config.database()));
    if !privileges.is_empty() && !table.is_empty() {
        check = Check::warning(
            Stage::Database,
            check.found,
            "a table named players is there already, which `tidb-connect run` leaves alone and then ends: set \
             TIDB_DB_NAME to another database for that",
        );
    }
    doctor.add(check);

    if !privileges.is_empty() {
        doctor.begin(Stage::Privileges);
        let granted = session.query(GRANTS).await;
        doctor.add(privileges_check(config, &account, privileges, granted));
        if doctor.report.failed().is_some() {
            return Err(Crossed);
        }
    }

    let variables = doctor.ask(Stage::Timeouts, session, VARIABLES).await?;
    doctor.add(timeouts_check(config, &variables));

    doctor.begin(Stage::Path);
    // Not everybody may read the process list.
    let seen = session.query(FROM).await.ok().and_then(|rows| rows.into_iter().next()?.into_iter().next());
    doctor.add(path_check(config, greeting, &version, session.local_addr(), local, seen, &from));

    doctor.add(clock_check(&utc));

    doctor.begin(Stage::RoundTrip);
    let mut took = Vec::new();
    for _ in 0..PINGS {
        let started = Instant::now();
        if let Err(error) = session.ping().await {
            let fault = error.server().map_or(Fault::Lost, |server| Fault::Server(server.clone()));
            let error = config.connect_error(DOCTOR, fault, error);
            return Err(doctor.cross(Stage::RoundTrip, &error));
        }
        took.push(started.elapsed());
    }
    took.sort_unstable();
    doctor.add(round_trip_check(took[PINGS / 2]));
    Ok(())
}

fn privileges_check(
    config: &ConnectionConfig,
    account: &str,
    needed: &[&str],
    granted: Result<Rows, BoxError>,
) -> Check {
    let stage = Stage::Privileges;
    let list = needed.join(", ");
    let Ok(rows) = granted else {
        let advice = format!("make sure that the user has {list} on `{}`", config.database());
        return Check::warning(stage, "the server does not tell what the user may do", advice);
    };
    let grants: Vec<String> = rows.into_iter().filter_map(|row| row.into_iter().next()).collect();
    let missing: Vec<&str> =
        needed.iter().copied().filter(|privilege| !is_granted(&grants, config.database(), privilege)).collect();
    if missing.is_empty() {
        return Check::passed(stage, format!("the user has all that `tidb-connect run` needs: {list}"));
    }
    let (missing, database) = (missing.join(", "), config.database());
    let who = match account.rsplit_once('@') {
        Some((user, host)) => format!("'{user}'@'{host}'"),
        None => format!("'{}'", config.user()),
    };
    let mut check = if grants.iter().any(|grant| is_role(grant)) {
        Check::warning(
            stage,
            format!("{missing} on `{database}` is not granted to the user itself"),
            "a role may have it: make sure that it is a default role of the user".to_owned(),
        )
    } else {
        Check {
            stage,
            verdict: Verdict::Failed,
            found: format!("{missing} on `{database}` is missing"),
            advice: Some(format!(
                "the user may not do all that `tidb-connect run` does in '{database}': have an administrator run \
                 GRANT {missing} ON `{database}`.* TO {who}"
            )),
            details: Vec::new(),
        }
    };
    check.details.extend(grants);
    check
}

/// Whether one of `grants`, as `SHOW GRANTS` lists them, gives `privilege` on all tables of `database`.
fn is_granted(grants: &[String], database: &str, privilege: &str) -> bool {
    grants.iter().filter_map(|grant| grant.strip_prefix("GRANT ")?.split_once(" ON ")).any(|(privileges, rest)| {
        let object = rest.split_once(" TO ").map_or(rest, |(object, _)| object).trim();
        let covers = match object.strip_suffix(".*") {
            Some("*") => true,
            Some(pattern) => matches_pattern(pattern.trim_matches('`'), database),
            None => false,
        };
        let has = |given: &str| {
            given.eq_ignore_ascii_case(privilege)
                || given.eq_ignore_ascii_case("ALL PRIVILEGES")
                || given.eq_ignore_ascii_case("ALL")
        };
        covers && privileges.split(',').any(|given| has(given.trim()))
    })
}

/// Whether a line of `SHOW GRANTS` grants a role.
fn is_role(grant: &str) -> bool {
    !grant.contains(" ON ") && grant.contains(" TO ")
}

/// The pattern of a database in a grant: `%` is any text and `_` any character, unless a `\` stands before it.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // Up to where the name matches what has been read of the pattern: not recursive, since the server gives the pattern.
    let mut matched = vec![false; name.len() + 1];
    matched[0] = true;
    let mut pattern = pattern.chars();
    while let Some(next) = pattern.next() {
        let escaped = next == '\\';
        let Some(wanted) = (if escaped { pattern.next() } else { Some(next) }) else { return false };
        if wanted == '%' && !escaped {
            if let Some(first) = matched.iter().position(|&matched| matched) {
                matched[first..].fill(true);
            }
            continue;
        }
        for (at, c) in name.iter().enumerate().rev() {
            matched[at + 1] = matched[at] && ((wanted == '_' && !escaped) || wanted.eq_ignore_ascii_case(c));
        }
        matched[0] = false;
    }
    matched[name.len()]
}

/// Compares what the server allows with what the pool expects.
fn timeouts_check(config: &ConnectionConfig, variables: &Rows) -> Check {
    let stage = Stage::Timeouts;
    let value = |name: &str| {
        let row = variables.iter().find(|row| row.first().is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
        row.get(1)?.parse::<u64>().ok()
    };
    let (pool, limit) = (config.pool(), config.operation_timeout().as_secs());
    let recycle = pool.recycle().as_secs();
    let mut doubts = Vec::new();
    let idle = value("wait_timeout");
    // 0 is unlimited, in TiDB.
    if let Some(idle) = idle.filter(|&idle| idle != 0 && idle < recycle) {
        doubts.push(format!(
            "the server closes connections that idle for {idle} s (wait_timeout), the pool keeps them for up to \
             {recycle} s and replaces those that it finds closed: raise the one, or lower the other (with_recycle)"
        ));
    }
    if let Some(idle) = value("tidb_idle_transaction_timeout").filter(|&idle| idle != 0) {
        doubts.push(format!(
            "the server ends transactions that idle for {idle} s (tidb_idle_transaction_timeout): keep them shorter"
        ));
    }
    if let Some(wait) = value("innodb_lock_wait_timeout").filter(|&wait| wait >= limit) {
        doubts.push(format!(
            "the server waits {wait} s for a lock (innodb_lock_wait_timeout), longer than the {limit} s after which a \
             statement is given up here: lower the one, or raise the other (with_operation_timeout)"
        ));
    }
    // 0 is unlimited.
    if let Some(most) = value("max_connections").filter(|&most| most != 0 && most < pool.max_connections() as u64) {
        doubts.push(format!(
            "the server allows {most} connections in all (max_connections), fewer than the {} of one pool: lower the \
             pool's maximum (with_max_connections)",
            pool.max_connections()
        ));
    }
    let found = match idle {
        Some(0) | None => format!("connections may idle for longer than the pool keeps them ({recycle} s)"),
        Some(idle) => format!("connections may idle for {idle} s, the pool keeps them for {recycle} s"),
    };
    match doubts.split_first() {
        None => Check::passed(stage, found),
        Some((first, others)) => {
            let mut check = Check::warning(stage, found, first.clone());
            check.details.extend(others.iter().cloned());
            check
        }
    }
}

/// Whether the server sees the end of the connection that is here.
fn path_check(
    config: &ConnectionConfig,
    greeting: &Greeting,
    version: &str,
    session: Option<SocketAddr>,
    looked: Option<SocketAddr>,
    seen: Option<String>,
    user: &str,
) -> Check {
    let stage = Stage::Path;
    let advice = format!(
        "its own time-outs count as well: it must let connections idle for as long as the pool keeps them ({} s unless \
         with_recycle says otherwise)",
        config.pool().recycle().as_secs()
    );
    if !version.is_empty() && Product::of(&greeting.version) != Product::of(version) {
        let found = format!("the greeting says {}, and behind it is {version}: a proxy", greeting.version);
        return Check::warning(stage, found, advice);
    }
    let seen = seen.unwrap_or_else(|| user.rsplit_once('@').map_or(user, |(_, host)| host).to_owned());
    // `[::1]:4000`, `127.0.0.1:4000`, `localhost:4000`, or no port at all.
    let (host, port) = match seen.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && (!host.contains(':') || host.starts_with('[')) => {
            (host, port.parse::<u16>().ok())
        }
        _ => (seen.as_str(), None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().ok();
    let here = session.or(looked);
    let same_host = match (host, here) {
        (Some(host), Some(here)) => Some(host.to_canonical() == here.ip().to_canonical()),
        _ => None,
    };
    // The other connection's port is not this one's.
    let same_port = session.zip(port).map(|(session, port)| session.port() == port);
    if same_host.unwrap_or(true) && same_port.unwrap_or(true) {
        // Only the port tells a proxy on this machine.
        let straight = if same_port.is_some() { "straight: " } else { "" };
        return Check::passed(stage, format!("{straight}the server sees this end as {seen}"));
    }
    let here = here.map(|here| if same_port.is_some() { here.to_string() } else { here.ip().to_string() });
    let found = format!("the server sees this end as {seen}, and here it is {}", here.unwrap_or_default());
    match config.deployment() {
        Deployment::SelfManaged => {
            Check::warning(stage, format!("{found}: a proxy, a forwarded port or NAT is in between"), advice)
        }
        _ => Check::passed(stage, format!("{found}: the gateway of TiDB Cloud is in between")),
    }
}

fn clock_check(utc: &str) -> Check {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let Some(server) = utc.get(..19).and_then(|text| PrimitiveDateTime::parse(text, format).ok()) else {
        return Check::warning(Stage::Clock, format!("the server's time, {utc}, cannot be read"), "check the server");
    };
    let apart = (OffsetDateTime::now_utc() - server.assume_utc()).whole_seconds();
    if apart.abs() <= CLOCK_TOLERANCE {
        return Check::passed(Stage::Clock, "the server's and this machine's agree within a minute");
    }
    let direction = if apart > 0 { "ahead of" } else { "behind" };
    Check::warning(
        Stage::Clock,
        format!("this machine's is {} s {direction} the server's", apart.abs()),
        "certificates are checked by the clock here: set it right, or that of the server",
    )
}

fn round_trip_check(median: Duration) -> Check {
    let found = format!("{median:.1?} (median of {PINGS})");
    if median <= FAR {
        return Check::passed(Stage::RoundTrip, found);
    }
    Check::warning(
        Stage::RoundTrip,
        found,
        "every statement takes at least that long: run the program in the region of the server",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(lines: &[&str]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_privilege_is_granted_everywhere_or_on_the_database() {
        let has = |grant: &str, privilege| is_granted(&grants(&[grant]), "test", privilege);
        for all in [
            "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION",
            "GRANT ALL PRIVILEGES ON `test`.* TO `ann`@`%`",
            "GRANT Select,Insert ON TEST.* TO 'ann'@'%'",
            "GRANT SELECT, INSERT ON `te%`.* TO `ann`@`%`",
            "GRANT SELECT, INSERT ON `t_st`.* TO `ann`@`%`",
            "GRANT SELECT, INSERT ON `%e%t`.* TO `ann`@`%`",
            "GRANT SELECT, INSERT ON `test%`.* TO `ann`@`%`",
        ] {
            assert!(has(all, "SELECT") && has(all, "INSERT"), "{all}");
        }
        for none in [
            "GRANT USAGE ON *.* TO `ann`@`%` IDENTIFIED BY PASSWORD '*A'",
            "GRANT SELECT ON `test2`.* TO `ann`@`%`",
            "GRANT SELECT ON `tes`.* TO `ann`@`%`",
            "GRANT SELECT ON `%x%`.* TO `ann`@`%`",
            "GRANT SELECT ON `test\\`.* TO `ann`@`%`",
            "GRANT SELECT ON `t\\_st`.* TO `ann`@`%`",
            "GRANT SELECT ON `test`.`players` TO `ann`@`%`",
            "GRANT SELECT (id) ON `test`.* TO `ann`@`%`",
            "GRANT `reader`@`%` TO `ann`@`%`",
        ] {
            assert!(!has(none, "SELECT"), "{none}");
        }
        assert!(has("GRANT SELECT ON `test`.* TO `ann`@`%`", "SELECT"));
        assert!(!has("GRANT SELECT ON `test`.* TO `ann`@`%`", "INSERT"));
        assert!(is_granted(&grants(&["GRANT DROP ON `my\\_db`.* TO a"]), "my_db", "DROP"));
    }

    #[test]
    fn a_role_may_have_what_the_user_lacks() {
        let granted = |lines: &[&str]| Ok(lines.iter().map(|line| vec![(*line).to_owned()]).collect());
        let check = |lines: &[&str]| {
            let config = ConnectionConfig::new();
            privileges_check(&config, "ann@%", &["SELECT"], granted(lines))
        };
        let role = "GRANT `reader`@`%` TO `ann`@`%`";
        assert_eq!(check(&["GRANT USAGE ON *.* TO a", role]).verdict, Verdict::Warning);
        assert_eq!(check(&["GRANT SELECT ON *.* TO a", role]).verdict, Verdict::Passed);
        assert_eq!(check(&["GRANT USAGE ON *.* TO a"]).verdict, Verdict::Failed);
    }

    #[test]
    fn what_the_server_allows_is_compared_with_the_pool() {
        let config = ConnectionConfig::new();
        let check = |name: &str, value: &str| timeouts_check(&config, &vec![vec![name.into(), value.into()]]);
        for (name, fine, doubtful) in [
            ("wait_timeout", ["28800", "300", "0"], "60"),
            ("innodb_lock_wait_timeout", ["50", "59", "1"], "60"),
            ("max_connections", ["0", "32", "151"], "31"),
            ("tidb_idle_transaction_timeout", ["0", "0", "0"], "30"),
        ] {
            for value in fine {
                assert_eq!(check(name, value).verdict, Verdict::Passed, "{name} = {value}");
            }
            let check = check(name, doubtful);
            assert_eq!(check.verdict, Verdict::Warning, "{name} = {doubtful}");
            assert!(check.advice.is_some_and(|advice| advice.contains(name)), "{name}");
        }
    }

    fn greeting(version: &str) -> Greeting {
        let hello = [b"\x0a", version.as_bytes(), &[0; 17]].concat();
        match tidb_connect_wire::Hello::parse(&hello) {
            Some(tidb_connect_wire::Hello::Greeting(greeting)) => greeting,
            other => panic!("a greeting, not {other:?}"),
        }
    }

    #[test]
    fn a_path_is_straight_when_both_ends_see_the_same() {
        let (tidb, here) = (greeting("8.0.11-TiDB-v8.5.3"), Some(SocketAddr::from(([127, 0, 0, 1], 5000))));
        let config = ConnectionConfig::new();
        let path = |session, looked, seen: &str| {
            let seen = Some(seen.to_owned());
            path_check(&config, &tidb, "8.0.11-TiDB-v8.5.3", session, looked, seen, "root@127.0.0.1").verdict
        };
        assert_eq!(path(here, here, "127.0.0.1:5000"), Verdict::Passed);
        assert_eq!(path(here, here, "localhost:5000"), Verdict::Passed);
        assert_eq!(path(here, here, "[::ffff:127.0.0.1]:5000"), Verdict::Passed);
        assert_eq!(path(here, here, "127.0.0.1:5001"), Verdict::Warning);
        assert_eq!(path(here, here, "10.0.0.7:5000"), Verdict::Warning);
        // The driver does not tell its port.
        assert_eq!(path(None, here, "127.0.0.1:5001"), Verdict::Passed);
        assert_eq!(path(None, here, "10.0.0.7:5001"), Verdict::Warning);
        assert_eq!(path(None, None, "db-proxy"), Verdict::Passed);

        let other = path_check(&config, &tidb, "8.4.2", here, here, None, "root@127.0.0.1");
        assert!(other.verdict == Verdict::Warning && other.found.contains("a proxy"), "{other:?}");
        let cloud = config.with_deployment(Deployment::Starter);
        let gateway = path_check(&cloud, &tidb, "8.0.11-TiDB-v8.5.3", here, here, Some("10.0.0.7:1".into()), "");
        assert_eq!(gateway.verdict, Verdict::Passed);
    }

    #[test]
    fn a_clock_that_is_off_is_a_warning() {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        let at = |seconds| (OffsetDateTime::now_utc() + time::Duration::seconds(seconds)).format(format).unwrap();
        for (seconds, verdict) in
            [(0, Verdict::Passed), (50, Verdict::Passed), (-90, Verdict::Warning), (90, Verdict::Warning)]
        {
            assert_eq!(clock_check(&at(seconds)).verdict, verdict, "{seconds}");
        }
        assert!(clock_check(&at(-3600)).found.contains("ahead of"));
    }

    #[test]
    fn a_far_server_is_a_warning() {
        assert_eq!(round_trip_check(Duration::from_millis(5)).verdict, Verdict::Passed);
        assert_eq!(round_trip_check(Duration::from_millis(80)).verdict, Verdict::Warning);
    }
}
