//! Runs the reproduction of a driver's defect: `tidb-connect-upstream sqlx_cancelled_begin`, or `--list` for their names.
//!
//! Each module is a whole program, to be pasted as `main.rs`. It ends with 0 where the driver does what it should, with
//! 2 where the defect is there, and with 1 where that could not be seen. Those that need a server take `DATABASE_URL`.

mod mysql_announced_columns;
mod mysql_async_announced_columns;
mod mysql_async_dropped_without_quit;
mod mysql_async_ed25519_panic;
mod mysql_async_error_closes_connection;
mod mysql_async_error_without_sqlstate;
mod mysql_async_foreign_statement;
mod mysql_async_init_order;
mod mysql_async_lost_wakeup;
mod mysql_async_statement_cache_off;
mod mysql_async_statement_handle_kept;
mod mysql_async_truncated_packets;
mod mysql_broken_connection_kept;
mod mysql_consistent_snapshot_panic;
mod mysql_drop_hides_errors;
mod mysql_ed25519_panic;
mod mysql_error_source;
mod mysql_error_without_sqlstate;
mod mysql_foreign_statement;
mod mysql_local_infile;
mod mysql_named_parameters;
mod mysql_pool_late_answer;
mod mysql_pool_lock_while_connecting;
mod mysql_statement_cache_off;
mod mysql_statement_handle_kept;
mod mysql_truncated_packets;
mod mysql_waiter_not_woken;
mod sqlx_announced_columns;
mod sqlx_cancelled_begin;
mod sqlx_clear_password_in_greeting;
mod sqlx_dropped_mid_packet;
mod sqlx_duplicate_column_names;
mod sqlx_empty_password;
mod sqlx_file_asked_for;
mod sqlx_negative_time;
mod sqlx_pool_close;
mod sqlx_refused_connection;
mod sqlx_table_changed;
mod sqlx_too_many_parameters;
mod sqlx_truncated_packets;
mod sqlx_zero_date;

use std::{env, error::Error, process::ExitCode};

type Reproduction = fn() -> Result<ExitCode, Box<dyn Error>>;

const DEFECTS: &[(&str, Reproduction)] = &[
    ("sqlx_clear_password_in_greeting", sqlx_clear_password_in_greeting::main),
    ("sqlx_cancelled_begin", sqlx_cancelled_begin::main),
    ("sqlx_table_changed", sqlx_table_changed::main),
    ("mysql_foreign_statement", mysql_foreign_statement::main),
    ("mysql_async_foreign_statement", mysql_async_foreign_statement::main),
    ("mysql_async_lost_wakeup", mysql_async_lost_wakeup::main),
    ("mysql_pool_late_answer", mysql_pool_late_answer::main),
    ("sqlx_too_many_parameters", sqlx_too_many_parameters::main),
    ("mysql_local_infile", mysql_local_infile::main),
    ("mysql_drop_hides_errors", mysql_drop_hides_errors::main),
    ("mysql_waiter_not_woken", mysql_waiter_not_woken::main),
    ("sqlx_dropped_mid_packet", sqlx_dropped_mid_packet::main),
    ("sqlx_negative_time", sqlx_negative_time::main),
    ("sqlx_file_asked_for", sqlx_file_asked_for::main),
    ("sqlx_empty_password", sqlx_empty_password::main),
    ("mysql_error_without_sqlstate", mysql_error_without_sqlstate::main),
    ("mysql_async_error_without_sqlstate", mysql_async_error_without_sqlstate::main),
    ("mysql_ed25519_panic", mysql_ed25519_panic::main),
    ("mysql_async_ed25519_panic", mysql_async_ed25519_panic::main),
    ("sqlx_announced_columns", sqlx_announced_columns::main),
    ("mysql_announced_columns", mysql_announced_columns::main),
    ("mysql_async_announced_columns", mysql_async_announced_columns::main),
    ("sqlx_truncated_packets", sqlx_truncated_packets::main),
    ("mysql_truncated_packets", mysql_truncated_packets::main),
    ("mysql_async_truncated_packets", mysql_async_truncated_packets::main),
    ("mysql_async_error_closes_connection", mysql_async_error_closes_connection::main),
    ("mysql_statement_cache_off", mysql_statement_cache_off::main),
    ("mysql_async_statement_cache_off", mysql_async_statement_cache_off::main),
    ("mysql_statement_handle_kept", mysql_statement_handle_kept::main),
    ("mysql_async_statement_handle_kept", mysql_async_statement_handle_kept::main),
    ("sqlx_zero_date", sqlx_zero_date::main),
    ("mysql_named_parameters", mysql_named_parameters::main),
    ("mysql_consistent_snapshot_panic", mysql_consistent_snapshot_panic::main),
    ("mysql_async_init_order", mysql_async_init_order::main),
    ("sqlx_refused_connection", sqlx_refused_connection::main),
    ("sqlx_pool_close", sqlx_pool_close::main),
    ("mysql_broken_connection_kept", mysql_broken_connection_kept::main),
    ("mysql_pool_lock_while_connecting", mysql_pool_lock_while_connecting::main),
    ("mysql_error_source", mysql_error_source::main),
    ("mysql_async_dropped_without_quit", mysql_async_dropped_without_quit::main),
    ("sqlx_duplicate_column_names", sqlx_duplicate_column_names::main),
];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(name), None) = (arguments.next(), arguments.next()) else {
        return Err("the name of a defect, or --list".into());
    };
    if name == "--list" {
        DEFECTS.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    match DEFECTS.iter().find(|(known, _)| *known == name) {
        Some((_, reproduce)) => reproduce(),
        None => Err(format!("there is no defect {name}; --list shows them").into()),
    }
}
