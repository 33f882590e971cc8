/* test_spec.c - the spellings of index kinds. SPDX-License-Identifier: MIT */
#include <string.h>

#include "harness.h"
#include "index/kinds.h"

static const struct { const char *text, *canonical; } good[] = {
    { "Flat", "Flat" }, { "FLAT", "Flat" }, { "flat", "Flat" },
    { "brute_force", "Flat" }, { "IDMap,Flat", "Flat" },
    { "SQ8", "SQ8" }, { "sq8", "SQ8" }, { "SQ4", "SQ4" },
    { "HNSW", "HNSW16" }, { "HNSW32", "HNSW32" }, { "hnsw16", "HNSW16" },
    { "HNSW32,Flat", "HNSW32" }, { "HNSW16,efc200", "HNSW16" },
    { "HNSW16,efc100", "HNSW16,efc100" }, { "HNSW,m=24,efConstruction=300",
                                            "HNSW24,efc300" },
    { "HNSW,m=24,ef_construction=300,efSearch=50", "HNSW24,efc300" },
    { "HNSW32_SQ8", "HNSW32,SQ8" }, { "HNSW32,SQ4", "HNSW32,SQ4" },
    { "IVF", "IVF,Flat" }, { "IVF_FLAT", "IVF,Flat" }, { "ivfflat", "IVF,Flat" },
    { "IVF4096,Flat", "IVF4096,Flat" }, { "IVF100", "IVF100,Flat" },
    { "IVF,nlist=100,nprobe=8", "IVF100,Flat" }, { "IVF_FLAT nlists=7", "IVF7,Flat" },
    { "IVF65536_HNSW32,Flat", "IVF65536,Flat" }, { "IVF(n/10),Flat", "IVF(n/10),Flat" },
    { "IVF nlist=n/10", "IVF(n/10),Flat" }, { "IVF64,SQ8", "IVF64,SQ8" },
    { "IVF_PQ", "IVF,PQ" }, { "IVF1024,PQ32", "IVF1024,PQ32" },
    { "IVF_PQ,nlist=64,m=8", "IVF64,PQ8" }, { "IVF1024,PQ32x8", "IVF1024,PQ32" },
    { "IVF4096,PQ32x4fs,RFlat", "IVF4096,PQ32x4fs,RFlat" },
    { "IVF4096,PQ32x4fs,Refine(Flat)", "IVF4096,PQ32x4fs,RFlat" },
    { "IVF_PQ nbits=4", "IVF,PQ,nbits=4" },
    { "OPQ32,IVF1024,PQ32", "OPQ32,IVF1024,PQ32" },
    { "OPQ,IVF100,PQ", "OPQ,IVF100,PQ" }, { "PQ32", "IVF1,PQ32" }, { "auto", "auto" },
};

static void test_good(void)
{
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        mni_spec s, again;
        char text[MNI_ANN_SPEC], twice[MNI_ANN_SPEC];
        mann_error e;
        if (mni_spec_parse(&s, good[i].text, &e) != MANN_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", good[i].text, e.text);
        mni_spec_text(&s, text);
        if (strcmp(text, good[i].canonical) != 0)
            test_fail(__FILE__, __LINE__, "%s: %s, wanted %s", good[i].text, text,
                      good[i].canonical);
        CHECK_FINE(mni_spec_parse(&again, text, &e), e);
        mni_spec_text(&again, twice);
        CHECK_STR(twice, text);
        s.ef = s.nprobe = 0;
        CHECK(memcmp(&s, &again, sizeof s) == 0);
    }
}

static void test_numbers(void)
{
    mni_spec s;
    CHECK_OK(mni_spec_parse(&s, "HNSW,m=24,ef_construction=300,efSearch=50", NULL));
    CHECK_EQ(s.links, 24);
    CHECK_EQ(s.build_ef, 300);
    CHECK_EQ(s.ef, 50);
    CHECK_OK(mni_spec_parse(&s, "OPQ16,IVF256,PQ16x4fs,RFlat,nprobe=9", NULL));
    CHECK_EQ(s.family, MNI_IVFPQ);
    CHECK_EQ(s.pieces, 16);
    CHECK_EQ(s.bits, 4);
    CHECK_EQ(s.nprobe, 9);
    CHECK(s.rotate && s.refine);
    CHECK_EQ(mni_spec_lists(&s, 1000000), 256);
    CHECK_EQ(mni_spec_lists(&s, 100), 100);
    CHECK_OK(mni_spec_parse(&s, "IVF", NULL));
    CHECK_EQ(mni_spec_lists(&s, 1000000), 4000);
    CHECK_EQ(mni_spec_lists(&s, 3900), 100);        /* 39 rows a list */
    CHECK_EQ(mni_spec_lists(&s, 0), 1);
    CHECK_OK(mni_spec_parse(&s, "IVF(n/10)", NULL));
    CHECK_EQ(mni_spec_lists(&s, 1000), 100);
}

static void test_refused(void)
{
    static const struct { const char *text; mann_status status; } bad[] = {
        { "", MANN_E_UNSUPPORTED }, { "Tree9", MANN_E_UNSUPPORTED },
        { "annoy", MANN_E_UNSUPPORTED }, { "NSG32", MANN_E_UNSUPPORTED },
        { "Flat7", MANN_E_UNSUPPORTED }, { "HNSW1", MANN_E_ARG },
        { "HNSW99999999999999999999", MANN_E_ARG }, { "IVF0,Flat", MANN_E_ARG },
        { "IVF9999999,Flat", MANN_E_ARG }, { "IVF10,PQ8x3", MANN_E_UNSUPPORTED },
        { "SQ7", MANN_E_UNSUPPORTED }, { "HNSW16,PQ8", MANN_E_UNSUPPORTED },
        { "OPQ16", MANN_E_UNSUPPORTED }, { "HNSW16,m=", MANN_E_UNSUPPORTED },
        { "16", MANN_E_UNSUPPORTED }, { "HNSW16;nonsense=3", MANN_E_UNSUPPORTED },
        { "OPQ16_64,IVF10,PQ8", MANN_E_UNSUPPORTED }, { "HNSW(", MANN_E_UNSUPPORTED },
        { "IVF(n/0),Flat", MANN_E_UNSUPPORTED },
    };
    mann_error e;
    mni_spec s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mann_status got = mni_spec_parse(&s, bad[i].text, &e);
        if (got != bad[i].status)
            test_fail(__FILE__, __LINE__, "\"%s\": %s, wanted %s", bad[i].text,
                      mann_status_name(got), mann_status_name(bad[i].status));
    }
    mni_spec_parse(&s, "annoy", &e);
    CHECK(strstr(e.text, "HNSW") && strstr(e.text, "mapped"));
}

/* What auto would take of n x dim with so much memory; the clock is not asked, and no row
 * is looked at. */
static const char *automatic(uint32_t n, uint32_t dim, uint64_t mem_bytes)
{
    static char canonical[MNI_ANN_SPEC];
    const mni_rows shape = { .n = n, .dim = dim, .dtype = MNI_F32, .metric = MANN_L2 };
    mni_ann_cost cost;
    CHECK_OK(mni_ann_cost_of("auto", &shape, mem_bytes, &cost, canonical, NULL));
    CHECK(mem_bytes == 0 || cost.build_bytes <= mem_bytes);
    return canonical;
}

static uint64_t takes(const char *spec, uint32_t n, uint32_t dim)
{
    char canonical[MNI_ANN_SPEC];
    const mni_rows shape = { .n = n, .dim = dim, .dtype = MNI_F32, .metric = MANN_L2 };
    mni_ann_cost cost;
    CHECK_OK(mni_ann_cost_of(spec, &shape, 0, &cost, canonical, NULL));
    if (cost.build_bytes > 0)
        CHECK_IS(mni_ann_cost_of(spec, &shape, cost.build_bytes - 1, &cost, canonical,
                                 NULL), MANN_E_BUDGET);
    return cost.build_bytes;
}

static void test_auto(void)
{
    CHECK_STR(automatic(0, 128, 0), "Flat");
    CHECK_STR(automatic(30000, 128, 0), "Flat");
    CHECK_STR(automatic(1500, 65536, 0), "Flat");
    CHECK_STR(automatic(1000000, 128, 0), "HNSW16");
    CHECK_STR(automatic(1000000, 128, 1), "Flat");
    const uint64_t graph = takes("HNSW16", 1000000, 128),
                   lists = takes("IVF,Flat", 1000000, 128);
    CHECK_STR(automatic(1000000, 128, graph), "HNSW16");
    if (lists < graph) CHECK_STR(automatic(1000000, 128, graph - 1), "IVF,Flat");
    /* too few rows to teach code words: never PQ, whatever the memory */
    for (uint64_t mem = 1; mem < 1u << 30; mem *= 2)
        CHECK(!strstr(automatic(9983, 4096, mem), "PQ"));
}

extern const test_case spec_tests[];
const test_case spec_tests[] = {
    { "spellings", test_good, 0 },
    { "numbers", test_numbers, 0 },
    { "refused", test_refused, 0 },
    { "auto_counts", test_auto, 0 },
    { NULL, NULL, 0 }
};
