//! Checks the workspace's pages: here their programs compile, in `tests` their links lead somewhere, and the README's
//! translation keeps up with it.

mod page;

pub use page::{Page, Section};

/// A page whose Rust blocks are tested.
macro_rules! programs {
    ($page:ident, $path:literal) => {
        #[cfg(doctest)]
        #[doc = include_str!($path)]
        struct $page;
    };
}

programs!(Readme, "../../../README.md");
programs!(Guide, "../../../docs/guide.md");
programs!(OwnPool, "../../../docs/own-pool.md");
programs!(OwnStore, "../../../docs/own-store.md");
programs!(SessionState, "../../../docs/session-state.md");
programs!(Playground, "../../playground/README.md");
programs!(Wire, "../../wire/README.md");
