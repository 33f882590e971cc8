/* synth_plan.c - ten ways to put a toy together: doll, beast, car, bird, tower, plant,
 * insect, vessel, monster, badge. Each is a short recipe of parts with random
 * proportions.
 *
 * Units are percents of an arbitrary size (mni_toy_make fits the result into the
 * picture); y grows downwards. Parts of one kind share a look, so that both arms wear the
 * same sleeve.
 *
 * Why ranges are passed around and not random numbers: C does not say in which order the
 * arguments of a call are evaluated, and compilers differ. f(draw(), draw()) would give
 * other toys under another compiler. So calls take spans, and draw from them inside, one
 * statement at a time. SPDX-License-Identifier: MIT */
#include "image/synth_impl.h"

/* The builder's tray: the toy so far, the random stream, the looks. */
typedef struct tray {
    mni_toy *toy;
    mni_rng *r;
    const mni_look *look;
    mni_part spare;
} tray;

/* A range to draw from, both ends included. */
typedef struct span {
    int32_t low, high;
} span;

static span at(int32_t v) { return (span){ v, v }; }
static span to(int32_t low, int32_t high) { return (span){ low, high }; }
static span share(int32_t of, int32_t low, int32_t high) /* percent of something */
{
    return (span){ of * low / 100, of * high / 100 };
}

enum { BODY = 0, LIMB = 1, HEAD = 2, EXTRA = 3 };
enum { ANY = -1, WHITE = MNI_N_COLOURS - 2, BLACK = MNI_N_COLOURS - 1 };

/* Sets of shapes to choose from, one bit each. */
#define ONE(shape) (1u << (shape))
enum {
    ROUNDISH = ONE(MNI_ELLIPSE) | ONE(MNI_SQUIRCLE) | ONE(MNI_BOX) | ONE(MNI_TRAPEZOID) |
               ONE(MNI_EGG) | ONE(MNI_POLYGON),
    BULKY = ROUNDISH | ONE(MNI_HEART) | ONE(MNI_DOME),
    ENDS = ONE(MNI_ELLIPSE) | ONE(MNI_BOX) | ONE(MNI_CAPSULE) | ONE(MNI_EGG) |
           ONE(MNI_LEAF) | ONE(MNI_TRAPEZOID),
    MARKS = ONE(MNI_STAR) | ONE(MNI_HEART) | ONE(MNI_RING) | ONE(MNI_CROSS) |
            ONE(MNI_POLYGON) | ONE(MNI_CRESCENT) | ONE(MNI_DIAMOND) | ONE(MNI_FLOWER) |
            ONE(MNI_LEAF) | ONE(MNI_TRIANGLE),
    CABINS = ONE(MNI_TRAPEZOID) | ONE(MNI_BOX) | ONE(MNI_DOME) | ONE(MNI_ELLIPSE) |
             ONE(MNI_SQUIRCLE),
    ROOFS = ONE(MNI_TRIANGLE) | ONE(MNI_DOME) | ONE(MNI_TRAPEZOID) | ONE(MNI_ELLIPSE) |
            ONE(MNI_STAR)
};

static int32_t pc(int32_t percent) { return percent * MNI_Q14 / 100; }
static int32_t any(tray *t, int32_t low, int32_t high)
{
    return mni_pick(t->r, low, high);
}
static int32_t draw(tray *t, span s)
{
    return s.low < s.high ? any(t, s.low, s.high) : s.low;
}

/* One shape of the set. */
static mni_shape choose(tray *t, uint32_t set)
{
    int n = 0;
    for (int s = 0; s < MNI_N_SHAPES; s++) n += (int)(set >> s & 1);
    int skip = n > 1 ? any(t, 0, n - 1) : 0, s = 0;
    while (!(set >> s & 1) || skip-- > 0) s++;
    return (mni_shape)s;
}

/* A part at (x, y, z) with half sizes (w, h), in percent. Thickness is the lesser half
 * size. When the tray is full the part goes to a spare one that nobody sees. */
static mni_part *add(tray *t, uint32_t shapes, int look, span x, span y, int32_t z,
                     span w, span h)
{
    mni_part *p =
        t->toy->n_parts < MNI_MAX_PARTS ? &t->toy->part[t->toy->n_parts++] : &t->spare;
    *p = (mni_part){
        .shape = choose(t, shapes), .round = 1, .look = t->look[look], .z = pc(z)
    };
    p->x = pc(draw(t, x));
    p->y = pc(draw(t, y));
    p->rx = pc(draw(t, w)) + 100;
    p->ry = pc(draw(t, h)) + 100;
    p->rz = p->rx < p->ry ? p->rx : p->ry;
    p->p = any(t, MNI_Q12 * 25 / 100,
               MNI_Q12 * 75 / 100); /* where a shape still is itself */
    p->points = any(t, 5, 8);
    return p;
}

static mni_part *turned(tray *t, mni_part *p, int32_t low, int32_t high)
{
    p->turn = any(t, low, high);
    return p;
}

/* Turns about (x, y) percent by up to `swing` degrees in either direction. */
static mni_part *hinge(mni_part *p, int limb, int32_t x, int32_t y, int32_t swing)
{
    p->limb = 1 + (limb - 1) % MNI_MAX_LIMBS;
    p->joint_x = pc(x);
    p->joint_y = pc(y);
    p->swing = swing * 65536 / 360;
    return p;
}

/* Paint instead of a body: thin, one colour (ANY: one of the palette). */
static mni_part *flat(tray *t, mni_part *p, int colour)
{
    p->round = 0;
    p->rz = 0;
    p->look.pattern = MNI_PLAIN;
    p->look.trim = p->look.gloss = 0;
    p->look.colour[0] = (uint8_t)(colour == ANY ? any(t, 0, MNI_N_COLOURS - 3) : colour);
    return p;
}

/* 1-3 stickers on the front of a part. */
static void marks(tray *t, const mni_part *on)
{
    const mni_part base = *on;
    for (int n = any(t, 1, 3); n > 0; n--) {
        mni_part *p =
            turned(t, add(t, MARKS, EXTRA, at(0), at(0), 0, at(10), at(10)), 0, 65535);
        flat(t, p, ANY);
        p->x = base.x + base.rx * any(t, -45, 45) / 100;
        p->y = base.y + base.ry * any(t, -45, 45) / 100;
        p->z = base.z + base.rz + n;
        p->rx = p->ry = (base.rx < base.ry ? base.rx : base.ry) * any(t, 18, 42) / 100;
        p->limb = base.limb;
        p->joint_x = base.joint_x;
        p->joint_y = base.joint_y;
        p->swing = base.swing;
    }
}

static void eye(tray *t, int32_t x, int32_t y, int32_t z, int32_t size, int32_t slit,
                int style)
{
    if (style > 0)
        flat(t, add(t, ONE(MNI_ELLIPSE), HEAD, at(x), at(y), z, at(size), at(size)),
             WHITE);
    flat(t,
         add(t, style == 3 ? ONE(MNI_DIAMOND) : ONE(MNI_ELLIPSE), HEAD, at(x), at(y),
             z + 1, at(size * slit / 160), at(size * 6 / 10)),
         BLACK);
}

/* Eyes, and perhaps nose and mouth, on the front of a head of half sizes (w, h) at (x, y,
 * z). */
static void face(tray *t, int32_t x, int32_t y, int32_t z, int32_t w, int32_t h)
{
    const int32_t lesser = w < h ? w : h, size = lesser * any(t, 14, 34) / 100;
    const int32_t apart = w * any(t, 28, 52) / 100, up = y - h * any(t, 0, 35) / 100;
    const int kind = any(t, 0, 9),
              n = kind == 0   ? 1
                  : kind == 1 ? 3
                              : 2,
              style = any(t, 0, 3);
    const int32_t slit = any(t, 40, 100);
    for (int i = 0; i < n; i++)
        eye(t, x + apart * (2 * i - (n - 1)) / (n == 3 ? 2 : 1), up, z, size, slit,
            style);
    if (mni_chance(t->r, 60))
        flat(t,
             add(t, MARKS, HEAD, at(x), to(y + h * 5 / 100, y + h * 25 / 100), z + 2,
                 share(lesser, 10, 24), share(lesser, 10, 24)),
             ANY);
    if (mni_chance(t->r, 75)) {
        mni_part *p = add(t, ONE(MNI_SMILE) | ONE(MNI_CAPSULE), HEAD, at(x),
                          to(y + h * 35 / 100, y + h * 55 / 100), z + 1,
                          share(lesser, 20, 50), share(lesser, 10, 35));
        flat(t, p, BLACK);
        if (mni_chance(t->r, 40)) flat(t, p, ANY);
        p->p = MNI_Q12 * 6 / 10;
    }
}

/* The same part left and right of x = 0; limbs `limb` and `limb + 1` (0: stiff), jointed
 * at (+-jx, jy). */
static void both(tray *t, uint32_t shapes, int look, span x, span y, int32_t z, span w,
                 span h, span turn, int limb, int32_t jx, int32_t jy, int32_t swing)
{
    mni_part *right = add(t, shapes, look, x, y, z, w, h);
    right->turn = draw(t, turn);
    const mni_part copy = *right;
    if (limb) hinge(right, limb, jx, jy, swing);
    mni_part *left = add(t, shapes, look, x, y, z, w, h);
    *left = copy;
    left->x = -left->x;
    left->turn = -left->turn;
    if (limb) hinge(left, limb + 1, -jx, jy, swing);
}

static void ears(tray *t, int32_t x, int32_t y, int32_t w, int32_t h)
{
    const int32_t tall = w * any(t, 25, 90) / 100;
    switch (any(t, 0, 4)) {
    case 0: break;
    case 1:
    case 2:
        both(t, ENDS, EXTRA, to(x + w * 45 / 100, x + w * 95 / 100),
             to(y - h * 110 / 100, y - h * 60 / 100), -4, share(w, 20, 55), at(tall),
             to(-6000, 12000), 0, 0, 0, 0);
        break;
    case 3: /* a hat with a brim */
        add(t, BULKY, EXTRA, at(x), at(y - h - tall / 2), 1, share(w, 40, 90),
            at(tall * 8 / 10));
        add(t, ONE(MNI_BOX), EXTRA, at(x), at(y - h * 9 / 10), 4, share(w, 80, 130),
            at(w / 9));
        break;
    default: /* aerials */
        both(t, ONE(MNI_CAPSULE), LIMB, at(w * 35 / 100), at(y - h - tall / 2), 0,
             at(w / 14 + 1), at(tall), at(2500), 0, 0, 0, 0);
        both(t, ONE(MNI_ELLIPSE), EXTRA, at(w * 35 / 100 + tall * 3 / 10),
             at(y - h - tall * 13 / 10), 1, share(w, 15, 35), share(w, 15, 35), at(0), 0,
             0, 0, 0);
    }
}

/* --- the ten plans ------------------------------------------------------------------ */

static void doll(tray *t)
{
    const int32_t w = any(t, 22, 42), h = any(t, 28, 46), hw = any(t, 20, 40),
                  hh = any(t, 20, 38);
    const int32_t arm = any(t, 18, 34), leg = any(t, 14, 34), thick = any(t, 7, 13);
    const int32_t hip = w * any(t, 35, 65) / 100, y = -h - hh * 8 / 10;
    both(t, ENDS, LIMB, at(hip), at(h + leg * 7 / 10), -2, at(thick), at(leg), at(600), 1,
         hip, h, 25);
    both(t, ENDS, EXTRA, at(hip + 3), at(h + leg * 16 / 10), 2, at(thick * 13 / 10),
         at(thick * 8 / 10), at(0), 1, hip, h, 25);
    both(t, ENDS, LIMB, at(w + arm / 2), at(arm / 4 - h / 3), 1, at(thick), at(arm),
         to(-11000, -2000), 3, w * 8 / 10, -h / 2, 45);
    marks(t, add(t, BULKY, BODY, at(0), at(0), 0, at(w), at(h)));
    add(t, ROUNDISH, HEAD, at(0), at(y), 3, at(hw), at(hh));
    ears(t, 0, y, hw, hh);
    face(t, 0, y, 3 + (hw < hh ? hw : hh), hw, hh);
}

static void beast(tray *t)
{
    const int32_t w = any(t, 38, 62), h = any(t, 18, 36), leg = any(t, 10, 30),
                  thick = any(t, 5, 11);
    const int32_t hw = any(t, 15, 28), hh = any(t, 14, 26), neck = any(t, 0, 34);
    const int32_t hx = w + hw / 3, hy = -h / 2 - neck;
    const uint32_t foot = ONE(choose(t, ENDS));
    for (int i = 0; i < 4; i++) {
        const int32_t x = (i < 2 ? -1 : 1) * w * 6 / 10 + (i & 1 ? 6 : -6);
        hinge(add(t, foot, LIMB, at(x), at(h + leg * 6 / 10), i & 1 ? 12 : -12, at(thick),
                  at(leg)),
              1 + i, x, h * 7 / 10, 35);
    }
    hinge(turned(t,
                 add(t, ENDS, EXTRA, at(-w - 10), at(-h * 4 / 10), 0, to(4, 12),
                     to(12, 32)),
                 -14000, -2000),
          5, -w * 9 / 10, 0, 50);
    marks(t, add(t, ROUNDISH, BODY, at(0), at(0), 0, at(w), at(h)));
    if (neck > 10)
        add(t, ONE(MNI_CAPSULE), BODY, at((w * 8 / 10 + hx) / 2), at(hy / 2 - 2), -1,
            at(hw / 2), at(neck * 8 / 10 + 6))
            ->turn = 3000;
    add(t, ROUNDISH, HEAD, at(hx), at(hy), 4, at(hw), at(hh));
    turned(t,
           add(t, ENDS, EXTRA, at(hx - hw / 2), at(hy - hh), 6, at(hw * 4 / 10),
               to(6, 24)),
           -6000, 2000);
    add(t, ENDS, EXTRA, at(hx + hw * 9 / 10), at(hy + hh / 4), 6, to(5, 14), to(5, 11));
    const int32_t pupil = hw * any(t, 18, 34) / 100, style = any(t, 0, 2);
    eye(t, hx + hw / 4, hy - hh / 5, 4 + hh, pupil, 90, style);
}

static void car(tray *t)
{
    const int32_t w = any(t, 50, 75), h = any(t, 14, 26), wheel = any(t, 11, 22);
    const int32_t cw = any(t, 22, 45), ch = any(t, 14, 34), cx = any(t, -25, 25);
    const int n = any(t, 2, 4), windows = any(t, 1, 3),
              glass = any(t, 0, MNI_N_COLOURS - 2);
    add(t, CABINS, HEAD, at(cx), at(-h - ch * 8 / 10), 0, at(cw), at(ch))->rz = pc(h);
    for (int i = 0; i < windows; i++)
        flat(t,
             add(t, ONE(MNI_BOX) | ONE(MNI_SQUIRCLE), HEAD,
                 at(cx + cw * (2 * i - windows + 1) * 45 / 100 / windows),
                 at(-h - ch * 8 / 10), h + 1, at(cw * 60 / 100 / windows),
                 at(ch * 5 / 10)),
             glass);
    mni_part *body = add(t, mni_chance(t->r, 70) ? ONE(MNI_BOX) : ROUNDISH, BODY, at(0),
                         at(0), 0, at(w), at(h));
    body->rz = pc(h + 4);
    marks(t, body);
    const uint32_t hub = ONE(choose(t, MARKS));
    for (int i = 0; i < n; i++) {
        const int32_t x = -w * 7 / 10 + w * 14 / 10 * i / (n - 1);
        add(t, ONE(MNI_ELLIPSE), LIMB, at(x), at(h), h + 6, at(wheel), at(wheel))->rz =
            pc(3);
        mni_part *p =
            add(t, hub, EXTRA, at(x), at(h), h + 8, at(wheel / 2), at(wheel / 2));
        hinge(p, 1 + i, x, h, 170)->rz = pc(1);
    }
    add(t, ENDS, EXTRA, at(w * 95 / 100), at(-h / 4), 2, to(4, 9), to(5, 10));
    if (mni_chance(t->r, 50))
        turned(t,
               add(t, ENDS, EXTRA, at(-w * 9 / 10), at(-h * 13 / 10), 0, to(5, 16),
                   to(8, 24)),
               -5000, 5000);
}

static void bird(tray *t) /* or fish, or plane: a long body, wings, a tail, one eye */
{
    const int32_t w = any(t, 34, 58), h = any(t, 20, 40);
    const int32_t hw = any(t, 13, 26), x = w * 9 / 10, y = -h * any(t, 0, 90) / 100;
    hinge(turned(t,
                 add(t, MARKS, EXTRA, at(-w * 12 / 10), to(-15, 10), -1, to(14, 30),
                     to(14, 32)),
                 0, 65535),
          1, -w, 0, 30);
    turned(t, add(t, ENDS, LIMB, to(-15, 15), at(-h * 11 / 10), -2, to(8, 24), to(8, 26)),
           -9000, 9000);
    if (mni_chance(t->r, 60))
        both(t, ONE(MNI_CAPSULE), LIMB, to(4, 12), at(h * 13 / 10), 1, to(2, 5),
             to(8, 20), at(0), 2, 6, h, 25);
    mni_part *body =
        turned(t, add(t, ROUNDISH, BODY, at(0), at(0), 0, at(w), at(h)), -3000, 3000);
    marks(t, body);
    hinge(turned(t, add(t, ENDS, LIMB, to(-14, 8), to(-6, 10), h, to(16, 32), to(9, 18)),
                 -9000, 9000),
          4, 4, -4, 45);
    add(t, ONE(MNI_TRIANGLE), EXTRA, to(x + hw + 2, x + hw + 12), at(y), 1, to(5, 11),
        to(8, 20))
        ->turn = 16384;
    add(t, ROUNDISH, HEAD, at(x), at(y), 3, at(hw), at(hw));
    const int32_t pupil = hw * any(t, 20, 42) / 100, style = any(t, 0, 3);
    eye(t, x + hw / 4, y - hw / 5, 4 + hw, pupil, 90, style);
}

static void tower(tray *t) /* castle, lighthouse, rocket */
{
    int32_t y = 0, w = any(t, 26, 48);
    const int floors = any(t, 2, 4), fins = any(t, 0, 99),
              glass = any(t, 0, MNI_N_COLOURS - 1);
    if (fins < 60)
        both(t, fins < 30 ? ONE(MNI_TRIANGLE) : ENDS, LIMB, to(34, 58), at(-16), -3,
             to(10, 20), to(14, 44), to(-3000, 3000), 0, 0, 0, 0);
    for (int i = 0; i < floors; i++) {
        const int32_t h = any(t, 14, 34);
        mni_part *p = add(t, mni_chance(t->r, 60) ? ONE(MNI_BOX) : ROUNDISH,
                          i & 1 ? HEAD : BODY, at(0), at(y - h), 0, at(w), at(h));
        p->rz = pc(w);
        if (i == 0) marks(t, p);
        const int windows = any(t, 0, 3);
        for (int k = 0; k < windows; k++)
            flat(t,
                 add(t, ROUNDISH, EXTRA, at(w * (2 * k - windows + 1) * 6 / 10 / windows),
                     at(y - h), w + 1, at(w * 4 / 10 / windows), share(h, 25, 55)),
                 glass);
        y -= 2 * h - 3;
        w = w * any(t, 60, 105) / 100;
    }
    const int32_t roof = any(t, 14, 36);
    add(t, ROOFS, EXTRA, at(0), at(y - roof * 8 / 10), 1, share(w, 90, 130), at(roof));
}

static void plant(tray *t) /* flower or tree in a pot */
{
    const int32_t stem = any(t, 26, 50), petal = any(t, 11, 22), ring = any(t, 17, 30);
    const int32_t y = 20 - stem, heart = any(t, 10, 24);
    const int n = any(t, 4, 10);
    const uint32_t kind = ONE(choose(t, ENDS));
    add(t, ONE(MNI_CAPSULE), LIMB, at(0), at(20), -2, to(3, 8), at(stem));
    both(t, ONE(MNI_LEAF), LIMB, to(12, 24), to(13, 37), 0, to(8, 14), to(14, 30),
         to(4000, 13000), 1, 0, 32, 30);
    mni_part *pot =
        add(t, ROUNDISH, HEAD, at(0), at(22 + stem), 1, to(22, 42), to(16, 30));
    if (pot->shape == MNI_TRAPEZOID || pot->shape == MNI_EGG) pot->turn = 32768;
    marks(t, pot);
    for (int i = 0; i < n; i++) {
        const int32_t angle = 65536 * i / n;
        mni_part *p = add(t, kind, BODY, at(mni_mul14(ring, mni_cos14(angle))),
                          at(y + mni_mul14(ring, mni_sin14(angle))), 1 + (i & 1),
                          at(petal * 7 / 10), at(petal));
        p->turn = angle + 16384;
        p->rz = pc(3);
    }
    add(t, ROUNDISH, EXTRA, at(0), at(y), 5, at(heart), at(heart));
    if (mni_chance(t->r, 50)) face(t, 0, y, 6 + heart, heart, heart);
}

static void insect(tray *t) /* a row of balls, many legs, perhaps wings */
{
    const int n = any(t, 2, 5), pairs = any(t, 0, 2);
    const int32_t size = any(t, 15, 24), gap = size * any(t, 11, 16) / 10,
                  x = gap * (n - 1);
    const int32_t leg = any(t, 12, 30), thick = any(t, 2, 5), turn = any(t, -4000, 4000);
    const int32_t wing = any(t, 14, 44), head = size * any(t, 80, 140) / 100;
    const uint32_t kind = ONE(choose(t, ROUNDISH)), wings = ONE(choose(t, ENDS));
    for (int i = 0; i < 2 * n; i++) {
        mni_part *p = add(t, ONE(MNI_CAPSULE), LIMB, at(gap * (i / 2)),
                          at(size + 4 * (i & 1)), i & 1 ? 8 : -8, at(thick), at(leg));
        hinge(p, 1 + i, gap * (i / 2), size / 2, 40)->turn = turn;
    }
    for (int i = 0; i < pairs; i++)
        hinge(turned(t,
                     add(t, wings, EXTRA, at(x / 2 + 14 * i - 8),
                         at(-size - wing * 6 / 10), i ? 5 : -5, at(wing / 2), at(wing)),
                     -7000, 7000),
              7, x / 2, -size, 40);
    for (int i = 0; i < n; i++) {
        const int32_t s = size * any(t, 75, 125) / 100;
        mni_part *p =
            add(t, kind, i & 1 ? HEAD : BODY, at(gap * i), to(-4, 4), i, at(s), at(s));
        if (i == 0) marks(t, p);
    }
    turned(t,
           add(t, ONE(MNI_CAPSULE), LIMB, at(x + 4), at(-size * 15 / 10), 1, at(2),
               at(size * 7 / 10)),
           1000, 6000);
    add(t, ROUNDISH, EXTRA, at(x), at(-4), n + 1, at(head), at(head));
    face(t, x, -4, n + 2 + head, head, head);
}

static void vessel(tray *t) /* bottle, jug, lamp */
{
    const int32_t w = any(t, 26, 46), h = any(t, 26, 52), neck = any(t, 8, 24),
                  nh = any(t, 8, 30);
    const int handle = any(t, 0, 99), spout = any(t, 0, 99), foot = any(t, 0, 99),
              friendly = any(t, 0, 99);
    if (handle < 60)
        add(t, ONE(MNI_RING), LIMB, at(w), to(-14, 10), -2, to(12, 26), to(14, 32))->p =
            MNI_Q12 * 65 / 100;
    if (spout < 50)
        turned(t,
               add(t, ENDS, LIMB, at(-w * 11 / 10), to(-20, 10), -2, to(6, 14),
                   to(14, 32)),
               -11000, -3000);
    add(t, ONE(MNI_BOX), HEAD, at(0), at(-h - nh * 7 / 10), -1, at(neck), at(nh));
    mni_part *body = add(t, BULKY, BODY, at(0), at(0), 0, at(w), at(h));
    marks(t, body);
    add(t, BULKY, EXTRA, at(0), at(-h - nh * 16 / 10), 2, share(neck, 100, 200),
        to(6, 18));
    add(t, ONE(MNI_BOX), LIMB, at(0), to(-h / 2, h / 2), w * 8 / 10, at(w * 9 / 10),
        to(4, 12))
        ->rz = pc(4);
    if (foot < 60) add(t, BULKY, EXTRA, at(0), at(h), 2, share(w, 60, 130), to(4, 12));
    if (friendly < 35) face(t, 0, 0, w + 6, w * 7 / 10, h * 6 / 10);
}

static void monster(tray *t) /* one big body with everything on it */
{
    const int32_t w = any(t, 36, 60), h = any(t, 36, 60), horns = any(t, 12, 30);
    const int legs = any(t, 2, 5);
    const uint32_t foot = ONE(choose(t, ENDS));
    for (int i = 0; i < legs; i++) {
        const int32_t x = w * (2 * i - legs + 1) * 8 / 10 / legs;
        hinge(add(t, foot, LIMB, at(x), at(h), 6 * (i & 1), at(w * 6 / 10 / legs + 3),
                  to(10, 22)),
              1 + i, x, h * 8 / 10, 30);
    }
    both(t, ENDS, LIMB, at(w + 4), to(-10, 14), -1, to(6, 13), to(14, 34),
         to(-14000, 4000), 6, w * 9 / 10, 0, 55);
    both(t, MARKS, EXTRA, share(w, 30, 80), at(-h - horns * 3 / 10), -2,
         at(horns * 7 / 10), at(horns), to(-1000, 6000), 0, 0, 0, 0);
    marks(t, add(t, BULKY, BODY, at(0), at(0), 0, at(w), at(h)));
    add(t, ONE(MNI_ELLIPSE), HEAD, at(0), at(h * 4 / 10), h * 8 / 10, share(w, 30, 60),
        share(h, 20, 40))
        ->rz = 0;
    face(t, 0, -h / 5, (w < h ? w : h) + 3, w * 8 / 10, h * 6 / 10);
}

static void badge(tray *t) /* a sign: layers of shapes in mirror symmetry */
{
    const int32_t w = any(t, 40, 60), h = any(t, 40, 60), inner = any(t, 40, 70),
                  star = any(t, 0, 99);
    const int pairs = any(t, 1, 3);
    mni_part *base =
        add(t, star < 40 ? ONE(MNI_STAR) : BULKY, BODY, at(0), at(0), 0, at(w), at(h));
    base->rz = pc(8);
    for (int i = 0; i < pairs; i++) {
        const int32_t size = any(t, 10, 26), z = mni_chance(t->r, 50) ? 10 : -4;
        both(t, MARKS, i & 1 ? EXTRA : LIMB, to(14, 60), to(-50, 50), z, at(size),
             share(size, 60, 140), to(0, 65535), 1 + 2 * i, 0, 0, 12);
    }
    add(t, MARKS, HEAD, at(0), to(-8, 8), 10, share(w, inner, inner),
        share(h, inner, inner))
        ->rz = pc(4);
    turned(t,
           add(t, MARKS, EXTRA, at(0), to(-8, 8), 16, at(w * inner / 220),
               at(h * inner / 220)),
           0, 65535);
    marks(t, base);
}

void mni_plan_build(mni_toy *toy, mni_rng *r, const mni_look look[4])
{
    static void (*const PLANS[])(tray *) = { doll,  beast,  car,    bird,    tower,
                                             plant, insect, vessel, monster, badge };
    tray t = { .toy = toy, .r = r, .look = look };
    PLANS[any(&t, 0, 9)](&t);
}
