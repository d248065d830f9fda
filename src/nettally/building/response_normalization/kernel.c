/* Local response normalisation, forward and gradient, in one pass over memory each.

   y = x * d^-beta, d = k + scale * S, S the sum of x^2 over `size` neighbours along each axis;
   dx = g * d^-beta - 2 * beta * scale * x * S'(g * x * d^(-beta - 1)), as whole.py has it.

   A tensor is seen as (outer, 1 to 3 axes of the windows, inner). It is cut along the first and
   last into tiles that stay in the nearest caches. In a tile's buffers, room of zeros stands around
   the axes of the windows, so that every sum of neighbours is a sum of the buffer with itself,
   shifted: one loop without an edge case, which a compiler makes vector code of.

   STORED says what is in memory: 1 float, 2 double, 3 float16, 4 bfloat16. One library each. */

#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if STORED == 2
typedef double real;
typedef double stored;
#define SQRT sqrt
#define POW pow
#else
typedef float real;
#define SQRT sqrtf
#define POW powf
#if STORED == 1
typedef float stored;
#elif STORED == 3
typedef _Float16 stored; /* a compiler that has none says so, and torch's operations are used */
#else
typedef uint16_t stored;
#endif
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE real loaded(stored value)
{
#if STORED == 4
    uint32_t bits = (uint32_t)value << 16;
    real made;
    memcpy(&made, &bits, sizeof made);
    return made;
#else
    return (real)value;
#endif
}

INLINE stored rounded(real value)
{
#if STORED == 4
    uint32_t bits; /* to the nearest, ties to even; a NaN must not be carried over into infinity */
    memcpy(&bits, &value, sizeof bits);
    uint32_t up = bits + 0x7fff + (bits >> 16 & 1);
    return (stored)((value != value ? 0x7fc00000u : up) >> 16);
#else
    return (stored)value;
#endif
}

/* --- the powers -------------------------------------------------------------------------------- */

enum { THREE_QUARTERS, HALF, ONE, OTHER };

typedef struct {
    real factor;  /* d^-beta */
    real inverse; /* 1/d */
} powers;

/* By square roots and a division, right for every d, those that are no number too. */
INLINE powers of_any(real d, int kind, real beta)
{
    powers made = {0, 1 / d};
    if (kind == THREE_QUARTERS) {
        real root = SQRT(d);
        made.factor = 1 / (root * SQRT(root));
    } else if (kind == HALF)
        made.factor = 1 / SQRT(d);
    else if (kind == ONE)
        made.factor = made.inverse;
    else
        made.factor = POW(d, -beta);
    return made;
}

#if STORED == 2
#define ORDINARY(d) 1
INLINE powers of_ordinary(real d, int kind, real beta) { return of_any(d, kind, beta); }
#else
/* Roots and divisions cost more than the memory that they wait for. A float's bits are nearly its
   logarithm: a quarter of them, taken from a constant, is d^-1/4 to 4 %. With e = 1 - d y^4, d^-1/4
   is y (1 - e)^-1/4 = y (1 + e/4 + 5/32 e^2 + ...); taken twice, 4 % becomes a float's rounding. */
#define ORDINARY(d) ((d) > 1e-25f && (d) < 1e25f)

INLINE real quarter_root(real d)
{
    uint32_t bits;
    real y;
    memcpy(&bits, &d, sizeof bits);
    bits = 0x4f58cae5u - (bits >> 2);
    memcpy(&y, &bits, sizeof y);
    for (int step = 0; step < 2; step++) {
        real square = y * y;
        real e = 1 - d * square * square;
        y += y * e * (0.25f + e * 0.15625f);
    }
    return y;
}

INLINE powers of_ordinary(real d, int kind, real beta)
{
    if (kind != THREE_QUARTERS)
        return of_any(d, kind, beta);
    real y = quarter_root(d), square = y * y;
    powers made = {square * y, square * square};
    return made;
}
#endif

/* --- the work ---------------------------------------------------------------------------------- */

typedef struct {
    const stored *x;
    const stored *g; /* NULL in the forward */
    stored *made;
    int64_t outer, axes, length[3], inner; /* the tensor */
    int64_t high, wide;                    /* a tile's part of outer and inner */
    int64_t size;
    double scale, k, beta;
    int64_t next;   /* the next tile to be taken, by whichever thread is free */
    int64_t failed; /* whether there was no memory for a buffer */
} work;

typedef struct {
    const work *of;
    int kind;
    real scale, k, beta;
    int64_t padded[3];             /* an axis with its room */
    int64_t shift[3], stride[3];   /* how far its next value is, here and in memory */
    int64_t over, rows, run, row;  /* memory is read in runs: how many and how long; a window's all */
    int64_t places;                /* of a buffer */
    int64_t before, after;         /* the first value's place, and that of who sees it */
    real *squares, *terms, *sums[3];
} tile;

INLINE void add(const real *restrict from, real *restrict into, int64_t n, int64_t shift,
                int64_t size)
{
    for (int64_t i = 0; i < n; i++) {
        real total = from[i];
        for (int64_t j = 1; j < size; j++)
            total += from[i + j * shift];
        into[i] = total;
    }
}

/* into[i] becomes the sum of `size` values of from, `shift` apart, from i on. */
static void add_neighbours(const real *from, real *into, int64_t n, int64_t shift, int64_t size)
{
    if (size == 5)
        add(from, into, n, shift, 5);
    else if (size == 3)
        add(from, into, n, shift, 3);
    else {
        memcpy(into, from, n * sizeof *into);
        for (int64_t j = 1; j < size; j++) {
            const real *other = from + j * shift;
            for (int64_t i = 0; i < n; i++)
                into[i] += other[i];
        }
    }
}

/* The sums of the neighbours along the first axes, by turns in two buffers. */
static const real *summed(const tile *t, const real *from, int64_t axes, real *into, real *other)
{
    int64_t size = t->of->size, n = t->places;
    for (int64_t axis = 0; axis < axes; axis++) {
        n -= (size - 1) * t->shift[axis];
        add_neighbours(from, into, n, t->shift[axis], size);
        from = into;
        into = other;
        other = (real *)from;
    }
    return from;
}

/* Where a run of memory begins, and its place in the buffers. */
typedef struct {
    int64_t at, in;
    int64_t index[3];
} place;

INLINE place first_run(const tile *t, int64_t start, int64_t left)
{
    place made = {start * t->row + left, 0, {0, 0, 0}};
    return made;
}

INLINE void next_run(const tile *t, place *p)
{
    for (int64_t axis = t->over - 1; axis >= 0; axis--) {
        p->at += t->stride[axis];
        p->in += t->shift[axis];
        if (++p->index[axis] < t->of->length[axis])
            return;
        p->index[axis] = 0; /* back to the axis' begin, and on along the one before */
        p->at -= t->stride[axis] * t->of->length[axis];
        p->in -= t->shift[axis] * t->of->length[axis];
    }
    p->at += t->row;
    p->in += t->padded[0] * t->shift[0];
}

/* Whether d is such, for each of n, that the fast way is right. */
static int all_ordinary(const tile *t, const real *near, int64_t n)
{
    int odd = 0;
    for (int64_t i = 0; i < n; i++) {
        real d = t->k + t->scale * near[i];
        odd |= !ORDINARY(d);
    }
    return !odd;
}

INLINE powers of(real d, int kind, real beta, int ordinary)
{
    return ordinary ? of_ordinary(d, kind, beta) : of_any(d, kind, beta);
}

/* Runs lie apart, so that a processor does not see the next one coming. */
enum { AHEAD = 2 };

INLINE void fetch(const stored *from, int64_t n)
{
    for (int64_t i = 0; i < n; i += 64 / sizeof *from)
        __builtin_prefetch(from + i);
}

INLINE void normalise(const tile *t, const real *restrict near, const stored *restrict x,
                      stored *restrict y, int64_t n, int kind, int ordinary)
{
    for (int64_t i = 0; i < n; i++) {
        real d = t->k + t->scale * near[i];
        y[i] = rounded(loaded(x[i]) * of(d, kind, t->beta, ordinary).factor);
    }
}

/* The gradient's first term, in near's place, and what is summed for the second. */
INLINE void begin_gradient(const tile *t, real *restrict near, const stored *restrict x,
                           const stored *restrict g, real *restrict terms, int64_t n, int kind,
                           int ordinary)
{
    for (int64_t i = 0; i < n; i++) {
        real d = t->k + t->scale * near[i];
        powers made = of(d, kind, t->beta, ordinary);
        near[i] = loaded(g[i]) * made.factor;
        terms[i] = near[i] * loaded(x[i]) * made.inverse;
    }
}

INLINE void end_gradient(const tile *t, const real *restrict first, const real *restrict terms,
                         const stored *restrict x, stored *restrict made, int64_t n, int64_t size)
{
    int64_t shift = t->shift[t->of->axes - 1];
    real twice = -2 * t->beta * t->scale;
    for (int64_t i = 0; i < n; i++) {
        real total = terms[i];
        for (int64_t j = 1; j < size; j++)
            total += terms[i + j * shift];
        made[i] = rounded(first[i] + twice * loaded(x[i]) * total);
    }
}

/* A loop of its own for each power, and for d as it comes. */
#define EACH_KIND(kind, ordinary, call) \
    switch ((ordinary) ? (kind) : 4 + (kind)) { \
    case THREE_QUARTERS: call(THREE_QUARTERS, 1); break; \
    case HALF: call(HALF, 1); break; \
    case ONE: call(ONE, 1); break; \
    case OTHER: call(OTHER, 1); break; \
    case 4 + THREE_QUARTERS: call(THREE_QUARTERS, 0); break; \
    default: call(kind, 0); \
    }

static void do_tile(const tile *t, int64_t start, int64_t high, int64_t left, int64_t wide)
{
    const work *w = t->of;
    int64_t n = w->inner == 1 ? t->run : wide, rows = t->rows * high;
    int64_t axes = w->axes, size = w->size;
    place p = first_run(t, start, left), ahead = p;
    for (int i = 0; i < AHEAD; i++)
        next_run(t, &ahead);
    const place second = ahead;
    for (int64_t row = 0; row < rows; row++, next_run(t, &p)) {
        const stored *restrict x = w->x + p.at;
        real *restrict squares = t->squares + t->before + p.in;
        if (row + AHEAD < rows)
            fetch(w->x + ahead.at, n);
        next_run(t, &ahead);
        for (int64_t i = 0; i < n; i++)
            squares[i] = loaded(x[i]) * loaded(x[i]);
    }
    real *near = (real *)summed(t, t->squares, axes, t->sums[0], t->sums[1]);
    p = first_run(t, start, left);
    ahead = second;
    for (int64_t row = 0; row < rows; row++, next_run(t, &p)) {
        const stored *x = w->x + p.at;
        real *here = near + p.in;
        int ordinary = all_ordinary(t, here, n);
        if (w->g) {
            const stored *g = w->g + p.at;
            real *terms = t->terms + t->after + p.in;
            if (row + AHEAD < rows)
                fetch(w->g + ahead.at, n);
            next_run(t, &ahead);
#define CALL(kind, ordinary) begin_gradient(t, here, x, g, terms, n, kind, ordinary)
            EACH_KIND(t->kind, ordinary, CALL)
#undef CALL
        } else {
            stored *y = w->made + p.at;
#define CALL(kind, ordinary) normalise(t, here, x, y, n, kind, ordinary)
            EACH_KIND(t->kind, ordinary, CALL)
#undef CALL
        }
    }
    if (!w->g)
        return;
    int whole = size == 5 || size == 3; /* then the last axis' sums are made as they are used */
    real *into = near == t->sums[0] ? t->sums[1] : t->sums[0];
    const real *seen = summed(t, t->terms, whole ? axes - 1 : axes, into, t->sums[2]);
    p = first_run(t, start, left);
    for (int64_t row = 0; row < rows; row++, next_run(t, &p)) {
        const stored *x = w->x + p.at;
        stored *made = w->made + p.at;
        if (size == 5)
            end_gradient(t, near + p.in, seen + p.in, x, made, n, 5);
        else if (size == 3)
            end_gradient(t, near + p.in, seen + p.in, x, made, n, 3);
        else
            end_gradient(t, near + p.in, seen + p.in, x, made, n, 1);
    }
}

/* What each thread does: take the next tile until there is none. */
static void do_tiles(void *data)
{
    work *w = data;
    tile t = {.of = w, .scale = w->scale, .k = w->k, .beta = w->beta};
    t.kind = w->beta == 0.75 ? THREE_QUARTERS : w->beta == 0.5 ? HALF : w->beta == 1 ? ONE : OTHER;
    int64_t shift = w->inner == 1 ? 1 : w->wide;
    t.rows = 1;
    t.row = w->inner;
    t.over = w->inner == 1 ? w->axes - 1 : w->axes;
    for (int64_t axis = w->axes - 1; axis >= 0; axis--) {
        t.padded[axis] = w->length[axis] + w->size - 1;
        t.shift[axis] = shift;
        t.before += w->size / 2 * shift;
        t.after += (w->size - 1) / 2 * shift; /* who sees a value stands the other way round */
        shift *= t.padded[axis];
        t.stride[axis] = t.row;
        t.row *= w->length[axis];
        t.rows *= axis < t.over ? w->length[axis] : 1;
    }
    t.run = w->length[w->axes - 1];
    t.places = w->high * shift;
    /* A multiple of a cache line and one more, so that the buffers' same places do not all want
       the same line of the cache. */
    size_t each = (t.places + 16) / 16 * 16 + 16;
    void *buffers = NULL;
    if (posix_memalign(&buffers, 64, 5 * each * sizeof(real))) {
        __atomic_store_n(&w->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    t.squares = buffers;
    t.terms = t.squares + each;
    memset(buffers, 0, 2 * each * sizeof(real)); /* the room; the sums are all written */
    for (int i = 0; i < 3; i++)
        t.sums[i] = t.terms + (i + 1) * each;
    int64_t across = (w->inner + w->wide - 1) / w->wide;
    int64_t tiles = (w->outer + w->high - 1) / w->high * across;
    for (;;) {
        int64_t i = __atomic_fetch_add(&w->next, 1, __ATOMIC_RELAXED);
        if (i >= tiles)
            break;
        int64_t start = i / across * w->high, left = i % across * w->wide;
        int64_t high = w->outer - start < w->high ? w->outer - start : w->high;
        int64_t wide = w->inner - left < w->wide ? w->inner - left : w->wide;
        do_tile(&t, start, high, left, wide);
    }
    free(buffers);
}

static void *as_thread(void *data)
{
    do_tiles(data);
    return NULL;
}

/* GOMP_parallel, of the OpenMP that torch runs on: its threads are there and awake, and would
   otherwise be in the way of ours. */
typedef void parallel(void (*of)(void *), void *data, unsigned threads, unsigned flags);

/* Do it all, on `threads` threads. 0, or 1 where there was no memory. */
int lrn_run(work *w, int threads, parallel *together)
{
    w->next = w->failed = 0;
    if (threads > 1 && together)
        together(do_tiles, w, threads, 0);
    else {
        pthread_t others[64];
        int made = 0;
        if (threads > 1) {
            sigset_t all, before; /* a signal is for the threads that know of it */
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, &before);
            while (made < threads - 1 && made < 64 &&
                   !pthread_create(&others[made], NULL, as_thread, w))
                made++;
            pthread_sigmask(SIG_SETMASK, &before, NULL);
        }
        do_tiles(w); /* what could not be started is done by those that could */
        for (int i = 0; i < made; i++)
            pthread_join(others[i], NULL);
    }
    return (int)w->failed;
}
