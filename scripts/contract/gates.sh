#!/bin/sh
# The contract gates: style, house rules, score, and no breaking change against the last release.
set -eu
cd "$(dirname "$0")"
spec=../../spec
bin=node_modules/.bin
least_score=90
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

[ -x "$bin/redocly" ] || npm ci --no-audit --no-fund

"$bin/redocly" lint "$spec/openapi.yaml" --config redocly.yaml
"$bin/spectral" lint "$spec/dist/openapi.yaml" --ruleset .spectral.yaml --fail-severity=warn

score=$("$bin/redocly" score "$spec/dist/openapi.yaml" --config redocly.yaml --format json | node -p 'JSON.parse(require("fs").readFileSync(0)).agentReadiness')
echo "score: $score of 100"
node -e "process.exit($score < $least_score)"

if [ -f "$spec/released/openapi.yaml" ]; then
    "$bin/redocly" diff "$spec/released/openapi.yaml" "$spec/dist/openapi.yaml" --config redocly-diff.yaml --check-version
fi
