#!/bin/bash
# Each gate passes on the tree as it is and fails, naming file and rule, when the rule is broken on purpose
# in a copy. A gate that cannot fail proves nothing.
set -u
cd "$(dirname "$0")/../.."
top=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0

report() { # report OK WHAT
    if [ "$1" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $2"
        cat "$work/log"
    fi
}
passes() { # passes WHAT COMMAND...
    local what=$1
    shift
    "$@" >"$work/log" 2>&1
    report $? "$what"
}
breaks() { # breaks WHAT TEXT COMMAND...: fails, and says TEXT (a basic regular expression)
    local what=$1 text=$2
    shift 2
    if "$@" >"$work/log" 2>&1; then
        report 1 "$what: was not noticed"
    else
        grep -q -e "$text" "$work/log"
        report $? "$what: noticed, but the message lacks \"$text\""
    fi
}

# A fresh copy of what the gates read, in $copy.
copy=$work/tree
fresh() {
    rm -rf "$copy"
    mkdir "$copy"
    cp -R src include scripts Makefile tests .clang-format .clang-tidy "$copy/"
}
# file PATH LINE...: writes a file into the copy.
file() {
    mkdir -p "$(dirname "$copy/$1")"
    printf '%s\n' "${@:2}" >"$copy/$1"
}

# --- check-layers
passes 'check-layers on this tree' scripts/check-layers
include_cases=(
    'src/base/up.c|#include "crypto/keys.h"|src/base/up.c:2: layer base may not include layer crypto'
    'src/text/up.h|#include "log/log.h"|src/text/up.h:2: layer text may not include layer log'
    'src/sync/side.c|  #  include "report/report.h"|layer sync may not include layer report'
    'src/base/angle.c|#include <base/../text/x.h>|none'
    'src/log/db.c|#include <sqlite3.h>|only store does'
    'src/cli/inside.c|#include "daemon/control.h"|only daemon/client'
    'src/cli/side.c|#include "daemon/client.h"|none'
    'src/cli/own.c|#include "cli/table.h"|none'
    'src/node/all.c|#include "sync/frame.h"|none'
    'src/base/bare.c|#include "buf.h"|names no layer'
    'src/base/dots.c|#include "../text/rope.h"|names no layer'
    'src/base/public.c|#include "rapport/error.h"|none'
    'src/base/system.c|#include <net/if.h>|none'
    'src/orphan/x.c|#include "base/buf.h"|layer orphan has no row'
    'include/rapport/leak.h|#include "base/buf.h"|a public header may not include'
)
for c in "${include_cases[@]}"; do
    IFS='|' read -r path line message <<<"$c"
    fresh
    file "$path" '/* made by a test */' "$line"
    if [ "$message" = none ]; then
        passes "$path with $line is fine" scripts/check-layers "$copy"
    else
        breaks "$path with $line" "$message" scripts/check-layers "$copy"
    fi
done
fresh
file src/net/if.h '/* ours */'
file src/base/angle.c '/* made by a test */' '#include <net/if.h>'
breaks 'angle brackets around a header of ours' 'layer base may not include layer net' scripts/check-layers "$copy"
fresh
sed -i 's/^base:.*/base: text/' "$copy/src/LAYERS"
breaks 'a row that names a layer above it' 'layer base names text, which does not stand above' scripts/check-layers "$copy"
fresh
echo 'text: base' >>"$copy/src/LAYERS"
breaks 'a layer with two rows' 'layer text has two rows' scripts/check-layers "$copy"
breaks 'a folder without a table' 'no src/LAYERS' scripts/check-layers "$work"

# --- check-pure: an archive with one object more
archive=${B:-build}/librapport.a
try_core() { # try_core LINE...: check-pure on the core with this source in it
    fresh
    file core/broken.c "$@"
    cp "$archive" "$copy/core.a" &&
        "${CC:-cc}" -std=c11 -D_GNU_SOURCE -O1 -fPIC -Iinclude -Isrc -c -o "$copy/broken.o" "$copy/core/broken.c" &&
        ar q "$copy/core.a" "$copy/broken.o" && scripts/check-pure "$copy/core.a"
}
if [ "${B:-build}" = build ] && [ -f "$archive" ]; then
    passes 'check-pure on this core' scripts/check-pure "$archive"
    passes 'constant tables of pointers' try_core 'const char *const names[] = {"a", "b"};' \
        'static const char *const own[] = {"c", "d"};' 'const char *name(int i);' 'const char *name(int i) { return own[i]; }'
    passes 'seeded keys, math, memory' try_core '#include <sodium.h>' '#include <math.h>' '#include <stdlib.h>' \
        'double f(unsigned char *p, double x) { crypto_sign_seed_keypair(p, p, p); crypto_box_seal_open(p, p, 9, p, p);' \
        'sodium_memzero(p, 9); free(p); return floor(x); }'
    calls=(
        'time(0)|time.h|time: .*broken.o.*clock'
        'clock_gettime(0, (void *)4)|time.h|clock_gettime: .*broken.o.*clock'
        'getenv("HOME")|stdlib.h|getenv: .*broken.o.*environment'
        'rand()|stdlib.h|rand: .*broken.o.*entropy'
        'fopen("a", "r")|stdio.h|fopen: .*broken.o.*files'
        'printf("%d", 1)|stdio.h|printf: .*broken.o.*files'
        'socket(1, 1, 1)|sys/socket.h|socket: .*broken.o.*network'
        'localtime((void *)4)|time.h|localtime: .*broken.o.*zone'
        'toupper(*(int *)4)|ctype.h|broken.o.*locale'
        'getrandom((void *)4, 1, 0)|sys/random.h|getrandom: .*entropy'
        'randombytes_random()|sodium.h|randombytes_random: .*broken.o.*entropy'
        'crypto_box_keypair((void *)4, (void *)4)|sodium.h|crypto_box_keypair: .*broken.o.*seed'
        '(crypto_kdf_keygen((void *)4), 1)|sodium.h|crypto_kdf_keygen: .*broken.o'
        'crypto_box_seal((void *)4, (void *)4, 1, (void *)4)|sodium.h|crypto_box_seal: .*entropy'
        'uv_hrtime()|uv.h|uv_hrtime: .*libuv'
        'sqlite3_libversion_number()|sqlite3.h|sqlite3_libversion_number: .*store'
        'XML_ParserCreate(0)|expat.h|broken.o without XML_SetHashSalt'
        'pthread_self()|pthread.h|pthread_self: '
        'setjmp((void *)4)|setjmp.h|setjmp: .*hidden state'
        'wcwidth(4)|wchar.h|wcwidth: .*not on the allow-list'
    )
    for c in "${calls[@]}"; do
        IFS='|' read -r call header message <<<"$c"
        breaks "the core calls $call" "$message" try_core "#include <$header>" 'int f(void);' "int f(void) { return (int)(long)$call; }"
    done
    state=(
        'static int counter; int f(void); int f(void) { return ++counter; }|counter: 4 writable bytes in .bss'
        'static int counter = 7; int f(void); int f(void) { return ++counter; }|counter: 4 writable bytes in .data'
        'static _Thread_local int mine; int f(void); int f(void) { return ++mine; }|mine: 4 writable bytes in .tbss'
        'int shared[3];|shared: 12 writable bytes'
        'static const char *names[] = {"a"}; const char **f(void); const char **f(void) { return names; }|names.*: 8 writable bytes in .data'
    )
    for c in "${state[@]}"; do
        IFS='|' read -r source message <<<"$c"
        breaks "the core has $source" "$message" try_core "$source"
    done
else
    echo 'skipped: check-pure looks at the plain build only'
    skipped=$((skipped + 1))
fi

# --- check-headers
passes 'check-headers on this tree' scripts/check-headers
fresh
file src/base/needy.h '/* made by a test */' 'size_t needy(void);'
breaks 'a header that needs another before it' 'src/base/needy.h: does not compile alone' "$copy/scripts/check-headers"
fresh
file src/base/twice.h '/* made by a test */' 'struct twice { int x; };'
breaks 'a header without a guard' 'src/base/twice.h: does not compile alone' "$copy/scripts/check-headers"

# --- measure-style
style_case() { # style_case MESSAGE PATH LINE...
    rm -rf "$copy"
    mkdir -p "$copy/src" "$copy/include" "$copy/tests"
    file "${@:2}"
    if [ "$1" = none ]; then
        passes "measure-style takes $2" scripts/measure-style "$copy"
    else
        breaks "measure-style on $2" "$1" scripts/measure-style "$copy"
    fi
}
mapfile -t many < <(for i in $(seq 69); do echo '    x++;'; done)
mapfile -t more < <(for i in $(seq 793); do echo; done)
opening='/* made by a test */'
style_case none src/a/long.c "$opening" 'void f(int x)' '{' "${many[@]:0:68}" '}'
style_case 'src/a/long.c:3: a function of 71 lines' src/a/long.c "$opening" 'void f(int x)' '{' "${many[@]}" '}'
style_case none src/a/big.c "$opening" "${more[@]}" 'int x;' 'int y;' 'int z;' 'int u;' 'int v;' 'int w;'
style_case '801 lines' src/a/big.c "$opening" "${more[@]}" 'int x;' 'int y;' 'int z;' 'int u;' 'int v;' 'int w;' 'int t;'
style_case none src/a/doc.h "$opening" '/* Says. */' 'int f(void);' 'int g(int a,' '      int b); /* beside */' 'struct s { int (*call)(int); };' \
    '/* Says. */' 'void h(const char *format, ...)' '    __attribute__((format(printf, 1, 2)));' '#define CALL(x) call(x);'
style_case 'src/a/doc.h:4: prototype without a comment' src/a/doc.h "$opening" '/* Says. */' 'int f(void);' 'int g(int a,' '      int b);'
style_case 'src/a/doc.h:2: prototype without a comment' src/a/doc.h '' 'const struct thing *f(void);'
style_case 'does not open with a comment' src/a/open.c 'int x;'
style_case 'left over' src/a/later.c "$opening" '/* TO''DO: think */'
style_case 'a line has at most 100' src/a/wide.c "$opening" "/* $(printf '%098d' 0) */"
style_case '7 parameters' src/a/wide.c "$opening" 'void f(int a, int b, int c, int d, int e, int f, int g)' '{' '}'
style_case none src/a/wide.c "$opening" 'void f(int a, void (*b)(int, int), int c, int d, int e, int g)' '{' '}'

# --- run-tests, which adds all this up
program() { # program NAME LINE...: a script to run
    file "$1" '#!/bin/sh' "${@:2}"
    chmod +x "$copy/$1"
}
runs() { # runs EXPECTED-LAST-LINE NAME...: exact last line
    local expected=$1
    shift
    (cd "$copy" && "$top/scripts/run-tests" "$@") >"$work/log" 2>&1
    [ "$(tail -n 1 "$work/log")" = "$expected" ]
    report $? "run-tests $* should end with \"$expected\""
}
program good 'echo 3 passed, 0 failed'
program bad 'echo why' 'echo 1 passed, 2 failed' 'exit 1'
program some 'echo skipped: no tool' 'echo 1 passed, 0 failed, 2 skipped'
program silent 'echo nothing to say'
program crash 'kill -SEGV $$'
program late 'echo 4 passed, 0 failed' 'echo ERROR: leak' 'exit 1'
program liar 'echo 4 passed, 0 failed' 'exit 1'
program slow 'sleep 60' 'echo 1 passed, 0 failed'
runs '3 passed, 0 failed' ./good
runs '4 passed, 2 failed' ./good ./bad
runs '4 passed, 0 failed, 2 skipped' ./good ./some
runs '3 passed, 1 failed' ./good ./silent
runs '3 passed, 1 failed' ./crash ./good
runs '0 passed, 1 failed' ./late
runs '4 passed, 1 failed' ./liar
runs '0 passed, 1 failed' ./missing
TEST_SECONDS=0.2 runs '3 passed, 1 failed' ./slow ./good
passes 'run-tests exits 0 when all pass' scripts/run-tests "$copy/good"
breaks 'run-tests shows the output of what fails' '^why$' scripts/run-tests "$copy/bad"
breaks 'run-tests shows the output of what gives no count' '^nothing to say$' scripts/run-tests "$copy/silent"

if [ $skipped = 0 ]; then
    echo "$passed passed, $failed failed"
else
    echo "$passed passed, $failed failed, $skipped skipped"
fi
[ $failed = 0 ]
