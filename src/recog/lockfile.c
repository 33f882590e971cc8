/* lockfile.c - see lockfile.h.
 *
 * The truth is the system's lock on the file, which goes with its process, however that
 * ends. The text is for people, and for file systems without locks (some network shares):
 *
 *   pid 4711 start 1234567 boot 0b2c.. host box since 1763756000
 *
 *   file is     locked by the system   no locks here
 *   ---------------------------------------------------------------------------------
 *   absent      ours                   ours, if we are the one who makes it
 *   there       refused: the text      the process of the text lives: refused
 *               says by whom           of another machine, or no text: refused, to be
 *                                      removed by hand
 *   left over   ours; the text says    gone, or the number is another process's by now:
 *               who left it            ours
 *
 * Two who find a left-over at once: only one of them can make GALLERY-lock.take, and
 * looks again before it takes. SPDX-License-Identifier: MIT */
#include "recog/lockfile.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/proc.h"

enum { TEXT = 320, TRIES = 100 };

typedef struct owner { mni_proc proc; uint64_t since; } owner;

/* --- the text ----------------------------------------------------------------------- */

static mann_status write_owner(mni_file *f, mann_error *err)
{
    char text[TEXT];
    mni_proc p;
    mni_proc_self(&p);
    const int n = snprintf(text, sizeof text,
                           "pid %llu start %llu boot %s host %s since %llu\n",
                           (unsigned long long)p.pid, (unsigned long long)p.start, p.boot,
                           p.host, (unsigned long long)mni_clock_unix());
    MNI_TRY(f->vfs->ops->truncate(f, 0, err));
    return mni_write(f, text, (size_t)n, 0, err);
}

/* 1 if there is one; text gets the file as it is. */
static int read_owner(mni_file *f, owner *o, char text[TEXT])
{
    unsigned long long pid, start, since;
    size_t got = 0;
    *o = (owner){ .since = 0 };
    if (mni_read(f, text, TEXT - 1, 0, &got, NULL) != MANN_OK) got = 0;
    text[got] = '\0';
    if (sscanf(text, "pid %llu start %llu boot %47s host %71s since %llu", &pid, &start,
               o->proc.boot, o->proc.host, &since) != 5)
        return 0;
    o->proc.pid = pid;
    o->proc.start = start;
    o->since = since;
    return 1;
}

static mann_status refuse(const char *gallery, const char *path, const owner *o,
                          int by_text, mann_error *err)
{
    char when[24];
    mni_proc self;
    if (!o)
        return mni_fail(err, MANN_E_LOCKED,
                        by_text ? "%s: %s is there, which does not say by whom; if "
                                  "nobody is writing, remove it"
                                : "%s: is being written by another process (or handle)",
                        gallery, path);
    mni_proc_self(&self);
    mni_clock_text(o->since, when);
    if (strcmp(o->proc.host, self.host) != 0)
        return mni_fail(err, MANN_E_LOCKED,
                        "%s: process %llu on %s is writing to it (since %s); if that is "
                        "over, remove %s",
                        gallery, (unsigned long long)o->proc.pid, o->proc.host, when,
                        path);
    if (o->proc.pid == self.pid)
        return mni_fail(err, MANN_E_LOCKED,
                        "%s: another handle of this process, %llu, is writing to it "
                        "(since %s)",
                        gallery, (unsigned long long)self.pid, when);
    return mni_fail(err, MANN_E_LOCKED, "%s: process %llu is writing to it (since %s)",
                    gallery, (unsigned long long)o->proc.pid, when);
}

/* --- file systems without locks ----------------------------------------------------- */

static mann_status make_new(mni_lockfile *l, const char *path, mni_file **f,
                            mann_error *err)
{
    return mni_open(l->vfs, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_EXCLUSIVE,
                    f, err);
}

/* l->file is open, somebody else made it: who? On MANN_OK it is ours. */
static mann_status take_over(mni_lockfile *l, const char *gallery, mann_error *err)
{
    char text[TEXT], again[TEXT];
    owner o;
    mni_file *guard;
    mni_text take = { 0 };
    if (!read_owner(l->file, &o, text)) return refuse(gallery, l->path, NULL, 1, err);
    if (mni_proc_ask(&o.proc) != MNI_PROC_GONE)
        return refuse(gallery, l->path, &o, 1, err);
    mni_text_f(&take, "%s.take", l->path);
    if (take.failed) return mni_fail(err, MANN_E_NOMEM, "%s: a name", gallery);
    mann_status s = make_new(l, mni_text_get(&take), &guard, err);
    if (s == MANN_E_EXISTS)
        s = mni_fail(err, MANN_E_LOCKED,
                     "%s: its lock is just being taken over; if not, remove %s", gallery,
                     mni_text_get(&take));
    if (s != MANN_OK) { mni_text_fini(&take); return s; }
    mni_close(l->file, NULL);                           /* did it change meanwhile? */
    s = mni_open(l->vfs, l->path, MNI_OPEN_WRITE, &l->file, err);
    owner now;
    if (s == MANN_OK && (!read_owner(l->file, &now, again) || strcmp(text, again) != 0))
        s = refuse(gallery, l->path, NULL, 0, err);
    if (s == MANN_OK) s = write_owner(l->file, err);
    if (s == MANN_OK) l->left_by = o.proc.pid;
    mni_close(guard, NULL);
    l->vfs->ops->remove(l->vfs, mni_text_get(&take), NULL);
    mni_text_fini(&take);
    return s;
}

/* --- taking ------------------------------------------------------------------------- */

/* One try; MANN_E_NOT_FOUND: the file went away meanwhile. */
static mann_status try_once(mni_lockfile *l, const char *gallery, mann_error *err)
{
    char text[TEXT];
    owner o;
    mann_status s = make_new(l, l->path, &l->file, err);
    const int made = s == MANN_OK;
    if (s == MANN_E_EXISTS) s = mni_open(l->vfs, l->path, MNI_OPEN_WRITE, &l->file, err);
    if (s != MANN_OK) return s;
    s = l->vfs->ops->lock(l->file, err);
    if (s == MANN_E_LOCKED)
        return refuse(gallery, l->path, read_owner(l->file, &o, text) ? &o : NULL, 0,
                      err);
    if (s == MANN_E_UNSUPPORTED && !made) return take_over(l, gallery, err);
    if (s != MANN_OK && s != MANN_E_UNSUPPORTED) return s;
    if (!made && read_owner(l->file, &o, text)) l->left_by = o.proc.pid;
    s = write_owner(l->file, err);
    if (s != MANN_OK && made) l->vfs->ops->remove(l->vfs, l->path, NULL);
    return s;
}

/* The file goes with its owner; who locked it just when it went opens it anew. */
mann_status mni_lockfile_take(mni_lockfile *l, const mni_vfs *v, const char *gallery,
                              const char *path, mann_error *err)
{
    mann_status s = MANN_E_NOT_FOUND;
    *l = (mni_lockfile){ .vfs = v, .path = path };
    for (int i = 0; i < TRIES && s == MANN_E_NOT_FOUND; i++) {
        mni_close(l->file, NULL);
        l->file = NULL;
        s = try_once(l, gallery, err);
    }
    if (s == MANN_OK) return s;
    mni_close(l->file, NULL);
    l->file = NULL;
    return s;
}

void mni_lockfile_drop(mni_lockfile *l)
{
    if (l->file) l->vfs->ops->remove(l->vfs, l->path, NULL);
    mni_close(l->file, NULL);
    l->file = NULL;
}
