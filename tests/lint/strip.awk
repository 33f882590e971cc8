# strip.awk - loaded before another program: code(line) gives the line without comments and without the
# contents of strings and character constants. Remembers open comments from line to line of one file.
# SPDX-License-Identifier: MIT
FNR == 1 { in_comment = 0 }

function code(line,    out, at, c, quote) {
    out = ""
    for (at = 1; at <= length(line); at++) {
        c = substr(line, at, 1)
        if (in_comment) {
            if (c == "*" && substr(line, at + 1, 1) == "/") { in_comment = 0; at++ }
        } else if (c == "/" && substr(line, at + 1, 1) == "*") {
            in_comment = 1
            at++
        } else if (c == "/" && substr(line, at + 1, 1) == "/") {
            break
        } else if (c == "\"" || c == "'") {
            quote = c
            out = out quote
            for (at++; at <= length(line) && (c = substr(line, at, 1)) != quote; at++)
                if (c == "\\") at++
            out = out quote
        } else {
            out = out c
        }
    }
    return out
}
