/* test_whole.c - whole galleries: parts and unions hold every record once; repair saves
 * exactly what is undamaged, wherever the damage is. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gallery_help.h"
#include "harness.h"

/* --- what a gallery holds ----------------------------------------------------------- */

enum { MOST = 512 };
typedef struct entry {
    uint64_t id, content;
    char klass[32], source[32];
    float v[DIM];
} entry;
typedef struct content { entry e[MOST]; size_t n; } content;

static int collect(void *user, const mann_record *r)
{
    content *c = user;
    CHECK(c->n < MOST);
    entry *e = &c->e[c->n++];
    memset(e, 0, sizeof *e);
    e->id = r->id;
    e->content = r->content_hash;
    snprintf(e->klass, sizeof e->klass, "%s", r->class_name ? r->class_name : "-");
    snprintf(e->source, sizeof e->source, "%s", r->source);
    memcpy(e->v, r->vector, sizeof e->v);
    return 0;
}

static content *content_of(mni_gallery *g)
{
    content *c = mni_alloc(1, sizeof *c);
    CHECK(c);
    CHECK_OK(mni_gallery_each(g, collect, c, NULL));
    return c;
}

static const entry *find(const content *c, uint64_t hash)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->e[i].content == hash) return &c->e[i];
    return NULL;
}

/* --- parts and unions --------------------------------------------------------------- */

static int odd_class(void *user, const mann_record *r)
{
    unsigned k = 0;
    sscanf(r->class_name, "class-%u", &k);
    return (int)(k % 2) == *(const int *)user;
}

static void parts_merge_to_the_whole(void)
{
    static const char *const kinds[] = { "Flat", "HNSW8", "IVF4,Flat" };
    for (size_t kind = 0; kind < 3; kind++) {
        mni_vfs_mem *mem;
        mni_gallery *g, *odd, *even;
        mann_error e = { MANN_OK, "" };
        mann_add_report r;
        int one = 1, zero = 0;
        CHECK_OK(mni_vfs_mem_new(&mem, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(mem);
        CHECK_FINE(gallery_make(&g, v, "g", kind == 1 ? MANN_STORE_INT8 : MANN_STORE_F32,
                                12, 16, &e), e);
        CHECK_FINE(mni_gallery_build(g, NULL, kinds[kind], 0, NULL, NULL, &e), e);
        CHECK_FINE(gallery_add_view(g, 3, 20, NULL, &e), e);    /* and a tail */
        CHECK_FINE(mni_gallery_remove_class(g, "class-5", NULL, &e), e);
        content *all = content_of(g);
        CHECK_FINE(mni_gallery_copy(g, "o", odd_class, &one, NULL, NULL, &e), e);
        CHECK_FINE(mni_gallery_copy(g, "e", odd_class, &zero, NULL, NULL, &e), e);
        CHECK_IS(mni_gallery_copy(g, "g", NULL, NULL, NULL, NULL, &e), MANN_E_EXISTS);
        CHECK_FINE(mni_gallery_open(&odd, v, "o", MANN_OPEN_WRITE, &e), e);
        CHECK_FINE(mni_gallery_open(&even, v, "e", MANN_OPEN_READ, &e), e);
        CHECK_FINE(mni_gallery_verify(odd, NULL, &e), e);
        CHECK_FINE(mni_gallery_verify(even, NULL, &e), e);
        content *part = content_of(odd);
        for (size_t i = 0; i < part->n; i++) {
            const entry *was = find(all, part->e[i].content);
            CHECK(was && memcmp(was, &part->e[i], sizeof *was) == 0);
        }
        CHECK_FINE(mni_gallery_merge(odd, even, NULL, &r, &e), e);
        CHECK_EQ(r.n_added + part->n, all->n);
        CHECK_FINE(mni_gallery_merge(odd, even, NULL, &r, &e), e);     /* nothing twice */
        CHECK_EQ(r.n_added, 0);
        content *whole = content_of(odd);
        CHECK_EQ(whole->n, all->n);
        for (size_t i = 0; i < all->n; i++) {
            const entry *now = find(whole, all->e[i].content);
            CHECK(now);
            CHECK_STR(now->klass, all->e[i].klass);
            CHECK_STR(now->source, all->e[i].source);
            CHECK(memcmp(now->v, all->e[i].v, sizeof now->v) == 0);
        }
        for (size_t i = 0; i < part->n; i++)        /* who was there keeps the id */
            CHECK_EQ(find(whole, part->e[i].content)->id, part->e[i].id);
        for (size_t i = 0; i < whole->n; i++)
            for (size_t j = 0; j < i; j++) CHECK(whole->e[i].id != whole->e[j].id);
        mni_free(all);
        mni_free(part);
        mni_free(whole);
        mni_gallery_free(g);
        mni_gallery_free(odd);
        mni_gallery_free(even);
        mni_vfs_mem_free(mem);
    }
}

static void another_model_is_refused(void)
{
    mni_vfs_mem *mem;
    mni_gallery *a, *b;
    mann_error e = { MANN_OK, "" };
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    mann_gallery_config c = gallery_config(MANN_L2, MANN_STORE_F32);
    CHECK_FINE(gallery_make(&a, v, "a", MANN_STORE_F32, 2, 1, &e), e);
    CHECK_FINE(mni_gallery_create(&b, v, "b", &c, &e), e);
    CHECK_IS(mni_gallery_merge(a, b, NULL, NULL, &e), MANN_E_MISMATCH);
    CHECK(strstr(e.text, "a has") && strstr(e.text, "metric"));
    mni_gallery_free(a);
    mni_gallery_free(b);
    mni_vfs_mem_free(mem);
}

/* Somebody else adds a record while a merge is at work: with an id that a record to come
 * also has. Both stay. */
enum { MANY = 9000, LATE = 7000 };
typedef struct intruder { mni_gallery *g; float v[DIM]; int added; } intruder;

static int intrude(void *user, const mann_progress *p)
{
    intruder *i = user;
    if (p->done == 0 || i->added++) return 0;
    const mni_new_row mine = { .vector = i->v, .id = LATE, .has_id = 1 };
    CHECK_OK(mni_gallery_add(i->g, &mine, 1, NULL, NULL));
    return 0;
}

typedef struct survey { uint64_t ids[MANY + 8]; size_t n, mine; const float *v; } survey;

static int count(void *user, const mann_record *r)
{
    survey *s = user;
    CHECK(s->n < MANY + 8);
    s->ids[s->n++] = r->id;
    s->mine += memcmp(r->vector, s->v, DIM * sizeof *s->v) == 0;
    return 0;
}

static void check_ids_differ(survey *s)
{
    for (size_t i = 0; i < s->n; i++) {             /* ids are small: a bucket each */
        static uint8_t seen[4 * MANY];
        if (i == 0) memset(seen, 0, sizeof seen);
        CHECK(s->ids[i] < sizeof seen && !seen[s->ids[i]]);
        seen[s->ids[i]] = 1;
    }
}

static void a_record_added_meanwhile_is_not_replaced(void)
{
    mni_vfs_mem *mem;
    intruder i = { .v = { -7, 1 } };
    mni_gallery *from;
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c = gallery_config(MANN_L2, MANN_STORE_F32);
    const mann_hooks hooks = { .progress = intrude, .user = &i };
    survey *s = mni_alloc(1, sizeof *s);
    mni_new_row *rows = mni_alloc(MANY, sizeof *rows);
    float *v = mni_alloc(MANY, DIM * sizeof *v);
    CHECK(s && rows && v);
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    CHECK_FINE(mni_gallery_create(&i.g, mni_vfs_mem_vfs(mem), "to", &c, &e), e);
    CHECK_FINE(mni_gallery_create(&from, mni_vfs_mem_vfs(mem), "from", &c, &e), e);
    for (size_t k = 0; k < MANY; k++) {
        v[k * DIM] = (float)k;
        rows[k].vector = v + k * DIM;
    }
    CHECK_FINE(mni_gallery_add(from, rows, MANY, NULL, &e), e);
    CHECK_FINE(mni_gallery_merge(i.g, from, &hooks, NULL, &e), e);
    CHECK(i.added);
    s->v = i.v;
    CHECK_FINE(mni_gallery_each(i.g, count, s, &e), e);
    CHECK_EQ(s->n, MANY + 1);
    CHECK_EQ(s->mine, 1);
    check_ids_differ(s);
    mni_gallery_free(i.g);
    mni_gallery_free(from);
    mni_vfs_mem_free(mem);
    mni_free(s);
    mni_free(rows);
    mni_free(v);
}

/* A reader that has caught up knows which ids were given: its copy gives others. */
static void a_copy_of_a_refreshed_reader_gives_new_ids(void)
{
    mni_vfs_mem *mem;
    mni_gallery *w, *r, *copy;
    mann_error e = { MANN_OK, "" };
    mann_gallery_config c = gallery_config(MANN_L2, MANN_STORE_F32);
    float v[4 * DIM] = { 0 };
    mni_new_row rows[4] = { { .vector = v }, { .vector = v + DIM },
                            { .vector = v + 2 * DIM }, { .vector = v + 3 * DIM } };
    survey *s = mni_alloc(1, sizeof *s);
    CHECK(s);
    for (size_t i = 0; i < 4; i++) v[i * DIM] = (float)i + 1;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *fs = mni_vfs_mem_vfs(mem);
    CHECK_FINE(mni_gallery_create(&w, fs, "g", &c, &e), e);
    CHECK_FINE(mni_gallery_open(&r, fs, "g", MANN_OPEN_READ, &e), e);
    CHECK_FINE(mni_gallery_add(w, rows, 2, NULL, &e), e);
    CHECK_FINE(mni_gallery_refresh(r, &e), e);
    CHECK_FINE(mni_gallery_copy(r, "copy", NULL, NULL, NULL, NULL, &e), e);
    CHECK_FINE(mni_gallery_open(&copy, fs, "copy", MANN_OPEN_WRITE, &e), e);
    CHECK_FINE(mni_gallery_add(copy, rows + 2, 2, NULL, &e), e);
    s->v = v;
    CHECK_FINE(mni_gallery_each(copy, count, s, &e), e);
    CHECK_EQ(s->n, 4);
    check_ids_differ(s);
    mni_gallery_free(w);
    mni_gallery_free(r);
    mni_gallery_free(copy);
    mni_vfs_mem_free(mem);
    mni_free(s);
}

/* --- repair ------------------------------------------------------------------------- */

enum { CLASSES = 30, VIEWS = 8 };

static void write_file(const mni_vfs *v, const char *path, const uint8_t *bytes, size_t n)
{
    CHECK_OK(mni_replace_file(v, path, bytes, n, NULL));
}

/* Where a section lies in the file. */
static uint64_t section_at(const mni_vfs *v, const char *path, const uint8_t *bytes,
                           const char *tag, uint64_t *n_bytes)
{
    mni_reader *r;
    mni_section s;
    uint64_t at;
    (void)bytes;
    CHECK_OK(mni_reader_open(&r, v, path, MNI_READ_DAMAGED, NULL));
    CHECK(mni_reader_find(r, tag, &s));
    *n_bytes = s.n_bytes;
    mni_section first;
    char name[5];
    CHECK(mni_reader_at(r, 0, name, &first));
    at = (uint64_t)((const uint8_t *)s.data - (const uint8_t *)first.data);
    mni_reader_free(r);
    return at + 64;                     /* META is the first, behind the header */
}

/* Repairs and checks that what is there now is a part of what was. */
static mann_repair_report repaired(const mni_vfs *v, const content *was, mann_status *s)
{
    mann_repair_report r = { .n_saved = 0 };
    mann_error e = { MANN_OK, "" };
    mni_gallery *g;
    v->ops->remove(v, "saved", NULL);
    *s = mni_gallery_repair(v, "bad", "saved", NULL, NULL, NULL, &r, &e);
    if (*s != MANN_OK) {
        CHECK(e.text[0]);
        return r;
    }
    CHECK_FINE(mni_gallery_open(&g, v, "saved", MANN_OPEN_VERIFY, &e), e);
    CHECK_FINE(mni_gallery_verify(g, NULL, &e), e);
    content *now = content_of(g);
    CHECK_EQ(now->n, r.n_saved);
    CHECK_EQ(r.n_saved + r.n_lost, was->n);
    uint64_t names = 0, paths = 0;
    for (size_t i = 0; i < now->n; i++) {
        const entry *old = find(was, now->e[i].content);
        CHECK(old && old->id == now->e[i].id);
        CHECK(memcmp(old->v, now->e[i].v, sizeof old->v) == 0);
        names += strcmp(old->klass, now->e[i].klass) != 0;
        paths += strcmp(old->source, now->e[i].source) != 0;
        CHECK(strcmp(old->klass, now->e[i].klass) == 0 ||
              strncmp(now->e[i].klass, "lost-class-", 11) == 0);
        CHECK(strcmp(old->source, now->e[i].source) == 0 || !now->e[i].source[0]);
    }
    CHECK_EQ(paths, r.n_paths_lost);
    CHECK((names == 0) == (r.n_names_lost == 0));
    mni_free(now);
    mni_gallery_free(g);
    return r;
}

static void one_damaged_place_costs_what_lies_there(void)
{
    static const struct { const char *tag; uint64_t rows, paths, names; } places[] = {
        { "RECS", 1, 0, 0 }, { "VECS", 1, 0, 0 }, { "HEAP", 0, 1, 0 },
        { "NMOF", 0, 0, 2 },            /* where one name ends and the next begins */
        { "NMHP", 0, 0, 1 }, { "NMCK", 0, 0, 0 }, { "NMIX", 0, 0, 0 },
        { "META", 0, 0, 0 }, { "MET2", 0, 0, 0 },
        { "IDIX", 0, 0, 0 }, { "CLOF", 0, 0, 0 }, { "CLRW", 0, 0, 0 },
        { "ANNK", 0, 0, 0 }, { "HNLK", 0, 0, 0 },
    };
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    uint8_t *bytes;
    size_t n;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "g", MANN_STORE_F32, CLASSES, VIEWS, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "HNSW8", 0, NULL, NULL, &e), e);
    content *was = content_of(g);
    mni_gallery_free(g);
    CHECK_FINE(mni_read_file(v, "g", 1 << 24, &bytes, &n, &e), e);
    for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
        uint64_t n_bytes;
        mann_status s;
        mni_section there;
        mni_reader *r;
        CHECK_OK(mni_reader_open(&r, v, "g", 0, NULL));
        const int has = mni_reader_find(r, places[p].tag, &there);
        mni_reader_free(r);
        if (!has) continue;             /* a section of the index, as it is called now */
        const uint64_t at = section_at(v, "g", bytes, places[p].tag, &n_bytes);
        bytes[at + n_bytes / 2] ^= 0x10;
        write_file(v, "bad", bytes, n);
        CHECK_IS(mni_gallery_open(&g, v, "bad", MANN_OPEN_READ, &e), MANN_E_FORMAT);
        const mann_repair_report rep = repaired(v, was, &s);
        CHECK_OK(s);
        CHECK_EQ(rep.n_lost, places[p].rows);
        CHECK_EQ(rep.n_paths_lost, places[p].paths);
        CHECK_EQ(rep.n_names_lost, places[p].names);
        bytes[at + n_bytes / 2] ^= 0x10;
    }
    write_file(v, "bad", bytes, n);             /* undamaged: nothing is lost */
    mann_status s;
    CHECK_EQ(repaired(v, was, &s).n_saved, CLASSES * VIEWS);
    mni_free(bytes);
    mni_free(was);
    mni_vfs_mem_free(mem);
}

/* Holes of any size anywhere: repaired or refused, never wrong. */
static void random_damage_is_never_believed(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    uint8_t *bytes;
    size_t n, saved = 0;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "g", MANN_STORE_INT8, CLASSES, VIEWS, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", 0, NULL, NULL, &e), e);
    content *was = content_of(g);
    mni_gallery_free(g);
    CHECK_FINE(mni_read_file(v, "g", 1 << 24, &bytes, &n, &e), e);
    mni_rng rng = mni_rng_at(test_seed(), MNI_FOR_TEST, 5, 0, 0);
    for (int round = 0; round < 60; round++) {
        uint8_t *bad = mni_memdup(bytes, n);
        mann_status s;
        CHECK(bad);
        for (uint32_t holes = 1 + mni_rng_below(&rng, 3); holes > 0; holes--) {
            size_t at = mni_rng_below(&rng, (uint32_t)n);
            for (uint32_t k = mni_rng_below(&rng, 600); k > 0 && at < n; k--)
                bad[at++] ^= (uint8_t)mni_rng_below(&rng, 256);
        }
        write_file(v, "bad", bad, n);
        saved += repaired(v, was, &s).n_saved > 0;
        CHECK(s == MANN_OK || s == MANN_E_FORMAT || s == MANN_E_VERSION ||
              s == MANN_E_LIMIT || s == MANN_E_NOT_FOUND);
        mni_free(bad);
    }
    CHECK(saved > 20);
    mni_free(bytes);
    mni_free(was);
    mni_vfs_mem_free(mem);
}

static void the_journal_counts_for_repair(void)
{
    mni_vfs_mem *mem;
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    uint64_t n_bytes, id;
    uint8_t *bytes;
    size_t n;
    mann_status s;
    CHECK_OK(mni_vfs_mem_new(&mem, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    CHECK_FINE(gallery_make(&g, v, "bad", MANN_STORE_F32, CLASSES, VIEWS, &e), e);
    CHECK_FINE(mni_gallery_build(g, NULL, "Flat", 0, NULL, NULL, &e), e);
    CHECK_FINE(gallery_add_view(g, 3, 20, &id, &e), e);
    CHECK_FINE(mni_gallery_relabel(g, &id, 1, "elsewhere", &e), e);
    content *was = content_of(g);
    mni_gallery_free(g);
    CHECK_FINE(mni_read_file(v, "bad", 1 << 24, &bytes, &n, &e), e);
    const uint64_t at = section_at(v, "bad", bytes, "VECS", &n_bytes);
    bytes[at + n_bytes / 2] ^= 0x10;
    write_file(v, "bad", bytes, n);
    const mann_repair_report r = repaired(v, was, &s);
    CHECK_OK(s);
    CHECK_EQ(r.n_lost, 1);
    CHECK_EQ(r.n_saved, CLASSES * VIEWS);       /* and the one of the journal */
    CHECK_IS(mni_gallery_repair(v, "bad", "saved", NULL, NULL, NULL, NULL, &e),
             MANN_E_EXISTS);
    mni_free(bytes);
    mni_free(was);
    mni_vfs_mem_free(mem);
}

static mann_status repair_once(void *ctx)
{
    mni_vfs_mem *mem;
    mni_gallery *g = NULL;
    mann_error e = { MANN_OK, "" };
    (void)ctx;
    MNI_TRY(mni_vfs_mem_new(&mem, &e));
    const mni_vfs *v = mni_vfs_mem_vfs(mem);
    mann_status s = gallery_make(&g, v, "g", MANN_STORE_INT8, 3, 2, &e);
    if (s == MANN_OK) s = mni_gallery_build(g, NULL, "Flat", 0, NULL, NULL, &e);
    mni_gallery_free(g);
    if (s == MANN_OK) s = mni_gallery_repair(v, "g", "r", NULL, NULL, NULL, NULL, &e);
    mni_gallery *r = NULL;
    g = NULL;
    if (s == MANN_OK) s = gallery_make(&g, v, "h", MANN_STORE_INT8, 5, 2, &e);
    if (s == MANN_OK) s = mni_gallery_open(&r, v, "r", MANN_OPEN_READ, &e);
    if (s == MANN_OK) s = mni_gallery_merge(g, r, NULL, NULL, &e);
    mni_gallery_free(r);
    mni_gallery_free(g);
    mni_vfs_mem_free(mem);
    return s;
}

static void memory_may_end_anywhere(void) { test_oom(repair_once, NULL, 0); }

const test_case whole_tests[] = {
    { "parts_merge_to_the_whole", parts_merge_to_the_whole, 0 },
    { "another_model_is_refused", another_model_is_refused, 0 },
    { "a_record_added_meanwhile_is_not_replaced",
      a_record_added_meanwhile_is_not_replaced, 0 },
    { "a_copy_of_a_refreshed_reader_gives_new_ids",
      a_copy_of_a_refreshed_reader_gives_new_ids, 0 },
    { "one_damaged_place_costs_what_lies_there", one_damaged_place_costs_what_lies_there,
      0 },
    { "random_damage_is_never_believed", random_damage_is_never_believed, 0 },
    { "the_journal_counts_for_repair", the_journal_counts_for_repair, 0 },
    { "memory_may_end_anywhere", memory_may_end_anywhere, 0 },
    { 0 }
};
