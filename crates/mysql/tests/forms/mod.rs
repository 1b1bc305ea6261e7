//! The forms in which a statement can be run through the driver, by name.

use tidb_connect_mysql::mysql::{Result, Row, from_row_opt, prelude::Queryable};
use tidb_connect_testkit::answers::Reads::{self, All, Refused};

pub(crate) const FORMS: &[(&str, Reads)] = &[
    ("query", All),
    ("query_first", All),
    ("query_map", All),
    ("query_fold", All),
    ("query_drop", All),
    ("query_opt", All),
    ("query_first_opt", All),
    ("query_map_opt", All),
    ("query_fold_opt", All),
    ("query_iter", Refused),
    ("exec", All),
    ("exec_first", All),
    ("exec_map", All),
    ("exec_fold", All),
    ("exec_drop", All),
    ("exec_opt", All),
    ("exec_first_opt", All),
    ("exec_map_opt", All),
    ("exec_fold_opt", All),
    ("exec_batch", All),
    ("exec_iter", Refused),
];

pub(crate) fn play(form: &str, sql: &str, on: &mut impl Queryable) -> Result<()> {
    type Text = (String,);
    let text = |row: Row| from_row_opt::<Text>(row).is_ok();
    match form {
        "query" => on.query::<Text, _>(sql).map(drop),
        "query_first" => on.query_first::<Text, _>(sql).map(drop),
        "query_map" => on.query_map(sql, text).map(drop),
        "query_fold" => on.query_fold(sql, 0, |n, _: Row| n + 1).map(drop),
        "query_drop" => on.query_drop(sql),
        "query_opt" => on.query_opt::<Text, _>(sql).map(drop),
        "query_first_opt" => on.query_first_opt::<Text, _>(sql).map(drop),
        "query_map_opt" => on.query_map_opt(sql, |row: Result<Text, _>| row.is_ok()).map(drop),
        "query_fold_opt" => on.query_fold_opt(sql, 0, |n, _: Result<Text, _>| n + 1).map(drop),
        "query_iter" => on.query_iter(sql).map(drop),
        "exec" => on.exec::<Text, _, _>(sql, ()).map(drop),
        "exec_first" => on.exec_first::<Text, _, _>(sql, ()).map(drop),
        "exec_map" => on.exec_map(sql, (), text).map(drop),
        "exec_fold" => on.exec_fold(sql, (), 0, |n, _: Row| n + 1).map(drop),
        "exec_drop" => on.exec_drop(sql, ()),
        "exec_opt" => on.exec_opt::<Text, _, _>(sql, ()).map(drop),
        "exec_first_opt" => on.exec_first_opt::<Text, _, _>(sql, ()).map(drop),
        "exec_map_opt" => on.exec_map_opt(sql, (), |row: Result<Text, _>| row.is_ok()).map(drop),
        "exec_fold_opt" => on.exec_fold_opt(sql, (), 0, |n, _: Result<Text, _>| n + 1).map(drop),
        "exec_batch" => on.exec_batch(sql, [()]),
        "exec_iter" => on.exec_iter(sql, ()).map(drop),
        other => unreachable!("{other} is not among the forms"),
    }
}
