//! Conformance checks for any PlayerStore
