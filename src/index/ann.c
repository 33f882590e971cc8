/* ann.c - what all index kinds have in common: names, files, scratch, batches, the order
 * of answers.
 *
 * A kind sees a small group of prepared queries and a heap for each. It never sees a
 * thread, an id, a batch or a file name. SPDX-License-Identifier: MIT */
#include "index/ann.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/text.h"
#include "index/kinds.h"

#define TAG "ANNK"              /* the spec, as text without its NUL */
#define KNOB_TAG "ANNT"
enum { KNOB_BYTES = 8 };

/* The kinds. One line each. */
static const mni_ann_ops *const kinds[] = {
    &mni_flat_ops,
    &mni_sq8_ops,
    &mni_ivf_ops,
    &mni_ivfpq_ops,
    &mni_hnsw_ops,
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static const mni_ann_ops *find_kind(const char *spec, char canonical[MNI_ANN_SPEC])
{
    for (int i = 0; i < N_KINDS; i++)
        if (kinds[i]->accepts(spec, canonical)) return kinds[i];
    return NULL;
}

static mann_status unknown_kind(const char *spec, mann_error *err)
{
    char known[128] = "auto";
    size_t n = strlen(known);
    for (int i = 0; i < N_KINDS && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, ", %s", kinds[i]->name);
    return mni_fail(err, MANN_E_UNSUPPORTED,
                    "index: \"%.64s\" is not a kind of index, known are: %s", spec,
                    known);
}

/* --- auto --------------------------------------------------------------------------- */

enum {
    FLAT_VALUES = 4 << 20,      /* read in about half a millisecond: 32,768 rows of 128 */
    FLAT_ROWS = 2048,           /* below, a structure is all overhead */
    LEAST_PQ_ROWS = 39 * 256    /* 39 rows teach each of 256 code words */
};

/* "auto" must not look at the clock (two machines would build two files), so it counts. A
 * Flat query reads n x dim values in a row; while that is little, nothing is simpler or
 * more exact. Beyond, the graph answers with the fewest distances; where its links are
 * more memory than the caller allows, lists; where even those are, short codes in
 * lists; and Flat, which adds nothing, when nothing fits. */
static const char *cheapest(const mni_rows *shape, uint64_t mem_bytes)
{
    static const char *const wishes[] = { "HNSW16", "IVF,Flat", "IVF,PQ" };
    if ((uint64_t)shape->n * shape->dim <= FLAT_VALUES || shape->n < FLAT_ROWS)
        return "Flat";
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        char canonical[MNI_ANN_SPEC] = "";
        mni_ann_cost cost;
        const mni_ann_ops *ops = find_kind(wishes[i], canonical);
        if (!ops || (i == 2 && shape->n < LEAST_PQ_ROWS)) continue;
        ops->cost(canonical, shape, &cost);
        if (mem_bytes == 0 || cost.build_bytes <= mem_bytes) return wishes[i];
    }
    return "Flat";
}

/* The kind that `spec` names, with the numbers that were said; "auto" chooses by
 * `shape` (NULL: any kind will do). */
static mann_status choose(const char *spec, const mni_rows *shape, uint64_t mem_bytes,
                          mni_spec *said, char canonical[MNI_ANN_SPEC],
                          const mni_ann_ops **ops, mann_error *err)
{
    MNI_TRY(mni_spec_parse(said, spec, err));
    if (said->family == MNI_AUTO) spec = shape ? cheapest(shape, mem_bytes) : "Flat";
    *ops = find_kind(spec, canonical);
    return *ops ? MANN_OK : unknown_kind(spec, err);
}

mann_status mni_ann_spec_check(const char *spec, mann_error *err)
{
    char canonical[MNI_ANN_SPEC] = "";
    const mni_ann_ops *ops;
    mni_spec s;
    return choose(spec, NULL, 0, &s, canonical, &ops, err);
}

/* --- making ------------------------------------------------------------------------- */

static void name_it(mni_ann *a, const mni_ann_ops *ops, const char *canonical)
{
    a->ops = ops;
    memcpy(a->spec, canonical, MNI_ANN_SPEC);
}

static mann_status within_budget(const char *canonical, const mni_ann_cost *cost,
                                 uint64_t mem_bytes, mann_error *err)
{
    char need[24], have[24];
    if (cost->build_bytes <= mem_bytes) return MANN_OK;
    mni_format_bytes(need, sizeof need, cost->build_bytes);
    mni_format_bytes(have, sizeof have, mem_bytes);
    return mni_fail(err, MANN_E_BUDGET,
                    "index: building %s takes %s of memory beside the vectors, %s are "
                    "allowed; \"auto\" chooses what fits", canonical, need, have);
}

static mann_status check_budget(const mni_ann_ops *ops, const char *canonical,
                                const mni_ann_job *job, mann_error *err)
{
    mni_ann_cost cost;
    if (job->mem_bytes == 0) return MANN_OK;
    ops->cost(canonical, job->rows, &cost);
    return within_budget(canonical, &cost, job->mem_bytes, err);
}

/* What was asked for by name is built, with one sentence about it. */
static void warn_of_few_rows(const mni_spec *said, const mni_ann_job *job)
{
    char sentence[160];
    const mann_hooks *h = job->hooks;
    const uint32_t n = job->sample && job->sample->n ? job->sample->n : job->rows->n;
    if (said->family != MNI_IVFPQ || n >= LEAST_PQ_ROWS || !h || !h->note) return;
    snprintf(sentence, sizeof sentence,
             "%lu rows are few to learn codes from (%d are advised): Flat or HNSW would "
             "find more", (unsigned long)n, LEAST_PQ_ROWS);
    h->note(h->user, MANN_NOTE_WARNING, sentence);
}

/* Every kind can be watched, and stopped before the work begins. */
static mann_status begin(const mni_ann_job *job, mann_error *err)
{
    const mann_hooks *h = job->hooks;
    const mann_progress p = { .task = "index", .total = job->rows->n };
    if (!h || !h->progress || !h->progress(h->user, &p)) return MANN_OK;
    return mni_fail(err, MANN_E_CANCELLED, "index: stopped before %lu rows",
                    (unsigned long)job->rows->n);
}

mann_status mni_ann_build(mni_ann **out, const char *spec, const mni_ann_job *job,
                          mann_error *err)
{
    char canonical[MNI_ANN_SPEC] = "";
    const mni_ann_ops *ops;
    mni_spec said;
    mni_ann *a;
    *out = NULL;
    MNI_TRY(choose(spec, job->rows, job->mem_bytes, &said, canonical, &ops, err));
    MNI_TRY(check_budget(ops, canonical, job, err));
    warn_of_few_rows(&said, job);
    MNI_TRY(begin(job, err));
    MNI_TRY(ops->build(&a, canonical, job, err));
    name_it(a, ops, canonical);
    if (ops->knob && (said.ef || said.nprobe))
        a->knob = strcmp(ops->knob, "ef") == 0 ? said.ef : said.nprobe;
    *out = a;
    return MANN_OK;
}

mann_status mni_ann_fold(mni_ann **out, const mni_ann *old, const mni_ann_job *job,
                         const uint32_t *from, mann_error *err)
{
    mni_ann *a;
    *out = NULL;
    MNI_TRY(check_budget(old->ops, old->spec, job, err));
    MNI_TRY(begin(job, err));
    MNI_TRY(old->ops->fold(&a, old, job, from, err));
    name_it(a, old->ops, old->spec);
    a->knob = old->knob;        /* what was tuned stays */
    *out = a;
    return MANN_OK;
}

mann_status mni_ann_add(mni_ann *a, const mni_rows *rows, uint32_t first, mni_pool *pool,
                        mann_error *err)
{
    return a->ops->add(a, rows, first, pool, err);
}

mann_status mni_ann_remove(mni_ann *a, const mni_rows *rows, const uint32_t *gone,
                           size_t n, mni_pool *pool, mann_error *err)
{
    return a->ops->remove(a, rows, gone, n, pool, err);
}

mann_status mni_ann_own(mni_ann *a, mann_error *err) { return a->ops->own(a, err); }

mann_status mni_ann_cost_of(const char *spec, const mni_rows *shape, uint64_t mem_bytes,
                            mni_ann_cost *out, char canonical[MNI_ANN_SPEC],
                            mann_error *err)
{
    const mni_ann_ops *ops;
    mni_spec said;
    MNI_TRY(choose(spec, shape, mem_bytes, &said, canonical, &ops, err));
    ops->cost(canonical, shape, out);
    return mem_bytes ? within_budget(canonical, out, mem_bytes, err) : MANN_OK;
}

size_t mni_ann_report(const mni_ann *a, const mni_rows *rows, mni_ann_fact *facts)
{
    return a->ops->report(a, rows, facts);
}

/* "ANNT": u32 default of the knob, u32 0. Absent: the kind has none, or nobody set it. */
static mann_status read_knob(const mni_reader *r, const mni_ann_ops *ops, uint32_t *knob,
                             mann_error *err)
{
    mni_section s;
    *knob = 0;
    if (!ops->knob || !mni_reader_find(r, KNOB_TAG, &s)) return MANN_OK;
    MNI_TRY(mni_reader_need(r, KNOB_TAG, MNI_BYTES, KNOB_BYTES, &s, err));
    *knob = mni_get32(s.data);
    if (*knob > MNI_MAX_KNOB)
        return mni_fail(err, MANN_E_FORMAT, "index: %s of %lu, wanted at most %d",
                        ops->knob, (unsigned long)*knob, MNI_MAX_KNOB);
    return MANN_OK;
}

mann_status mni_ann_open(mni_ann **out, const mni_reader *r, const mni_rows *rows,
                         mann_error *err)
{
    char spec[MNI_ANN_SPEC] = "Flat", canonical[MNI_ANN_SPEC] = "";
    mni_section s;
    *out = NULL;
    if (mni_reader_find(r, TAG, &s)) {
        if (s.n_bytes == 0 || s.n_bytes >= sizeof spec)
            return mni_fail(err, MANN_E_FORMAT,
                            "index: its name has %llu letters, wanted 1..%d",
                            (unsigned long long)s.n_bytes, MNI_ANN_SPEC - 1);
        memcpy(spec, s.data, (size_t)s.n_bytes);
        spec[s.n_bytes] = '\0';
    }
    const mni_ann_ops *ops = find_kind(spec, canonical);
    mni_ann *a;
    if (!ops) return unknown_kind(spec, err);
    uint32_t knob;
    MNI_TRY(read_knob(r, ops, &knob, err));
    MNI_TRY(ops->open(&a, canonical, r, rows, err));
    name_it(a, ops, canonical);
    if (knob) a->knob = knob;   /* a kind may keep one of its own */
    *out = a;
    return MANN_OK;
}

void mni_ann_write(const mni_ann *a, mni_writer *w)
{
    mni_writer_section(w, TAG, MNI_BYTES, MNI_ALIGN_SECTION, a->spec, strlen(a->spec));
    if (a->ops->knob && a->knob) {
        uint8_t bytes[KNOB_BYTES] = { 0 };
        mni_put32(bytes, a->knob);
        mni_writer_section(w, KNOB_TAG, MNI_BYTES, MNI_ALIGN_SECTION, bytes,
                           sizeof bytes);
    }
    a->ops->write(a, w);
}

mann_status mni_ann_check(const mni_ann *a, const mni_rows *rows, mann_error *err)
{
    return a->ops->check(a, rows, err);
}

void mni_ann_free(mni_ann *a)
{
    if (a) a->ops->free(a);
}

const char *mni_ann_spec(const mni_ann *a) { return a->spec; }

const char *mni_ann_knob_name(const mni_ann *a) { return a->ops->knob; }

uint32_t mni_ann_knob(const mni_ann *a) { return a->knob; }

void mni_ann_set_knob(mni_ann *a, uint32_t knob)
{
    a->knob = knob < MNI_MAX_KNOB ? knob : MNI_MAX_KNOB;
}
