/* report.c - see report.h. SPDX-License-Identifier: MIT */
#include "cli/report.h"

#include <math.h>
#include <string.h>

enum { NAME_BYTES = 4096, WIDEST_NAME = 40 };

const char *mni_verdict_name(mann_verdict v)
{
    return v == MANN_KNOWN ? "known" : v == MANN_UNSURE ? "unsure" : "unknown";
}

const char *mni_similarity_band(float similarity)
{
    return similarity >= 0.9f   ? "very high"
           : similarity >= 0.7f ? "high"
           : similarity >= 0.5f ? "medium"
                                : "low";
}

/* NULL for rows without a class, and for a class that vanished since the search. */
static const char *class_of(mann_gallery *g, const mann_hit *h, char *room)
{
    if (h->klass == MANN_NO_CLASS) return NULL;
    return mann_gallery_class_name(g, h->klass, room, NAME_BYTES, NULL) == MANN_OK ? room
                                                                                   : NULL;
}

static const char *source_of(mann_gallery *g, const mann_hit *h, char *room)
{
    if (mann_gallery_source(g, h->id, room, NAME_BYTES, NULL) != MANN_OK || !room[0])
        return NULL;
    return room;
}

/* The user's own name of the row. */
static const char *key_of(mann_gallery *g, const mann_hit *h, char *room)
{
    if (mann_gallery_key(g, h->id, room, NAME_BYTES, NULL) != MANN_OK || !room[0])
        return NULL;
    return room;
}

static void number_or_null(mni_json *j, const char *key, double v)
{
    mni_json_key(j, key);
    mni_json_number(j, v);              /* NaN becomes null */
}

static void hit_json(mni_json *j, mann_gallery *g, uint32_t metric, const mann_hit *h,
                     uint32_t rank)
{
    char room[NAME_BYTES];
    mni_json_object(j);
    mni_json_key(j, "rank");
    mni_json_u64(j, rank);
    mni_json_key(j, "class");
    mni_json_string(j, class_of(g, h, room));
    number_or_null(j, "score", h->score);
    float near = h->score < 0 ? 0 : h->score > 1 ? 1 : h->score;
    number_or_null(j, "similarity", metric == MANN_COSINE ? near : (float)NAN);
    mni_json_key(j, "similarity_band");
    mni_json_string(j, metric == MANN_COSINE ? mni_similarity_band(near) : NULL);
    mni_json_key(j, "id");
    mni_json_u64(j, h->id);
    mni_json_key(j, "key");
    mni_json_string(j, key_of(g, h, room));
    const char *source = source_of(g, h, room);
    mni_json_key(j, "image_path");
    mni_json_string(j, source);
    mni_json_key(j, "filename");
    mni_json_string(j, source ? mni_path_name(source) : NULL);
    number_or_null(j, "distance", h->distance);
    mni_json_end(j);
}

void mni_report_json(mni_json *j, mann_gallery *g, uint32_t metric, const mni_answered *a)
{
    mni_json_object(j);
    mni_json_key(j, "query");
    mni_json_string(j, a->query);
    if (a->problem) {
        mni_json_key(j, "error");
        mni_json_string(j, a->problem);
        mni_json_end(j);
        return;
    }
    mni_json_key(j, "verdict");
    mni_json_string(j, a->rows ? NULL : mni_verdict_name(a->answer.verdict));
    number_or_null(j, "threshold", a->answer.threshold);
    number_or_null(j, "margin", a->answer.margin);
    mni_json_key(j, "metric");
    mni_json_string(j, mni_metric_name(metric));
    mni_json_key(j, "higher_is_better");
    mni_json_bool(j, 1);                /* of score, for every metric */
    number_or_null(j, "embed_ms", a->embed_ms);
    number_or_null(j, "search_ms", a->search_ms);
    mni_json_key(j, "results");
    mni_json_array(j);
    for (uint32_t i = 0; i < a->answer.n_hits; i++)
        hit_json(j, g, metric, &a->hits[i], i + 1);
    mni_json_end(j);
    mni_json_end(j);
}

static void headline(mni_text *out, mann_gallery *g, const mni_answered *a)
{
    char room[NAME_BYTES];
    mni_out_name(out, a->query);
    mni_text_add(out, ": ");
    if (a->problem) { mni_out_name(out, a->problem); mni_text_char(out, '\n'); return; }
    if (a->answer.n_hits == 0) {
        mni_text_add(out, a->rows ? "unknown (no row to compare with, or none as near)\n"
                                  : "unknown (no class to compare with)\n");
        return;
    }
    if (a->rows) {
        mni_text_f(out, "%u nearest row%s\n", (unsigned)a->answer.n_hits,
                   mni_s(a->answer.n_hits));
        return;
    }
    const char *name = class_of(g, &a->hits[0], room);
    mni_text_add(out, mni_verdict_name(a->answer.verdict));
    if (a->answer.verdict != MANN_UNKNOWN && name) {
        mni_text_add(out, ", ");
        mni_out_name(out, name);
    }
    mni_text_f(out, "  (score %.4f", (double)a->hits[0].score);
    if (!isnan(a->answer.threshold))
        mni_text_f(out, ", threshold %.4f", (double)a->answer.threshold);
    if (isfinite(a->answer.margin))
        mni_text_f(out, ", margin %.4f", (double)a->answer.margin);
    mni_text_add(out, ")\n");
}

void mni_report_text(mni_text *out, mann_gallery *g, const mni_answered *a)
{
    char room[NAME_BYTES];
    headline(out, g, a);
    if (a->problem) return;
    unsigned wide = 5;
    for (uint32_t i = 0; i < a->answer.n_hits; i++) {
        const char *name = class_of(g, &a->hits[i], room);
        unsigned n = name ? mni_out_columns(name) : 0;
        if (n > wide) wide = n > WIDEST_NAME ? WIDEST_NAME : n;
    }
    for (uint32_t i = 0; i < a->answer.n_hits; i++) {
        const mann_hit *h = &a->hits[i];
        const char *name = class_of(g, h, room);
        mni_text_f(out, "  %3u  ", (unsigned)i + 1);
        mni_out_padded(out, name ? name : "-", wide);
        mni_text_f(out, "  %10.4f  ", (double)h->score + 0.0);  /* no -0 */
        char key_room[NAME_BYTES];
        const char *source = source_of(g, h, room), *key = key_of(g, h, key_room);
        if (source) mni_out_name(out, source);
        else if (!key) mni_text_f(out, "id %llu", (unsigned long long)h->id);
        if (key) mni_text_add(out, source ? "  key " : "key ");
        if (key) mni_out_name(out, key);
        mni_text_char(out, '\n');
    }
}
