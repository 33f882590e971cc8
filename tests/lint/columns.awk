# columns.awk - at most 90 columns, no tabs, no blanks at the end. Run under LC_ALL=C: the
# continuation bytes of UTF-8 take no column. SPDX-License-Identifier: MIT
{
    line = $0
    gsub(/[\200-\277]/, "", line)
    if (length(line) > 90) print FILENAME ":" FNR ": " length(line) " columns, at most 90"
}
/\t/ { print FILENAME ":" FNR ": tab" }
/[ \t]$/ { print FILENAME ":" FNR ": blank at the end" }
