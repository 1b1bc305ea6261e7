//! TiDB through the sqlx driver: tuned options, a pool, and a PlayerStore
