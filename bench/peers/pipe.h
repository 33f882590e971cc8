/* pipe.h - a rival that is a program of its own, a Python script mostly: it waits at the
 * other end of a pipe, runs its work once for each line "go" and answers with the seconds
 * that it took, by its own clock, so that the pipe is not counted.
 *
 *     peer p;
 *     char *const argv[] = { python, script, NULL };
 *     if (!peer_start(&p, argv, threads)) ...
 *     ... fwrite(input, 1, n, p.to) ...
 *     while (...) { ours(); seconds = peer_time(&p); }     negative: it has gone
 *     peer_stop(&p);
 *
 * Include before anything else: it asks for POSIX. SPDX-License-Identifier: MIT */
#ifndef BENCH_PEERS_PIPE_H
#define BENCH_PEERS_PIPE_H

#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct peer { FILE *to, *from; } peer;

/* The best settings of allocators and of PyTorch's threads go with it: fresh pages for
 * every tensor would cost it a third. */
static inline int peer_start(peer *p, char *const *argv, int threads)
{
    int down[2], up[2];
    char number[16];
    snprintf(number, sizeof number, "%d", threads);
    if (pipe(down) != 0 || pipe(up) != 0) return 0;
    const pid_t child = fork();
    if (child < 0) return 0;
    if (child == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        close(down[1]);
        close(up[0]);
        setenv("OMP_NUM_THREADS", number, 1);
        setenv("MALLOC_MMAP_MAX_", "0", 1);
        setenv("MALLOC_TRIM_THRESHOLD_", "20000000000", 1);
        setenv("MALLOC_TOP_PAD_", "536870912", 1);
        execvp(argv[0], argv);
        _exit(77);
    }
    close(down[0]);
    close(up[1]);
    p->to = fdopen(down[1], "wb");
    p->from = fdopen(up[0], "rb");
    return p->to && p->from;
}

static inline double peer_time(const peer *p)
{
    char text[64];
    if (fputs("go\n", p->to) < 0 || fflush(p->to) != 0) return -1;
    return fgets(text, sizeof text, p->from) ? strtod(text, NULL) : -1;
}

static inline void peer_stop(peer *p)
{
    fclose(p->to);
    fclose(p->from);
    while (wait(NULL) > 0) continue;
}

#endif
