#!/bin/sh
# rapport-bench makes a report of the asked size, opens it, and two processes that sync end up equal.
cd "$(dirname "$0")/../.." || exit 1
bench=${B:-build}/rapport-bench
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
passed=0 failed=0
check() { # check WHAT PATTERN IS
    if printf '%s\n' "$3" | grep -q "$2"; then passed=$((passed + 1)); else
        failed=$((failed + 1)); echo "$1: is '$3', expected $2"; fi
}
if [ ! -x "$bench" ]; then
    echo "skipped: $bench is not built"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
fi
check 'make' '"notes":20,"events":20' "$("$bench" make "$top/report" --notes 20 --events 20000)"
check 'make, again' 'exists' "$("$bench" make "$top/report" --notes 20 --events 20000 2>&1)"
check 'open' '"notes":20,' "$("$bench" open "$top/report")"
check 'open, nothing there' 'not found' "$("$bench" open "$top/none" 2>&1)"
check 'paste' '"notes":2,.*"shown_bytes":99' \
    "$("$bench" make "$top/pasted" --notes 1 --events 100 --paste 1000000 >/dev/null && "$bench" open "$top/pasted")"
synced=$("$bench" sync --events 20000 --edits 20 --idle 0)
check 'sync' '"converged":true' "$synced"
check 'sync, every edit seen' '"edits":20,' "$synced"
check 'sync, usage' 'usage' "$("$bench" sync --events 100 --edits 0 2>&1)"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
