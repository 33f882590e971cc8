/* pool_body.h - maximum and average on blocked maps, with the names of conv_body.h. After
 * ReLU there is no NaN, so none is looked for. No include guard: included several times
 * on purpose. SPDX-License-Identifier: MIT */

/* The taps of output row r that lie in the map, one place of y after the other. */
CV_TARGET static void CV(max_row)(const mni_conv_shape *s, const float *x, size_t r,
                                  float *y)
{
    const size_t top = r * s->stride;
    const size_t h0 = top < s->pad ? 0 : top - s->pad,
                 past = top + s->kernel - s->pad, h1 = past < s->h_in ? past : s->h_in;
    for (size_t c = 0; c < s->w_out; c++, y += MNI_BLOCK) {
        const size_t left = c * s->stride, end = left + s->kernel - s->pad;
        const size_t w0 = left < s->pad ? 0 : left - s->pad,
                     w1 = end < s->w_in ? end : s->w_in;
        for (int i = 0; i < MNI_BLOCK; i += CV_LANES) {
            CV_VEC most = CV_LOAD(x + (h0 * s->w_in + w0) * MNI_BLOCK + i);
            for (size_t h = h0; h < h1; h++)
                for (size_t w = w0; w < w1; w++)
                    most = CV_MAX(CV_LOAD(x + (h * s->w_in + w) * MNI_BLOCK + i), most);
            CV_STORE(y + i, most);
        }
    }
}

CV_TARGET static void CV(max_pool)(const mni_conv_args *a, size_t block, size_t block_end,
                                   size_t row, size_t row_end)
{
    const mni_conv_shape *s = &a->s;
    for (; block < block_end; block++)
        for (size_t r = row; r < row_end; r++)
            CV(max_row)(s, a->x + block * s->h_in * s->w_in * MNI_BLOCK, r,
                        a->y + (block * s->h_out + r) * s->w_out * MNI_BLOCK);
}

/* Four sums, of every fourth place each. */
CV_TARGET static void CV(average)(const float *x, size_t places, size_t blocks, float *y)
{
    const CV_VEC share = CV_SET(1.0f / (float)places);
    for (size_t b = 0; b < blocks; b++, x += places * MNI_BLOCK, y += MNI_BLOCK)
        for (int i = 0; i < MNI_BLOCK; i += CV_LANES) {
            CV_VEC sum[4];
            for (int k = 0; k < 4; k++) sum[k] = CV_ZERO();
            size_t p = 0;
            for (; p + 4 <= places; p += 4)
                for (size_t k = 0; k < 4; k++)
                    sum[k] = CV_ADD(sum[k], CV_LOAD(x + (p + k) * MNI_BLOCK + i));
            for (; p < places; p++)
                sum[p % 4] = CV_ADD(sum[p % 4], CV_LOAD(x + p * MNI_BLOCK + i));
            sum[0] = CV_ADD(CV_ADD(sum[0], sum[1]), CV_ADD(sum[2], sum[3]));
            CV_STORE(y + i, CV_FMA(sum[0], share, CV_ZERO()));
        }
}
