/* eval_report.h - figures as a table or JSON, and whether they are good enough: shared by
 * the forms of `eval`. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_EVAL_REPORT_H
#define MNI_CLI_EVAL_REPORT_H

#include "base/idmap.h"
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

/* --by: the same photos class by class, or condition by condition (eval_groups.c). */
typedef struct mni_eval_group {
    char *name;                     /* owned */
    uint64_t n, right, known;       /* counted; right first; accepted */
    uint64_t n_strangers, accepted;
    double sum_own, least_own;      /* scores of the right class: how wide it is spread */
    char *taken_for;                /* owned: of the wrong classes the most frequent, */
    uint64_t balance;               /* if it is the majority (Boyer and Moore, 1981) */
} mni_eval_group;
typedef struct mni_eval_groups {
    int by_condition, failed;
    mni_idmap places;               /* hash of a name -> its place */
    mni_eval_group *list;
    size_t n, cap;
} mni_eval_groups;
void mni_eval_group_one(void *groups, const mann_eval_query *q); /* config.each */
void mni_eval_groups_text(mni_eval_groups *g, mni_text *out);    /* the worst 30 */
void mni_eval_groups_json(mni_eval_groups *g, mni_json *j);      /* all: key "groups" */
void mni_eval_groups_fini(mni_eval_groups *g);

/* Exit status: MNI_EXIT_CHECK if `accuracy` is below --min-recall. */
int mni_eval_report(mni_cli *c, const mni_eval_count *counts, size_t n_counts,
                    const mni_eval_figure *figures, size_t n, double accuracy,
                    mni_eval_groups *groups);
/* --base, --queries, --truth (cmd_eval_vectors.c). */
int mni_eval_vectors(mni_cli *c);

#endif
