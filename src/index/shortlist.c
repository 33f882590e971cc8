/* shortlist.c - see shortlist.h. SPDX-License-Identifier: MIT */
#include "index/shortlist.h"

enum { AHEAD = 8 };

static void drop_late(mni_shortlist *s)
{
    const float limit = mni_shortlist_limit(s);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (!(s->begin[i].distance > limit)) s->begin[kept++] = s->begin[i];
    s->n = kept;
}

/* The rows lie anywhere in memory: each is asked for while those before it are
 * measured. */
static void measure(mni_shortlist *s)
{
    for (uint32_t i = 0; i < s->n && i < AHEAD; i++)
        mni_rows_fetch(s->rows, s->begin[i].row);
    for (uint32_t i = 0; i < s->n; i++) {
        float d;
        const uint32_t row = s->begin[i].row;
        if (i + AHEAD < s->n) mni_rows_fetch(s->rows, s->begin[i + AHEAD].row);
        mni_rows_scan(s->rows, s->query, row, row + 1, &d);
        mni_topk_push(s->best, d, row);
    }
    s->n = 0;
}

void mni_shortlist_offer(mni_shortlist *s, uint32_t row, float begin, float end)
{
    if (s->p->keep && !s->p->keep(s->p->keep_ctx, row)) return;
    mni_topk_push(&s->ends, end == end ? end : INFINITY, row);
    s->begin[s->n++] = (mni_near){ begin, row };
    if (s->n < MNI_SHORT_ROWS) return;
    drop_late(s);
    if (s->n > MNI_SHORT_ROWS / 2) measure(s);
}

void mni_shortlist_finish(mni_shortlist *s)
{
    drop_late(s);
    measure(s);
}
