use sqlx::Row as _;

use super::{max_allowed_packet, refusal, steps};
use crate::{lab::Traffic, probes::prelude::*};

pub(super) const PROBE: Probe = Probe {
    question: "A value of 17 MiB, more than one packet holds, goes to the server as a parameter and comes back: is it whole?",
    meaning: "16 MiB is no limit to a program; the server's max_allowed_packet is.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const SIZE: usize = 17 << 20;

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let limit = max_allowed_packet(&lab).await?;
    if limit <= SIZE {
        return Err(NotObservable::here(format!("the server's max_allowed_packet is {} MiB", limit >> 20)));
    }
    let value = vec![b'x'; SIZE];
    let (back, traffic) = match driver {
        Driver::Sqlx => {
            let mut connection = lab.sqlx().await?;
            let before = lab.proxy()?.report();
            let row = sqlx::query("SELECT ?").bind(&value).fetch_one(&mut connection).await;
            let back = row.and_then(|row| row.try_get::<Vec<u8>, _>(0)).map_err(BoxError::from);
            (back, lab.traffic_since(&before)?)
        }
        Driver::Mysql => {
            let (watching, value) = (lab.clone(), value.clone());
            lab.mysql(move |connection| {
                let before = watching.proxy()?.report();
                let back = connection.exec_first("SELECT ?", (value,)).map_err(BoxError::from);
                Ok((back.map(Option::unwrap_or_default), watching.traffic_since(&before)?))
            })
            .await?
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let before = lab.proxy()?.report();
            let back: Result<Option<Vec<u8>>, _> = connection.exec_first("SELECT ?", (&value,)).await;
            (back.map(Option::unwrap_or_default).map_err(BoxError::from), lab.traffic_since(&before)?)
        }
    };
    answer(back.map(|back| back == value), &traffic)
}

fn answer(whole: Result<bool, BoxError>, traffic: &Traffic) -> Observed {
    match whole {
        Ok(true) => Ok(Answer::new(format!("yes: {}", steps(traffic)))),
        Ok(false) => Ok(Answer::new("no: it is another value")),
        Err(error) => Ok(Answer::new(format!("no: {}", refusal(&error))).with(error)),
    }
}
