/* synth_view.c - what makes a view: pose, camera, light and lens; and the toy in that
 * pose.
 *
 * Every condition has a random stream of its own, drawn at full size and then scaled by
 * the strength: switching blur off leaves the pose as it was, and the same view at a
 * quarter of the strength is the same scene with a quarter of the trouble. Without any
 * condition a view is the canonical picture, but for a trembling hand (a few degrees, a
 * few percent). SPDX-License-Identifier: MIT */
#include "image/synth_impl.h"

enum { DEGREE = 65536 / 360 };

/* A number between -1 and 1 (Q14), small ones likelier: the mean of two. */
static int32_t swing(mni_rng *r)
{
    const int32_t a = mni_pick(r, -MNI_Q14, MNI_Q14), b = mni_pick(r, -MNI_Q14, MNI_Q14);
    return (a + b) / 2;
}

/* The stream of one condition, and its strength (Q16) after the mask. */
static int32_t stream(mni_rng *r, const mann_synth_config *c, uint64_t klass,
                      uint64_t view, uint32_t condition)
{
    *r = mni_rng_at(c->seed, MNI_FOR_SYNTH_VIEW, klass, view, condition);
    return c->conditions & condition ? (int32_t)(c->strength * 65536.0f) : 0;
}

/* v * strength, strength Q16. */
static int32_t scaled(int32_t v, int32_t strength)
{
    return mni_down((int64_t)v * strength, 16);
}

static void view_pose(mni_view *v, mni_rng r, int32_t s)
{
    v->roll = scaled(mni_mul14(swing(&r), 40 * DEGREE), s);
    v->yaw = scaled(mni_mul14(mni_pick(&r, -MNI_Q14, MNI_Q14), 40 * DEGREE), s);
    v->pitch = scaled(mni_mul14(swing(&r), 35 * DEGREE), s);
    for (int i = 1; i <= MNI_MAX_LIMBS; i++)
        v->limb[i] = scaled(mni_pick(&r, -MNI_Q14, MNI_Q14), s);
}

static void view_camera(mni_view *v, mni_rng scale, int32_t s_scale, mni_rng crop,
                        int32_t s_crop)
{
    const int32_t change = mni_pick(&scale, -25, 16), zoom = mni_pick(&crop, 0, 18);
    const int32_t shift_x = swing(&crop), shift_y = swing(&crop);
    v->scale += v->scale * scaled(change * 64, s_scale) / 6400;
    v->scale += v->scale * scaled(zoom * 64, s_crop) / 6400;
    v->x += scaled(mni_mul14(shift_x, MNI_Q14 * 24 / 100), s_crop);
    v->y += scaled(mni_mul14(shift_y, MNI_Q14 * 24 / 100), s_crop);
}

static void view_light(mni_view *v, mni_rng r, int32_t s)
{
    const int32_t angle = mni_pick(&r, -24000, 24000), exposure = mni_pick(&r, -100, 100);
    const int32_t warmth = swing(&r), green = swing(&r), contrast = mni_pick(&r, -35, 25);
    const int32_t direction = -24576 + scaled(angle, s); /* canonical: from upper left */
    v->light_x = mni_cos14(direction) / 4;
    v->light_y = mni_sin14(direction) / 4;
    const int32_t gain = exposure > 0 ? MNI_Q12 + scaled(exposure * 16, s)
                                      : MNI_Q12 + scaled(exposure * 18, s);
    v->gain[0] = gain + gain * scaled(warmth, s) / (MNI_Q14 * 6);
    v->gain[1] = gain + gain * scaled(green, s) / (MNI_Q14 * 8);
    v->gain[2] = gain - gain * scaled(warmth, s) / (MNI_Q14 * 6);
    v->contrast = MNI_Q12 + scaled(contrast * MNI_Q12 / 100, s);
    v->slope_x = scaled(swing(&r) / 14, s);
    v->slope_y = scaled(swing(&r) / 14, s);
    v->vignette = scaled(mni_pick(&r, 0, MNI_Q12 * 24 / 100), s);
    v->shadow = scaled(mni_pick(&r, 40, 130), s);
}

static void view_lens(mni_view *v, mni_rng blur, int32_t s_blur, mni_rng noise,
                      int32_t s_noise)
{
    const int32_t kind = mni_pick(&blur, 0, 2), amount = mni_pick(&blur, 20, 100);
    const int32_t angle = mni_pick(&blur, 0, 65535);
    if (kind != 1) v->blur = scaled(amount * 50, s_blur); /* up to 2 % of the side */
    if (kind != 0) {
        v->motion_x = scaled(mni_mul14(amount * 90, mni_cos14(angle)), s_blur);
        v->motion_y = scaled(mni_mul14(amount * 90, mni_sin14(angle)), s_blur);
    }
    const int32_t grain = mni_pick(&noise, 0, 20 * 256), steps = mni_pick(&noise, 0, 20);
    v->noise = scaled(grain, s_noise);
    v->levels = 1 + scaled(steps > 8 ? steps - 8 : 0, s_noise);
}

void mni_view_make(mni_view *v, const mann_synth_config *c, uint64_t klass, uint64_t view)
{
    mni_rng r = mni_rng_at(c->seed, MNI_FOR_SYNTH_VIEW, klass, view, 0), r2;
    *v = (mni_view){ 0 };
    int32_t s = stream(&r2, c, klass, view, MANN_SYNTH_POSE), s2;
    view_pose(v, r2, s);
    v->roll += mni_pick(&r, -3 * DEGREE, 3 * DEGREE);
    v->yaw += mni_pick(&r, -3 * DEGREE, 3 * DEGREE);
    v->scale = MNI_Q14 * 88 / 100 + mni_pick(&r, -300, 300);
    v->x = mni_pick(&r, -200, 200);
    v->y = mni_pick(&r, -200, 200);

    mni_rng r3;
    s = stream(&r2, c, klass, view, MANN_SYNTH_SCALE);
    s2 = stream(&r3, c, klass, view, MANN_SYNTH_CROP);
    view_camera(v, r2, s, r3, s2);
    s = stream(&r2, c, klass, view, MANN_SYNTH_LIGHT);
    view_light(v, r2, s);
    s = stream(&r2, c, klass, view, MANN_SYNTH_BLUR);
    s2 = stream(&r3, c, klass, view, MANN_SYNTH_NOISE);
    view_lens(v, r2, s, r3, s2);
    v->background = stream(&r2, c, klass, view, MANN_SYNTH_BACKGROUND) >> 8;
    v->occlusion = stream(&r2, c, klass, view, MANN_SYNTH_OCCLUSION);
}

/* --- projection --------------------------------------------------------------------- */

/* A turned frame: where the toy's three axes point on the picture (x right, y down), and
 * in depth. */
typedef struct frame {
    int32_t x[3], y[3], z[3];
} frame;

/* Yaw about the upright axis, pitch about the level one, roll in the picture's plane;
 * times scale. */
static frame frame_of(const mni_view *v)
{
    const int32_t cy = mni_cos14(v->yaw), sy = mni_sin14(v->yaw);
    const int32_t cp = mni_cos14(v->pitch), sp = mni_sin14(v->pitch);
    const int32_t cr = mni_mul14(mni_cos14(v->roll), v->scale),
                  sr = mni_mul14(mni_sin14(v->roll), v->scale);
    /* Before the roll: columns are the images of the axes x, y, z. */
    const int32_t px[3] = { cy, 0, sy };
    const int32_t py[3] = { mni_mul14(sy, sp), cp, -mni_mul14(cy, sp) };
    const int32_t pz[3] = { -mni_mul14(sy, cp), sp, mni_mul14(cy, cp) };
    frame f;
    for (int i = 0; i < 3; i++) {
        f.x[i] = mni_mul14(px[i], cr) - mni_mul14(py[i], sr);
        f.y[i] = mni_mul14(px[i], sr) + mni_mul14(py[i], cr);
        f.z[i] = pz[i];
    }
    return f;
}

static int32_t along(const int32_t axes[3], int32_t x, int32_t y, int32_t z)
{
    return mni_mul14(axes[0], x) + mni_mul14(axes[1], y) + mni_mul14(axes[2], z);
}

/* A body of thickness w along the line of sight of axis a still looks as wide as sqrt(a^2
 * + w^2) when it is turned, because its side comes into view. Lengthens (ax, ay)
 * accordingly and says how far the front has moved along it (Q12). */
static int32_t thicken(int32_t *ax, int32_t *ay, int32_t wx, int32_t wy)
{
    const int64_t a2 = (int64_t)*ax * *ax + (int64_t)*ay * *ay;
    const int64_t a = mni_root64((uint64_t)a2);
    if (a < 16) return 0;
    const int64_t w = ((int64_t)wx * *ax + (int64_t)wy * *ay) / a;
    const int64_t both = mni_root64((uint64_t)(a2 + w * w));
    *ax = (int32_t)(*ax * both / a);
    *ay = (int32_t)(*ay * both / a);
    return (int32_t)(w * MNI_Q12 / both);
}

/* The part in the posed toy: turned about its joint, then projected. */
static mni_sprite project(const mni_toy *t, const mni_part *p, const mni_view *v,
                          const frame *f)
{
    int32_t x = p->x, y = p->y, turn = p->turn;
    if (p->limb) {
        const int32_t bend = mni_mul14(p->swing, v->limb[p->limb]), c = mni_cos14(bend),
                      s = mni_sin14(bend);
        const int32_t dx = x - p->joint_x, dy = y - p->joint_y;
        x = p->joint_x + mni_mul14(dx, c) - mni_mul14(dy, s);
        y = p->joint_y + mni_mul14(dx, s) + mni_mul14(dy, c);
        turn += bend;
    }
    const int32_t c = mni_cos14(turn), s = mni_sin14(turn);
    mni_sprite out = { .part = p, .palette = t->palette };
    out.x = v->x + along(f->x, x, y, p->z);
    out.y = v->y + along(f->y, x, y, p->z);
    out.z = along(f->z, x, y, p->z);
    out.ux = along(f->x, mni_mul14(p->rx, c), mni_mul14(p->rx, s), 0);
    out.uy = along(f->y, mni_mul14(p->rx, c), mni_mul14(p->rx, s), 0);
    out.vx = along(f->x, -mni_mul14(p->ry, s), mni_mul14(p->ry, c), 0);
    out.vy = along(f->y, -mni_mul14(p->ry, s), mni_mul14(p->ry, c), 0);
    const int32_t wx = along(f->x, 0, 0, p->rz), wy = along(f->y, 0, 0, p->rz);
    out.slide_u = -thicken(&out.ux, &out.uy, wx, wy);
    out.slide_v = -thicken(&out.vx, &out.vy, wx, wy);
    out.light_x = v->light_x;
    out.light_y = v->light_y;
    return out;
}

void mni_view_paint(const mni_canvas *c, const mni_toy *t, const mni_view *v)
{
    mni_sprite sprite[MNI_MAX_PARTS];
    int order[MNI_MAX_PARTS];
    const frame f = frame_of(v);
    for (int i = 0; i < t->n_parts; i++) {
        sprite[i] = project(t, &t->part[i], v, &f);
        /* Painter's algorithm, far ones first; equal depths keep the order of the
         * plan. */
        int k = i;
        for (; k > 0 && sprite[order[k - 1]].z > sprite[i].z; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    for (int i = 0; i < t->n_parts; i++) mni_paint(c, &sprite[order[i]]);
}
