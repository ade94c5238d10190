#!/usr/bin/env bash
# The image and what it takes to serve from it, with a Docker of its own (as root):
#   tests/containers/with_docker bench/containers.sh MODEL.keras INPUT.npy
set -euo pipefail
model=$(realpath "$1") input=$(realpath "$2")
PATH=$(realpath "$(dirname "$0")/../build/release"):$PATH
scratch=$(mktemp -d)
trap 'lamina clean >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT
cd "$scratch"
timed() { # WHAT COMMAND...: the seconds of each of three runs
  local what=$1 i times=()
  shift
  for i in 1 2 3; do
    local begin=$EPOCHREALTIME
    "$@" >output
    times+=("$(awk "BEGIN {printf \"%.2f\", $EPOCHREALTIME - $begin}")")
    [ -z "${AFTER:-}" ] || $AFTER >/dev/null
  done
  echo "$what, s: ${times[*]}"
}
timed "image build" lamina image build -o image.tar
cat output
AFTER="docker image rm lamina:0.1.0" timed "docker load" docker load -qi image.tar
docker load -qi image.tar >/dev/null
timed "bundle" bash -c "rm -rf parcel && lamina bundle $model -o parcel"
AFTER="lamina clean parcel" timed "bundle to serving, image loaded" lamina deploy parcel --target compose
lamina deploy parcel --target compose >/dev/null
curl -sf --data-binary "@$input" localhost:8765/input -o answer.npy && echo "an answer of $(stat -c %s answer.npy) bytes"
