//! Checks the workspace's pages. Here their programs compile; `tests` has their links, and the README's translation.

/// A page whose Rust blocks are programs that compile.
macro_rules! page {
    ($name:ident, $path:literal) => {
        #[cfg(doctest)]
        #[doc = include_str!($path)]
        struct $name;
    };
}

page!(Readme, "../../../README.md");
page!(Guide, "../../../docs/guide.md");
page!(OwnPool, "../../../docs/own-pool.md");
page!(OwnStore, "../../../docs/own-store.md");
