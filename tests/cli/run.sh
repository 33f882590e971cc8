#!/bin/sh
# run.sh - the program from outside: command, exact standard output, exit status.
#
#     sh tests/cli/run.sh [CASE.case ...]         default: every case beside this file
#
# $METRICANN is the program (default ./metricann). A case is a text file, run line by line in a fresh
# folder:
#
#     # comment
#     $ metricann version           a command for sh; what follows is its exact standard output
#     ? 2                           its exit status, if not 0
#     2> unknown command            standard error must contain this
#     ~ metricann 0.*               one line of output that must match this pattern of sh
#     ...                           any further output
#
# Ends with "N passed, N failed, N skipped"; one case file counts once. SPDX-License-Identifier: MIT
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=${METRICANN:-./metricann}
program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")
[ -x "$program" ] || { echo "no program $program: make it first"; exit 2; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
mkdir "$work/bin" && ln -s "$program" "$work/bin/metricann"
PATH=$work/bin:$PATH
LC_ALL=C
TREE=$here/../..
export PATH LC_ALL TREE
unset NO_COLOR METRICANN_SIMD 2> /dev/null
passed=0 failed=0 skipped=0

complain() {    # WHAT: once per command
    [ $bad = 1 ] && return
    bad=1
    echo "FAILED  $name: $command"
    echo "        $1"
}

line_got() { IFS= read -r g <&4 || [ -n "$g" ]; }    # also one without a line feed at its end

# Lines wanted against lines got, with patterns and "...".
compare() {
    exec 3< want 4< got
    while IFS= read -r w <&3; do
        case $w in
        ...) exec 3<&- 4<&-; return ;;
        '~ '*)
            line_got || { complain "output ends before '$w'"; break; }
            pattern=${w#'~ '}
            case $g in $pattern) ;; *) complain "got '$g', wanted '$pattern'" ;; esac ;;
        *)
            line_got || { complain "output ends before '$w'"; break; }
            [ "$g" = "$w" ] || complain "got '$g', wanted '$w'" ;;
        esac
    done
    line_got && complain "unexpected '$g'"
    exec 3<&- 4<&-
}

finish() {      # checks the command that was read, if there is one
    [ -n "$command" ] || return
    bad=0
    sh -c "$command" > got 2> said < /dev/null
    status=$?
    [ $status = "$wanted" ] || complain "exit status $status, wanted $wanted: $(head -n 1 said)"
    compare
    while IFS= read -r line; do
        grep -qF -- "$line" said || complain "standard error lacks '$line': $(head -n 1 said)"
    done < say
    [ $bad = 0 ] || broken=1
    command=
}

run_case() {
    name=$(basename "$1" .case) broken=0 command=
    mkdir "$work/$name" && mkdir "$work/$name/here" && cd "$work/$name" || exit 2
    while IFS= read -r text || [ -n "$text" ]; do
        case $text in
        '# '* | '#') ;;
        '$ '*)
            finish
            command="cd here && ${text#??}" wanted=0
            : > want
            : > say ;;
        '? '*) wanted=${text#??} ;;
        '2> '*) printf '%s\n' "${text#???}" >> say ;;
        *) printf '%s\n' "$text" >> want ;;
        esac
    done < "$1"
    finish
    cd "$here" || exit 2
    chmod -R u+w "$work/$name"
    rm -rf "${work:?}/$name"
    if [ $broken = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

start=$PWD
if [ $# = 0 ]; then set -- "$here"/*.case; fi
for file in "$@"; do
    case $file in /*) ;; *) file=$start/$file ;; esac
    [ -f "$file" ] || { echo "no case $file"; exit 2; }
    run_case "$file"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
