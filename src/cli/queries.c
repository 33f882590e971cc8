/* queries.c - see queries.h. SPDX-License-Identifier: MIT */
#include "cli/queries.h"

#include "base/mem.h"
#include "os/pool.h"

typedef struct job {
    mann_gallery *g;
    mann_pool *pool;
    const mni_input *files;
    mni_photos *out;
} job;

static void embed_range(void *ctx, size_t begin, size_t end, size_t chunk)
{
    job *w = ctx;
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        mann_image im = { 0 };
        mann_error *problem = &w->out->problems[i];
        mann_status s = mann_gallery_photo(w->g, w->files[i].path, &im, problem);
        /* The pool is busy with this loop unless there is one photo: then its threads
         * share the network. */
        if (s == MANN_OK)
            s = mann_gallery_embed(w->g, &im, 1, w->pool,
                                   w->out->vectors + i * w->out->dim, problem);
        problem->code = s;
        mann_image_clear(&im);
    }
}

mann_status mni_photos_embed(mni_cli *c, mann_gallery *g, const mni_input *files,
                             size_t n, mni_photos *out)
{
    job w = { .g = g, .files = files, .out = out };
    mann_gallery_info info = { .struct_size = sizeof info };
    *out = (mni_photos){ .n = n };
    MNI_TRY(mni_cli_pool(c, &w.pool));
    MNI_TRY(mann_gallery_describe(g, &info, &c->err));
    out->dim = info.dim;
    if (n && out->dim > SIZE_MAX / n)
        return mni_fail(&c->err, MANN_E_LIMIT, "%zu photos", n);
    out->vectors = mni_alloc(n * out->dim, sizeof *out->vectors);
    out->problems = mni_alloc(n, sizeof *out->problems);
    if (!out->vectors || !out->problems) {
        mni_photos_fini(out);
        return mni_fail(&c->err, MANN_E_NOMEM, "%zu vectors", n);
    }
    mni_parallel_for(w.pool, n, 1, embed_range, &w);
    return MANN_OK;
}

void mni_photos_fini(mni_photos *p)
{
    mni_free(p->vectors);
    mni_free(p->problems);
    *p = (mni_photos){ .n = 0 };
}
