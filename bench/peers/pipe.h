/* pipe.h - a rival that is another program: it gets its input through a pipe, then works
 * once for each line it is sent, times itself and answers with the seconds; so the pipe
 * is not counted. SPDX-License-Identifier: MIT */
#ifndef BENCH_PEERS_PIPE_H
#define BENCH_PEERS_PIPE_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rounds.h"

typedef struct rival { FILE *to, *from; } rival;

/* Returns 0 if it cannot be started. argv: its command line, NULL at the end. */
static inline int rival_start_with(rival *r, char *const *argv)
{
    int down[2], up[2];
    if (pipe(down) != 0 || pipe(up) != 0) return 0;
    const pid_t child = fork();
    if (child == 0) {
        dup2(down[0], 0);
        dup2(up[1], 1);
        close(down[1]);
        close(up[0]);
        execvp(argv[0], argv);
        _exit(77);
    }
    close(down[0]);
    close(up[1]);
    r->to = fdopen(down[1], "wb");
    r->from = fdopen(up[0], "rb");
    return child > 0 && r->to && r->from;
}

/* The same with a script and one argument. */
static inline int rival_start(rival *r, const char *program, const char *script,
                              const char *argument)
{
    char *const argv[] = { (char *)program, (char *)script, (char *)argument, NULL };
    return rival_start_with(r, argv);
}

/* PyTorch's best settings, for a rival that starts next: its threads, and an allocator
 * that keeps its pages: fresh ones for every tensor would cost it a third. */
static inline void rival_torch_settings(int threads)
{
    char number[16];
    snprintf(number, sizeof number, "%d", threads);
    setenv("OMP_NUM_THREADS", number, 1);
    setenv("MALLOC_MMAP_MAX_", "0", 1);
    setenv("MALLOC_TRIM_THRESHOLD_", "20000000000", 1);
    setenv("MALLOC_TOP_PAD_", "536870912", 1);
}

/* Seconds of the other side for one line; negative if it has gone. */
static inline double rival_timed(const rival *r, const char *line)
{
    char text[64];
    if (fputs(line, r->to) < 0 || fflush(r->to) != 0) return -1;
    return fgets(text, sizeof text, r->from) ? strtod(text, NULL) : -1;
}

/* Our work in turn with what the rival does for that line; lists sorted. Returns 0 if the
 * rival has gone. */
static inline int rival_rounds(rounds *r, const rival *them, const char *line,
                               void (*ours)(void *ctx), void *ctx)
{
    for (int i = 0; i < ROUNDS; i++) {
        r->ours[i] = rounds_timed(ours, ctx);
        r->theirs[i] = rival_timed(them, line);
        r->ratio[i] = r->theirs[i] / r->ours[i];
        if (r->theirs[i] < 0) return 0;
    }
    rounds_sort(r);
    return 1;
}

static inline void rival_end(rival *r)
{
    fclose(r->to);
    fclose(r->from);
    while (wait(NULL) > 0) continue;
}

#endif
