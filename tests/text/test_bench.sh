#!/bin/sh
# rapport-bench on the text layer: random graphs equal the model, every published case and trace ends right.
cd "$(dirname "$0")/../.." || exit 1
bench=${B:-build}/rapport-bench
traces=${RAPPORT_SHARED:-../shared}/traces
seed=${RAPPORT_SEED:-1}
skip() { echo "skipped: $1"; skipped=$((skipped + 1)); }
passed=0 failed=0 skipped=0
check() { # check WHAT EXPECTED IS
    if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
        failed=$((failed + 1)); echo "$1: is '$3', expected '$2'"; fi
}
if [ -x "$bench" ]; then
    echo "seed $seed"
    check 'random graphs' '3000 passed, 0 failed' "$("$bench" fuzz-text --graphs 3000 --seed "$seed" | tail -n 1)"
    if [ -f "$traces/conformance.jsonl.gz" ]; then
        check 'conformance' '500 passed, 0 failed' "$("$bench" conform "$traces/conformance.jsonl.gz" 2>&1 | tail -n 1)"
        for trace in "$traces"/concurrent/*.gz "$traces"/asynchronous/*.gz "$traces"/sequential/json*.gz; do
            check "$trace" 1 "$("$bench" text "$trace" | grep -c '"text_ok":true')"
        done
    else
        skip "no editing traces in $traces"
    fi
else
    skip "$bench is not built"
fi
count="$passed passed, $failed failed"
[ "$skipped" = 0 ] && echo "$count" || echo "$count, $skipped skipped"
[ "$failed" = 0 ]
