#!/bin/sh
# `rapport-bench noise` replays the published vectors, all of them pass, and it sees a changed one.
cd "$(dirname "$0")/../.." || exit 1
bench=${B:-build}/rapport-bench
vectors=${RAPPORT_SHARED:-../shared}/vectors/noise
skip() { echo "skipped: $1"; echo '0 passed, 0 failed, 1 skipped'; exit 0; }
[ -x "$bench" ] || skip "$bench is not built"
[ -d "$vectors" ] || skip "no Noise vectors in $vectors"

passed=0 failed=0
check() { # check WHAT EXPECTED IS
    if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
        failed=$((failed + 1)); echo "$1: is '$3', expected '$2'"; fi
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

n=$(cat "$vectors"/*.json | grep -c '"protocol_name"')
check 'every case passes' "$n passed, 0 failed" "$("$bench" noise "$vectors"/*.json | tail -n 1)"

derived=$vectors/derived_25519_ChaChaPoly_BLAKE2b.json
n=$(grep -c '"protocol_name"' "$derived")
for key in ciphertext payload handshake_hash init_ephemeral; do
    # Another last digit in the first value of that name: exactly one case must fail.
    sed "0,/\"$key\": \"[0-9a-f]/{/\"$key\": \"[0-9a-f]/s/\(\"$key\": \"[0-9a-f]*\)[0-9a-f]\"/\10\"/}" "$derived" >"$dir/0"
    sed "0,/\"$key\": \"[0-9a-f]/{/\"$key\": \"[0-9a-f]/s/\(\"$key\": \"[0-9a-f]*\)[0-9a-f]\"/\11\"/}" "$derived" >"$dir/1"
    changed=$dir/0
    cmp -s "$changed" "$derived" && changed=$dir/1
    "$bench" noise "$changed" >"$dir/out"
    check "a changed $key: status" 1 $?
    check "a changed $key" "$((n - 1)) passed, 1 failed" "$(tail -n 1 "$dir/out")"
    check "a changed $key is named" 1 "$(grep -c 'case 1 (Noise_XXpsk0' "$dir/out")"
done
echo '{"vectors": 1}' >"$dir/none"
check 'a file without vectors' '0 passed, 1 failed' "$("$bench" noise "$dir/none" 2>"$dir/err" | tail -n 1)"
echo "$passed passed, $failed failed"
