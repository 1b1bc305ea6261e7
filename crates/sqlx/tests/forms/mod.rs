//! The forms in which a statement can be run through the driver, by name.

use tidb_connect_testkit::answers::Reads::{self, All, Part};

pub(crate) const FORMS: &[(&str, Reads)] = &[
    ("text_execute", All),
    ("text_execute_many", All),
    ("text_fetch", All),
    ("text_fetch_many", All),
    ("text_fetch_all", All),
    ("text_fetch_one", All),
    ("text_fetch_optional", All),
    ("text_fetch_dropped", Part),
    ("execute", All),
    ("fetch", All),
    ("fetch_many", All),
    ("fetch_all", All),
    ("fetch_one", All),
    ("fetch_optional", All),
    ("fetch_dropped", Part),
    ("query_scalar_fetch_one", All),
    ("query_as_fetch_all", All),
    ("raw_sql_execute", All),
    ("not_persistent_fetch_one", All),
];

/// Runs a statement in a form. A macro, because a function over all executors would be for one lifetime each.
macro_rules! play {
    ($form:expr, $sql:expr, $on:expr) => {{
        use futures_util::{StreamExt as _, TryStreamExt as _};
        use tidb_connect_sqlx::sqlx::{self, Executor as _};

        let query = || sqlx::query($sql);
        match $form {
            "text_execute" => $on.execute($sql).await.map(drop),
            "text_execute_many" => $on.execute_many($sql).try_collect::<Vec<_>>().await.map(drop),
            "text_fetch" => $on.fetch($sql).try_collect::<Vec<_>>().await.map(drop),
            "text_fetch_many" => $on.fetch_many($sql).try_collect::<Vec<_>>().await.map(drop),
            "text_fetch_all" => $on.fetch_all($sql).await.map(drop),
            "text_fetch_one" => $on.fetch_one($sql).await.map(drop),
            "text_fetch_optional" => $on.fetch_optional($sql).await.map(drop),
            "text_fetch_dropped" => $on.fetch($sql).next().await.transpose().map(drop),
            "execute" => query().execute($on).await.map(drop),
            "fetch" => query().fetch($on).try_collect::<Vec<_>>().await.map(drop),
            "fetch_many" => $on.fetch_many(query()).try_collect::<Vec<_>>().await.map(drop),
            "fetch_all" => query().fetch_all($on).await.map(drop),
            "fetch_one" => query().fetch_one($on).await.map(drop),
            "fetch_optional" => query().fetch_optional($on).await.map(drop),
            "fetch_dropped" => query().fetch($on).next().await.transpose().map(drop),
            "query_scalar_fetch_one" => sqlx::query_scalar::<_, String>($sql).fetch_one($on).await.map(drop),
            "query_as_fetch_all" => sqlx::query_as::<_, (String,)>($sql).fetch_all($on).await.map(drop),
            "raw_sql_execute" => sqlx::raw_sql($sql).execute($on).await.map(drop),
            "not_persistent_fetch_one" => query().persistent(false).fetch_one($on).await.map(drop),
            other => unreachable!("{other} is not among the forms"),
        }
    }};
}

pub(crate) use play;
