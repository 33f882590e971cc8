// hnswlib_shim.cpp - the few calls of hnswlib that hnsw.c measures, for C.
// SPDX-License-Identifier: MIT
#include <hnswlib/hnswlib.h>

#include <cstddef>
#include <cstdint>

extern "C" {
struct peer {
    hnswlib::SpaceInterface<float> *space;
    hnswlib::HierarchicalNSW<float> *graph;
};

static hnswlib::SpaceInterface<float> *space_of(size_t dim, int inner)
{
    if (inner) return new hnswlib::InnerProductSpace(dim);
    return new hnswlib::L2Space(dim);
}
void *peer_new(size_t dim, size_t rows, size_t m, size_t build_ef, int inner)
{
    peer *p = new peer;
    p->space = space_of(dim, inner);
    p->graph = new hnswlib::HierarchicalNSW<float>(p->space, rows, m, build_ef);
    return p;
}
void peer_add(void *peer_, const float *row, size_t id)
{
    static_cast<peer *>(peer_)->graph->addPoint(row, id);
}
void peer_save(void *peer_, const char *path)
{
    static_cast<peer *>(peer_)->graph->saveIndex(path);
}
void *peer_load(size_t dim, size_t rows, const char *path, int inner)
{
    peer *p = new peer;
    p->space = space_of(dim, inner);
    p->graph = new hnswlib::HierarchicalNSW<float>(p->space, path, false, rows);
    return p;
}
void peer_ef(void *peer_, size_t ef) { static_cast<peer *>(peer_)->graph->setEf(ef); }
void peer_ask(void *peer_, const float *query, size_t k, uint32_t *out)
{
    auto found = static_cast<peer *>(peer_)->graph->searchKnn(query, k);
    for (size_t i = 0; i < k; i++) out[i] = UINT32_MAX;
    for (size_t i = found.size(); i-- > 0; found.pop())
        out[i] = static_cast<uint32_t>(found.top().second);
}
void peer_free(void *peer_)
{
    peer *p = static_cast<peer *>(peer_);
    delete p->graph;
    delete p->space;
    delete p;
}
}
