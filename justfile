set positional-arguments

# List the recipes
default:
    @just --list

# Everything CI checks; arguments go to cargo test
test *args:
    scripts/test "$@"

# Run caretrack with the given arguments
run *args:
    cargo run --locked -p caretrack-app --bin caretrack -- "$@"

# Measure, as ratios against what the same disk and database can do
bench *args:
    scripts/bench "$@"

# Ask a server for everything its OpenAPI document tells of, with made-up data
fuzz *args:
    scripts/fuzz "$@"

# Format the code
fmt:
    cargo fmt --all

# Check formatting and lints
lint:
    cargo fmt --all --check && cargo clippy --workspace --all-targets --locked -- -D warnings

# Build the API documentation
doc:
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
