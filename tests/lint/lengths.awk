# lengths.awk - files of at most 600 lines, functions of at most 100. A comment "long: reason" in the
# first 20 lines excuses a file, in or right before a function that function. Functions are what stands
# between a { and a } in the first column. SPDX-License-Identifier: MIT
function end_of_file() {
    if (n_lines > 600 && !file_excused) print name ":1: file of " n_lines " lines, at most 600"
}
FNR == 1 {
    end_of_file()
    name = FILENAME
    file_excused = start = 0
    excused = -100
}
{ n_lines = FNR }
/\/\* long: [^ ]/ {
    if (FNR <= 20) file_excused = 1
    excused = FNR
}
/^\{/ { start = FNR }
/^\}/ {
    if (start && FNR - start - 1 > 100 && excused < start - 5)
        print name ":" start ": function of " FNR - start - 1 " lines, at most 100"
    start = 0
}
END { end_of_file() }
