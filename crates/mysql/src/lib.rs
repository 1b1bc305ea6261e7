//! TiDB through the blocking mysql driver: tuned options, a pool, and a PlayerStore
