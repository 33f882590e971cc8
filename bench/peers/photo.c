/* photo.c - bytes of JPEG files -> embeddings of ResNet-18, ours beside Pillow + PyTorch
 * in turn (pipe.h). Both decode no larger than needed, bring the short side to 224,
 * antialiased, crop the middle, normalise, and run the network on all photos together.
 *
 *     photo PYTHON SCRIPT THREADS         the script is photo_torch.py
 *
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "base/mem.h"
#include "image/image.h"
#include "image/prep.h"
#include "nn/model.h"
#include "photos.h"
#include "pipe.h"

enum { PHOTOS = 16, SIDE = 224, DIM = 512, INPUT = 3 * SIDE * SIDE };

typedef struct job {
    bench_photos photos;
    mni_recipe recipe;
    mni_model *model;
    mann_pool *pool;
    float *input, *out;
} job;

static void prepare(void *ctx, size_t begin, size_t end, size_t chunk)
{
    const job *j = ctx;
    (void)chunk;
    for (; begin < end; begin++) {
        mann_error err;
        mann_image im;
        mni_decode_opts opts;
        mni_recipe_decode_opts(&j->recipe, &opts);
        bench_must(mni_image_decode(&im, j->photos.files[begin].bytes,
                                    j->photos.files[begin].n_bytes, &opts, &err), &err);
        bench_must(mni_prep_run(&j->recipe, &im, j->input + begin * INPUT, &err), &err);
        mann_image_clear(&im);
    }
}

static void ours(void *ctx)
{
    const job *j = ctx;
    mann_error err;
    mni_parallel_for(j->pool, PHOTOS, 1, prepare, (void *)j);
    bench_must(mni_model_forward(j->model, j->input, PHOTOS, j->pool, j->out, &err),
               &err);
}

static void ready(job *j, int threads)
{
    mann_error err;
    static const float mean[3] = { 0.485f, 0.456f, 0.406f },
                       std[3] = { 0.229f, 0.224f, 0.225f };
    mni_recipe_fill(&j->recipe, SIDE);
    j->recipe.fit = MNI_FIT_CROP;
    for (int i = 0; i < 3; i++) {
        j->recipe.mean[i] = mean[i];
        j->recipe.std[i] = std[i];
    }
    bench_must(mni_model_new(&j->model, "resnet18", 0, 1, &err), &err);
    bench_must(mann_pool_new(&j->pool, (uint32_t)threads, &err), &err);
    j->input = mni_alloc_aligned(PHOTOS * INPUT, sizeof *j->input, 0);
    j->out = mni_alloc(PHOTOS * DIM, sizeof *j->out);
    if (!j->input || !j->out) exit(1);
}

int main(int argc, char **argv)
{
    static rounds r;
    static job j;
    char line[32];
    rival other;
    if (argc != 4) return 2;
    r.threads = (int)strtol(argv[3], NULL, 10);
    bench_photos_read(&j.photos);
    if (j.photos.n < PHOTOS) return 78;
    ready(&j, r.threads);
    ours(&j);
    rival_torch_settings(r.threads);
    if (!rival_start_with(&other, argv + 1)) return 1;
    fprintf(other.to, "%d\n", PHOTOS);
    for (int i = 0; i < PHOTOS; i++) {
        fprintf(other.to, "%zu\n", j.photos.files[i].n_bytes);
        fwrite(j.photos.files[i].bytes, 1, j.photos.files[i].n_bytes, other.to);
    }
    fflush(other.to);
    const int there = fgets(line, sizeof line, other.from) &&
                      rival_timed(&other, "go\n") >= 0 &&
                      rival_rounds(&r, &other, "go\n", ours, &j);
    rival_end(&other);
    bench_photos_free(&j.photos);
    mni_model_free(j.model);
    mann_pool_free(j.pool);
    mni_free(j.input);
    mni_free(j.out);
    if (!there) return 77;
    rounds_print(&r, "pytorch", "photo.embed jpeg->resnet18 224 batch=16", PHOTOS,
                 "photo/s");
    return 0;
}
