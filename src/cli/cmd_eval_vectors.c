/* cmd_eval_vectors.c - how good are anybody's vectors at finding what belongs together?
 *
 * Truth is a text of pairs, "query TAB row", where both are numbers counted from 0, or
 * names if --query-ids and --ids say which row is called what.
 * SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/eval_report.h"
#include "os/vfs.h"

enum { TEXT_LIMIT = 1 << 30 };

/* --- lines and fields --------------------------------------------------------------- */

typedef struct field { const char *chars; size_t n; } field;

/* The next line of [*at, end) that is not empty and no comment, in at most `most` fields
 * separated by tabs (the last one gets the rest). 0 fields: the text is over. */
static size_t next_line(const char **at, const char *end, size_t *number, field *fields,
                        size_t most)
{
    while (*at < end) {
        const char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop) stop = end;
        *at = stop < end ? stop + 1 : end;
        ++*number;
        if (stop > line && stop[-1] == '\r') stop--;
        if (stop == line || *line == '#') continue;
        size_t n = 0;
        while (n + 1 < most) {
            const char *tab = memchr(line, '\t', (size_t)(stop - line));
            if (!tab) break;
            fields[n++] = (field){ line, (size_t)(tab - line) };
            line = tab + 1;
        }
        fields[n++] = (field){ line, (size_t)(stop - line) };
        return n;
    }
    return 0;
}

static int number_of(field f, uint64_t *out)
{
    char digits[24];
    if (f.n == 0 || f.n >= sizeof digits) return 0;
    memcpy(digits, f.chars, f.n);
    digits[f.n] = '\0';
    return mni_parse_u64(digits, out);
}

/* --- names of rows ------------------------------------------------------------------ */

typedef struct named { field name; uint64_t row; } named;
typedef struct names {
    const char *path;           /* NULL: rows have numbers only */
    uint8_t *text;
    named *sorted;
    size_t n, cap;
} names;

static int compare(field a, field b)
{
    const size_t n = a.n < b.n ? a.n : b.n;
    const int c = n ? memcmp(a.chars, b.chars, n) : 0;
    return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int by_name(const void *a, const void *b)
{
    return compare(((const named *)a)->name, ((const named *)b)->name);
}

/* A name a line, for row 0, 1, ...; or "row TAB name". */
static mann_status read_names(mni_cli *c, const char *path, size_t n_rows, names *out)
{
    size_t bytes, number = 0, n;
    field f[2];
    out->path = path;
    if (!path) return MANN_OK;
    MNI_TRY(mni_read_file(mni_vfs_posix(), path, TEXT_LIMIT, &out->text, &bytes,
                          &c->err));
    const char *at = (const char *)out->text, *end = at + bytes;
    while ((n = next_line(&at, end, &number, f, 2)) > 0) {
        named x = { f[n - 1], out->n };
        if (n == 2 && !number_of(f[0], &x.row))
            return mni_fail(&c->err, MANN_E_FORMAT,
                            "%s: line %zu: \"%.*s\", wanted the number of a row before "
                            "the tab",
                            path, number, (int)(f[0].n < 40 ? f[0].n : 40), f[0].chars);
        if (x.row >= n_rows)
            return mni_fail(&c->err, MANN_E_FORMAT,
                            "%s: line %zu: names row %llu, there are %zu", path, number,
                            (unsigned long long)x.row, n_rows);
        if (!mni_grow((void **)&out->sorted, &out->cap, out->n + 1, sizeof x))
            return mni_fail(&c->err, MANN_E_NOMEM, "%s: names", path);
        out->sorted[out->n++] = x;
    }
    if (out->n) qsort(out->sorted, out->n, sizeof *out->sorted, by_name);
    for (size_t i = 1; i < out->n; i++)
        if (by_name(&out->sorted[i], &out->sorted[i - 1]) == 0)
            return mni_fail(&c->err, MANN_E_FORMAT,
                            "%s: \"%.*s\" is the name of two rows, %llu and %llu", path,
                            (int)(out->sorted[i].name.n < 200 ? out->sorted[i].name.n
                                                              : 200),
                            out->sorted[i].name.chars,
                            (unsigned long long)out->sorted[i - 1].row,
                            (unsigned long long)out->sorted[i].row);
    return MANN_OK;
}

static int find(const names *l, field f, uint64_t *row)
{
    if (!l->path) return number_of(f, row);
    const named key = { f, 0 },
        *x = l->n ? bsearch(&key, l->sorted, l->n, sizeof key, by_name) : NULL;
    if (x) *row = x->row;
    return x != NULL;
}

static void names_fini(names *l)
{
    mni_free(l->text);
    mni_free(l->sorted);
}

/* --- pairs -------------------------------------------------------------------------- */

typedef struct truth { uint64_t *pairs; size_t n, cap; } truth;

static mann_status read_truth(mni_cli *c, const char *path, const names *queries,
                              const names *base, truth *out)
{
    uint8_t *text;
    size_t bytes, number = 0, n;
    field f[3];
    const names *const of[2] = { queries, base };
    mann_status s = mni_read_file(mni_vfs_posix(), path, TEXT_LIMIT, &text, &bytes,
                                  &c->err);
    if (s != MANN_OK) return s;
    const char *at = (const char *)text, *end = at + bytes;
    while (s == MANN_OK && (n = next_line(&at, end, &number, f, 3)) > 0) {
        uint64_t pair[2] = { 0, 0 };
        if (n < 2) {
            s = mni_fail(&c->err, MANN_E_FORMAT,
                         "%s: line %zu: no tab, wanted query TAB row", path, number);
            break;
        }
        for (int i = 0; i < 2 && s == MANN_OK; i++)
            if (!find(of[i], f[i], &pair[i]))
                s = mni_fail(&c->err, MANN_E_FORMAT, "%s: line %zu: \"%.*s\" is %s%s",
                             path, number, (int)(f[i].n < 200 ? f[i].n : 200), f[i].chars,
                             of[i]->path ? "no name in " : "no number of a row",
                             of[i]->path ? of[i]->path : "");
        if (s == MANN_OK && !mni_grow((void **)&out->pairs, &out->cap, 2 * out->n + 2,
                                      sizeof *out->pairs))
            s = mni_fail(&c->err, MANN_E_NOMEM, "%s: pairs", path);
        if (s == MANN_OK) memcpy(out->pairs + 2 * out->n++, pair, sizeof pair);
    }
    mni_free(text);
    return s;
}

/* --- the command -------------------------------------------------------------------- */

static int print(mni_cli *c, const mann_retrieval_scores *r)
{
    const mni_eval_count counts[] = {
        { "queries", r->n_queries, "asked: they have at least one right answer" },
        { "lone", r->n_lone, "not counted: nothing in the truth belongs to them" },
        { "pairs", r->n_pairs, "different pairs in the truth" },
    };
    const mni_eval_figure figures[] = {
        { "recall", r->recall, 1, "share of a query's right answers among the first k" },
        { "precision", r->precision, 1, "share of the k places that are right" },
        { "hit", r->hit, 1, "queries with a right answer among the first k" },
        { "ndcg", r->ndcg, 0, "gain 1 / log2(rank + 1), over that of the best list" },
        { "mrr", r->mrr, 0, "mean of 1 / rank of the first right answer; 0 beyond k" },
    };
    return mni_eval_report(c, counts, sizeof counts / sizeof counts[0], figures,
                           sizeof figures / sizeof figures[0], r->recall, NULL);
}

static mann_status read_all(mni_cli *c, mann_vectors **base, mann_vectors **queries,
                            names *base_names, names *query_names, truth *t)
{
    const mni_options *o = &c->options;
    MNI_TRY(mann_vectors_read(base, mni_opt_text(o, MNI_OPT_BASE), &c->err));
    MNI_TRY(mann_vectors_read(queries, mni_opt_text(o, MNI_OPT_QUERIES), &c->err));
    MNI_TRY(read_names(c, mni_opt_text(o, MNI_OPT_IDS), mann_vectors_matrix(*base).rows,
                       base_names));
    MNI_TRY(read_names(c, mni_opt_text(o, MNI_OPT_QUERY_IDS),
                       mann_vectors_matrix(*queries).rows, query_names));
    return read_truth(c, mni_opt_text(o, MNI_OPT_TRUTH), query_names, base_names, t);
}

int mni_eval_vectors(mni_cli *c)
{
    const mni_options *o = &c->options;
    mann_vectors *base = NULL, *queries = NULL;
    names base_names = { 0 }, query_names = { 0 };
    truth t = { 0 };
    mann_pool *pool;
    mann_retrieval_scores r = { .struct_size = sizeof r };
    const char *metric = mni_opt_text(o, MNI_OPT_METRIC);
    if (!mni_opt_text(o, MNI_OPT_BASE) || !mni_opt_text(o, MNI_OPT_QUERIES) ||
        !mni_opt_text(o, MNI_OPT_TRUTH) || o->n_files)
        return mni_cli_usage(c, "vectors are measured with --base FILE --queries FILE "
                                "--truth FILE, all three, and nothing else is named");
    mann_status s = mni_cli_pool(c, &pool);
    if (s == MANN_OK) s = read_all(c, &base, &queries, &base_names, &query_names, &t);
    if (s == MANN_OK)
        s = mann_evaluate_retrieval(
            mann_vectors_matrix(base), mann_vectors_matrix(queries),
            !metric || metric[0] == 'c' ? MANN_COSINE
            : metric[0] == 'l'          ? MANN_L2
                                        : MANN_INNER,
            t.pairs, t.n, mni_opt_u32(o, MNI_OPT_K), pool, &c->hooks, &r, &c->err);
    const int code = s == MANN_OK ? print(c, &r) : mni_cli_fail(c, MNI_FROM_INPUT, s);
    mann_vectors_free(base);
    mann_vectors_free(queries);
    names_fini(&base_names);
    names_fini(&query_names);
    mni_free(t.pairs);
    return code;
}
