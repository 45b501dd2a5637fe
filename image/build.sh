#!/usr/bin/env bash
# Builds Cordon's container image: one static program for Linux, from scratch, the same bytes for the same sources and tools.
#
# usage: image/build.sh [--tag NAME:TAG] [--with docker|podman|buildah] [--profile release|dev] [--oci DIR]
#
#   --tag      what the image is called; cordon:VERSION unless given
#   --with     the tool to build with; the first of docker, podman, buildah that works unless given
#   --profile  dev builds in a minute, for trying the image out
#   --oci      also write the image as an OCI layout into this directory (buildah)
#
# Environment: CA_ROOTS (PEM file), ZONEINFO (directory), SOURCE_DATE_EPOCH (seconds; that of the last commit unless set).
set -euo pipefail
cd "$(dirname "$0")/.."
complain() { echo "image/build.sh: $*" >&2; exit 1; }

tag= with= profile=release oci=
while [ $# -gt 0 ]; do
  case $1 in
    --tag) tag=${2:?--tag needs a name}; shift 2 ;;
    --with) with=${2:?--with needs a tool}; shift 2 ;;
    --profile) profile=${2:?--profile needs release or dev}; shift 2 ;;
    --oci) oci=${2:?--oci needs a directory}; shift 2 ;;
    -h | --help) sed -n 's/^# \{0,1\}//p' "$0" | sed 1d; exit 0 ;;
    *) complain "unknown argument $1; see --help" ;;
  esac
done

works() {
  case $1 in
    docker) docker info >/dev/null 2>&1 ;;
    podman) podman info >/dev/null 2>&1 ;;
    buildah) buildah --version >/dev/null 2>&1 ;;
    *) complain "--with must be docker, podman or buildah" ;;
  esac
}
if [ -n "$with" ]; then
  works "$with" || complain "$with does not work here; is it installed, and does its engine run?"
else
  for tool in docker podman buildah; do
    if works "$tool"; then with=$tool; break; fi
  done
  [ -n "$with" ] || complain "no tool that builds images works here; install docker, podman or buildah"
fi
[ -z "$oci" ] || [ "$with" = buildah ] || complain "--oci needs buildah"

roots=${CA_ROOTS:-/etc/ssl/certs/ca-certificates.crt} zones=${ZONEINFO:-/usr/share/zoneinfo}
[ -s "$roots" ] || complain "there are no CA roots at $roots; set CA_ROOTS to a file of certificates in PEM form"
[ -d "$zones" ] || complain "there are no time zones at $zones; set ZONEINFO to such a directory"
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
tag=${tag:-cordon:$version}
target=${CARGO_TARGET_DIR:-target}

# The last step alone makes the program static, so everything below it is what any other build uses. Paths of this machine
# stay out of the release.
if [ "$profile" = release ]; then
  export RUSTFLAGS="--remap-path-prefix=$PWD=/cordon --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  export CARGO_TARGET_DIR=$target/image
  cargo rustc --locked --release -p cordon --bin cordon -- -C target-feature=+crt-static
  program=$CARGO_TARGET_DIR/release/cordon
else
  cargo rustc --locked -p cordon --bin cordon -- -C target-feature=+crt-static
  program=$target/debug/cordon
fi

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
mkdir -p "$context/etc/ssl/certs" "$context/usr/share"
install -m 0755 "$program" "$context/cordon"
if ldd "$context/cordon" 2>/dev/null | grep -q '=>'; then
  complain "the program is not static; this needs the static C library (Debian: libc6-dev)"
fi
install -m 0644 "$roots" "$context/etc/ssl/certs/ca-certificates.crt"
cp -rL "$zones" "$context/usr/share/zoneinfo"
rm -rf "$context/usr/share/zoneinfo/posix" "$context/usr/share/zoneinfo/right"
python3 image/sbom.py "$version" >"$context/sbom.cdx.json"
chmod -R u+rwX,go+rX,go-w "$context"
find "$context" -exec touch -h -d "@$epoch" {} +

arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision"
  --build-arg "SOURCE=https://github.com/cordon/cordon" --file Dockerfile --tag "$tag")
case $with in
  docker)
    SOURCE_DATE_EPOCH=$epoch docker buildx build --load --provenance=false \
      --output "type=docker,rewrite-timestamp=true" "${arguments[@]}" "$context" ;;
  podman)
    podman build --timestamp "$epoch" --squash --identity-label=false "${arguments[@]}" "$context" ;;
  buildah)
    buildah bud --isolation chroot --format oci --timestamp "$epoch" --squash --omit-history --identity-label=false \
      --quiet "${arguments[@]}" "$context" >/dev/null
    if [ -n "$oci" ]; then
      rm -rf "$oci"
      buildah push --quiet "$tag" "oci:$oci:$tag"
    fi ;;
esac
echo "built $tag with $with ($profile)"
