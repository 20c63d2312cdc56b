#!/bin/sh
# The gates of both documents: style, house rules, score; and no breaking change of the contract against its last release.
set -eu
cd "$(dirname "$0")"
spec=../../spec
bin=node_modules/.bin
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

"$bin/redocly" lint "$spec/openapi.yaml" "$spec/ops/openapi.yaml" --config redocly.yaml
for name in openapi ops; do
    document="$spec/dist/$name.yaml"
    "$bin/spectral" lint "$document" --ruleset .spectral.yaml --fail-severity=warn
    "$bin/redocly" score "$document" --config redocly.yaml --format json | NAME=$name node -e '
        const score = JSON.parse(require("fs").readFileSync(0)).agentReadiness
        console.log(`${process.env.NAME}: ${score} of 100 points, of which 88 are needed`)
        process.exit(score < 88 ? 1 : 0)'
done

if [ -f "$spec/released/openapi.yaml" ]; then
    ./compatible.sh "$spec/released/openapi.yaml" "$spec/dist/openapi.yaml"
fi
