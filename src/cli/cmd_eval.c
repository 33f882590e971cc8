/* cmd_eval.c - how good is it? The figures are defined in src/eval/README.md; the table
 * repeats each definition in a few words. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>

#include "cli/eval_report.h"

static void json_figures(mni_json *j, const mni_eval_count *counts, size_t n_counts,
                         const mni_eval_figure *figures, size_t n)
{
    for (size_t i = 0; i < n_counts; i++) {
        mni_json_key(j, counts[i].key);
        mni_json_u64(j, counts[i].value);
    }
    for (size_t i = 0; i < n; i++) {
        mni_json_key(j, figures[i].key);
        mni_json_number(j, figures[i].value);
    }
}

static void table(mni_text *out, const mni_eval_count *counts, size_t n_counts,
                  const mni_eval_figure *figures, size_t n)
{
    for (size_t i = 0; i < n_counts; i++)
        mni_text_f(out, "  %-14s %10llu    %s\n", counts[i].key,
                   (unsigned long long)counts[i].value, counts[i].meaning);
    for (size_t i = 0; i < n; i++) {
        char value[32];
        if (isnan(figures[i].value)) continue;
        if (figures[i].share)
            snprintf(value, sizeof value, "%.2f %%", figures[i].value * 100);
        else snprintf(value, sizeof value, "%.4f", figures[i].value);
        mni_text_f(out, "  %-14s %10s    %s\n", figures[i].key, value,
                   figures[i].meaning);
    }
}

/* JSON or table (groups NULL: none), and the verdict of --min-recall on `accuracy`. */
int mni_eval_report(mni_cli *c, const mni_eval_count *counts, size_t n_counts,
                    const mni_eval_figure *figures, size_t n, double accuracy,
                    mni_eval_groups *groups)
{
    double wanted = mni_opt_float(&c->options, MNI_OPT_MIN_RECALL);
    if (mni_cli_json(c)) {
        mni_json j;
        mni_out_json(c, &j);
        mni_json_object(&j);
        if (c->options.n_files == 2) {
            mni_json_key(&j, "gallery");
            mni_json_string(&j, c->options.files[0]);
            mni_json_key(&j, "dataset");
            mni_json_string(&j, c->options.files[1]);
        }
        json_figures(&j, counts, n_counts, figures, n);
        if (groups) mni_eval_groups_json(groups, &j);
        mni_json_end(&j);
        mni_text_char(&c->out, '\n');
    } else {
        table(&c->out, counts, n_counts, figures, n);
        if (groups) mni_eval_groups_text(groups, &c->out);
    }
    if (!mni_opt_given(&c->options, MNI_OPT_MIN_RECALL) || accuracy >= wanted)
        return MNI_EXIT_OK;
    if (isnan(accuracy)) {
        mni_talk_error(&c->talk, "nothing was counted: --min-recall cannot be met");
        return MNI_EXIT_CHECK;
    }
    char sentence[120];
    snprintf(sentence, sizeof sentence,
             "%.2f %% is below the %.2f %% that --min-recall asks for", accuracy * 100,
             wanted * 100);
    mni_talk_error(&c->talk, sentence);
    return MNI_EXIT_CHECK;
}

static int episodes(mni_cli *c, mann_gallery *g, const mann_dataset *set, mann_pool *pool)
{
    const mni_options *o = &c->options;
    mann_episodes_config config;
    mann_episodes_result r = { .struct_size = sizeof r };
    mann_episodes_config_fill(&config, sizeof config);
    config.episodes = mni_opt_u32(o, MNI_OPT_EPISODES);
    if (config.episodes == 0) config.episodes = 1000;
    config.way = mni_opt_u32(o, MNI_OPT_WAY);
    config.shot = mni_opt_u32(o, MNI_OPT_SHOT);
    config.query = mni_opt_u32(o, MNI_OPT_QUERY);
    config.seed = mni_opt_u64(o, MNI_OPT_SEED);
    mann_status s = mann_evaluate_episodes(g, set, &config, pool, &c->hooks, &r, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    const mni_eval_count counts[] = {
        { "episodes", r.n_episodes, "tasks drawn" },
        { "way", config.way, "classes in a task" },
        { "shot", config.shot, "references of a class" },
        { "classes", r.n_classes, "classes with enough photos to draw from" },
        { "bad", r.n_bad, "photos that could not be read" },
    };
    const mni_eval_figure figures[] = {
        { "accuracy", r.accuracy, 1, "share of queries given to their class" },
        { "interval95", r.interval95, 1,
          "the true accuracy is this near with 95 % confidence" },
    };
    return mni_eval_report(c, counts, sizeof counts / sizeof counts[0], figures,
                  sizeof figures / sizeof figures[0], r.accuracy, NULL);
}

static int whole_set(mni_cli *c, mann_gallery *g, const mann_dataset *set,
                     mann_pool *pool)
{
    const mni_options *o = &c->options;
    mann_eval_config config;
    mann_search how;
    mann_scores r = { .struct_size = sizeof r };
    mni_eval_groups groups = { 0 };
    mann_eval_config_fill(&config, sizeof config);
    config.refs = mni_opt_u32(o, MNI_OPT_REFS);
    config.open_set = (uint32_t)mni_opt_flag(o, MNI_OPT_OPEN_SET);
    config.seed = mni_opt_u64(o, MNI_OPT_SEED);
    config.sheet_path = mni_opt_text(o, MNI_OPT_SHEET);
    config.curve_path = mni_opt_text(o, MNI_OPT_CURVE);
    if (mni_opt_text(o, MNI_OPT_BY)) {
        groups.by_condition = mni_opt_text(o, MNI_OPT_BY)[1] == 'o';
        config.each = mni_eval_group_one;
        config.user = &groups;
    }
    mni_cli_search(c, &how);
    mann_status s = mann_evaluate(g, set, &config, &how, pool, &c->hooks, &r, &c->err);
    if (s == MANN_OK && groups.failed) s = mni_fail(&c->err, MANN_E_NOMEM, "groups");
    if (s != MANN_OK) {
        mni_eval_groups_fini(&groups);
        return mni_cli_fail(c, MNI_FROM_INPUT, s);
    }
    const mni_eval_count counts[] = {
        { "queries", r.n_queries, "photos asked and counted" },
        { "self", r.n_self,
          "of them, so many are in the gallery: their own row was left out" },
        { "lone", r.n_lone, "not counted: their class has no other photo" },
        { "strangers", r.n_strangers,
          "photos of classes that the gallery does not know" },
        { "bad", r.n_bad, "photos that could not be read" },
    };
    const mni_eval_figure figures[] = {
        { "top1", r.top1, 1, "Recall@1: the right class came first" },
        { "top1_low", r.top1_low, 1, "it is above this with 97.5 % confidence (classes "
                                     "drawn again)" },
        { "top1_high", r.top1_high, 1, "and below this" },
        { "top5", r.top5, 1, "it was among the first 5 classes" },
        { "top10", r.top10, 1, "it was among the first 10 classes" },
        { "mrr", r.mrr, 0, "mean of 1 / rank of the right class" },
        { "map", r.map, 1, "mean average precision over all rows" },
        { "map_at_r", r.map_at_r, 1, "the same, cut at R = rows of the right class" },
        { "r_precision", r.r_precision, 1, "share of right rows among the first R" },
        { "model_error", r.model_error, 1, "wrong although every row was compared" },
        { "index_error", r.index_error, 1,
          "right if every row is compared, wrong by the index" },
        { "ann_recall", r.ann_recall, 1,
          "share of the exact 10 nearest rows that the index found" },
        { "fpir", r.fpir, 1, "strangers taken for somebody" },
        { "fpir_low", r.fpir_low, 1, "its interval, as of top1: from" },
        { "fpir_high", r.fpir_high, 1, "to" },
        { "fnir", r.fnir, 1, "members refused" },
        { "fnir_low", r.fnir_low, 1, "its interval: from" },
        { "fnir_high", r.fnir_high, 1, "to" },
        { "wrong_known", r.wrong_known, 1, "members 'known' as another class" },
    };
    const int code = mni_eval_report(c, counts, sizeof counts / sizeof counts[0], figures,
                                     sizeof figures / sizeof figures[0], r.top1,
                                     config.each ? &groups : NULL);
    mni_eval_groups_fini(&groups);
    return code;
}

int mni_cmd_eval(mni_cli *c)
{
    const mni_options *o = &c->options;
    if (mni_opt_given(o, MNI_OPT_EPISODES) &&
        (mni_opt_given(o, MNI_OPT_REFS) || mni_opt_flag(o, MNI_OPT_OPEN_SET)))
        return mni_cli_usage(c, "--episodes draws its own references: not together with "
                                "--refs or --open-set");
    int small_tasks = mni_opt_given(o, MNI_OPT_EPISODES) ||
                      mni_opt_given(o, MNI_OPT_WAY) || mni_opt_given(o, MNI_OPT_SHOT) ||
                      mni_opt_given(o, MNI_OPT_QUERY);
    mann_gallery *g;
    mann_dataset *set = NULL;
    mann_pool *pool;
    if (mni_opt_text(o, MNI_OPT_BASE) || mni_opt_text(o, MNI_OPT_QUERIES) ||
        mni_opt_text(o, MNI_OPT_TRUTH))
        return mni_eval_vectors(c);
    if (o->n_files < 2)
        return mni_cli_usage(c, "wanted a gallery and a data set, or --base, --queries "
                                "and --truth");
    mann_status s = mni_cli_gallery(c, o->files[0], MANN_OPEN_READ, &g);
    if (s == MANN_OK) s = mann_dataset_open(&set, o->files[1], &c->hooks, &c->err);
    if (s == MANN_OK) s = mni_cli_pool(c, &pool);
    int code = s != MANN_OK ? mni_cli_fail(c, MNI_FROM_INPUT, s)
             : small_tasks ? episodes(c, g, set, pool) : whole_set(c, g, set, pool);
    mann_dataset_free(set);
    mann_gallery_free(g);
    return code;
}
