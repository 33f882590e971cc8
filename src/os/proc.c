/* proc.c - see proc.h. What is asked of /proc is absent on other systems; then the number
 * has to do. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/proc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/vfs.h"

/* The begin of a file of /proc, which has no size to ask for; 0: it cannot be read. */
static int read_some(const char *path, char *out, size_t size)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_file *f;
    size_t got = 0;
    if (mni_open(v, path, MNI_OPEN_READ, &f, NULL) != MANN_OK) return 0;
    const mann_status s = mni_read(f, out, size - 1, 0, &got, NULL);
    mni_close(f, NULL);
    out[got] = '\0';
    return s == MANN_OK && got > 0;
}

/* Field 22 of /proc/PID/stat, counted after the name, which may hold blanks and brackets
 * itself. *ended: it is dead and only waits to be asked about. */
static uint64_t start_of(uint64_t pid, int *ended)
{
    char path[64], text[1024];
    unsigned long long start = 0;
    *ended = 0;
    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
    if (!read_some(path, text, sizeof text)) return 0;
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ') return 0;
    at += 2;
    *ended = *at == 'Z' || *at == 'X';
    for (int field = 3; field < 22; field++) {
        at = strchr(at, ' ');
        if (!at++) return 0;
    }
    while (*at >= '0' && *at <= '9') start = start * 10 + (unsigned)(*at++ - '0');
    return start;
}

static void one_word(char *text)
{
    text[strcspn(text, " \t\r\n")] = '\0';
    if (!*text) memcpy(text, "-", 2);
}

void mni_proc_self(mni_proc *out)
{
    int ended;
    *out = (mni_proc){ .pid = (uint64_t)getpid() };
    out->start = start_of(out->pid, &ended);
    if (!read_some("/proc/sys/kernel/random/boot_id", out->boot, sizeof out->boot))
        out->boot[0] = '\0';
    if (gethostname(out->host, sizeof out->host - 1) != 0) out->host[0] = '\0';
    one_word(out->boot);
    one_word(out->host);
}

static int known(const char *word) { return strcmp(word, "-") != 0; }

mni_proc_is mni_proc_ask(const mni_proc *p)
{
    mni_proc self;
    int ended;
    mni_proc_self(&self);
    if (strcmp(p->host, self.host) != 0) return MNI_PROC_UNKNOWN;
    if (known(p->boot) && known(self.boot) && strcmp(p->boot, self.boot) != 0)
        return MNI_PROC_GONE;           /* the machine was started anew meanwhile */
    const pid_t pid = (pid_t)p->pid;
    if (pid <= 0 || (uint64_t)pid != p->pid) return MNI_PROC_GONE;
    if (kill(pid, 0) != 0 && errno == ESRCH) return MNI_PROC_GONE;
    const uint64_t start = start_of(p->pid, &ended);
    if (ended || (start && p->start && start != p->start)) return MNI_PROC_GONE;
    return MNI_PROC_LIVES;
}
