/* test_nn_loss.c - losses: values by hand, gradients by differences, miners by brute force; SGD and its
 * schedule. SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "nn/loss.h"
#include "nn/sgd.h"
#include "nn_oracle.h"

const test_case nn_loss_tests[];
const test_case nn_loss_tests[] = {
    { 0 }
};
