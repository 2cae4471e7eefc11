/* C twin of env/clearing.py: the same algorithm, step by step, as the yardstick of `python -m benchmarks clearing`.
 * Not used by the simulator.  Built at run time with `cc -O3 -shared -fPIC`. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t I;
typedef double F;
#define NO_CAP 4000000000000000000LL
#define MOST 4.0e18
#define DIGITS 1.0e15
#define EPS 1e-12

typedef struct {
    I *begin, *end, *size, *pos, *part, *step;
    F *price;
} Lad;

typedef struct {
    I no, nd;
    I *node, *room, *flow, *excess, *parent, *queue;
    F *cost, *out, *back, *up, *dn, *pi, *dist, *open;
} Net;

static F grains_per_kg(I na, const F *aq, I nb, const F *bq) {
    F most = 0.0;
    for (I j = 0; j < na; j++) if (most < aq[j] && aq[j] < INFINITY) most = aq[j];
    for (I j = 0; j < nb; j++) if (most < bq[j] && bq[j] < INFINITY) most = bq[j];
    if (most == 0.0) return 1.0;
    F bound = most * (F)(na > nb ? na : nb), g = 1.0;
    while (bound * g * 10.0 <= MOST) g *= 10.0;
    while (bound * g > MOST) g /= 10.0;
    return g;
}

static inline I to_grains(F q, F grains) {
    F x = q * grains;
    I step = 1;
    while (x >= DIGITS * (F)step) step *= 10;
    return (I)rint(x / (F)step) * step;
}

static void sort_stretch(F *key, I *item, I lo, I hi) {
    I gap = 1;
    while (gap < (hi - lo) / 3) gap = 3 * gap + 1;
    for (; gap > 0; gap /= 3)
        for (I i = lo + gap; i < hi; i++) {
            F k = key[i];
            I t = item[i], j = i - gap;
            while (j >= lo && key[j] > k) {
                key[j + gap] = key[j];
                item[j + gap] = item[j];
                j -= gap;
            }
            key[j + gap] = k;
            item[j + gap] = t;
        }
}

static void quote(Net *n, Lad *l, I v) {
    I a = n->node[v], k = l->pos[a];
    int left = k < l->end[a], taken = l->part[a] > 0 || k > l->begin[a];
    I last = l->part[a] > 0 ? k : k - 1;
    F next_p = left ? l->price[k] : 0.0, last_p = taken ? l->price[last] : 0.0;
    if (v < n->no) {
        n->up[v] = left ? next_p : INFINITY;
        n->dn[v] = taken ? last_p : -INFINITY;
    } else {
        n->up[v] = taken ? last_p : INFINITY;
        n->dn[v] = left ? next_p : -INFINITY;
    }
}

static I step_room(Lad *l, I a, int take) {
    if (take) return l->size[l->pos[a]] - l->part[a];
    return l->part[a] > 0 ? l->part[a] : l->size[l->pos[a] - 1];
}

static void step_move(Lad *l, I a, int take, I x) {
    if (take) {
        l->part[a] += x;
        if (l->part[a] == l->size[l->pos[a]]) {
            l->pos[a]++;
            l->part[a] = 0;
        }
    } else {
        if (l->part[a] == 0) {
            l->pos[a]--;
            l->part[a] = l->size[l->pos[a]];
        }
        l->part[a] -= x;
    }
}

static void lane_move(Net *n, I o, I d, I x) {
    I k = o * n->nd + d;
    n->flow[k] += x;
    n->back[d * n->no + o] = n->flow[k] > 0 ? n->cost[k] : -INFINITY;
    if (n->room[k] != NO_CAP) {
        n->room[k] -= x;
        n->out[k] = n->room[k] > 0 ? n->cost[k] : INFINITY;
    }
}

static I path_room(Net *n, Lad *l, I last, I *first) {
    I ground = n->no + n->nd, least = NO_CAP, v = last, u = n->parent[v], r;
    while (u >= 0) {
        if (u == ground) r = step_room(l, n->node[v], v < n->no);
        else if (v == ground) r = step_room(l, n->node[u], u >= n->no);
        else if (u < n->no) r = n->room[u * n->nd + v - n->no];
        else r = n->flow[v * n->nd + u - n->no];
        if (r < least) least = r;
        v = u;
        u = v != last ? n->parent[v] : -1;
    }
    *first = v;
    return least;
}

static void send(Net *n, Lad *l, I last, I x) {
    I ground = n->no + n->nd, v = last, u = n->parent[v];
    while (u >= 0) {
        if (u == ground) {
            step_move(l, n->node[v], v < n->no, x);
            quote(n, l, v);
        } else if (v == ground) {
            step_move(l, n->node[u], u >= n->no, x);
            quote(n, l, u);
        } else if (u < n->no) lane_move(n, u, v - n->no, x);
        else lane_move(n, v, u - n->no, -x);
        v = u;
        u = v != last ? n->parent[v] : -1;
    }
}

static I sure_steps(Lad *l, I a, int is_ask, F p) {
    I lo = l->begin[a], hi = l->end[a];
    while (lo < hi) {
        I mid = (lo + hi) / 2;
        if (is_ask ? l->price[mid] < p : l->price[mid] > p) lo = mid + 1;
        else hi = mid;
    }
    return lo;
}

static I glut_at(Net *n, Lad *l, const I *before, F shift) {
    I glut = 0;
    for (I v = 0; v < n->no + n->nd; v++) {
        I a = n->node[v], g = before[sure_steps(l, a, v < n->no, n->pi[v] + shift)] - before[l->begin[a]];
        glut += v < n->no ? g : -g;
    }
    return glut;
}

static F common_shift(Net *n, Lad *l, F scale, I steps, I *before) {
    before[0] = 0;
    for (I k = 0; k < steps; k++) before[k + 1] = before[k] + l->size[k];
    I glut = glut_at(n, l, before, 0.0);
    F sign = glut < 0 ? 1.0 : -1.0, near = 0.0, far = scale / 256.0;
    int widening = 1;
    for (int i = 0; i < 20 && glut != 0; i++) {
        F at = widening ? far : 0.5 * (near + far);
        glut = glut_at(n, l, before, sign * at);
        if (glut == 0 || (glut < 0) == (sign > 0.0)) {
            near = at;
            if (widening) far = 2.0 * at;
        } else {
            far = at;
            widening = 0;
        }
    }
    return sign * near;
}

#define REACH(v_, t_)                                  \
    {                                                  \
        F t = (t_);                                    \
        if (t < du) t = du;                            \
        if (t < dist[v_]) {                            \
            dist[v_] = t;                              \
            open[v_] = t;                              \
            n->parent[v_] = u;                         \
            if (t == du && n->excess[v_] < 0) {        \
                found = v_;                            \
                break;                                 \
            }                                          \
        }                                              \
    }

static I search(Net *n) {
    I no = n->no, nd = n->nd, ground = no + nd, settled = 0, found = -1;
    F *pi = n->pi, *dist = n->dist, *open = n->open;
    for (I v = 0; v <= ground; v++) {
        dist[v] = open[v] = n->excess[v] > 0 ? 0.0 : INFINITY;
        n->parent[v] = -1;
    }
    while (found < 0) {
        I u = -1;
        F du = INFINITY;
        for (I v = 0; v <= ground; v++)
            if (open[v] < du) {
                du = open[v];
                u = v;
            }
        if (u < 0) return -1;
        if (n->excess[u] < 0) {
            found = u;
            break;
        }
        open[u] = INFINITY;
        n->queue[settled++] = u;
        F base = du + pi[u];
        if (u < no) {
            const F *row = n->out + u * nd;
            for (I d = 0; d < nd; d++) REACH(no + d, row[d] + base - pi[no + d])
        } else if (u < ground) {
            const F *row = n->back + (u - no) * no;
            for (I v = 0; v < no; v++) REACH(v, base - row[v] - pi[v])
        } else {
            for (I v = 0; v < ground; v++) REACH(v, n->up[v] + base - pi[v])
        }
        if (u < ground && found < 0)
            do REACH(ground, base - n->dn[u] - pi[ground]) while (0);
    }
    F reach = dist[found];
    if (reach > 0.0)
        for (I i = 0; i < settled; i++) pi[n->queue[i]] += dist[n->queue[i]] - reach;
    return found;
}

static int search_even(Net *n, F eps) {
    I no = n->no, ground = no + n->nd, head = 0, tail = 0;
    F *pi = n->pi;
    for (I v = 0; v <= ground; v++) n->parent[v] = -1;
    for (I o = 0; o < no; o++)
        if (n->up[o] + pi[ground] - pi[o] <= eps) {
            n->parent[o] = ground;
            n->queue[tail++] = o;
        }
    while (head < tail) {
        I u = n->queue[head++];
        if (u >= no && pi[u] - n->dn[u] - pi[ground] <= eps) {
            n->parent[ground] = u;
            return 1;
        }
        for (I v = u < no ? no : 0; v < (u < no ? ground : no); v++) {
            F loss = u < no ? n->out[u * n->nd + v - no] : -n->back[(u - no) * no + v];
            if (n->parent[v] < 0 && loss + pi[u] - pi[v] <= eps) {
                n->parent[v] = u;
                n->queue[tail++] = v;
            }
        }
    }
    return 0;
}

static void dual_bounds(Net *n, F tiny, F *low, F *high) {
    I no = n->no, m = no + n->nd;
    memcpy(high, n->up, (size_t)m * sizeof(F));
    memcpy(low, n->dn, (size_t)m * sizeof(F));
    for (I i = 0; i <= m; i++) {
        int changed = 0;
        for (I o = 0; o < no; o++)
            for (I v = no; v < m; v++) {
                F c = n->out[o * n->nd + v - no];
                if (c < INFINITY) {
                    if (high[o] + c < high[v] - tiny) { high[v] = high[o] + c; changed = 1; }
                    if (low[v] - c > low[o] + tiny) { low[o] = low[v] - c; changed = 1; }
                }
                c = n->back[(v - no) * no + o];
                if (c > -INFINITY) {
                    if (high[v] - c < high[o] - tiny) { high[o] = high[v] - c; changed = 1; }
                    if (low[o] + c > low[v] + tiny) { low[v] = low[o] + c; changed = 1; }
                }
            }
        if (!changed) break;
    }
}

/* Memory of one book: a bump allocator over one block, as many small malloc calls would not be fair to C. */
static char *arena, *top;
static void *take(I count) {
    void *p = top;
    top += ((size_t)count * 8 + 63) / 64 * 64;
    return p;
}

/* Returns 0, or -1 for an order at an unknown node, -2 without memory. */
int clear_book(I na, const I *an, const F *ap, const F *aq, I nb, const I *bn, const F *bp, const F *bq, I O, I D,
               const F *lane_cost, const F *lane_cap, I n_guess, const F *guess, F *ask_fill, F *bid_fill, F *flow,
               F *price_out, F *rent, F *welfare_out) {
    I N = O + D, M = na + nb;
    static size_t have = 0;
    size_t need = (size_t)(8 * M + 40 * N + 8 * O * D + 4096) * 8 + 65536;
    if (need > have) {
        free(arena);
        arena = malloc(need);
        if (!arena) return -2;
        have = need;
    }
    top = arena;
    F grains = grains_per_kg(na, aq, nb, bq);

    /* ladders */
    I *home = take(M), *count = take(N + 1), *item = take(M);
    F *key = take(M);
    memset(count, 0, (size_t)(N + 1) * 8);
    for (I j = 0; j < M; j++) {
        int ask = j < na;
        I v = ask ? an[j] : bn[j - na];
        F q = ask ? aq[j] : bq[j - na], p = ask ? ap[j] : bp[j - na];
        if (v < 0 || v >= (ask ? O : D)) return -1;
        home[j] = -1;
        if (q > 0.0 && q < INFINITY && isfinite(p)) {
            home[j] = ask ? v : O + v;
            count[home[j] + 1]++;
        }
    }
    for (I a = 0; a < N; a++) count[a + 1] += count[a];
    Lad lad = {take(N), take(N), take(M), take(N), take(N), take(M), take(M)}, *l = &lad;
    for (I a = 0; a < N; a++) l->begin[a] = l->end[a] = count[a];
    for (I j = 0; j < M; j++) {
        I a = home[j];
        if (a >= 0) {
            key[l->end[a]] = j < na ? ap[j] : -bp[j - na];
            item[l->end[a]++] = j;
        }
    }
    memset(l->size, 0, (size_t)M * 8);
    memset(l->part, 0, (size_t)N * 8);
    for (I j = 0; j < M; j++) l->step[j] = -1;
    for (I a = 0; a < N; a++) {
        sort_stretch(key, item, l->begin[a], l->end[a]);
        I t = l->begin[a];
        for (I i = l->begin[a]; i < l->end[a]; i++) {
            I j = item[i], g = to_grains(j < na ? aq[j] : bq[j - na], grains);
            if (g == 0) continue;
            F p = a < O ? key[i] : -key[i];
            if (t == l->begin[a] || l->price[t - 1] != p) l->price[t++] = p;
            l->size[t - 1] += g;
            l->step[j] = t - 1;
        }
        l->end[a] = t;
        l->pos[a] = l->begin[a];
    }

    /* live net */
    F *best = take(N), scale = 0.0;
    for (I a = 0; a < N; a++) {
        best[a] = a < O ? INFINITY : -INFINITY;
        if (l->begin[a] < l->end[a]) {
            best[a] = l->price[l->begin[a]];
            if (fabs(best[a]) > scale) scale = fabs(best[a]);
        }
    }
    I *lane = take(O * D), *alive = take(N);
    memset(lane, 0, (size_t)(O * D) * 8);
    memset(alive, 0, (size_t)N * 8);
    F largest = scale;
    for (I o = 0; o < O; o++)
        for (I d = 0; d < D; d++) {
            F c = lane_cost[o * D + d], cap = lane_cap[o * D + d], gain = best[O + d] - best[o] - c;
            if (cap > 0.0 && isfinite(gain) && gain >= -EPS * fmax(scale, fabs(c))) {
                lane[o * D + d] = cap * grains < MOST ? to_grains(cap, grains) : NO_CAP;
                if (lane[o * D + d] > 0) {
                    alive[o] = alive[O + d] = 1;
                    if (fabs(c) > largest) largest = fabs(c);
                }
            }
        }
    F eps = EPS * largest;
    Net net = {0}, *n = &net;
    n->node = take(N);
    for (I a = 0; a < N; a++)
        if (alive[a]) {
            n->node[n->no + n->nd] = a;
            if (a < O) n->no++;
            else n->nd++;
        }
    I no = n->no, nd = n->nd, ground = no + nd, m = ground + 1;
    n->cost = take(no * nd), n->room = take(no * nd), n->flow = take(no * nd), n->out = take(no * nd);
    n->back = take(no * nd), n->up = take(m), n->dn = take(m), n->pi = take(m), n->excess = take(m);
    n->dist = take(m), n->open = take(m), n->parent = take(m), n->queue = take(m);
    for (I o = 0; o < no; o++)
        for (I d = 0; d < nd; d++) {
            I a = n->node[o], b = n->node[no + d] - O, k = o * nd + d;
            n->room[k] = lane[a * D + b];
            n->cost[k] = n->out[k] = n->room[k] > 0 ? lane_cost[a * D + b] : INFINITY;
            n->back[d * no + o] = -INFINITY;
            n->flow[k] = 0;
        }
    n->pi[ground] = 0.0;
    memset(n->excess, 0, (size_t)m * 8);

    /* start */
    for (I o = 0; o < no; o++) {
        I a = n->node[o];
        n->pi[o] = a < n_guess && isfinite(guess[a]) ? guess[a] : best[a];
    }
    for (I d = 0; d < nd; d++) {
        I a = n->node[no + d];
        F any = INFINITY, fre = INFINITY;
        for (I o = 0; o < no; o++) {
            F c = n->pi[o] + n->cost[o * nd + d];
            if (c < any) any = c;
            if (n->room[o * nd + d] == NO_CAP && c < fre) fre = c;
        }
        n->pi[no + d] = a < n_guess && isfinite(guess[a]) ? fmin(guess[a], fre) : fre < INFINITY ? fre : any;
    }
    F shift = common_shift(n, l, scale, count[N], take(M + 1));
    for (I v = 0; v < ground; v++) n->pi[v] += shift;
    for (I o = 0; o < no; o++)
        for (I d = 0; d < nd; d++) {
            I k = o * nd + d;
            if (n->room[k] != NO_CAP && n->pi[o] + n->cost[k] < n->pi[no + d]) {
                n->excess[o] -= n->room[k];
                n->excess[no + d] += n->room[k];
                lane_move(n, o, d, n->room[k]);
            }
        }
    for (I v = 0; v < ground; v++) {
        I a = n->node[v];
        l->pos[a] = sure_steps(l, a, v < no, n->pi[v]);
        for (I k = l->begin[a]; k < l->pos[a]; k++) {
            I g = v < no ? l->size[k] : -l->size[k];
            n->excess[v] += g;
            n->excess[ground] -= g;
        }
        quote(n, l, v);
    }

    /* optimise */
    I t, s, x;
    while ((t = search(n)) >= 0) {
        x = path_room(n, l, t, &s);
        if (n->excess[s] < x) x = n->excess[s];
        if (-n->excess[t] < x) x = -n->excess[t];
        send(n, l, t, x);
        n->excess[s] -= x;
        n->excess[t] += x;
    }
    while (search_even(n, eps)) {
        x = path_room(n, l, ground, &s);
        send(n, l, ground, x);
    }

    /* results */
    F *low = take(m), *high = take(m), welfare = 0.0;
    dual_bounds(n, 0.01 * eps, low, high);
    for (I a = 0; a < N; a++) price_out[a] = NAN;
    memset(flow, 0, (size_t)(O * D) * 8);
    memset(rent, 0, (size_t)(O * D) * 8);
    for (I o = 0; o < no; o++)
        for (I d = 0; d < nd; d++)
            if (n->flow[o * nd + d] > 0) {
                I k = n->node[o] * D + n->node[no + d] - O;
                flow[k] = n->room[o * nd + d] == 0 ? lane_cap[k] : (F)n->flow[o * nd + d] / grains;
                welfare -= n->cost[o * nd + d] * flow[k];
            }
    for (I v = 0; v < ground; v++) {
        I a = n->node[v];
        F sign = v < no ? -1.0 : 1.0;
        for (I k = l->begin[a]; k < l->pos[a]; k++) welfare += sign * l->price[k] * ((F)l->size[k] / grains);
        if (l->part[a] > 0) welfare += sign * l->price[l->pos[a]] * ((F)l->part[a] / grains);
        if (l->pos[a] > l->begin[a] || l->part[a] > 0) price_out[a] = low[v] + 0.5 * (high[v] - low[v]);
    }
    for (I j = 0; j < M; j++) {
        I k = l->step[j], a = j < na ? an[j] : O + bn[j - na];
        F q = j < na ? aq[j] : bq[j - na], f = 0.0;
        if (k >= 0 && k < l->pos[a]) f = q;
        else if (k >= 0 && k == l->pos[a] && l->part[a] > 0) f = q * ((F)l->part[a] / (F)l->size[k]);
        *(j < na ? ask_fill + j : bid_fill + (j - na)) = f;
    }
    for (I o = 0; o < O; o++)
        for (I d = 0; d < D; d++) {
            I k = o * D + d;
            if (flow[k] > 0.0 && flow[k] == lane_cap[k]) rent[k] = fmax(0.0, price_out[O + d] - price_out[o] - lane_cost[k]);
        }
    *welfare_out = welfare;
    return 0;
}

/* A whole week in one call, so that calling C from Python costs nothing per book. */
typedef struct {
    I na, nb, O, D, n_guess;
    const I *an, *bn;
    const F *ap, *aq, *bp, *bq, *cost, *cap, *guess;
    F *ask_fill, *bid_fill, *flow, *price, *rent, *welfare;
} BookArgs;

int clear_week(I n, const BookArgs *b) {
    for (I i = 0; i < n; i++) {
        int e = clear_book(b[i].na, b[i].an, b[i].ap, b[i].aq, b[i].nb, b[i].bn, b[i].bp, b[i].bq, b[i].O, b[i].D,
                           b[i].cost, b[i].cap, b[i].n_guess, b[i].guess, b[i].ask_fill, b[i].bid_fill, b[i].flow,
                           b[i].price, b[i].rent, b[i].welfare);
        if (e) return e;
    }
    return 0;
}
