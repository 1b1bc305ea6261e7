//! Runs the reproduction of a driver's defect: `tidb-connect-upstream sqlx_cancelled_begin`, or `--list` for their names.
//!
//! Each module is a whole program, to be pasted as `main.rs`. It ends with 0 where the driver does what it should, with
//! 2 where the defect is there, and with 1 where that could not be seen. Those that need a server take `DATABASE_URL`.

mod mysql_async_error_without_sqlstate;
mod mysql_async_init_order;
mod mysql_async_lost_wakeup;
mod mysql_async_truncated_packets;
mod mysql_broken_connection_kept;
mod mysql_consistent_snapshot_panic;
mod mysql_drop_hides_errors;
mod mysql_error_without_sqlstate;
mod mysql_local_infile;
mod mysql_pool_late_answer;
mod mysql_pool_lock_while_connecting;
mod mysql_truncated_packets;
mod mysql_waiter_not_woken;
mod sqlx_cancelled_begin;
mod sqlx_dropped_mid_packet;
mod sqlx_empty_password;
mod sqlx_pool_close;
mod sqlx_refused_connection;
mod sqlx_truncated_packets;

use std::{env, error::Error, process::ExitCode};

type Reproduction = fn() -> Result<ExitCode, Box<dyn Error>>;

const DEFECTS: &[(&str, Reproduction)] = &[
    ("sqlx_cancelled_begin", sqlx_cancelled_begin::main),
    ("mysql_async_lost_wakeup", mysql_async_lost_wakeup::main),
    ("mysql_pool_late_answer", mysql_pool_late_answer::main),
    ("mysql_local_infile", mysql_local_infile::main),
    ("mysql_drop_hides_errors", mysql_drop_hides_errors::main),
    ("mysql_waiter_not_woken", mysql_waiter_not_woken::main),
    ("sqlx_dropped_mid_packet", sqlx_dropped_mid_packet::main),
    ("sqlx_empty_password", sqlx_empty_password::main),
    ("mysql_error_without_sqlstate", mysql_error_without_sqlstate::main),
    ("mysql_async_error_without_sqlstate", mysql_async_error_without_sqlstate::main),
    ("sqlx_truncated_packets", sqlx_truncated_packets::main),
    ("mysql_truncated_packets", mysql_truncated_packets::main),
    ("mysql_async_truncated_packets", mysql_async_truncated_packets::main),
    ("mysql_consistent_snapshot_panic", mysql_consistent_snapshot_panic::main),
    ("mysql_async_init_order", mysql_async_init_order::main),
    ("sqlx_refused_connection", sqlx_refused_connection::main),
    ("sqlx_pool_close", sqlx_pool_close::main),
    ("mysql_broken_connection_kept", mysql_broken_connection_kept::main),
    ("mysql_pool_lock_while_connecting", mysql_pool_lock_while_connecting::main),
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
