# Says in one sentence what is missing, before the long build. The sandbox itself looks again. With `browser`, also what
# the browser test needs.
recent='import ensurepip, sys; sys.exit(sys.version_info < (3, 11))'
has_python() {
    for python in python3 python3.14 python3.13 python3.12 python3.11; do
        "$python" -c "$recent" 2>/dev/null && return
    done
    return 1
}
has_terraform() {
    CHECKPOINT_DISABLE=1 terraform version 2>/dev/null | grep -Eq '^Terraform v(1\.(9|[1-9][0-9])|[2-9])'
}
lack() {
    echo "$1 and put it in PATH" >&2
    exit 1
}
has_python || lack "python3 is missing, too old or incomplete: install Python 3.11 or newer (Debian and Ubuntu: with python3-venv)"
has_terraform || lack "terraform is missing or too old: install Terraform 1.9 or newer"
if [ "${1:-}" = browser ] && ! command -v chromedriver >/dev/null; then
    lack "chromedriver is missing, with which the browser test drives Chromium: install both (Debian: apt-get install chromium chromium-driver)"
fi
