/* synth_impl.h - what the files of synth share: fixed point, parts, toys, the canvas.
 *
 *     class number --> toy (synth_toy.c, synth_plan.c)     parts, palette, patterns
 *     view number  --> view (synth_view.c)                 pose, camera, light, lens
 *     toy + view   --> sprites (synth_view.c)              parts projected onto the
 *     picture sprites      --> canvas (synth_paint.c, synth_shape.c) canvas       -->
 *     photo (synth_scene.c, synth_lens.c) background, shadow, light, blur, noise
 *
 * There is no float and no libm in any of it: whole numbers are the same everywhere.
 * Lengths are Q14 (16384 = 1, half the picture's side), coordinates inside a part are
 * Q12, angles are 65536ths of a turn, strengths and weights are Q8 or Q16 as said.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_IMAGE_SYNTH_IMPL_H
#define MNI_IMAGE_SYNTH_IMPL_H

#include "base/rng.h"
#include "base/status.h"

enum {
    MNI_Q14 = 1 << 14, MNI_Q12 = 1 << 12,
    MNI_OUTSIDE = 1 << 20,              /* what a shape answers far outside */
    MNI_MAX_PARTS = 48, MNI_MAX_LIMBS = 8, MNI_N_COLOURS = 8
};

/* --- fixed point -------------------------------------------------------------------- */

static inline int32_t mni_clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}
static inline int32_t mni_abs32(int32_t v) { return v < 0 ? -v : v; }
/* Division by a power of two that rounds towards minus infinity, without shifting what is
 * negative (which C leaves to the compiler). Compiles to one shift. */
static inline int32_t mni_down(int64_t v, unsigned bits)
{
    return (int32_t)(v >= 0 ? v >> bits : ~(~v >> bits));
}
static inline int32_t mni_mul14(int32_t a, int32_t b)
{
    return mni_down((int64_t)a * b, 14);
}
static inline int32_t mni_pick(mni_rng *r, int32_t low, int32_t high) /* both included */
{
    return low + (int32_t)mni_rng_below(r, (uint32_t)(high - low) + 1);
}
static inline int mni_chance(mni_rng *r, int32_t percent)
{
    return mni_pick(r, 0, 99) < percent;
}

int32_t  mni_sin14(int32_t angle);      /* 65536ths of a turn -> Q14; any angle */
int32_t  mni_cos14(int32_t angle);
uint32_t mni_root64(uint64_t v);        /* floor of the square root */
/* A hash of three numbers: the noise of patterns and backgrounds. */
uint32_t mni_hash3(uint32_t a, uint32_t b, uint32_t seed);
/* Smooth noise, 0..255: a lattice of hashes one per 2^14 units, interpolated. */
int32_t  mni_value_noise(int32_t x, int32_t y, uint32_t seed);

/* --- shapes ------------------------------------------------------------------------- */

typedef enum mni_shape {
    MNI_ELLIPSE, MNI_SQUIRCLE, MNI_BOX, MNI_DIAMOND, MNI_TRIANGLE, MNI_TRAPEZOID, MNI_EGG,
    MNI_DOME, MNI_CAPSULE, MNI_RING, MNI_CRESCENT, MNI_HEART, MNI_CROSS, MNI_LEAF,
    MNI_SMILE,
    MNI_FLOWER, MNI_POLYGON, MNI_STAR, MNI_N_SHAPES
} mni_shape;

/* A shape made ready: normals of polygons, centres of petals. Lives in the square -1..1
 * (Q12). */
typedef struct mni_form { mni_shape shape; int n; int32_t p, nx[8], ny[8]; } mni_form;

/* `p` (Q12, 0..1) bends the shape: corner radius, taper, width of a ring, ... `points`:
 * 3..8. */
void mni_form_init(mni_form *f, mni_shape shape, int points, int32_t p);
/* Inside is <= MNI_Q12, growing outwards; not a distance. */
int32_t mni_form_at(const mni_form *f, int32_t u, int32_t v);

/* --- toys --------------------------------------------------------------------------- */

typedef enum mni_pattern {
    MNI_PLAIN, MNI_STRIPES, MNI_CHECKS, MNI_DOTS, MNI_GRADIENT, MNI_RINGS, MNI_PATCHES,
    MNI_ZIGZAG, MNI_HALVES, MNI_GRID, MNI_SPECKLE, MNI_TRICOLOUR, MNI_N_PATTERNS
} mni_pattern;

/* How a surface looks; shared by parts of one kind (both arms). Colours index the toy's
 * palette. */
typedef struct mni_look {
    mni_pattern pattern;
    uint8_t colour[3];
    int32_t period, angle, phase;       /* Q14; turn; Q14 */
    int32_t trim; /* Q12: width of a rim in the third colour; 0 none */
    int32_t gloss;                      /* 0..255 */
    uint32_t seed;
} mni_look;

typedef struct mni_part {
    mni_shape shape;
    int points, round;                  /* round: shaded as a ball, else nearly flat */
    int32_t p;
    /* centre and half sizes; x right, y down, z to the viewer */
    int32_t x, y, z, rx, ry, rz;
    int32_t turn;
    int limb;                           /* 0: stiff; else 1..MNI_MAX_LIMBS */
    int32_t joint_x, joint_y, swing; /* the limb turns about its joint by up to +-swing */
    mni_look look;
} mni_part;

typedef struct mni_toy {
    int n_parts;
    mni_part part[MNI_MAX_PARTS];
    uint8_t palette[MNI_N_COLOURS][3];  /* the last two: eye white, near black */
} mni_toy;

void mni_toy_make(mni_toy *t, uint64_t seed, uint64_t klass);
/* synth_plan.c: puts parts together; look[0..3]: body, limbs, head, extras. */
void mni_plan_build(mni_toy *t, mni_rng *r, const mni_look look[4]);
void mni_palette_make(uint8_t (*palette)[3], mni_rng *r);
void mni_look_make(mni_look *l, mni_rng *r, int n_colours);

/* --- painting ----------------------------------------------------------------------- */

/* Colours are premultiplied by alpha: 4 bytes a pixel. */
typedef struct mni_canvas { int32_t size; uint8_t *rgba; } mni_canvas;

/* A part on the picture: local (u, v) lands at centre + u * (ux, uy) + v * (vx, vy). */
typedef struct mni_sprite {
    const mni_part *part;
    const uint8_t (*palette)[3];
    int32_t x, y, z, ux, uy, vx, vy;    /* Q14 */
    int32_t slide_u, slide_v; /* Q12: how far the texture has turned with the surface */
    int32_t light_x, light_y;           /* Q12, on the picture: towards the light */
} mni_sprite;

void mni_paint(const mni_canvas *c, const mni_sprite *s);

/* --- views -------------------------------------------------------------------------- */

typedef struct mni_view {
    int32_t roll, yaw, pitch, limb[MNI_MAX_LIMBS + 1]; /* pose; limb: Q14 of its swing */
    int32_t scale, x, y;                                    /* camera, Q14 */
    int32_t light_x, light_y, shadow;                       /* Q12, Q12, 0..255 */
    int32_t gain[3], contrast, slope_x, slope_y, vignette;  /* Q12 */
    int32_t background; /* weight of clutter over grey, 0..256 */
    int32_t occlusion;                                      /* Q16 strength */
    int32_t blur, motion_x, motion_y; /* 256ths of a 1024th of the side */
    int32_t noise, levels; /* Q8 grey levels; step of quantisation */
} mni_view;

void mni_view_make(mni_view *v, const mann_synth_config *c, uint64_t klass,
                   uint64_t view);
/* Paints the toy as the view shows it. */
void mni_view_paint(const mni_canvas *c, const mni_toy *t, const mni_view *v);

/* --- scenes: all work in place on size * size pixels -------------------------------- */

/* Fills `canvas` (opaque). */
void mni_scene_background(const mni_canvas *canvas, const mni_view *v, mni_rng r);
/* Things in front of the toy. */
void mni_scene_occlude(const mni_canvas *canvas, const mni_view *v, mni_rng r);
/* Lays the toy (with its shadow) over the background; RGB out. */
void mni_scene_compose(uint8_t *rgb, const mni_canvas *back, const mni_canvas *toy,
                       const mni_view *v);
/* Exposure, colour temperature, contrast, falling-off light. */
void mni_lens_light(uint8_t *rgb, int32_t size, const mni_view *v);
/* `spare` has 3 * size * size bytes. */
void mni_lens_blur(uint8_t *rgb, uint8_t *spare, int32_t size, const mni_view *v);
void mni_lens_noise(uint8_t *rgb, int32_t size, const mni_view *v, uint32_t seed);

#endif
