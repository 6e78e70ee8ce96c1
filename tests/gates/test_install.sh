#!/bin/sh
# `make install` into an empty folder: the files are where pkg-config says, and a program of a few lines
# builds against the installed header and archive alone.
set -u
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0
B=${B:-build}

check() { # check WHAT COMMAND...
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        cat "$work/log"
    fi
}
skip() {
    echo "skipped: $1"
    skipped=$((skipped + 1))
}

check 'scripts/install fills an empty folder' env B="$B" DESTDIR="$work/root" PREFIX=/usr scripts/install
check 'a relative prefix is refused' sh -c '! B=$0 DESTDIR=$1 PREFIX=usr scripts/install' "$B" "$work/other"
export PKG_CONFIG_PATH="$work/root/usr/lib/pkgconfig"
for f in lib/librapport.a lib/librapport_uv.a include/rapport/error.h lib/pkgconfig/rapport.pc; do
    check "$f is there" test -s "$work/root/usr/$f"
done
check 'pkg-config takes rapport.pc' pkg-config --exists --print-errors rapport
check 'pkg-config takes rapport-uv.pc' pkg-config --exists --print-errors rapport-uv

build() { # build SOURCE: against what is installed, from outside of the tree, and run
    flags=$(pkg-config --define-variable=prefix="$work/root/usr" --cflags --libs rapport) &&
        cc -std=c11 -Wall -Werror -o "$work/program" "$1" $SANITIZE $flags && "$work/program"
}
case $B in
*/asan) SANITIZE=-fsanitize=address,undefined ;;
*/tsan) SANITIZE=-fsanitize=thread ;;
*) SANITIZE= ;;
esac

cat >"$work/error.c" <<'C'
#include <rapport/error.h>
#include <stdio.h>
int main(void)
{
    return puts(rapport_strerror(RAPPORT_NOMEM)) < 0;
}
C
check 'a program against the installed archive runs' build "$work/error.c"

if [ ! -f include/rapport/text.h ]; then
    skip 'include/rapport/text.h is not there yet'
elif ! nm "$B/librapport.a" 2>/dev/null | grep -q ' T rapport_text_create$'; then
    skip 'librapport.a has no rapport_text_create yet'
else
    cp tests/gates/text_program.c "$work/text.c"
    check 'ten lines against rapport/text.h merge two texts' build "$work/text.c"
fi

if [ $skipped = 0 ]; then
    echo "$passed passed, $failed failed"
else
    echo "$passed passed, $failed failed, $skipped skipped"
fi
[ $failed = 0 ]
