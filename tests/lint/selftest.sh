#!/bin/sh
# selftest.sh - every rule of lint.sh can go red: a small tree that is fine, then one offence at a time.
# Ends with "N passed, N failed, N skipped". SPDX-License-Identifier: MIT
set -u
lint=$(cd "$(dirname "$0")" && pwd)/lint.sh
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

fresh() {       # a tree that breaks no rule
    rm -rf "$tmp/t"
    mkdir -p "$tmp/t/include" "$tmp/t/tests"
    for room in base os kern image nn index cli http; do mkdir -p "$tmp/t/src/$room"; done
    cd "$tmp/t" || exit 2
    echo '/* SPDX-License-Identifier: MIT */' > include/metricann.h
    echo 'int mann_version(void);' >> include/metricann.h
    bad src/base/good.c '#include "base/good.h"' '#include "metricann.h"' \
        '/* says malloc() and printf(), in a comment */' \
        'static const char *const text = "sprintf(";' 'int mni_good(const char *s)' '{' \
        '    return s == text; // free(' '}'
    bad src/base/good.h 'int mni_good(const char *s);'
    bad src/os/file.c '#include <unistd.h>' '#include "base/good.h"'
    bad src/cli/cmd_serve.c '#include "http/server.h"' '#include "os/term.h"' 'void mni_f(void);'
}

bad() {         # FILE LINE...: a file with these lines
    file=$1
    shift
    { echo '/* SPDX-License-Identifier: MIT */'; printf '%s\n' "$@"; } > "$file"
}

expect() {      # COLOUR RULE WHAT [TEXT]: the colour that RULE must show, and what it must say
    colour=red
    said=$(sh "$lint" -C . "$2" 2>&1) && colour=green
    if [ $colour = "$1" ] && case $said in *"${4:-}"*) true ;; *) false ;; esac; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED  lint.%s: %s: %s, wanted %s\n%s\n' "$2" "$3" $colour "$1" "$said"
    fi
}

red() {         # RULE LINE: one line in src/nn/new.c is refused
    fresh
    bad src/nn/new.c "$2"
    expect red "$1" "$2" src/nn/new.c
}

repeat() { awk -v n="$1" -v line="$2" 'BEGIN { for (i = 0; i < n; i++) print line }'; }

object() {      # C text: libmetricann.a of it, or 1 where there is no compiler
    printf '%s\n' "$1" > x.c
    ${CC:-cc} -c x.c -o mem.o 2> /dev/null && ar rcs libmetricann.a mem.o 2> /dev/null
}

fresh
for rule in layers banned lengths columns names licence header; do expect green $rule 'the good tree'; done

red layers '#include "index/flat.h"'
red layers '#include "topk.h"'
red layers '#  include "image/png.h"'
fresh; bad src/cli/new.c '#include "recog/gallery.h"'; expect red layers 'cli beyond its rooms' src/cli/new.c
fresh; bad src/cli/new.c '#include "http/server.h"'; expect red layers 'http not from cmd_serve' src/cli/new.c
fresh; mkdir src/shed; bad src/shed/new.c 'int x;'; expect red layers 'unknown room' shed

red banned '    p = malloc(3);'
red banned '    strcpy (a, b);'
red banned '    printf("hello");'
red banned '    if (x) exit(1);'
red banned '#include <pthread.h>'
red banned '#include <immintrin.h>'
red banned '#define _GNU_SOURCE 1'
red banned '    FILE *f = fopen(path, "r");'
red banned '/* TO''DO: later */'
fresh; bad src/nn/new.c '    ops->free(x); mni_free(y); nn.abort(z);'; expect green banned 'names that contain a word'
fresh; bad src/base/mem.c '    p = malloc(3);'; expect green banned 'malloc in its place'

red columns "    x = 1;$(repeat 1 '                                                                               ')y;"
red columns '    x = 1; '
red columns "$(printf '\tx = 1;')"

fresh; repeat 700 'int x;' >> src/nn/new.c; expect red lengths 'a long file' src/nn/new.c
fresh; { echo '/* long: a table */'; repeat 700 '    1,'; } > src/nn/new.c; expect green lengths 'an excused file'
fresh; { echo 'void f(void)'; echo '{'; repeat 101 '    x();'; echo '}'; } > src/nn/new.c
expect red lengths 'a long function' src/nn/new.c:2
fresh; { repeat 30 ''; echo '/* long: a state machine */'; echo 'void f(void)'; echo '{'; repeat 101 '    x();'
    echo '}'; echo 'void g(void)'; echo '{'; repeat 101 '    x();'; echo '}'; } > src/nn/new.c
expect red lengths 'an excused function does not excuse the next' src/nn/new.c:137

fresh; bad src/nn/good.c 'int x;'; expect red names 'the same name twice' good.c
fresh; echo 'int x;' > src/nn/new.c; expect red licence 'no SPDX line' src/nn/new.c

fresh; echo 'int f(int class) { return class; } // not C99' >> include/metricann.h
expect red header 'a comment of C++, a word of C++'
fresh; echo 'size_t f(void);' >> include/metricann.h; expect red header 'a type that is not there' size_t

fresh
if object 'int mni_a(void); int mni_a(void) { static const int t[2] = { 1, 2 }; return t[0]; }
           static const char *const names[] = { "a", "b" }; extern const char *const *mann_n(void);
           const char *const *mann_n(void) { return names; }'; then
    expect green symbols 'good names'
    expect green globals 'constants only'
    object 'int helper(void); int helper(void) { return 1; }' && expect red symbols 'no prefix' helper
    object 'int mni_state = 3;' && expect red globals 'a variable with a value' mni_state
    object 'int mni_a(void); int mni_a(void) { static int calls; return ++calls; }' &&
        expect red globals 'a static variable in a function' calls
    object 'int mni_a(void); int mni_a(void) { static int live; return ++live; }' &&
        expect green globals 'a variable of the list'
fi

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
