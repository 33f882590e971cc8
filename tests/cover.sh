#!/bin/sh
# cover.sh FILE... - what share of the lines of each source file the last run of tests/run-cov reached,
# from gcov. SPDX-License-Identifier: MIT
for f in "$@"; do
    gcov -n -o "${f%.c}.cov" "$f" 2> /dev/null |
        awk -v f="$f" '$0 == "File \047" f "\047" { here = 1 }
            here && /^Lines executed/ { sub(/.*:/, ""); sub(/%.*/, ""); printf "%6.1f %% %s\n", $0, f; exit }'
done | sort -n
