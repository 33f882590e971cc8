/* main.c - the program; everything is in run.c, so that tests can link it. SPDX-License-Identifier: MIT */
#include "cli/cli.h"

int main(int argc, char **argv) { return mni_cli_run(argc, argv); }
