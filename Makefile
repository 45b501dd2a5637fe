# Each target is one line of real commands. Needed: Rust, Python 3.11 or newer, Terraform 1.9 or newer.
.PHONY: demo test check bench sandbox

# One build for all: with other targets cargo would choose other features and compile the AWS SDK again.
BUILD = cargo build --workspace --all-targets

# The main job, on this machine, without an AWS account; `make demo ONCE=1` clicks by itself and checks the end.
demo:
	$(BUILD) && exec $${CARGO_TARGET_DIR:-target}/debug/cordon-sandbox demo $(if $(ONCE),--once)

# The whole suite.
test:
	$(BUILD) && cargo test --workspace

# Format, lints, documentation.
check:
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps && terraform fmt -check -recursive

# Speed and size, as medians of ten, beside their targets.
bench:
	$(BUILD) && cargo test --workspace --test end_to_end figures && cargo build --release -p cordon && wc -c < $${CARGO_TARGET_DIR:-target}/release/cordon | awk '{ printf "BENCH release_binary_mib ours=%.1f target=40 %s\n", $$1 / 1048576, $$1 <= 41943040 ? "ok" : "missed" }'

# Only the sandbox, for other shells.
sandbox:
	$(BUILD) && exec $${CARGO_TARGET_DIR:-target}/debug/cordon-sandbox up
