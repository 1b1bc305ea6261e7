//! Connecting a Rust program to TiDB: configuration, errors, pool policy and the `PlayerStore` example, for any driver
