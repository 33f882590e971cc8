/* api_eval.c - metricann.h, chapter 8: evaluation and contact sheets.
 * SPDX-License-Identifier: MIT */
#include "api/api.h"
#include "api/bridge.h"
#include "recog/evaluate.h"
#include "recog/sheet.h"

void mann_eval_config_fill(mann_eval_config *c, size_t size)
{
    mann_eval_config d = { .seed = 1, .n_worst = 20 };
    mni_fill_sized(c, size, &d, sizeof d);
}

mann_status mann_evaluate(mann_gallery *g, const mann_dataset *queries,
                          const mann_eval_config *c, const mann_search *s, mann_pool *p,
                          const mann_hooks *h, mann_scores *out, mann_error *err)
{
    mann_eval_config mine;
    mann_search search;
    mann_scores scores;
    mni_labelled set;
    MNI_NEED(g, "mann_evaluate");
    MNI_NEED(queries, "mann_evaluate");
    MNI_NEED(out, "mann_evaluate");
    mann_eval_config_fill(&mine, sizeof mine);
    if (c) MNI_TRY(mni_take_sized(&mine, sizeof mine, c, "mann_evaluate", err));
    if (mine.open_set && mine.refs == 0) mine.refs = 1;
    if (mine.n_worst == 0) mine.n_worst = 20;
    if (mine.n_worst > 400)
        return mni_fail(err, MANN_E_ARG, "mann_evaluate: %u mistakes on a sheet, at most "
                                         "400", (unsigned)mine.n_worst);
    MNI_TRY(mni_take_search(&search, s, "mann_evaluate", err));
    MNI_TRY(mni_labelled_of(&set, queries, err));
    mann_status status =
        mni_gallery_evaluate(g, &set, &mine, &search, p, h, &scores, err);
    mni_labelled_fini(&set);
    return status == MANN_OK
               ? mni_give_sized(out, &scores, sizeof scores, "mann_evaluate", err)
               : status;
}

void mann_episodes_config_fill(mann_episodes_config *c, size_t size)
{
    mann_episodes_config d = {
        .episodes = 1000, .way = 20, .shot = 1, .query = 1, .seed = 1
    };
    mni_fill_sized(c, size, &d, sizeof d);
}

mann_status mann_evaluate_episodes(mann_gallery *g, const mann_dataset *set,
                                   const mann_episodes_config *c, mann_pool *p,
                                   const mann_hooks *h, mann_episodes_result *out,
                                   mann_error *err)
{
    mann_episodes_config mine;
    mann_episodes_result result;
    mni_labelled labelled;
    MNI_NEED(g, "mann_evaluate_episodes");
    MNI_NEED(set, "mann_evaluate_episodes");
    MNI_NEED(out, "mann_evaluate_episodes");
    mann_episodes_config_fill(&mine, sizeof mine);
    if (c) MNI_TRY(mni_take_sized(&mine, sizeof mine, c, "mann_evaluate_episodes", err));
    if (!mine.episodes || mine.way < 2 || !mine.shot || !mine.query)
        return mni_fail(
            err, MANN_E_ARG,
            "episodes: %u of %u-way %u-shot with %u queries a class; wanted at least "
            "1 of 2-way 1-shot with 1",
            (unsigned)mine.episodes, (unsigned)mine.way, (unsigned)mine.shot,
            (unsigned)mine.query);
    MNI_TRY(mni_labelled_of(&labelled, set, err));
    mann_status status = mni_gallery_episodes(g, &labelled, &mine, p, h, &result, err);
    mni_labelled_fini(&labelled);
    return status == MANN_OK ? mni_give_sized(out, &result, sizeof result,
                                              "mann_evaluate_episodes", err)
                             : status;
}

mann_status mann_sheet_write(mann_gallery *g, const mann_sheet_row *rows, size_t n,
                             const char *path, mann_error *err)
{
    MNI_NEED(g, "mann_sheet_write");
    if (n) MNI_NEED(rows, "mann_sheet_write");
    MNI_NEED(path, "mann_sheet_write");
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].query_path)
            return mni_fail(err, MANN_E_ARG,
                            "mann_sheet_write: row %zu has no query_path", i);
        if (rows[i].n_hits && !rows[i].hits)
            return mni_fail(err, MANN_E_ARG, "mann_sheet_write: row %zu has no hits", i);
    }
    return mni_sheet_write(g, rows, n, path, err);
}
