/* crash_world.c - see crash_world.h. SPDX-License-Identifier: MIT */
#include "crash_world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"

typedef enum kind {
    ADD_MANY, ADD_ONE, REPLACE, REMOVE, REMOVE_CLASS, RELABEL, COMPACT
} kind;

enum { MOST = 6 };

typedef struct step {
    kind kind;
    crash_row rows[MOST];       /* ADD, REPLACE; ids of REMOVE, RELABEL */
    size_t n;
    uint32_t klass;             /* REMOVE_CLASS, RELABEL */
} step;

static kind draw_kind(mni_rng *r, const crash_state *before)
{
    static const kind often[] = {
        ADD_MANY, ADD_MANY, ADD_ONE, ADD_ONE, ADD_ONE, REPLACE, REPLACE,
        REMOVE,   REMOVE,   RELABEL, COMPACT, REMOVE_CLASS
    };
    if (before->n < 4) return ADD_MANY;
    if (before->n + MOST > CRASH_ROWS) return REMOVE_CLASS;
    return often[mni_rng_below(r, sizeof often / sizeof often[0])];
}

static step draw(const crash_state *before, uint64_t seed, uint64_t number)
{
    mni_rng r = mni_rng_at(seed, MNI_FOR_TEST, 9, number, 0);
    step s = { .kind = draw_kind(&r, before) };
    s.klass = mni_rng_below(&r, CRASH_CLASSES);
    s.n = s.kind == ADD_MANY ? 2 + mni_rng_below(&r, MOST - 1)
        : s.kind == ADD_ONE || s.kind == REPLACE ? 1 : 1 + mni_rng_below(&r, 3);
    for (size_t i = 0; i < s.n; i++) {
        /* rows that are there: neighbours, so that none is named twice */
        const size_t at =
            before->n ? (mni_rng_below(&r, (uint32_t)before->n) / MOST * MOST + i) %
                            before->n
                      : 0;
        const uint32_t k = mni_rng_below(&r, CRASH_CLASSES);
        s.rows[i] = (crash_row){ before->next_id + i, k, k, (uint32_t)number };
        if (s.kind != ADD_MANY && s.kind != ADD_ONE) s.rows[i].id = before->rows[at].id;
        for (size_t j = 0; j < i; j++)
            if (s.rows[j].id == s.rows[i].id) { s.n = i; break; }
    }
    return s;
}

static size_t place_of(const crash_state *s, uint64_t id)
{
    size_t i = 0;
    while (i < s->n && s->rows[i].id < id) i++;
    return i;
}

static void put(crash_state *s, crash_row row)
{
    const size_t at = place_of(s, row.id);
    if (at == s->n || s->rows[at].id != row.id) {
        memmove(s->rows + at + 1, s->rows + at, (s->n - at) * sizeof *s->rows);
        s->n++;
    }
    s->rows[at] = row;
}

static void take(crash_state *s, size_t at)
{
    memmove(s->rows + at, s->rows + at + 1, (--s->n - at) * sizeof *s->rows);
}

void crash_expect(crash_state *after, const crash_state *before, uint64_t seed,
                  uint64_t number)
{
    const step s = draw(before, seed, number);
    *after = *before;
    for (size_t i = 0; i < s.n; i++) {
        const size_t at = place_of(after, s.rows[i].id);
        if (s.kind == ADD_MANY || s.kind == ADD_ONE || s.kind == REPLACE)
            put(after, s.rows[i]);
        else if (s.kind == REMOVE) take(after, at);
        else if (s.kind == RELABEL) after->rows[at].klass = s.klass;
    }
    if (s.kind == ADD_MANY || s.kind == ADD_ONE) after->next_id += s.n;
    if (s.kind == REMOVE_CLASS)
        for (size_t i = after->n; i-- > 0;)
            if (after->rows[i].klass == s.klass) take(after, i);
}

static mann_status add(mni_gallery *g, const step *s, mann_error *err)
{
    mni_new_row rows[MOST];
    char names[MOST][32], sources[MOST][64];
    float vectors[MOST][DIM];
    for (size_t i = 0; i < s->n; i++) {
        const crash_row *row = &s->rows[i];
        gallery_vector(row->origin, row->view, vectors[i]);
        snprintf(names[i], sizeof names[i], "class-%u", (unsigned)row->klass);
        snprintf(sources[i], sizeof sources[i], "%u/%u.png", (unsigned)row->origin,
                 (unsigned)row->view);
        rows[i] = (mni_new_row){ .klass = names[i], .source = sources[i],
                                 .vector = vectors[i], .time = row->view,
                                 .content_hash = row->origin, .id = row->id,
                                 .has_id = 1 };
    }
    return mni_gallery_add(g, rows, s->n, NULL, err);
}

mann_status crash_do(mni_gallery *g, const crash_state *before, uint64_t seed,
                     uint64_t number, mann_error *err)
{
    const step s = draw(before, seed, number);
    uint64_t ids[MOST];
    char name[32];
    for (size_t i = 0; i < s.n; i++) ids[i] = s.rows[i].id;
    snprintf(name, sizeof name, "class-%u", (unsigned)s.klass);
    switch (s.kind) {
    case REMOVE: return mni_gallery_remove(g, ids, s.n, NULL, err);
    case RELABEL: return mni_gallery_relabel(g, ids, s.n, name, err);
    case COMPACT:
        return mni_gallery_build(g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL, err);
    case REMOVE_CLASS: {
        const mann_status status = mni_gallery_remove_class(g, name, NULL, err);
        return status == MANN_E_NOT_FOUND ? MANN_OK : status;
    }
    default: return add(g, &s, err);
    }
}

/* --- reading back ------------------------------------------------------------------- */

typedef struct reader { crash_state *out; char *why; size_t size; int bad; } reader;

static void complain(reader *r, uint64_t id, const char *what)
{
    if (!r->bad) snprintf(r->why, r->size, "id %llu: %s", (unsigned long long)id, what);
    r->bad = 1;
}

/* Is the vector that of this picture? Unit length, and the same direction. */
static int right_vector(const mann_record *rec, uint32_t origin, uint32_t view)
{
    float want[DIM];
    double dot = 0, norm = 0;
    gallery_vector(origin, view, want);
    for (int i = 0; i < DIM; i++) {
        dot += (double)want[i] * (double)rec->vector[i];
        norm += (double)want[i] * (double)want[i];
    }
    return fabs(dot / sqrt(norm) - 1) < 1e-5;
}

static int read_one(void *user, const mann_record *rec)
{
    reader *r = user;
    unsigned klass = 0, origin = 0, view = 0;
    if (r->out->n == CRASH_ROWS) {
        complain(r, rec->id, "one record too many");
        return 1;
    }
    if (!rec->class_name || sscanf(rec->class_name, "class-%u", &klass) != 1 ||
        sscanf(rec->source, "%u/%u.png", &origin, &view) != 2)
        complain(r, rec->id, "class or source is not what was written");
    else if (rec->content_hash != origin || rec->time != view)
        complain(r, rec->id, "hash or time of another record");
    else if (!right_vector(rec, origin, view)) complain(r, rec->id, "another's vector");
    const size_t at = place_of(r->out, rec->id);
    if (at < r->out->n && r->out->rows[at].id == rec->id)
        complain(r, rec->id, "is there twice");
    put(r->out, (crash_row){ rec->id, klass, origin, view });
    return 0;
}

int crash_read(mni_gallery *g, crash_state *out, char *why, size_t size)
{
    mann_error e = { MANN_OK, "" };
    reader r = { out, why, size, 0 };
    out->n = 0;
    if (mni_gallery_each(g, read_one, &r, &e) != MANN_OK) complain(&r, 0, e.text);
    return !r.bad;
}

int crash_same(const crash_state *a, const crash_state *b)
{
    if (a->n != b->n) return 0;
    for (size_t i = 0; i < a->n; i++)
        if (a->rows[i].id != b->rows[i].id || a->rows[i].klass != b->rows[i].klass ||
            a->rows[i].origin != b->rows[i].origin || a->rows[i].view != b->rows[i].view)
            return 0;
    return 1;
}
