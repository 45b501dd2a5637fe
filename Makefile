# Each target is one line of real commands. Needed: Rust, Python 3.11 or newer, Terraform 1.9 or newer.
.PHONY: demo test check sandbox

# The main job, on this machine, without an AWS account; `make demo ONCE=1` clicks by itself and checks the end.
demo:
	cargo build --workspace --bins && exec target/debug/cordon-sandbox demo $(if $(ONCE),--once)

# The whole suite.
test:
	cargo build --workspace --bins && cargo test --workspace

# Format, lints, documentation, Terraform.
check:
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps && terraform fmt -check -recursive

# Only the sandbox, for other shells.
sandbox:
	cargo build --workspace --bins && exec target/debug/cordon-sandbox up
