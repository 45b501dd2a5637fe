# Each target is a line or two of real commands. Needed: Rust, Python 3.11 or newer, Terraform 1.9 or newer; for the tests
# Chromium and chromedriver too.
# PORT and SLACK_PORT choose where the sandbox listens.
.PHONY: demo unit check test prove soak bench sandbox image

# One build for all: with other targets cargo would choose other features and compile the AWS SDK again.
BUILD = sh sandbox/prerequisites.sh && cargo build --workspace --all-targets
TARGET = $${CARGO_TARGET_DIR:-target}
SANDBOX = $(BUILD) && exec $(TARGET)/debug/cordon-sandbox
PORTS = $(PORT:%=--port %) $(SLACK_PORT:%=--slack-port %)
# In `it` each test waits for its turn in its environment (tests/README.md), so there are more threads than tests. The other
# two look at the clock, so they run by themselves, and `gateway` one test at a time.
IT = cargo test --workspace --test it -- --test-threads=256
GATEWAY = cargo test --workspace --test gateway -- --test-threads=1
SANDBOX_TESTS = cargo test --workspace --test sandbox -- --test-threads=8
# What the tests have asked of AWS, and which grants they have used, held to AWS's models and to the Terraform.
RECORDS = $(CURDIR)/.sandbox/records
PROOFS = SANDBOX_RECORDS=$(RECORDS) cargo test --workspace --test proofs -- --nocapture
# A tool that comes with neither Rust nor Terraform may be missing here. In CI it may not: .ci/run.
IF_PRESENT = run() { if command -v "$$1" >/dev/null; then "$$@"; else echo "skipped: $$1"; fi; }; run

# The main job, on this machine, without an AWS account; `make demo ONCE=1` clicks by itself and checks the end.
demo:
	$(SANDBOX) demo $(PORTS) $(if $(ONCE),--once)

# What needs no Terraform, emulator or browser: the fast loop.
unit:
	cargo test --workspace --lib --bins

# Format, lints, documentation, licenses, spelling, Terraform with its tests against a mock of AWS.
check: export TF_PLUGIN_CACHE_DIR ?= $(CURDIR)/.sandbox/terraform
check:
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings && RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
	$(IF_PRESENT) cargo-deny check -D warnings bans licenses sources
	$(IF_PRESENT) typos
	$(IF_PRESENT) terraform fmt -check -recursive
	$(IF_PRESENT) checkov --config-file .checkov.yaml
	command -v terraform >/dev/null || exit 0; mkdir -p $$TF_PLUGIN_CACHE_DIR && for root in terraform terraform/examples/*; do export TF_DATA_DIR="$(CURDIR)/.sandbox/validate/$$root" && terraform -chdir=$$root init -backend=false -input=false >/dev/null && terraform -chdir=$$root validate || exit 1; done
	command -v terraform >/dev/null || exit 0; TF_DATA_DIR="$(CURDIR)/.sandbox/validate/terraform" GOGC=800 terraform -chdir=terraform test

# Every behavior.
test:
	sh sandbox/prerequisites.sh browser && $(BUILD) && $(MAKE) --no-print-directory unit && $(SANDBOX_TESTS) && $(GATEWAY) && rm -rf $(RECORDS) && SANDBOX_RECORDS=$(RECORDS) $(IT) && $(PROOFS)

# Every line that begins with PROOF, at its full size; with the image, by buildah and runc, and the examples of the module.
prove:
	$(BUILD) && cargo test --workspace --test image && cargo test --workspace --test examples -- --test-threads=3 && export CORDON_TEST_SIZE=prove && $(GATEWAY) clicks fuzz && $(IT) crashes:: --skip crashes::exposures && $(IT) sizes:: quarantine_model::

# As `prove`, with ten thousand open approvals and a million requests: hours.
soak:
	$(BUILD) && export CORDON_TEST_SIZE=soak && $(GATEWAY) fuzz && $(IT) sizes::approvals faults_at_random

# Speed and size beside their targets, quarantine beside `aws s3 mv`, and the gateway beside slack_bolt, in the same run.
bench:
	$(BUILD) && cargo test --workspace --test it figures && cargo build --release -p cordon && wc -c < $(TARGET)/release/cordon | awk '{ printf "BENCH release_binary_mib ours=%.1f target=40 %s\n", $$1 / 1048576, $$1 <= 41943040 ? "ok" : "missed" }' && $(TARGET)/debug/move-bench $(TARGET)/release/cordon && $(TARGET)/debug/gateway-bench $(TARGET)/release/cordon

# The container image, by docker, podman or buildah; TAG= names it. Minutes: it is a release build.
image:
	image/build.sh $(TAG:%=--tag %)

# Only the sandbox, for other shells.
sandbox:
	$(SANDBOX) up $(PORTS)
