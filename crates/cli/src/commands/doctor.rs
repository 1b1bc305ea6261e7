//! Why a connection fails, answered in the first line.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use tidb_connect_core::{Error, ErrorKind};

use crate::{
    args::{DoctorArgs, Purpose},
    doctor::{self, Report},
    driver::Driver,
    failure::{Failure, unwritable},
    signal::Interruption,
};

/// What `run` does with the table that it makes.
const RUN: &[&str] = &["CREATE", "DROP", "SELECT", "INSERT", "UPDATE", "DELETE"];

pub(crate) async fn execute(args: DoctorArgs) -> Result<ExitCode, Failure> {
    if args.driver == Some(Driver::Memory) {
        let message = "--driver is memory, which has no server to look at: choose sqlx, mysql or mysql_async";
        return Err(Error::new(ErrorKind::Config, message).into());
    }
    let mut interruption = Interruption::listen().map_err(Failure::failed)?;
    let settings = args.server.settings();
    let privileges = match args.purpose {
        Purpose::Run => RUN,
        Purpose::Connect => &[],
    };
    let report = match settings {
        Ok(settings) => tokio::select! {
            report = doctor::examine(&settings, args.driver, privileges) => report,
            () = interruption.wait() => return Err(Failure::interrupted()),
        },
        Err(error) => doctor::unreadable(args.driver, &error),
    };
    write(&report, args.json).map_err(unwritable)?;
    Ok(ExitCode::from(report.exit_code()))
}

fn write(report: &Report, json: bool) -> io::Result<()> {
    // Colours where somebody sees them, and not against NO_COLOR.
    let mut out = anstream::stdout().lock();
    if json {
        report.write_json(&mut out)?
    } else {
        report.write_text(&mut out)?
    }
    out.flush()
}
