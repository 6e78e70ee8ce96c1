#!/bin/bash
# The main job from outside: scripts/demo ends well, and what it leaves is one report in three folders and a
# post with every talk in order and every line once.
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
notes=tests/demo/notes.txt
[ -x "$B/rapport" ] || { echo "skipped: $B/rapport is not built"; echo '0 passed, 0 failed, 1 skipped'; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

passed=0 failed=0
check() { # check WHAT EXPECTED IS
    if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
        failed=$((failed + 1)); echo "FAILED $1: is '$3', expected '$2'"; fi
}

B=$B RAPPORT_DEMO_DIR=$work/demo scripts/demo >"$work/out" 2>&1
check 'status of the demo' 0 $?
sed 's/^/    /' "$work/out"
demo=$work/demo

# It says where the posts are, and they are there.
mapfile -t posts < <(grep -oE '/[^ ]*/post/[^ ]+$' "$work/out")
check 'posts named' 3 ${#posts[@]}
check 'three equal digests' 1 "$(grep -oE '(ada|bram|cleo) [0-9a-f]{32}' "$work/out" | tail -n 3 | cut -d' ' -f2 | sort -u | wc -l)"

# One report in three folders, byte by byte, and no daemon left.
for who in bram cleo; do
    check "folder of $who like that of ada" '' \
        "$(diff -r -x .rapport -x published -x private "$demo/ada" "$demo/$who" 2>&1)"
done
for who in ada bram cleo; do
    check "$who has no daemon" false \
        "$(RAPPORT_HOME=$demo/home/$who "$B/rapport" -C "$demo/$who" --json status | grep -o '"daemon":[a-z]*' | cut -d: -f2)"
    check "digest of $who is that of ada" 0 "$(
        RAPPORT_HOME=$demo/home/$who "$B/rapport" -C "$demo/$who" --json status |
            grep -o '"digest":"[0-9a-f]*"' | cut -d'"' -f4 >"$work/$who.digest"
        cmp "$work/$who.digest" "$work/ada.digest" >&2; echo $?)"
done

# Each line exactly once in the Markdown post, under the heading of its talk, talks in the order of the notes.
post=${posts[0]:-/dev/null}
check 'lines that do not stand there exactly once' '' "$(
    grep -v -e '^#' -e '^== ' -e '^$' "$notes" | while IFS= read -r line; do
        n=$(grep -cxF -e "$line" "$post")
        [ "$n" = 1 ] || echo "$n: $line"
    done)"
first_lines() { # the first line of each talk's first record
    awk '$1 == "==" { fresh = !($2 in seen); seen[$2]; next } fresh && !/^#/ { print; fresh = 0 }' "$notes"
}
check 'talks' 21 "$(first_lines | wc -l)"
check 'talks in order' "$(seq 1 21)" "$(
    first_lines | while IFS= read -r line; do grep -nxF -e "$line" "$post" | cut -d: -f1; done | awk '
        { print(($1 > last) ? NR : "not in order"); last = $1 }')"
check 'sections' 21 "$(grep '^## ' "$post" | grep -cvE '^## (Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day [0-9]+ [A-Z][a-z]+$')"
aurae=$(grep -n '^## Aurae' "$post" | cut -d: -f1) headscale=$(grep -n '^## Headscale' "$post" | cut -d: -f1)
check 'Aurae stands behind Headscale' yes "$([ "${headscale:-0}" -gt 0 ] && [ "${aurae:-0}" -gt "$headscale" ] && echo yes)"
check 'the talk that two wrote about stands there once' 1 "$(grep -c '^## Headscale' "$post")"
check 'the HTML page is whole' '</html>' "$(tail -n 1 "${posts[2]:-/dev/null}")"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
