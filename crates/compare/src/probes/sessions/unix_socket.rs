use crate::probes::prelude::*;

pub(super) const PROBE: Probe = Probe {
    question: "The server's address is 127.0.0.1: does the driver leave it for a Unix socket?",
    meaning: "It costs a round trip and a second login, and the socket's path may be another server's, or a container's.",
    setup: &[],
    as_it_comes: observer!(as_it_comes),
    ours: Some(observer!(ours)),
};

const MARK: &str = "SELECT 'is this seen?'";

async fn as_it_comes(driver: Driver, lab: Lab) -> Observed {
    let used = async {
        match driver {
            Driver::Sqlx => {
                sqlx::query(MARK).execute(&mut lab.sqlx().await?).await?;
            }
            Driver::Mysql => {
                let options = lab.mysql_options().prefer_socket(mysql::Opts::default().get_prefer_socket());
                blocking(move || Ok(mysql::Conn::new(options)?.query_drop(MARK)?)).await?;
            }
            Driver::MysqlAsync => {
                let options = lab.mysql_async_options().prefer_socket(mysql_async::Opts::default().prefer_socket());
                mysql_async::Conn::new(options).await?.query_drop(MARK).await?;
            }
        }
        Ok(())
    };
    observe(&lab, used).await
}

async fn ours(driver: Driver, lab: Lab) -> Observed {
    let used = async {
        match driver {
            Driver::Sqlx => {
                sqlx::query(MARK).execute(&mut lab.our_sqlx().await?).await?;
            }
            Driver::Mysql => lab.our_mysql(|connection| Ok(connection.query_drop(MARK)?)).await?,
            Driver::MysqlAsync => lab.our_mysql_async().await?.query_drop(MARK).await?,
        }
        Ok(())
    };
    observe(&lab, used).await
}

async fn observe(lab: &Lab, used: impl Future<Output = Result<(), BoxError>>) -> Observed {
    let ((), traffic) = lab.watched(used).await?;
    let asks = traffic.commands.iter().any(|command| command.contains("@@socket"));
    // Where the path leads depends on the machine.
    let moved = !traffic.commands.iter().any(|command| command.ends_with(MARK));
    let answer = Answer::new(if asks { "it asks for one, and takes it if it can" } else { "no" });
    Ok(answer.with(if moved { "here it took it" } else { "here it stayed" }))
}
