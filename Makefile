# Each target is one line of real commands. Needed: Rust, Python 3.11 or newer, Terraform 1.9 or newer.
.PHONY: demo test check bench sandbox

# The main job, on this machine, without an AWS account; `make demo ONCE=1` clicks by itself and checks the end.
demo:
	cargo build --workspace --bins && exec target/debug/cordon-sandbox demo $(if $(ONCE),--once)

# The whole suite.
test:
	cargo build --workspace --bins && cargo test --workspace

# Format, lints, documentation, Terraform.
check:
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps && terraform fmt -check -recursive

# Speed and size, as medians of ten, beside their targets.
bench:
	cargo build --workspace --bins && cargo test -p cordon-tests --test end_to_end figures && cargo build --release -p cordon && wc -c < target/release/cordon | awk '{ printf "BENCH release_binary_mib ours=%.1f target=40 %s\n", $$1 / 1048576, $$1 <= 41943040 ? "ok" : "missed" }'

# Only the sandbox, for other shells.
sandbox:
	cargo build --workspace --bins && exec target/debug/cordon-sandbox up
