/* jpeg_tables.h - the numbers of the inverse transforms, in fixed point, 13 bits behind
 * the point, shared by all levels (jpeg_c.c says what they are).
 * SPDX-License-Identifier: MIT */
#ifndef MNI_KERN_JPEG_TABLES_H
#define MNI_KERN_JPEG_TABLES_H

enum {
    MNI_POINT = 13,                 /* bits behind the point */
    MNI_EXTRA = 2,                  /* bits kept between the two passes */
    MNI_SHIFT_1 = MNI_POINT - MNI_EXTRA, MNI_SHIFT_2 = MNI_POINT + MNI_EXTRA + 3,

    /* Eight points. Even part: 0 and 4 by themselves, 2 and 6 turned. */
    MNI_ONE = 8192, MNI_A2 = 10703, MNI_A6 = 4433, MNI_B2 = 4433, MNI_B6 = -10704,
    /* Odd part: row i is what 1, 3, 5, 7 add to output i and take from output 7 - i. */
    MNI_O01 = 11363, MNI_O03 = 9633, MNI_O05 = 6437, MNI_O07 = 2260,
    MNI_O11 = 9633, MNI_O13 = -2259, MNI_O15 = -11362, MNI_O17 = -6436,
    MNI_O21 = 6437, MNI_O23 = -11362, MNI_O25 = 2261, MNI_O27 = 9633,
    MNI_O31 = 2260, MNI_O33 = -6436, MNI_O35 = 9633, MNI_O37 = -11363,

    /* Four points: sums of two neighbours of the eight; 4 falls out. */
    MNI_H2 = 15137, MNI_H6 = -6270,
    MNI_H01 = 20995, MNI_H03 = 7373, MNI_H05 = -4926, MNI_H07 = -4176,
    MNI_H11 = 8697, MNI_H13 = -17799, MNI_H15 = 11893, MNI_H17 = -1730,

    /* Two points: sums of four; 2, 4 and 6 fall out. */
    MNI_Q1 = 29692, MNI_Q3 = -10426, MNI_Q5 = 6967, MNI_Q7 = -5906,

    /* Rounding of the second pass (16) and the middle grey, 128 (4096), added to column 0
     * between the passes, where both are 2^13 times smaller. */
    MNI_LIFT = 16 + 4096
};

#endif
