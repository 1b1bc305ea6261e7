# Arguments reach the commands as they were typed, spaces and quotes included.
set positional-arguments

# Programs that run cargo are not run by it: what `cargo run` puts into the environment would make it build ring again.
built := env("CARGO_TARGET_DIR", "target") / "debug"

# The recipes, with what they do.
[private]
default:
    @just --list

# See it work: `just run driver=sqlx`, `driver=mysql`, `driver=mysql_async` or `driver=memory`, then any flags of the CLI.
[no-exit-message]
run driver="sqlx" *flags: server
    @shift; cargo run --quiet --package tidb-connect-cli -- run --driver {{ quote(trim_start_match(driver, "driver=")) }} "$@"

# Why a connection fails: `just doctor`, then any flags of the CLI, such as `--json` or `--driver sqlx`.
[no-exit-message]
doctor *flags:
    @cargo run --quiet --package tidb-connect-cli -- doctor "$@"

# What each driver does, question by question: `just compare`, then any flags of the CLI, such as `--format html`.
[no-exit-message]
compare *flags: server
    @cargo run --quiet --package tidb-connect-cli -- compare "$@"

# Everything that must hold: formatting, lints, documentation, and every test against a throw-away server.
test: server browser one-driver
    cargo fmt --all --check
    cargo package --quiet --no-verify --exclude-lockfile --allow-dirty --offline
    cargo clippy --workspace --all-targets -- --deny warnings
    RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps
    cargo build --workspace --all-targets
    {{ built }}/tidb-connect playground -- {{ just_executable() }} on-server

# What `test` runs with a server: more tests at once than there are cores, because most of them wait for something.
[private]
on-server:
    RUST_TEST_THREADS=4 cargo test --workspace --no-fail-fast
    {{ just_executable() }} examples

# That every example prints its expected.txt: twice, since the second run fails where the first has left a table behind.
[private]
examples:
    #!/bin/sh
    set -eu
    for expected in examples/*/expected.txt; do
        example=example-$(basename "$(dirname "$expected")")
        for run in first second; do
            echo "$example, $run run"
            printed=$("{{ built }}/$example")
            printf '%s\n' "$printed" | diff --unified "$expected" -
        done
    done

# A program that depends on one driver's crate compiles no other driver, and none with the core.
[private]
one-driver:
    #!/bin/sh
    set -eu
    for crate in core sqlx mysql mysql-async; do
        tree=$(cargo tree --locked --package "tidb-connect-$crate" --edges no-dev --target all --prefix none --format '{p}')
        drivers=$(echo "$tree" | sed -En 's/^(sqlx|mysql|mysql_async) v.*/\1/p' | sort -u)
        if [ "$drivers" != "$(echo "$crate" | sed 's/^core$//; s/-/_/')" ]; then
            echo "tidb-connect-$crate compiles these drivers:" $drivers >&2
            exit 1
        fi
    done

# How much longer each driver takes through this workspace's crate, and through its own pool: `just bench`, then any flags.
[no-exit-message]
bench *flags: server
    @cargo build --quiet --release --package tidb-connect-cli
    @{{ parent_directory(built) / "release" }}/tidb-connect bench "$@"

# It exits with 0 when all was kept, with 1 when something was broken, with 2 when a run could not be made.
#
# What stores promise while servers die: `just chaos minutes=5 driver=all` (or sqlx, mysql, mysql_async), for as long as you like.
chaos *settings: server
    #!/bin/sh
    set -eu
    drivers="sqlx mysql mysql_async"
    minutes=5
    for setting in "$@"; do
        case $setting in
            minutes=*) minutes=${setting#*=} ;;
            driver=all) ;;
            driver=sqlx | driver=mysql | driver=mysql_async) drivers=${setting#*=} ;;
            *)
                echo "just chaos knows minutes=… and driver=all|sqlx|mysql|mysql_async, not $setting" >&2
                exit 2
                ;;
        esac
    done
    export CHAOS_MINUTES="$minutes"
    worst=0
    for driver in $drivers; do
        package=tidb-connect-$(echo "$driver" | tr _ -)
        cargo build --quiet --release --package "$package" --test chaos || exit 2
        code=0
        cargo test --quiet --release --package "$package" --test chaos || code=$?
        [ "$code" -le "$worst" ] || worst=$code
    done
    exit "$worst"

# Every peer side by side on one server, in about 20 minutes: `just bench-peers`, then any flags, such as `--only go,sqlx`.
[no-exit-message]
bench-peers *flags: server
    @cargo build --quiet --release --locked --manifest-path peers/Cargo.toml --package bench-peers --target-dir peers/target
    @peers/target/release/bench-peers "$@"

# What a call costs its process, in instructions and allocations, against the bare driver: needs valgrind, takes minutes.
overhead: server
    cargo build --quiet --package tidb-connect-cli
    cargo build --quiet --release --package tidb-connect-overhead
    {{ built }}/tidb-connect playground -- {{ built }}/../release/tidb-connect-overhead

# Licences, duplicates and origins of the dependencies, by deny.toml: needs cargo-deny.
deny:
    cargo deny --locked check bans licenses sources

# What is known of the dependencies' security, from RustSec's database: needs cargo-deny and the network.
audit:
    cargo deny --locked check advisories

# Whether the crates build with the oldest Rust that they promise, whose toolchain rustup installs.
msrv:
    rustup run --install "$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" cargo check --locked

# Whether changes since the last release ask for a greater version: needs cargo-semver-checks.
semver:
    #!/bin/sh
    set -eu
    if last=$(git describe --tags --match 'v*' --abbrev=0 HEAD^ 2>/dev/null); then
        cargo semver-checks --workspace --baseline-rev "$last"
    else
        echo "Nothing has been released yet." >&2
    fi

# Whether every crate can be published: packs each, and compiles it from its package, in minutes.
publish-check:
    cargo publish --dry-run --locked --workspace

# A throw-away server for a command (`just playground -- mysql …`), or in the foreground.
[no-exit-message]
playground *command: server
    @cargo build --quiet --package tidb-connect-cli
    @{{ built }}/tidb-connect playground "$@"

# Draws the README's pictures again: the kept report on TiDB, and the doctor at a database that is not there.
pictures: server browser
    #!/bin/sh
    set -eu
    cargo build --quiet --package tidb-connect-cli
    tidb_connect=$(realpath "{{ built }}/tidb-connect")
    drawn=$(mktemp -d)
    trap 'rm -r "$drawn"' EXIT
    draw() { # page, picture, width,height, colour scheme (0 dark, 1 light)
        "${CHROMIUM:-chromium}" --headless --no-sandbox --disable-gpu --hide-scrollbars --log-level=3 \
            --blink-settings=preferredColorScheme="$4" --window-size="$3" \
            --screenshot="docs/pictures/$2.png" "$drawn/$1.html" 2>"$drawn/chromium.log" || { cat "$drawn/chromium.log" >&2; exit 1; }
    }

    {
        echo '<style>main > section:not([aria-labelledby="answers"]) { display: none }</style>'
        "$tidb_connect" compare --from runs/compare/*-tidb-*.json --format html
    } >"$drawn/report.html"
    draw report report-light 1100,770 1
    draw report report-dark 1100,770 0

    # Without an .env, and with a cross, whose exit code is 15.
    (cd "$drawn" && CLICOLOR_FORCE=1 "$tidb_connect" playground -- \
        env TIDB_DB_NAME=nope "$tidb_connect" doctor >doctor.txt) || [ $? = 15 ]
    {
        echo '<meta charset="utf-8"><body style="margin: 0; background: #16191d">'
        echo '<pre style="margin: 16px; color: #d5dae0; font: 14px/1.4 monospace">$ just doctor'
        sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' \
            -e "s/$(printf '\033')\[3\([0-9]\)m/<b class=c\1>/g" -e "s/$(printf '\033')\[0m/<\/b>/g" "$drawn/doctor.txt"
        echo '</pre><style>.c1 { color: #ff6b6b } .c2 { color: #4cc26b } .c3 { color: #e0af3c }</style>'
    } >"$drawn/doctor.html"
    draw doctor doctor 760,390 0

# Installs Chromium, in which the report of `compare` is tested, where there is none, after saying so.
[private]
browser:
    #!/bin/sh
    set -eu
    if [ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        exit 0
    fi
    sudo=$( [ "$(id -u)" = 0 ] || echo sudo )
    echo "No browser is here to test the report in. Installing Debian's chromium (350 MB):" >&2
    echo "  ${sudo:+$sudo }apt-get install --yes --no-install-recommends chromium" >&2
    $sudo apt-get update --quiet=2 >&2
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends chromium >&2

# Installs MariaDB's server where no server can be found or started, after saying so.
[private]
server:
    #!/bin/sh
    set -eu
    PATH="$PATH:/usr/sbin:/usr/local/sbin"
    have() { command -v "$1" >/dev/null 2>&1; }
    if [ -n "${TIDB_HOST:-}${TIDB_PORT:-}${DATABASE_HOST:-}${DATABASE_URL:-}${TIDB_SERVER:-}" ] || [ -f .env ] ||
        have tidb-server || have mariadbd || have mysqld ||
        [ -n "$(ls -d "${TIUP_HOME:-$HOME/.tiup}"/components/tidb/v*/tidb-server 2>/dev/null)" ]; then
        exit 0
    fi
    # The CLI says what to do where this cannot help.
    have apt-get || exit 0
    sudo=$( [ "$(id -u)" = 0 ] || echo sudo )
    echo "No TiDB is here to run against. Installing MariaDB's server instead (Debian's mariadb-server-core, 25 MB):" >&2
    echo "  ${sudo:+$sudo }apt-get install --yes --no-install-recommends mariadb-server-core" >&2
    $sudo apt-get update --quiet=2 >&2
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends mariadb-server-core >&2
