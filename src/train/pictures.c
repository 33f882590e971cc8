/* pictures.c - see pictures.h. SPDX-License-Identifier: MIT */
#include "train/pictures.h"

#include "base/mem.h"
#include "os/try.h"
#include "train/augment.h"

typedef struct prepare_job {
    const mni_cache *cache;
    const mni_pick *picks;
    size_t at, input_floats;
    uint8_t *rooms; /* 2 per picture */
    float *input;
} prepare_job;

static mann_status prepare(void *ctx, size_t begin, size_t end, size_t chunk,
                           mann_error *err)
{
    const prepare_job *j = ctx;
    const mni_cache *c = j->cache;
    const mni_augment none = { 0 };
    (void)chunk;
    for (size_t i = begin; i < end; i++) {
        const mni_pick *pick = &j->picks[j->at + i];
        uint8_t *room = j->rooms + 2 * i * mni_cache_room(c);
        mni_picture p;
        MNI_TRY(mni_cache_get(c, pick->image, room, &p, err));
        MNI_TRY(mni_augment_run(&none, &p, &c->recipe, pick->turn,
                                mni_rng_at(0, MNI_FOR_AUGMENT, 0, 0, 0),
                                room + mni_cache_room(c),
                                j->input + i * j->input_floats, err));
    }
    return MANN_OK;
}

mann_status mni_pictures_embed(const mni_cache *c, const mni_pick *picks, size_t n,
                               const mni_model *m, mni_pool *pool, float *rows,
                               mann_error *err)
{
    const uint32_t dim = mni_model_shape_of(m).dim;
    prepare_job j = { .cache = c,
                      .picks = picks,
                      .input_floats = (size_t)3 * c->recipe.size * c->recipe.size };
    const size_t most = MNI_PICTURES_AT_ONCE;
    j.rooms = mni_alloc(2 * most, mni_cache_room(c));
    j.input = mni_alloc_aligned(most, j.input_floats * sizeof *j.input, 0);
    mann_status s = MANN_OK;
    if (!j.rooms || !j.input)
        s = mni_fail(err, MANN_E_NOMEM, "input of %zu pictures", most);
    for (; s == MANN_OK && j.at < n; j.at += most) {
        const size_t now = n - j.at < most ? n - j.at : most;
        s = mni_parallel_try(pool, now, 1, prepare, &j, err);
        if (s == MANN_OK)
            s = mni_model_forward(m, j.input, now, pool, rows + j.at * dim, err);
    }
    mni_free(j.rooms);
    mni_free(j.input);
    return s;
}
