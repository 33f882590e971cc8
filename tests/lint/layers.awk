# layers.awk - who may include whom: the table of the house (src/README.md). Run on files of src.
# SPDX-License-Identifier: MIT
BEGIN {
    may["base"]  = ""
    may["os"]    = "base"
    may["kern"]  = "base os"
    may["image"] = "base kern"
    may["store"] = "base os kern"
    may["nn"]    = may["index"] = "base os kern store"
    may["eval"]  = "base os kern"
    may["train"] = may["recog"] = "base os kern image store nn index eval"
    may["api"]   = "base os kern image store nn index eval train recog"
    may["http"]  = may["cli"] = "base os"
}
FNR == 1 {
    n = split(FILENAME, step, "/")
    room = step[n - 1]
    if (!(room in may)) print FILENAME ": no room of that name in the house: " room
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    target = part[2]
    if (target == "metricann.h") next
    if (target == "stb_image.h" && room == "image") next
    split(target, step, "/")
    if (target !~ /\//) {
        print FILENAME ":" FNR ": \"" target "\" without its folder"
    } else if (FILENAME ~ /\/cmd_serve\.c$/ && step[1] == "http") {
        next
    } else if (step[1] != room && index(" " may[room] " ", " " step[1] " ") == 0) {
        print FILENAME ":" FNR ": " room " may not include \"" target "\""
    }
}
