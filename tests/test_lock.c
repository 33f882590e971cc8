/* test_lock.c - one writer at a time: who it is is said, and who died with the lock in
 * hand does not keep it; with locks of the system and without.
 * SPDX-License-Identifier: MIT */
/* fork, kill, pipe */
#define _DEFAULT_SOURCE 1
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gallery_help.h"
#include "harness.h"
#include "os/proc.h"

typedef struct child { pid_t pid; int to; } child;

/* A process that has the gallery open for writing, until it is ended. */
static child open_in_child(const mni_vfs *v, const char *path)
{
    int ready[2], quit[2];
    char byte;
    CHECK_EQ(pipe(ready), 0);
    CHECK_EQ(pipe(quit), 0);
    const child c = { fork(), quit[1] };
    CHECK(c.pid >= 0);
    if (c.pid == 0) {
        mni_gallery *g;
        close(quit[1]);
        close(ready[0]);
        if (mni_gallery_open(&g, v, path, MANN_OPEN_WRITE, NULL) != MANN_OK) _exit(3);
        if (write(ready[1], "", 1) != 1) _exit(4);
        if (read(quit[0], &byte, 1) != 0) _exit(5);     /* 0: the parent closed it */
        mni_gallery_free(g);
        _exit(0);
    }
    close(quit[0]);
    close(ready[1]);
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return c;
}

static void end_child(child c, int gently)
{
    int status;
    if (!gently) kill(c.pid, SIGKILL);
    close(c.to);
    CHECK_EQ(waitpid(c.pid, &status, 0), c.pid);
    CHECK(gently ? WIFEXITED(status) && WEXITSTATUS(status) == 0 : WIFSIGNALED(status));
}

static int is_there(const char *path)
{
    mni_stat st;
    return mni_vfs_posix()->ops->stat(mni_vfs_posix(), path, &st, NULL) == MANN_OK;
}

static void refused(const mni_vfs *v, const char *path, pid_t by)
{
    mni_gallery *g;
    char want[64];
    mann_error e = { MANN_OK, "" };
    snprintf(want, sizeof want, "process %ld is writing to it (since ", (long)by);
    CHECK_IS(mni_gallery_open(&g, v, path, MANN_OPEN_WRITE, &e), MANN_E_LOCKED);
    if (!strstr(e.text, want) || !strstr(e.text, path))
        test_fail(__FILE__, __LINE__, "\"%s\", wanted \"%s\"", e.text, want);
    CHECK_FINE(mni_gallery_open(&g, v, path, MANN_OPEN_READ, &e), e);     /* as ever */
    mni_gallery_free(g);
}

static uint64_t taken(const mni_vfs *v, const char *path)
{
    mni_gallery *g, *other;
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(mni_gallery_open(&g, v, path, MANN_OPEN_WRITE, &e), e);
    CHECK_IS(mni_gallery_open(&other, v, path, MANN_OPEN_WRITE, &e), MANN_E_LOCKED);
    CHECK(strstr(e.text, "another handle of this process"));
    CHECK_OK(mni_gallery_describe(g, &info, NULL));
    mni_gallery_free(g);
    return info.lock_left_by;
}

static void whoever_writes(int no_locks)
{
    char path[600], lock[620];
    mni_vfs_faulty f;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    mni_vfs_faulty_init(&f, mni_vfs_posix());
    f.no_locks = no_locks;
    snprintf(path, sizeof path, "%s/a.mann", test_dir());
    snprintf(lock, sizeof lock, "%s-lock", path);
    CHECK_FINE(gallery_make(&g, &f.vfs, path, MANN_STORE_F32, 2, 1, &e), e);
    mni_gallery_free(g);
    CHECK(!is_there(lock));

    child c = open_in_child(&f.vfs, path);
    refused(&f.vfs, path, c.pid);
    CHECK(is_there(lock));
    end_child(c, 1);
    CHECK(!is_there(lock));                     /* given back: nothing lies about */
    CHECK_EQ(taken(&f.vfs, path), 0);

    c = open_in_child(&f.vfs, path);
    end_child(c, 0);
    CHECK(is_there(lock));                      /* it could not take it away */
    CHECK_EQ(taken(&f.vfs, path), c.pid);
    CHECK(!is_there(lock));
    CHECK_EQ(taken(&f.vfs, path), 0);
}

static void who_writes_is_told(void) { whoever_writes(0); }
static void also_where_files_cannot_be_locked(void) { whoever_writes(1); }

/* --- texts -------------------------------------------------------------------------- */

static mann_status with_text(mni_vfs_faulty *f, const mni_proc *p, mann_error *e)
{
    char text[320];
    mni_gallery *g;
    const int n =
        p ? snprintf(text, sizeof text, "pid %llu start %llu boot %s host %s since 7\n",
                     (unsigned long long)p->pid, (unsigned long long)p->start, p->boot,
                     p->host)
          : snprintf(text, sizeof text, "what is this?");
    CHECK_OK(mni_replace_file(f->inner, "a-lock", text, (size_t)n, NULL));
    const mann_status s = mni_gallery_open(&g, &f->vfs, "a", MANN_OPEN_WRITE, e);
    mni_gallery_free(g);
    return s;
}

/* Without locks of the system the text decides: who lives, who is gone, who is another
 * process with the number of one that is gone, who cannot be known. */
static void left_over_texts(void)
{
    mni_vfs_mem *mem;
    mni_vfs_faulty f;
    mni_gallery *g;
    mni_proc self, p;
    mni_stat st;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    mni_vfs_faulty_init(&f, mni_vfs_mem_vfs(mem));
    CHECK_FINE(gallery_make(&g, f.inner, "a", MANN_STORE_F32, 1, 1, &e), e);
    mni_gallery_free(g);
    mni_proc_self(&self);
    CHECK_EQ(mni_proc_ask(&self), MNI_PROC_LIVES);
    f.no_locks = 1;
    CHECK_IS(with_text(&f, &self, &e), MANN_E_LOCKED);          /* lives */
    CHECK(strstr(e.text, "since 1970-01-01") || strstr(e.text, "since 1969-12-31"));
    p = self;
    p.start++;
    if (self.start) CHECK_FINE(with_text(&f, &p, &e), e);       /* the number, no more */
    p = self;
    p.pid = 4000000000u;
    CHECK_FINE(with_text(&f, &p, &e), e);                       /* never was */
    p = self;
    memcpy(p.boot, "another", 8);
    if (strcmp(self.boot, "-") != 0) CHECK_FINE(with_text(&f, &p, &e), e);
    p = self;
    memcpy(p.host, "elsewhere", 10);
    CHECK_IS(with_text(&f, &p, &e), MANN_E_LOCKED);
    CHECK(strstr(e.text, "on elsewhere") && strstr(e.text, "remove a-lock"));
    CHECK_IS(with_text(&f, NULL, &e), MANN_E_LOCKED);
    CHECK(strstr(e.text, "if nobody is writing, remove it"));
    CHECK_OK(mni_replace_file(f.inner, "a-lock.take", "", 0, NULL));
    p = self;
    p.pid = 4000000000u;
    CHECK_IS(with_text(&f, &p, &e), MANN_E_LOCKED);
    CHECK(strstr(e.text, "a-lock.take"));
    CHECK_OK(f.inner->ops->remove(f.inner, "a-lock.take", NULL));
    /* with locks none of this counts: whoever can lock it has it */
    f.no_locks = 0;
    CHECK_FINE(with_text(&f, &self, &e), e);
    CHECK_FINE(with_text(&f, NULL, &e), e);
    CHECK_IS(f.inner->ops->stat(f.inner, "a-lock", &st, NULL), MANN_E_NOT_FOUND);
    CHECK_IS(f.inner->ops->stat(f.inner, "a-lock.take", &st, NULL), MANN_E_NOT_FOUND);
    mni_vfs_mem_free(mem);
}

const test_case lock_tests[];
const test_case lock_tests[] = {
    { "who_writes_is_told", who_writes_is_told, 0 },
    { "also_where_files_cannot_be_locked", also_where_files_cannot_be_locked, 0 },
    { "left_over_texts", left_over_texts, 0 },
    { 0 }
};
