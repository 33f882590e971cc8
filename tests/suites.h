/* suites.h - one line per suite; SUITE(x) is the array x_tests in some tests/test_*.c.
 * No include guard: included twice on purpose. */
SUITE(base)
SUITE(kern_dist)
SUITE(kern_nn)
SUITE(vfs)
SUITE(container)
SUITE(nn_layers)
SUITE(nn_loss)
SUITE(nn_network)
SUITE(nn_golden)
