use super::{CANARY, attempt};
use crate::probes::{
    prelude::*,
    sessions::pools::{Pool, at_most},
};

pub(super) const PROBE: Probe = Probe {
    question: "A user of caching_sha2_password, MySQL 8's default, logs in for the first time without TLS: does that work?",
    meaning: "TiDB takes such logins over TLS only, and answers with \"access denied\" to a right password otherwise.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let user = create(&lab).await?;
    let config = lab.config().with_user(&user).with_password(CANARY);
    let pool = Pool::as_it_comes(driver, &config, 1).await?;
    observe(&lab, &user, pool).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let user = create(&lab).await?;
    let config = lab.config().with_user(&user).with_password(CANARY);
    observe(&lab, &user, Pool::ours(driver, &config, at_most(1))?).await
}

async fn create(lab: &Lab) -> Result<String, BoxError> {
    if lab.server().product == crate::Product::MariaDB {
        return Err(NotObservable::here("MariaDB has no caching_sha2_password"));
    }
    let user = format!("tidb_connect_{:08x}", fastrand::u32(..));
    lab.sql(&format!("CREATE USER '{user}'@'%' IDENTIFIED WITH 'caching_sha2_password' BY '{CANARY}'")).await?;
    let granted = lab.sql(&format!("GRANT ALL ON `{}`.* TO '{user}'@'%'", lab.config().database())).await;
    if granted.is_err() {
        lab.sql(&format!("DROP USER '{user}'@'%'")).await?;
    }
    granted.map(|_| user)
}

async fn observe(lab: &Lab, user: &str, pool: Pool) -> Observed {
    // With TLS, it would say nothing.
    let plain = lab.proxy().map(drop);
    let result = attempt(&pool, "SELECT 1").await;
    lab.sql(&format!("DROP USER '{user}'@'%'")).await?;
    plain?;
    Ok(match result {
        Ok(_) => Answer::new("yes"),
        // It has the user's name in it, which is another each time.
        Err(error) => Answer::new("no").with(error.to_string().replace(user, "user")),
    })
}
