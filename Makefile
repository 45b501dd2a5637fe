# Each target is one line of real commands. Needed: Rust, Python 3.11 or newer, Terraform 1.9 or newer; for the tests
# Chromium and chromedriver too.
# PORT and SLACK_PORT choose where the sandbox listens.
.PHONY: demo test check bench sandbox

# One build for all: with other targets cargo would choose other features and compile the AWS SDK again.
BUILD = sh sandbox/prerequisites.sh && cargo build --workspace --all-targets
TARGET = $${CARGO_TARGET_DIR:-target}
SANDBOX = $(BUILD) && exec $(TARGET)/debug/cordon-sandbox
PORTS = $(PORT:%=--port %) $(SLACK_PORT:%=--slack-port %)

# The main job, on this machine, without an AWS account; `make demo ONCE=1` clicks by itself and checks the end.
demo:
	$(SANDBOX) demo $(PORTS) $(if $(ONCE),--once)

# The whole suite.
test:
	sh sandbox/prerequisites.sh browser && $(BUILD) && cargo test --workspace

# Format, lints, documentation.
check:
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps && terraform fmt -check -recursive

# Speed and size beside their targets, quarantine beside `aws s3 mv`, and the gateway beside slack_bolt, in the same run.
bench:
	$(BUILD) && cargo test --workspace --test end_to_end figures && cargo build --release -p cordon && wc -c < $(TARGET)/release/cordon | awk '{ printf "BENCH release_binary_mib ours=%.1f target=40 %s\n", $$1 / 1048576, $$1 <= 41943040 ? "ok" : "missed" }' && $(TARGET)/debug/move-bench $(TARGET)/release/cordon && $(TARGET)/debug/gateway-bench $(TARGET)/release/cordon

# Only the sandbox, for other shells.
sandbox:
	$(SANDBOX) up $(PORTS)
