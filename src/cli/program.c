/* program.c - main; everything is in run.c, which tests can link.
 * SPDX-License-Identifier: MIT */
#include "cli/cli.h"

int main(int argc, char **argv) { return mni_cli_run(argc, argv); }
