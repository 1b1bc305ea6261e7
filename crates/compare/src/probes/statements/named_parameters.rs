use mysql::params;
use sqlx::Row as _;

use super::refusal;
use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "Can a statement name its parameters, as in `:price * :amount + :price`?",
    meaning: "Names are the driver's own: the server knows only `?`, and a statement with names works in no other client.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: None,
};

const STATEMENT: &str = "SELECT :price * :amount + :price";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let total = match driver {
        Driver::Sqlx => {
            let row = sqlx::query(STATEMENT).bind(5_i64).bind(2_i64).fetch_one(&mut lab.sqlx().await?).await;
            row.and_then(|row| row.try_get::<i64, _>(0)).map_err(BoxError::from)
        }
        Driver::Mysql => {
            lab.mysql(|connection| {
                let total: Option<i64> = connection.exec_first(STATEMENT, params! { "price" => 5, "amount" => 2 })?;
                Ok(total.unwrap_or_default())
            })
            .await
        }
        Driver::MysqlAsync => {
            let mut connection = lab.mysql_async().await?;
            let values = mysql_async::params! { "price" => 5, "amount" => 2 };
            let total: Result<Option<i64>, _> = connection.exec_first(STATEMENT, values).await;
            total.map(Option::unwrap_or_default).map_err(BoxError::from)
        }
    };
    match total {
        Ok(15) => Ok(Answer::new("yes")),
        Ok(other) => Ok(Answer::new("no: with a wrong result").with(format!("{other} in place of 15"))),
        Err(error) => Ok(Answer::new(format!("no: {}", refusal(&error))).with(error)),
    }
}
