/* suites.h - one line per suite; SUITE(x) is the array x_tests in some tests/test_*.c.
 * No include guard: included twice on purpose. */
SUITE(base)
SUITE(kern_dist)
SUITE(vfs)
SUITE(container)
SUITE(index)
SUITE(bare)
SUITE(metrics)
SUITE(calib)
SUITE(kern_nn)
