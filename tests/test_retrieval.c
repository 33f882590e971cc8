/* test_retrieval.c - ranking figures with several right answers, against figures worked
 * out by hand. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "eval/retrieval.h"
#include "harness.h"
#include "metricann.h"

/* The example of src/eval/README.md: answers 7 3 9 1 4, right are 1 3 8, k = 5. Found at
 * ranks 2 and 4. */
static void by_hand(void)
{
    const uint64_t ranked[] = { 7, 3, 9, 1, 4 }, right[] = { 1, 3, 8 };
    const double third = 1 / log2(3), fifth = 1 / log2(5), best = 1 + third + 0.5;
    mni_retrieval t = { 0 };
    mni_retrieval_add(&t, ranked, 5, 5, right, 3);
    mni_retrieval_finish(&t);
    CHECK_NEAR(t.recall, 2.0 / 3, 1e-15);
    CHECK_NEAR(t.precision, 2.0 / 5, 1e-15);
    CHECK_NEAR(t.ndcg, (third + fifth) / best, 1e-15);
    CHECK_NEAR(t.mrr, 0.5, 1e-15);
    CHECK(t.hit == 1 && t.n == 1);
}

/* Cut at 1 and at 3; fewer answers than k; more right answers than places. */
static void borders(void)
{
    const uint64_t ranked[] = { 7, 3, 9, 1, 4 }, right[] = { 1, 3, 8 };
    mni_retrieval t = { 0 };
    mni_retrieval_add(&t, ranked, 5, 1, right, 3);
    CHECK(t.recall == 0 && t.precision == 0 && t.hit == 0 && t.ndcg == 0 && t.mrr == 0);
    mni_retrieval_add(&t, ranked + 1, 1, 4, right, 3);
    CHECK_NEAR(t.recall, 1.0 / 3, 1e-15);
    CHECK_NEAR(t.precision, 0.25, 1e-15);
    CHECK_NEAR(t.ndcg, 1 / (1 + 1 / log2(3) + 0.5), 1e-15);
    CHECK(t.mrr == 1);
    t = (mni_retrieval){ 0 };
    mni_retrieval_add(&t, right, 2, 2, right, 3);
    CHECK_NEAR(t.recall, 2.0 / 3, 1e-15);
    CHECK(t.ndcg == 1 && t.precision == 1);
    t = (mni_retrieval){ 0 };
    mni_retrieval_finish(&t);
    CHECK(isnan(t.recall) && isnan(t.mrr));
}

/* Five points on a line, asked by three; through the public call. */
static void whole(void)
{
    static const float line[] = { 0, 1, 2, 3, 4 }, asked[] = { 0.1f, 3.9f, 2 };
    /* query 0: rows 0 1 | query 1: row 0 (twice) | query 2: none */
    static const uint64_t pairs[] = { 1, 0, 0, 1, 0, 0, 1, 0 };
    const mann_matrix base = { line, 5, 1, 0 }, queries = { asked, 3, 1, 0 };
    mann_retrieval_scores r = { .struct_size = sizeof r };
    mann_error e;
    CHECK_OK(mann_evaluate_retrieval(base, queries, MANN_L2, pairs, 4, 2, NULL, NULL, &r,
                                     &e));
    CHECK_EQ(r.n_queries, 2);
    CHECK_EQ(r.n_lone, 1);
    CHECK_EQ(r.n_pairs, 3);
    CHECK_NEAR(r.recall, 0.5, 1e-15);
    CHECK_NEAR(r.precision, 0.5, 1e-15);
    CHECK_NEAR(r.hit, 0.5, 1e-15);
    /* all rows and more: 4 3 2 1 0, so row 0 is fifth */
    CHECK_OK(mann_evaluate_retrieval(base, queries, MANN_L2, pairs, 4, 9, NULL, NULL, &r,
                                     &e));
    CHECK_NEAR(r.mrr, (1 + 1.0 / 5) / 2, 1e-15);
    CHECK_NEAR(r.ndcg, (1 + 1 / log2(6)) / 2, 1e-15);

    static const uint64_t outside[] = { 0, 5 };
    CHECK_IS(mann_evaluate_retrieval(base, queries, MANN_L2, outside, 1, 2, NULL, NULL,
                                     &r, &e),
             MANN_E_LIMIT);
    CHECK(strstr(e.text, "row 5") && strstr(e.text, "5 rows"));
    CHECK_IS(mann_evaluate_retrieval(base, queries, MANN_L2, pairs, 4, 0, NULL, NULL, &r,
                                     &e),
             MANN_E_ARG);
}

const test_case retrieval_tests[] = {
    { "by_hand", by_hand, 0 },
    { "borders", borders, 0 },
    { "whole", whole, 0 },
    { 0 }
};
