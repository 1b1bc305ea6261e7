//! The checks, each a promise of the contract: plain functions that also any other test can call.
//!
//! A check gets a store on an empty database, without a table. Its error is a [`Failure`] that says how the store breaks
//! the promise that the check's documentation states.
#![allow(clippy::missing_errors_doc)] // Said once, above.

use std::{fmt::Debug, future::Future};

use futures_util::future::BoxFuture;
use tidb_connect_core::{
    ErrorKind, Result as StoreResult,
    players::{NewPlayer, Player, PlayerId},
};

use crate::{
    Failure, Server, Store,
    failure::{equal, refused},
};

pub mod bulk;
pub mod conflicts;
pub mod errors;
pub mod lifecycle;
pub mod model;
pub mod rows;
pub mod schema;
pub mod server;
pub mod sharing;
pub mod trade;

/// A check by name.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// The name of the function, which is also the name of the test.
    pub name: &'static str,
    /// What it needs and how it is called.
    pub run: Run,
}

/// What a check needs.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// Any store.
    Anywhere(for<'a> fn(&'a Store) -> BoxFuture<'a, Result<(), Failure>>),
    /// A store on a server.
    OnServer(for<'a> fn(&'a Store, &'a Server) -> BoxFuture<'a, Result<(), Failure>>),
    /// A store on TiDB; elsewhere the test shows as ignored.
    OnTidb(for<'a> fn(&'a Store, &'a Server) -> BoxFuture<'a, Result<(), Failure>>),
}

macro_rules! list {
    (
        anywhere: $($module:ident::$name:ident),+;
        on_server: $($on_server:ident::$with_server:ident),+;
        on_tidb: $($on_tidb:ident::$with_tidb:ident),+;
    ) => {
        &[
            $(Check { name: stringify!($name), run: Run::Anywhere(|store| Box::pin($module::$name(store))) }),+,
            $(Check {
                name: stringify!($with_server),
                run: Run::OnServer(|store, on| Box::pin($on_server::$with_server(store, on))),
            }),+,
            $(Check {
                name: stringify!($with_tidb),
                run: Run::OnTidb(|store, on| Box::pin($on_tidb::$with_tidb(store, on))),
            }),+
        ]
    };
}

/// Every check.
pub const ALL: &[Check] = list! {
    anywhere:
        schema::create_table_makes_an_empty_table,
        schema::create_table_leaves_an_existing_table_alone,
        schema::drop_table_removes_the_rows,
        schema::drop_table_without_a_table_is_table_missing,
        schema::calls_without_a_table_are_table_missing,
        rows::create_returns_what_find_finds,
        rows::create_refuses_a_taken_name,
        rows::ids_are_never_reused,
        rows::names_differ_by_case_accent_and_form,
        rows::names_come_back_byte_for_byte,
        rows::names_have_up_to_32_characters,
        rows::names_that_cannot_be_stored_are_refused,
        rows::names_are_checked_before_anything_is_sent,
        rows::coins_and_goods_have_all_32_bits,
        rows::find_of_an_absent_id_is_none,
        rows::find_by_name_of_an_absent_name_is_none,
        rows::find_by_name_minds_a_space_at_the_end,
        rows::list_is_in_the_order_of_ids,
        rows::list_starts_after_the_given_id,
        rows::list_ends_at_the_limit,
        rows::count_counts_the_rows,
        rows::update_stores_every_field,
        rows::update_with_nothing_new_is_no_error,
        rows::update_of_an_absent_player_is_not_found,
        rows::update_to_a_taken_name_is_refused,
        rows::delete_removes_one_player,
        rows::delete_of_an_absent_player_is_not_found,
        bulk::create_many_stores_every_row,
        bulk::create_many_of_nothing_is_zero,
        bulk::create_many_refuses_a_name_that_stands_twice,
        bulk::create_many_refuses_a_taken_name,
        bulk::create_many_refuses_a_name_that_cannot_be_stored,
        bulk::create_many_refuses_too_many_rows,
        bulk::load_stores_batch_after_batch,
        bulk::load_ends_at_the_first_batch_that_fails,
        bulk::load_in_parallel_stores_everything,
        bulk::load_in_parallel_tells_what_is_stored,
        bulk::load_ends_where_its_iterator_first_does,
        bulk::players_come_once_each_over_pages,
        trade::trade_moves_coins_and_goods,
        trade::trade_of_all_that_there_is_is_allowed,
        trade::trade_refuses_too_few_coins,
        trade::trade_refuses_too_few_goods,
        trade::trade_asks_for_coins_first,
        trade::trade_with_an_absent_player_is_not_found,
        trade::trade_with_oneself_is_refused,
        trade::trade_refuses_amounts_that_are_not_positive,
        trade::trade_refuses_sums_that_do_not_fit,
        sharing::creates_of_one_name_at_once_have_one_winner,
        sharing::many_tasks_share_a_store,
        sharing::opposite_trades_at_once_lose_nothing,
        sharing::competing_trades_sell_everything_once,
        sharing::no_read_sees_half_a_trade,
        sharing::dropped_calls_leave_the_store_usable,
        sharing::dropped_trades_move_all_or_nothing,
        lifecycle::driver_has_one_name,
        lifecycle::server_version_is_given,
        lifecycle::status_of_an_open_store_is_well,
        lifecycle::calls_after_close_are_closed,
        lifecycle::status_after_close_is_closed,
        lifecycle::closing_twice_is_no_error,
        errors::refusals_have_the_right_kind,
        errors::refusals_are_final,
        errors::errors_name_the_operation,
        errors::errors_name_no_other_driver,
        errors::errors_leave_the_cause_to_the_chain,
        errors::errors_read_the_same_for_every_store,
        model::agrees_with_the_model_whatever_is_asked;
    on_server:
        server::server_version_is_what_the_server_says,
        server::create_table_makes_the_promised_columns,
        server::another_store_sees_what_was_stored,
        server::python_sample_table_works_as_it_is,
        server::null_is_an_error_that_names_the_column,
        server::refused_trade_names_a_null,
        server::trade_loses_nothing_to_a_null,
        server::trade_moves_all_or_nothing_in_every_sql_mode,
        server::create_many_stores_as_many_rows_as_allowed,
        server::ids_beyond_53_bits_are_exact,
        server::close_lets_calls_under_way_end,
        server::wrong_password_is_refused_and_not_shown,
        server::unknown_database_is_refused,
        server::port_without_a_server_is_unreachable,
        conflicts::changes_are_retried,
        conflicts::lasting_conflicts_end_after_ten_seconds;
    on_tidb:
        server::auto_random_ids_are_exact_on_tidb;
};

/// A new table with these players: name, coins, goods.
async fn table<const N: usize>(store: &Store, players: [(&str, i32, i32); N]) -> Result<[Player; N], Failure> {
    store.create_table().await?;
    let mut created = Vec::with_capacity(N);
    for (name, coins, goods) in players {
        created.push(store.create(&NewPlayer::new(name, coins, goods)).await?);
    }
    created.try_into().map_err(|_| Failure::new("as many players as were created"))
}

/// All players, in the order of their ids.
async fn everyone(store: &Store) -> StoreResult<Vec<Player>> {
    store.list(None, u32::MAX).await
}

/// Makes a call that must be refused with `kind` and change nothing.
async fn refuses<T: Debug>(
    store: &Store,
    what: &str,
    kind: ErrorKind,
    call: impl Future<Output = StoreResult<T>>,
) -> Result<(), Failure> {
    let before = everyone(store).await?;
    refused(what, call.await, kind)?;
    equal(&format!("the players after {what}"), everyone(store).await?, before)
}

/// An id that no player has.
const ABSENT: PlayerId = PlayerId(i64::MAX);
