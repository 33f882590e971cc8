/* report.h - answers of a search, for people and as JSON. The shapes are those of the
 * README; scripts depend on them. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_REPORT_H
#define MNI_CLI_REPORT_H

#include "cli/cli.h"

typedef struct mni_answered {
    const char *query;              /* path, or "file.npy#3" */
    const char *problem; /* not NULL: why there is no answer; the rest is not set */
    const mann_hit *hits;
    mann_answer answer;
    double embed_ms, search_ms;     /* share of this query; embed_ms NaN for vectors */
    int rows;                       /* hits are rows, not classes */
} mni_answered;

/* One query as a JSON object, wherever `j` stands. */
void mni_report_json(mni_json *j, mann_gallery *g, uint32_t metric,
                     const mni_answered *a);
/* A headline and a table. */
void mni_report_text(mni_text *out, mann_gallery *g, const mni_answered *a);

const char *mni_verdict_name(mann_verdict v);
/* "very high", "high", "medium", "low": words about closeness, not the verdict. */
const char *mni_similarity_band(float similarity);

#endif
