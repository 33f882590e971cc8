/* changing.h - what the commands that change a gallery have in common (cmd_change.c).
 * SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_CHANGING_H
#define MNI_CLI_CHANGING_H

#include "cli/cli.h"

/* The first file of the command as a gallery to write to. Returns the exit status, having
 * told what failed. */
int mni_cli_open_to_write(mni_cli *c, mann_gallery **g);
/* One sentence or one object: what was changed, and how much is there now. */
typedef struct mni_count { const char *key; uint64_t n; } mni_count;
/* The object: name of the gallery, the counts, what is in it; file_bytes 0: not said. */
void mni_cli_json_counts(mni_cli *c, const char *gallery, const mni_count *counts,
                         size_t n, const mann_gallery_info *info, uint64_t file_bytes);
int mni_cli_report_change(mni_cli *c, mann_gallery *g, const mni_count *counts, size_t n,
                          const char *sentence);
/* Frees the gallery, after a compaction if one is due; code is the exit status so far. */
int mni_cli_close_change(mni_cli *c, mann_gallery *g, int code);

#endif
