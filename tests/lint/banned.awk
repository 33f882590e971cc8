# banned.awk - words that must not be said, by room. Load strip.awk first; run on files of src.
# SPDX-License-Identifier: MIT
function ban(words, why,    n, i, w) {
    n = split(words, w, " ")
    for (i = 1; i <= n; i++)
        if (line ~ ("(^|[^A-Za-z0-9_.>])" w[i] "[ \t]*\\("))
            print FILENAME ":" FNR ": " w[i] "(): " why
}
function ban_include(pattern, why) {
    if ($0 ~ ("^[ \t]*#[ \t]*include[ \t]*<(" pattern ")>")) print FILENAME ":" FNR ": " $2 ": " why
}
FNR == 1 {
    n = split(FILENAME, step, "/")
    room = step[n - 1]
}
{
    line = code($0)
    ban("strcpy strcat sprintf vsprintf atoi atol atof rand srand alloca strtok gets", \
        "unsafe or unrepeatable")
    if (FILENAME !~ /base\/mem\.c$/)
        ban("malloc calloc realloc free strdup strndup aligned_alloc posix_memalign", \
            "memory comes from base/mem.h")
    if (room != "cli" && room != "http")
        ban("printf vprintf puts putchar fprintf vfprintf fputs perror exit abort", \
            "the library never prints or ends the program")
    if (room != "os" && room != "cli")
        ban("fopen freopen fread fwrite remove rename unlink", "files are reached through os/vfs.h")
    if (room != "os") {
        ban_include("unistd.h|pthread.h|fcntl.h|dirent.h|signal.h|poll.h|netdb.h|sys/[a-z]*.h|" \
                    "netinet/[a-z]*.h|arpa/[a-z]*.h|threads.h", "POSIX lives in os alone")
        if (line ~ /^[ \t]*#[ \t]*define[ \t]+_(POSIX_C|XOPEN|GNU|DEFAULT|BSD)_SOURCE/)
            print FILENAME ":" FNR ": feature-test macros live in os/feature.h alone"
    }
    if (room != "kern")
        ban_include("[a-z0-9]*intrin.h|arm_neon.h|cpuid.h", "intrinsics live in kern alone")
    if ($0 ~ /TODO|FIXME|XXX/) print FILENAME ":" FNR ": unfinished work is an issue, not a comment"
}
