/* term.c - see term.h. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/term.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

int mni_term_is_tty(int fd) { return isatty(fd); }

int mni_term_width(int fd)
{
#ifdef TIOCGWINSZ
    struct winsize w;
    if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20) return w.ws_col;
#endif
    (void)fd;
    return 80;
}

int mni_term_colour(int fd)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static void on_signal(int sig)
{
    if (interrupted && sig == SIGINT) _exit(130);
    interrupted = 1;
}

void mni_term_catch_interrupt(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal;
    sigemptyset(&a.sa_mask);
    a.sa_flags = SA_RESTART;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    a.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &a, NULL);
}

int mni_term_interrupted(void) { return interrupted != 0; }
