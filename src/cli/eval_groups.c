/* eval_groups.c - where does it fail? The photos of an evaluation class by class, or by
 * the folder they lie in below their class: CLASS/CONDITION/photo.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cli/eval_report.h"

enum { MOST_LINES = 30 };

/* "cup/dark/1.jpg" -> "dark"; "cup/1.jpg" -> "-". */
static void name_of(const mni_eval_groups *g, const mann_eval_query *q, mni_text *out)
{
    const char *from = strchr(q->path, '/'), *to = strrchr(q->path, '/');
    if (!g->by_condition) mni_text_add(out, q->klass ? q->klass : "-");
    else if (from && to > from)
        mni_text_f(out, "%.*s", (int)(to - from - 1), from + 1);
    else mni_text_char(out, '-');
}

static mni_eval_group *group_of(mni_eval_groups *g, const mann_eval_query *q)
{
    mni_text name = { 0 };
    uint32_t at = 0;
    name_of(g, q, &name);
    const uint64_t key = mni_hash_bytes(mni_text_get(&name), name.n_chars, 0);
    if (!mni_idmap_get(&g->places, key, &at)) {
        char *copy = name.failed ? NULL : mni_strdup(mni_text_get(&name));
        at = (uint32_t)g->n;
        if (!copy ||
            !mni_grow((void **)&g->list, &g->cap, g->n + 1, sizeof *g->list) ||
            !mni_idmap_put(&g->places, key, at)) {
            mni_free(copy);
            g->failed = 1;
        } else {
            g->list[g->n++] = (mni_eval_group){ .name = copy, .least_own = INFINITY };
        }
    }
    mni_text_fini(&name);
    return g->failed ? NULL : &g->list[at];
}

static void count_wrong(mni_eval_groups *g, mni_eval_group *e, const char *first)
{
    if (e->taken_for && strcmp(e->taken_for, first) == 0) {
        e->balance++;
    } else if (e->balance > 0) {
        e->balance--;
    } else {
        mni_free(e->taken_for);
        e->taken_for = mni_strdup(first);
        e->balance = 1;
        g->failed |= !e->taken_for;
    }
}

void mni_eval_group_one(void *groups, const mann_eval_query *q)
{
    mni_eval_groups *g = groups;
    mni_eval_group *e = g->failed ? NULL : group_of(g, q);
    if (!e) return;
    if (q->stranger) {
        e->n_strangers++;
        e->accepted += q->known != 0;
    } else if (q->rank) {
        e->n++;
        e->right += q->rank == 1;
        e->known += q->known != 0;
        e->sum_own += (double)q->own_score;
        e->least_own = fmin(e->least_own, (double)q->own_score);
        if (q->rank > 1 && q->first) count_wrong(g, e, q->first);
    }
}

/* The worst first; equally bad: the larger, then by name. */
static int worse(const void *a, const void *b)
{
    const mni_eval_group *x = a, *y = b;
    const double p = x->n ? (double)x->right / (double)x->n : 2,
                 q = y->n ? (double)y->right / (double)y->n : 2;
    if (p != q) return p < q ? -1 : 1;
    if (x->n != y->n) return x->n > y->n ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void sort(mni_eval_groups *g)
{
    if (g->n) qsort(g->list, g->n, sizeof *g->list, worse);
}

void mni_eval_groups_text(mni_eval_groups *g, mni_text *out)
{
    sort(g);
    mni_text_f(out, "\n  %-24s %7s %8s %8s %8s  %s\n",
               g->by_condition ? "condition" : "class", "asked", "top1", "own", "least",
               g->by_condition ? "" : "mostly taken for");
    for (size_t i = 0; i < g->n && i < MOST_LINES; i++) {
        const mni_eval_group *e = &g->list[i];
        mni_text_add(out, "  ");
        mni_out_padded(out, e->name, 24);
        if (e->n == 0) {
            mni_text_f(out, " %7llu strangers, %llu accepted\n",
                       (unsigned long long)e->n_strangers,
                       (unsigned long long)e->accepted);
            continue;
        }
        mni_text_f(out, " %7llu %6.1f %% %8.3f %8.3f  ", (unsigned long long)e->n,
                   100 * (double)e->right / (double)e->n, e->sum_own / (double)e->n,
                   e->least_own);
        if (e->taken_for && !g->by_condition) mni_out_name(out, e->taken_for);
        mni_text_char(out, '\n');
    }
    if (g->n > MOST_LINES)
        mni_text_f(out, "  ... and %zu more (--json has all)\n", g->n - MOST_LINES);
}

void mni_eval_groups_json(mni_eval_groups *g, mni_json *j)
{
    sort(g);
    mni_json_key(j, "groups");
    mni_json_array(j);
    for (size_t i = 0; i < g->n; i++) {
        const mni_eval_group *e = &g->list[i];
        const double n = e->n ? (double)e->n : (double)NAN;
        mni_json_object(j);
        mni_json_key(j, g->by_condition ? "condition" : "class");
        mni_json_string(j, e->name);
        mni_json_key(j, "queries");
        mni_json_u64(j, e->n);
        mni_json_key(j, "top1");
        mni_json_number(j, (double)e->right / n);
        mni_json_key(j, "known");
        mni_json_number(j, (double)e->known / n);
        mni_json_key(j, "own_score");
        mni_json_number(j, e->sum_own / n);
        mni_json_key(j, "least_own_score");
        mni_json_number(j, e->n ? e->least_own : (double)NAN);
        mni_json_key(j, "mostly_taken_for");
        mni_json_string(j, e->taken_for);
        mni_json_key(j, "strangers");
        mni_json_u64(j, e->n_strangers);
        mni_json_key(j, "strangers_accepted");
        mni_json_u64(j, e->accepted);
        mni_json_end(j);
    }
    mni_json_end(j);
}

void mni_eval_groups_fini(mni_eval_groups *g)
{
    for (size_t i = 0; i < g->n; i++) {
        mni_free(g->list[i].name);
        mni_free(g->list[i].taken_for);
    }
    mni_free(g->list);
    mni_idmap_fini(&g->places);
    *g = (mni_eval_groups){ 0 };
}
