// faiss_side.cpp - see faiss_side.h. SPDX-License-Identifier: MIT
#include "faiss_side.h"

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQFastScan.h>
#include <faiss/IndexRefine.h>
#include <omp.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <vector>

struct faiss_side {
    std::unique_ptr<faiss::IndexFlatL2> quantizer;
    std::unique_ptr<faiss::IndexIVF> ivf;
    std::unique_ptr<faiss::Index> index;        // flat, or re-ranking of ivf
};

static faiss_side *with_centres(size_t dim, size_t n_lists, const float *centres)
{
    omp_set_num_threads(1);
    faiss_side *s = new faiss_side;
    s->quantizer.reset(new faiss::IndexFlatL2((faiss::Index::idx_t)dim));
    s->quantizer->add((faiss::Index::idx_t)n_lists, centres);
    return s;
}

faiss_side *faiss_side_flat(size_t dim, size_t n, const float *x)
{
    omp_set_num_threads(1);
    faiss_side *s = new faiss_side;
    s->index.reset(new faiss::IndexFlatL2((faiss::Index::idx_t)dim));
    s->index->add((faiss::Index::idx_t)n, x);
    return s;
}

faiss_side *faiss_side_ivf(size_t dim, size_t n, const float *x, size_t n_lists,
                           const float *centres)
{
    faiss_side *s = with_centres(dim, n_lists, centres);
    s->ivf.reset(new faiss::IndexIVFFlat(s->quantizer.get(), dim, n_lists));
    s->ivf->is_trained = true;
    s->ivf->add((faiss::Index::idx_t)n, x);
    return s;
}

faiss_side *faiss_side_fast(size_t dim, size_t n, const float *x, size_t n_lists,
                            const float *centres, size_t pieces, float factor)
{
    try {
        faiss_side *s = with_centres(dim, n_lists, centres);
        auto *fast =
            new faiss::IndexIVFPQFastScan(s->quantizer.get(), dim, n_lists, pieces, 4);
        s->ivf.reset(fast);
        fast->train((faiss::Index::idx_t)(n < 100000 ? n : 100000), x);
        auto *refine = new faiss::IndexRefineFlat(fast);
        refine->k_factor = factor;
        s->index.reset(refine);
        refine->add((faiss::Index::idx_t)n, x);
        return s;
    } catch (const std::exception &e) {
        std::fprintf(stderr, "faiss: %s\n", e.what());
        return nullptr;
    }
}

void faiss_side_free(faiss_side *s) { delete s; }

void faiss_side_ask(faiss_side *s, size_t nprobe, size_t n, const float *queries,
                    size_t k, int64_t *rows)
{
    static std::vector<float> distances;
    distances.resize(n * k);
    if (s->ivf) s->ivf->nprobe = nprobe;
    faiss::Index *index = s->index ? s->index.get() : s->ivf.get();
    index->search((faiss::Index::idx_t)n, queries, (faiss::Index::idx_t)k,
                  distances.data(), rows);
}

double faiss_side_kmeans(size_t dim, size_t n, const float *x, size_t k, int rounds)
{
    double seconds[2];
    omp_set_num_threads(1);
    for (int i = 0; i < 2; i++) {
        faiss::ClusteringParameters p;
        p.niter = i ? rounds + 1 : 1;
        p.max_points_per_centroid = (int)(n / k) + 1;
        faiss::Clustering c((int)dim, (int)k, p);
        faiss::IndexFlatL2 index((faiss::Index::idx_t)dim);
        const auto start = std::chrono::steady_clock::now();
        c.train((faiss::Index::idx_t)n, x, index);
        seconds[i] =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
                .count();
    }
    return seconds[1] - seconds[0];
}
