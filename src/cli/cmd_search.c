/* cmd_search.c - photos or vectors -> classes and verdicts.
 *
 * Queries are worked off in groups: embed, search, report, next. What is needed at the
 * end (contact sheets, files of neighbours) is kept for all of them, otherwise the room
 * of one group is used again. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/queries.h"
#include "cli/report.h"
#include "os/clock.h"
#include "os/vfs.h"

typedef struct run {
    mni_cli *c;
    mann_gallery *g;
    mann_gallery_info info;
    mann_search how;
    int rows;                   /* rows instead of classes */
    int within;                 /* rows within this distance */
    float distance;
    int keep_all;               /* hits of all queries stay */
    size_t n, n_done, n_bad, n_bad_named;
    mni_inputs photos;          /* one of the two */
    mann_vectors *vectors;
    mann_matrix matrix;
    const char *name;           /* of the vector file */
    mann_hit *hits;             /* n or group x k */
    mann_answer *answers;
    char *bad;                  /* n: 1 = no answer */
    size_t group;
    mni_json out;               /* --json, --jsonl on stdout */
    mni_text file;              /* batch_search_results.json */
    mni_json file_json;
    const char *dir;            /* --out */
} run;

/* --- before ------------------------------------------------------------------------- */

/* mann_search's filter: --only. Called from many threads, reads only. */
static int in_list(void *user, uint64_t id, const char *klass)
{
    const char *const *names;
    size_t n = mni_opt_list(&((mni_cli *)user)->options, MNI_OPT_ONLY, &names);
    (void)id;
    for (size_t i = 0; klass && i < n; i++)
        if (strcmp(klass, names[i]) == 0) return 1;
    return 0;
}

static int prepare_filter(run *r)
{
    const char *const *names;
    size_t n = mni_opt_list(&r->c->options, MNI_OPT_ONLY, &names);
    for (size_t i = 0; i < n; i++)
        if (mni_cli_need_class(r->c, r->g, names[i]) != MANN_OK)
            return mni_cli_fail(r->c, MNI_FROM_USER, r->c->err.code);
    if (n) { r->how.filter = in_list; r->how.filter_user = r->c; }
    return MNI_EXIT_OK;
}

static int open_queries(run *r)
{
    mni_cli *c = r->c;
    const char *path = mni_opt_text(&c->options, MNI_OPT_VECTORS);
    mann_status s = MANN_OK;
    if (path) {
        if (c->options.n_files > 1)
            return mni_cli_usage(c, "photos and --vectors at once: give one of them");
        s = mann_vectors_read(&r->vectors, path, &c->err);
        if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
        r->matrix = mann_vectors_matrix(r->vectors);
        if (r->matrix.cols != r->info.dim) {
            mni_fail(&c->err, MANN_E_MISMATCH, "%s: rows of %zu numbers, %s has %u", path,
                     r->matrix.cols, c->options.files[0], (unsigned)r->info.dim);
            return mni_cli_fail(c, MNI_FROM_INPUT, MANN_E_MISMATCH);
        }
        r->name = mni_path_name(path);
        r->n = r->matrix.rows;
        if (r->info.n_classes == 0 || mni_opt_text(&c->options, MNI_OPT_OUTPUT))
            r->rows = 1;
        return MNI_EXIT_OK;
    }
    if (mni_opt_text(&c->options, MNI_OPT_OUTPUT))
        return mni_cli_usage(c, "-o is for the neighbours of --vectors; --out DIR, "
                                "--sheet FILE or --json for photos");
    if (c->options.n_files < 2)
        return mni_cli_usage(c,
                             "what to look for? IMAGE, DIR or --vectors FILE is missing");
    for (size_t i = 1; i < c->options.n_files && s == MANN_OK; i++) {
        size_t before = r->photos.n;
        s = mni_is_packed_set(c->options.files[i])
                ? mni_inputs_pack(&r->photos, c->options.files[i], &c->err)
                : mni_inputs_add(&r->photos, c->options.files[i], mni_is_image_file,
                                 &c->err);
        if (s == MANN_E_NOT_FOUND && r->photos.n == before)
            s = mni_inputs_name(&r->photos, c->options.files[i], &c->err);
        if (s == MANN_OK && r->photos.n == before)
            s = mni_fail(&c->err, MANN_E_NOT_FOUND, "%s: not one photo in it",
                         c->options.files[i]);
    }
    r->n = r->photos.n;
    return s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_INPUT, s);
}

static int make_room(run *r)
{
    const mni_options *o = &r->c->options;
    r->dir = mni_opt_text(o, MNI_OPT_OUT_DIR);
    r->keep_all = r->dir || mni_opt_text(o, MNI_OPT_SHEET) ||
                  mni_opt_text(o, MNI_OPT_OUTPUT);
    r->group = mni_opt_u32(o, MNI_OPT_BATCH);
    if (r->vectors && !mni_opt_given(o, MNI_OPT_BATCH)) r->group = r->within ? 8 : 1024;
    if (r->group > r->n) r->group = r->n ? r->n : 1;
    size_t queries = r->keep_all ? r->n : r->group;
    if (r->how.k > SIZE_MAX / (queries + 1)) queries = SIZE_MAX / sizeof(mann_hit);
    r->hits = mni_alloc(queries * r->how.k, sizeof *r->hits);
    r->answers = mni_alloc(queries, sizeof *r->answers);
    r->bad = mni_alloc(r->n, 1);
    if (r->hits && r->answers && r->bad) return MNI_EXIT_OK;
    mni_fail(&r->c->err, MANN_E_NOMEM, "%zu queries x %u hits; a smaller -k needs less",
             r->n, (unsigned)r->how.k);
    return mni_cli_fail(r->c, MNI_FROM_INPUT, MANN_E_NOMEM);
}

/* --- during ------------------------------------------------------------------------- */

static void report_one(run *r, const mni_answered *a)
{
    mni_cli *c = r->c;
    if (r->dir) mni_report_json(&r->file_json, r->g, r->info.metric, a);
    if (mni_opt_flag(&c->options, MNI_OPT_JSONL)) {
        mni_json_init(&r->out, &c->out, 0);
        mni_report_json(&r->out, r->g, r->info.metric, a);
        mni_text_char(&c->out, '\n');
    } else if (mni_opt_flag(&c->options, MNI_OPT_JSON)) {
        mni_report_json(&r->out, r->g, r->info.metric, a);
    } else if (!mni_opt_text(&c->options, MNI_OPT_OUTPUT) && (!a->problem)) {
        mni_report_text(&c->out, r->g, a);
    }
}

static void bad_photo(run *r, size_t q, const mann_error *problem)
{
    const mni_input *in = &r->photos.items[q];
    mni_answered a = { .query = in->path, .problem = problem->text };
    r->bad[q] = 1;
    r->n_bad++;
    if (in->root == 0) r->n_bad_named++;
    mni_talk_note(&r->c->talk, MANN_NOTE_WARNING, problem->text);
    report_one(r, &a);
}

/* --within: the rows of one query, as they are handed out. */
typedef struct taker { mann_hit *hits; mann_answer *answers; size_t k; } taker;

static int take_found(void *user, size_t query, const mann_hit *hits, size_t n)
{
    taker *t = user;
    memcpy(t->hits + query * t->k, hits, n * sizeof *hits);
    t->answers[query] = (mann_answer){ .n_hits = (uint32_t)n };
    return 0;
}

static mann_status ask(run *r, mann_matrix queries, mann_pool *pool, mann_hit *hits,
                       mann_answer *answers)
{
    taker t = { hits, answers, r->how.k };
    mann_error *err = &r->c->err;
    if (r->within)
        return mann_gallery_within(r->g, queries, r->distance, &r->how, pool, take_found,
                                   &t, err);
    return (r->rows ? mann_gallery_search : mann_gallery_identify)(
        r->g, queries, &r->how, pool, hits, answers, err);
}

/* Searches the good rows of one group, compacted to the front of `queries`. */
static mann_status search_group(run *r, mann_matrix queries, mann_hit *hits,
                                mann_answer *answers, double *ms)
{
    mann_pool *pool;
    MNI_TRY(mni_cli_pool(r->c, &pool));
    double start = mni_clock_seconds();
    mann_status s = ask(r, queries, pool, hits, answers);
    double seconds = mni_clock_seconds() - start;
    mni_talk_phase(&r->c->talk, "search", queries.rows, seconds);
    *ms = queries.rows ? seconds * 1e3 / (double)queries.rows : 0;
    return s;
}

static mann_status photo_group(run *r, size_t first, size_t n, mann_hit *hits,
                               mann_answer *answers)
{
    mni_photos p;
    double start = mni_clock_seconds(), search_ms, embed_ms;
    MNI_TRY(mni_photos_embed(r->c, r->g, r->photos.items + first, n, &p));
    embed_ms = (mni_clock_seconds() - start) * 1e3 / (double)n;
    mni_talk_phase(&r->c->talk, "embed", n, embed_ms * (double)n * 1e-3);
    size_t good = 0;
    for (size_t i = 0; i < n; i++) {
        if (p.problems[i].code == MANN_E_NOMEM || p.problems[i].code == MANN_E_MISMATCH ||
            p.problems[i].code == MANN_E_ARG) {             /* not the photo's fault */
            mann_status s = p.problems[i].code;
            r->c->err = p.problems[i];
            mni_photos_fini(&p);
            return s;
        }
        if (p.problems[i].code == MANN_OK)
            memmove(p.vectors + good++ * p.dim, p.vectors + i * p.dim,
                    p.dim * sizeof *p.vectors);
    }
    mann_status s = search_group(r, (mann_matrix){ p.vectors, good, p.dim, 0 }, hits,
                                 answers, &search_ms);
    /* Spread the answers to their queries, from behind; then report in order. */
    for (size_t i = n; s == MANN_OK && i-- > 0;) {
        if (p.problems[i].code != MANN_OK) continue;
        good--;
        memmove(hits + i * r->how.k, hits + good * r->how.k, r->how.k * sizeof *hits);
        answers[i] = answers[good];
    }
    for (size_t i = 0; s == MANN_OK && i < n; i++) {
        if (p.problems[i].code != MANN_OK) {
            bad_photo(r, first + i, &p.problems[i]);
            continue;
        }
        report_one(r, &(mni_answered){ r->photos.items[first + i].path, NULL,
                                       hits + i * r->how.k, answers[i], embed_ms,
                                       search_ms, r->rows });
    }
    mni_photos_fini(&p);
    return s;
}

static mann_status vector_group(run *r, size_t first, size_t n, mann_hit *hits,
                                mann_answer *answers)
{
    const mann_matrix m = r->matrix;
    size_t stride = m.stride ? m.stride : m.cols;
    double search_ms;
    MNI_TRY(search_group(r, (mann_matrix){ m.data + first * stride, n, m.cols, m.stride },
                         hits, answers, &search_ms));
    for (size_t i = 0; i < n; i++) {
        char name[300];
        snprintf(name, sizeof name, "%.250s#%zu", r->name, first + i);
        report_one(r, &(mni_answered){ name, NULL, hits + i * r->how.k, answers[i], NAN,
                                       search_ms, r->rows });
    }
    return MANN_OK;
}

static mann_status all_groups(run *r)
{
    for (size_t first = 0; first < r->n; first += r->group) {
        size_t n = r->n - first < r->group ? r->n - first : r->group,
               at = r->keep_all ? first : 0;
        if (mni_talk_step(&r->c->talk, "queries", first, r->n)) return MANN_E_CANCELLED;
        MNI_TRY((r->vectors ? vector_group : photo_group)(r, first, n,
                                                          r->hits + at * r->how.k,
                                                          r->answers + at));
        r->n_done += n;                 /* fewer than r->n when interrupted */
        if (r->c->out.n_chars) mni_talk_clear(&r->c->talk);
        if (!mni_out_step(r->c)) return MANN_OK;            /* nobody reads any more */
    }
    mni_talk_drop(&r->c->talk);         /* embed and search are phases of their own */
    return MANN_OK;
}

/* --- after -------------------------------------------------------------------------- */

static mann_status write_neighbours(run *r)
{
    mni_cli *c = r->c;
    const char *files = mni_opt_text(&c->options, MNI_OPT_OUTPUT);
    if (!files) return MANN_OK;
    const char *comma = strrchr(files, ',');
    size_t k = r->how.k, n = r->n * k;
    mni_text ids_path = { 0 };
    mni_text_add_n(&ids_path, files, comma ? (size_t)(comma - files) : strlen(files));
    uint64_t *ids = mni_alloc(n, sizeof *ids);
    float *distances = mni_alloc(n, sizeof *distances);
    mann_status s = MANN_OK;
    if (!ids || !distances || ids_path.failed) {
        s = mni_fail(&c->err, MANN_E_NOMEM, "%zu neighbours", n);
    } else {
        for (size_t i = 0; i < n; i++) {
            int there = i % k < r->answers[i / k].n_hits;
            ids[i] = there ? r->hits[i].id : UINT64_MAX;
            distances[i] = there ? r->hits[i].distance : INFINITY;
        }
        s = mann_ids_write(mni_text_get(&ids_path), ids, r->n, k, &c->err);
        if (s == MANN_OK && comma)
            s = mann_vectors_write(comma + 1, (mann_matrix){ distances, r->n, k, 0 },
                                   &c->err);
    }
    mni_free(ids);
    mni_free(distances);
    mni_text_fini(&ids_path);
    return s;
}

static mann_sheet_row sheet_row(const run *r, size_t q)
{
    return (mann_sheet_row){ r->photos.items[q].path, r->hits + q * r->how.k,
                             r->answers[q].n_hits, r->answers[q] };
}

static mann_status write_sheet(run *r)
{
    const char *path = mni_opt_text(&r->c->options, MNI_OPT_SHEET);
    if (!path) return MANN_OK;
    mann_sheet_row *rows = mni_alloc(r->n, sizeof *rows);
    if (!rows) return mni_fail(&r->c->err, MANN_E_NOMEM, "%s: %zu lines", path, r->n);
    size_t n = 0;
    for (size_t q = 0; q < r->n; q++)
        if (!r->bad[q]) rows[n++] = sheet_row(r, q);
    mann_status s = mann_sheet_write(r->g, rows, n, path, &r->c->err);
    mni_free(rows);
    return s;
}

static mann_status write_folder(run *r)
{
    if (!r->dir) return MANN_OK;
    mni_text path = { 0 };
    mni_path_join(&path, r->dir, "batch_search_results.json");
    mann_status s = path.failed || r->file.failed
                        ? mni_fail(&r->c->err, MANN_E_NOMEM, "%s: results", r->dir)
                        : mni_replace_file(mni_vfs_posix(), mni_text_get(&path),
                                           r->file.chars, r->file.n_chars, &r->c->err);
    for (size_t q = 0; q < r->n && s == MANN_OK && !r->vectors; q++) {
        if (mni_talk_step(&r->c->talk, "sheets", q, r->n)) s = MANN_E_CANCELLED;
        if (r->bad[q] || s != MANN_OK) continue;
        char name[64];
        snprintf(name, sizeof name, "batch_search_result_%03zu.png", q + 1);
        mann_sheet_row row = sheet_row(r, q);
        mni_text_clear(&path);
        mni_path_join(&path, r->dir, name);
        s = path.failed
                ? mni_fail(&r->c->err, MANN_E_NOMEM, "%s", name)
                : mann_sheet_write(r->g, &row, 1, mni_text_get(&path), &r->c->err);
    }
    mni_text_fini(&path);
    return s;
}

static void begin_document(run *r, mni_json *j)
{
    mni_json_object(j);
    mni_json_key(j, "gallery");
    mni_json_string(j, r->c->options.files[0]);
    mni_json_key(j, "k");
    mni_json_u64(j, r->how.k);
    mni_json_key(j, "queries");
    mni_json_array(j);
}

static void end_document(run *r, mni_json *j)
{
    mni_json_end(j);
    mni_json_key(j, "answered");
    mni_json_u64(j, r->n_done - r->n_bad);
    mni_json_key(j, "skipped");
    mni_json_u64(j, r->n_bad);
    mni_json_end(j);
    mni_text_char(j->out, '\n');
}

static int search_and_write(run *r)
{
    mni_cli *c = r->c;
    mann_status s = r->dir ? mni_vfs_posix()->ops->mkdir(mni_vfs_posix(), r->dir, &c->err)
                           : MANN_OK;
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    int document = mni_opt_flag(&c->options, MNI_OPT_JSON) &&
                   !mni_opt_flag(&c->options, MNI_OPT_JSONL);
    if (document) { mni_json_init(&r->out, &c->out, 2); begin_document(r, &r->out); }
    if (r->dir) {
        mni_json_init(&r->file_json, &r->file, 2);
        begin_document(r, &r->file_json);
    }
    s = all_groups(r);
    if (document && (s == MANN_OK || s == MANN_E_CANCELLED)) end_document(r, &r->out);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (r->dir) end_document(r, &r->file_json);
    s = write_neighbours(r);
    if (s == MANN_OK && !r->vectors) s = write_sheet(r);
    if (s == MANN_OK) s = write_folder(r);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_OUTPUT, s);
    if (r->n_bad)
        mni_talk_say(&c->talk, MANN_NOTE_WARNING, "%zu of %zu photos could not be read",
                     r->n_bad, r->n);
    return r->n_bad_named || (r->n && r->n_bad == r->n) ? MNI_EXIT_INPUT : MNI_EXIT_OK;
}

int mni_cmd_search(mni_cli *c)
{
    run r = { .c = c, .rows = mni_opt_flag(&c->options, MNI_OPT_ROWS) };
    const char *sheet = mni_opt_text(&c->options, MNI_OPT_SHEET);
    r.info.struct_size = sizeof r.info;
    mni_cli_search(c, &r.how);
    static const char *const kinds[] = { ".png", ".jpg", ".jpeg", ".html", ".htm" };
    int known = !sheet;
    for (size_t i = 0; !known && i < sizeof kinds / sizeof kinds[0]; i++)
        known = mni_text_ends(sheet, kinds[i]);
    if (!known)
        return mni_cli_usage(
            c, "--sheet: '%s', wanted a name that ends in .png, .jpg or .html", sheet);
    mann_status s = mni_cli_gallery(c, c->options.files[0], MANN_OPEN_READ, &r.g);
    if (s == MANN_OK) s = mann_gallery_describe(r.g, &r.info, &c->err);
    int code = s == MANN_OK ? MNI_EXIT_OK : mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (code == MNI_EXIT_OK && mni_opt_given(&c->options, MNI_OPT_WITHIN)) {
        const uint64_t most = r.info.n_rows ? r.info.n_rows : 1;
        r.within = r.rows = 1;
        r.distance = (float)mni_opt_float(&c->options, MNI_OPT_WITHIN);
        if (!mni_opt_given(&c->options, MNI_OPT_K)) /* hits are held for a group each */
            r.how.k = (uint32_t)(most < 65536 ? most : 65536);
    }
    if (code == MNI_EXIT_OK) code = prepare_filter(&r);
    if (code == MNI_EXIT_OK) code = open_queries(&r);
    if (code == MNI_EXIT_OK) code = make_room(&r);
    if (code == MNI_EXIT_OK) code = search_and_write(&r);
    mni_free(r.hits);
    mni_free(r.answers);
    mni_free(r.bad);
    mni_text_fini(&r.file);
    mni_inputs_fini(&r.photos);
    mann_vectors_free(r.vectors);
    mann_gallery_free(r.g);
    return code;
}
