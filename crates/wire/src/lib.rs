//! A protocol-aware MySQL proxy that counts round trips, for tests and comparisons
