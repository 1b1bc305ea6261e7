//! TiDB through the mysql_async driver: tuned options, a pool, and a PlayerStore
