/* train_world.h - a data set of drawings in memory, a very small network, and a training
 * of it: for the tests of whole trainings. SPDX-License-Identifier: MIT */
#ifndef TESTS_TRAIN_WORLD_H
#define TESTS_TRAIN_WORLD_H

#include "train/trainer.h"

typedef struct train_world {
    mni_vfs_mem *mem;
    const mni_vfs *v;
    mni_dataset *set;
    mann_train_config c;
    mann_hooks hooks;
    uint64_t stop_after; /* steps; 0: never */
    int n_progress, n_warnings;
    char last_warning[512];
} train_world;

/* classes x views drawings; 3 epochs of 7 steps of 6 x 3 images, checkpoints in "ck". */
void train_world_new(train_world *w, uint32_t classes, uint32_t views);
void train_world_free(train_world *w);
mni_model *train_world_model(uint64_t seed);
mann_status train_world_run(train_world *w, mni_model *m, uint32_t threads,
                            mann_train_report *r, mann_error *e);
/* What a training of 20 classes x 3 leaves behind, changed by `change` (NULL: not);
 * stopped after `at` steps (0: never) on one thread and resumed on `threads`. */
uint64_t train_world_whole(void (*change)(mann_train_config *c), uint64_t at,
                           uint32_t threads);
/* The bytes of a file (owned, mni_free); is it there; what it hashes to. */
uint8_t *train_world_file(const train_world *w, const char *path, size_t *n);
int train_world_has(const train_world *w, const char *path);
uint64_t train_world_hash_file(const train_world *w, const char *path);
/* The whole of a finished training: the caller's model, and what lies in the folder. */
uint64_t train_world_hash(const train_world *w, const mni_model *m);

#endif
