use mysql::{OptsBuilder, Pool, PoolConstraints, PoolOpts, TxOpts, prelude::Queryable as _};
use peer_worker::{CREATE_TABLE, DROP_TABLE, NewPlayer, Peer, Player, Result, Server, Trade};

use crate::{COUNT, FIND, FIND_BY_NAME, INSERT, LIST, LOCK, MOVE, insert_many};

#[derive(Clone)]
pub(crate) struct Players {
    pool: Pool,
    tuned: bool,
}

impl Players {
    pub(crate) fn connect(server: &Server, tuned: bool) -> Result<Self> {
        let constraints = PoolConstraints::new(1, server.pool).ok_or("a pool of none")?;
        let pool =
            PoolOpts::default().with_constraints(constraints).with_reset_connection(!tuned).with_check_health(!tuned);
        let options = OptsBuilder::default()
            .ip_or_hostname(Some(&server.host))
            .tcp_port(server.port)
            .user(Some(&server.user))
            .pass(Some(&server.password))
            .db_name(Some(&server.database))
            // It would leave the way that is measured.
            .prefer_socket(false)
            .pool_opts(pool);
        Ok(Self { pool: Pool::new(options)?, tuned })
    }
}

fn player((id, name, coins, goods): (i64, String, i32, i32)) -> Player {
    Player { id, name, coins, goods }
}

impl Peer for Players {
    const BLOCKING: bool = true;

    async fn create_table(&self) -> Result<()> {
        Ok(self.pool.get_conn()?.query_drop(CREATE_TABLE)?)
    }

    async fn drop_table(&self) -> Result<()> {
        Ok(self.pool.get_conn()?.query_drop(DROP_TABLE)?)
    }

    async fn create(&self, NewPlayer { name, coins, goods }: NewPlayer) -> Result<i64> {
        let mut connection = self.pool.get_conn()?;
        connection.exec_drop(INSERT, (name, coins, goods))?;
        Ok(i64::try_from(connection.last_insert_id())?)
    }

    async fn create_many(&self, players: Vec<NewPlayer>) -> Result<()> {
        let mut connection = self.pool.get_conn()?;
        if self.tuned {
            let sql = insert_many(&players);
            let values = players.into_iter().flat_map(|p| [p.name.into(), p.coins.into(), p.goods.into()]);
            Ok(connection.exec_drop(sql, Vec::<mysql::Value>::from_iter(values))?)
        } else {
            Ok(connection.exec_batch(INSERT, players.into_iter().map(|p| (p.name, p.coins, p.goods)))?)
        }
    }

    async fn find(&self, id: i64) -> Result<Option<Player>> {
        Ok(self.pool.get_conn()?.exec_first(FIND, (id,))?.map(player))
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<Player>> {
        Ok(self.pool.get_conn()?.exec_first(FIND_BY_NAME, (name,))?.map(player))
    }

    async fn list(&self, limit: u32) -> Result<Vec<Player>> {
        Ok(self.pool.get_conn()?.exec_map(LIST, (limit,), player)?)
    }

    async fn count(&self) -> Result<u64> {
        Ok(self.pool.get_conn()?.query_first(COUNT)?.ok_or("no count")?)
    }

    async fn trade(&self, Trade { buyer, seller, goods, price }: Trade) -> Result<bool> {
        let mut transaction = self.pool.start_transaction(TxOpts::default())?;
        let (coins, _): (i32, i32) = transaction.exec_first(LOCK, (buyer,))?.ok_or("no buyer")?;
        if coins < price {
            transaction.rollback()?;
            return Ok(false);
        }
        let (_, stock): (i32, i32) = transaction.exec_first(LOCK, (seller,))?.ok_or("no seller")?;
        if stock < goods {
            transaction.rollback()?;
            return Ok(false);
        }
        transaction.exec_drop(MOVE, (-price, goods, buyer))?;
        transaction.exec_drop(MOVE, (price, -goods, seller))?;
        transaction.commit()?;
        Ok(true)
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}
