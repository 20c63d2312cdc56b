#!/bin/sh
# Whether a contract keeps what a released one promised: compatible.sh RELEASED NEW, run by scripts/node.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
python "$here/../promised.py" "$1" "$2" >"$folder/promised.json"
redocly diff "$folder/promised.json" "$2" --config "$here/redocly-diff.yaml" --check-version
