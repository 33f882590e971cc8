/* cmd_sync.c - the gallery follows a folder of photos. SPDX-License-Identifier: MIT */
#include "cli/changing.h"

static int report(mni_cli *c, mann_gallery *g, const mann_sync_report *r)
{
    const mni_count counts[] = {
        { "added", r->n_added },     { "moved", r->n_moved }, { "changed", r->n_changed },
        { "present", r->n_present }, { "gone", r->n_gone },
        { "removed", r->n_removed }, { "skipped", r->n_skipped }
    };
    mni_text t = { 0 };
    mni_text_f(&t, "%llu added, %llu moved, %llu changed, %llu as they were",
               (unsigned long long)r->n_added, (unsigned long long)r->n_moved,
               (unsigned long long)r->n_changed, (unsigned long long)r->n_present);
    if (r->n_removed)
        mni_text_f(&t, ", %llu removed", (unsigned long long)r->n_removed);
    else if (r->n_gone)
        mni_text_f(&t, ", %llu gone (--remove removes them)",
                   (unsigned long long)r->n_gone);
    if (r->n_skipped)
        mni_text_f(&t, ", %llu skipped", (unsigned long long)r->n_skipped);
    const int code = mni_cli_report_change(c, g, counts, sizeof counts / sizeof *counts,
                                           mni_text_get(&t));
    mni_text_fini(&t);
    return code;
}

int mni_cmd_sync(mni_cli *c)
{
    const mni_options *o = &c->options;
    mann_sync_report r = { .struct_size = sizeof r };
    mann_dataset *set = NULL;
    mann_gallery *g;
    mann_pool *pool;
    int code = mni_cli_open_to_write(c, &g);
    if (code != MNI_EXIT_OK) return code;
    const int gone = !mni_opt_flag(o, MNI_OPT_REMOVE) ? MANN_SYNC_KEEP
                     : mni_opt_flag(o, MNI_OPT_FORCE) ? MANN_SYNC_REMOVE_ALL
                                                      : MANN_SYNC_REMOVE;
    mann_status s = mni_cli_pool(c, &pool);
    mann_gallery_limit(g, mni_opt_u64(o, MNI_OPT_MEM));
    mann_gallery_thumbs(g, mni_opt_u32(o, MNI_OPT_THUMBS), NULL);
    if (s == MANN_OK) s = mann_dataset_open(&set, o->files[1], &c->hooks, &c->err);
    if (s == MANN_OK) s = mann_gallery_sync(g, set, gone, pool, &c->hooks, &r, &c->err);
    mann_dataset_free(set);
    code = s == MANN_OK ? report(c, g, &r) : mni_cli_fail(c, MNI_FROM_INPUT, s);
    return mni_cli_close_change(c, g, code);
}
