#!/bin/sh
# The contract gates: style, house rules, score, and no breaking change against the last release.
set -eu
cd "$(dirname "$0")"
spec=../../spec
bin=node_modules/.bin
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true


"$bin/redocly" lint "$spec/openapi.yaml" --config redocly.yaml
"$bin/spectral" lint "$spec/dist/openapi.yaml" --ruleset .spectral.yaml --fail-severity=warn

"$bin/redocly" score "$spec/dist/openapi.yaml" --config redocly.yaml --format json | node -e '
    const score = JSON.parse(require("fs").readFileSync(0)).agentReadiness
    console.log(`score: ${score} of 100, of which 90 are needed`)
    process.exit(score < 90 ? 1 : 0)'

if [ -f "$spec/released/openapi.yaml" ]; then
    "$bin/redocly" diff "$spec/released/openapi.yaml" "$spec/dist/openapi.yaml" --config redocly-diff.yaml --check-version
fi
