//! The forms in which a statement can be run through the driver, by name.

use futures_util::TryStreamExt as _;
use tidb_connect_mysql_async::mysql_async::{Error, Row, prelude::Queryable};
use tidb_connect_testkit::answers::Reads::{self, All, Refused};

pub(crate) const FORMS: &[(&str, Reads)] = &[
    ("query", All),
    ("query_first", All),
    ("query_map", All),
    ("query_fold", All),
    ("query_drop", All),
    ("query_iter", Refused),
    ("query_stream", Refused),
    ("exec", All),
    ("exec_first", All),
    ("exec_map", All),
    ("exec_fold", All),
    ("exec_drop", All),
    ("exec_batch", All),
    ("exec_iter", Refused),
    ("exec_stream", Refused),
];

pub(crate) async fn play(form: &str, sql: &str, on: &mut impl Queryable) -> Result<(), Error> {
    type Text = (String,);
    match form {
        "query" => on.query::<Text, _>(sql).await.map(drop),
        "query_first" => on.query_first::<Text, _>(sql).await.map(drop),
        "query_map" => on.query_map(sql, |(text,): Text| text).await.map(drop),
        "query_fold" => on.query_fold(sql, 0, |n, _: Row| n + 1).await.map(drop),
        "query_drop" => on.query_drop(sql).await,
        "query_iter" => on.query_iter(sql).await.map(drop),
        "query_stream" => on.query_stream::<Row, _>(sql).await?.try_next().await.map(drop),
        "exec" => on.exec::<Text, _, _>(sql, ()).await.map(drop),
        "exec_first" => on.exec_first::<Text, _, _>(sql, ()).await.map(drop),
        "exec_map" => on.exec_map(sql, (), |(text,): Text| text).await.map(drop),
        "exec_fold" => on.exec_fold(sql, (), 0, |n, _: Row| n + 1).await.map(drop),
        "exec_drop" => on.exec_drop(sql, ()).await,
        "exec_batch" => on.exec_batch(sql, [()]).await,
        "exec_iter" => on.exec_iter(sql, ()).await.map(drop),
        "exec_stream" => on.exec_stream::<Row, _, _>(sql, ()).await?.try_next().await.map(drop),
        other => unreachable!("{other} is not among the forms"),
    }
}
