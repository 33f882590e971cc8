/* suites.h - one line per suite; SUITE(x) is the array x_tests in some tests/test_*.c.
 * No include guard: included twice on purpose. SPDX-License-Identifier: MIT */
SUITE(base)
SUITE(text)
SUITE(json)
SUITE(os)
SUITE(vfs)
SUITE(kern_dist)
SUITE(kern_nn)
SUITE(container)
SUITE(gallery)
SUITE(journal)
SUITE(cli)
