/* eval_report.h - figures as a table or JSON, and whether they are good enough: shared by
 * the forms of `eval`. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_EVAL_REPORT_H
#define MNI_CLI_EVAL_REPORT_H

#include "cli/cli.h"

typedef struct mni_eval_figure {
    const char *key;
    double value;               /* NaN is not shown in the table */
    int share;                  /* shown as a percentage */
    const char *meaning;
} mni_eval_figure;
typedef struct mni_eval_count {
    const char *key;
    uint64_t value;
    const char *meaning;
} mni_eval_count;

/* Exit status: MNI_EXIT_CHECK if `accuracy` is below --min-recall. */
int mni_eval_report(mni_cli *c, const mni_eval_count *counts, size_t n_counts,
                    const mni_eval_figure *figures, size_t n, double accuracy);
/* --base, --queries, --truth (cmd_eval_vectors.c). */
int mni_eval_vectors(mni_cli *c);

#endif
