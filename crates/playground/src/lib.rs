//! Starts a throw-away TiDB (or MariaDB, MySQL) server on loopback
