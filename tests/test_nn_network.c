/* test_nn_network.c - whole networks. SPDX-License-Identifier: MIT */
#include "harness.h"
const test_case nn_network_tests[];
const test_case nn_network_tests[] = {
    { 0 }
};
