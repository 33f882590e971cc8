/* hnsw.c - a navigable small world in levels: the kind "HNSW".
 *
 * Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
 * hierarchical navigable small world graphs" (2018). Each row is linked to some of its
 * neighbours; a search walks from row to row, always to where it is nearer, and finds its
 * way in some hundred steps among millions. Few rows stand on upper levels as well, where
 * links are long:
 *
 *     level 2      o-----------------------o              start here, greedily
 *                  |                       |
 *     level 1      o--------o------o-------o------o       then here
 *                  |        |      |       |      |
 *     level 0      o-o--o-o-o--o-o-o-o--o--o-o--o-o-o     the answer is around here
 *
 * Files, in reading order: hnsw_search.c (the walk), hnsw_link.c (which links),
 * hnsw_build.c (many rows at once), hnsw_grid.c (codes), hnsw_rows.c (none),
 * hnsw_reach.c (nobody is lost),
 * hnsw_order.c and hnsw_settle.c (neighbours in memory), hnsw_cut.c (taking rows out),
 * hnsw_change.c (add, remove, fold), hnsw_file.c, hnsw_check.c. This one: names, numbers,
 * the table.
 * SPDX-License-Identifier: MIT */
#include "index/hnsw.h"

static int accepts(const char *spec, char canonical[MNI_ANN_SPEC])
{
    mni_spec said;
    return mni_spec_is(MNI_HNSW, spec, &said, canonical);
}

uint32_t mni_hnsw_bits(const mni_spec *said, const mni_rows *shape)
{
    return mni_hnsw_walks_rows(shape, said) ? 0 : said->codes == MNI_CODES_SQ4 ? 4 : 8;
}

/* Counted for rows without structure: a walk measures about 16 new rows for each of the
 * ef that it expands, and a row that is built in does so with build_ef, and half as much
 * again for its links. */
static void cost(const char *spec, const mni_rows *shape, mni_ann_cost *out)
{
    mni_spec said = { 0 };
    char canonical[MNI_ANN_SPEC];
    const double n = shape->n, a_row = 16.0;
    *out = (mni_ann_cost){ 0 };
    if (!mni_spec_is(MNI_HNSW, spec, &said, canonical)) return;
    const uint32_t bits = mni_hnsw_bits(&said, shape), m = said.links;
    const uint64_t code = bits ? mni_hnsw_code_bytes(shape->dim, bits) : 0,
                   fine = mni_hnsw_code_bytes(shape->dim, 8),
                   links = 4 * (2 * m + 1) + 4 * (m + 2) / (m - 1) + 1;
    const double walk = a_row * said.build_ef < n ? a_row * said.build_ef : n;
    const double ask = a_row * 64 < n ? a_row * 64 : n;
    out->file_bytes = shape->n * (links + code) + 4 * shape->dim + 64;
    /* at the peak: links twice while they are put in order, codes, tree and order */
    out->build_bytes = shape->n * (2 * links + fine + code + 10) + (1u << 20);
    out->build_distances = 1.5 * n * walk;
    out->query_distances = ask;
}

static size_t report(const mni_ann *a, const mni_rows *rows, mni_ann_fact *facts)
{
    const mni_hnsw *h = (const mni_hnsw *)a;
    const double n = h->n ? h->n : 1;
    uint64_t links = 0, upper = 0;
    (void)rows;
    for (uint32_t i = 0; i < h->n; i++)
        links += mni_hnsw_degree(h->links + (size_t)i * h->m0, h->m0, h->n);
    for (uint32_t l = 1; l <= h->n_levels; l++)
        upper += (uint64_t)h->level[l].n * (h->m + 2) * sizeof(uint32_t);
    facts[0] = (mni_ann_fact){ "links a row on level 0", (double)links / n };
    facts[1] = (mni_ann_fact){ "levels above 0", h->n_levels };
    facts[2] = (mni_ann_fact){ "bytes a row for links", /* all levels, numbers */
                               4.0 * (h->m0 + 1) + (double)upper / n };
    facts[3] = (mni_ann_fact){ "bytes a row for codes", (double)h->walk.bytes };
    facts[4] = (mni_ann_fact){ "bits a value", h->bits ? h->bits : 8 };
    return 5;
}

const mni_ann_ops mni_hnsw_ops = {
    .name = "HNSW", .knob = "ef", .accepts = accepts, .cost = cost,
    .build = mni_hnsw_build, .fold = mni_hnsw_fold, .add = mni_hnsw_add,
    .remove = mni_hnsw_remove, .own = mni_hnsw_own, .open = mni_hnsw_open,
    .write = mni_hnsw_write, .check = mni_hnsw_check, .search = mni_hnsw_search,
    .report = report, .free = mni_hnsw_free
};
