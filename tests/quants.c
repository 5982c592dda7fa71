// SPDX-License-Identifier: MIT
// Number formats against reference data that lies outside the project: decoding bit for bit, the error of encoding next
// to the reference encoder's, and the codebooks. Where the data is missing, the cases are skipped.
//
//     quants [--table]      --table prints the errors and speeds of all formats instead
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "gguf.h"
#include "quant/grids.h"

// The encoder's error, weighted by importance, may be so much above the reference's.
#define SLACK 1.02

// The folder that the tool beside the project prints, last; false where there is none.
static bool find_data(char folder[512]) {
    char line[512];
    FILE *p = popen("test -x ../shared/conformance/unpack && ../shared/conformance/unpack </dev/null 2>/dev/null", "r");
    folder[0] = 0;
    while (p && fgets(line, sizeof line, p))
        snprintf(folder, 512, "%.*s", (int)strcspn(line, "\n"), line);
    return p && pclose(p) == 0 && folder[0];
}

// A fixture: rows of floats, how the reference encoded them, and what it decodes that to.
struct fixture {
    struct gguf *g;
    const struct quant_format *format;
    const float *x, *importance, *dequantized;
    const void *quantized;
    size_t rows, cols;
};

static bool open_fixture(struct fixture *f, const char *folder, const char *name) {
    char path[640];
    struct err e = {0};
    snprintf(path, sizeof path, "%s/quants/%s.gguf", folder, name);
    for (char *c = strrchr(path, '/') + 1; *c; c++) // files are named in lower case, but for the K
        *c = *c >= 'A' && *c <= 'Z' && *c != 'K' ? (char)(*c | 32) : *c;
    if (!CHECK_CALL(gguf_open(&f->g, path, &e), &e))
        return false;
    const struct gguf_tensor *x = gguf_find_tensor(f->g, "original"), *w = gguf_find_tensor(f->g, "importance"),
                             *q = gguf_find_tensor(f->g, "quantized"), *d = gguf_find_tensor(f->g, "dequantized");
    if (!CHECK(x && w && q && d))
        return false;
    *f = (struct fixture){f->g, q->format, x->data, w->data, d->data, q->data, x->dims[1], x->dims[0]};
    return true;
}

// Sum of w (x - y)^2 over sum of w x^2, all rows; w may be NULL.
static double error_of(const struct fixture *f, const float *y, const float *w) {
    double error = 0, power = 0;
    for (size_t i = 0; i < f->rows * f->cols; i++) {
        double weight = w ? (double)w[i % f->cols] : 1, d = (double)f->x[i] - (double)y[i];
        error += weight * d * d;
        power += weight * (double)f->x[i] * (double)f->x[i];
    }
    return error / power;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// Encodes and decodes all rows; returns the seconds that encoding took, below 0 when it refused.
static double encode_all(const struct fixture *f, const float *importance, float *y) {
    uint64_t size = 0;
    size_t bad;
    quant_row_size(f->format, f->cols, &size);
    char *row = malloc(size);
    const unsigned features = cpu_features();
    double spent = 0;
    for (size_t r = 0; row && r < f->rows; r++) {
        double begin = seconds();
        if (!quant_encode_for(features, f->format, f->x + r * f->cols, importance, f->cols, row, &bad))
            spent = -INFINITY;
        spent += seconds() - begin;
        quant_decode(f->format, row, y + r * f->cols, f->cols);
    }
    free(row);
    return spent;
}

static void decode_all(const struct fixture *f, float *y) {
    uint64_t size = 0;
    quant_row_size(f->format, f->cols, &size);
    for (size_t r = 0; r < f->rows; r++)
        quant_decode(f->format, (const char *)f->quantized + r * size, y + r * f->cols, f->cols);
}

// The fixture is long enough to time, in million weights a second.
static double decode_speed(const struct fixture *f, float *y) {
    double begin = seconds(), n = 0;
    while (seconds() - begin < 0.05) {
        decode_all(f, y);
        n += (double)(f->rows * f->cols);
    }
    return n / (seconds() - begin) * 1e-6;
}

static void check_format(const struct fixture *f, const char *name, float *y) {
    size_t n = f->rows * f->cols;
    test_case("%s.decode", name);
    decode_all(f, y);
    for (size_t i = 0; i < n; i++)
        if (memcmp(y + i, f->dequantized + i, sizeof *y) != 0) {
            CHECK_MSG(false, "element %zu is %a, expected %a", i, (double)y[i], (double)f->dequantized[i]);
            break;
        }
    test_case("%s.encode", name);
    double reference = error_of(f, f->dequantized, f->importance);
    CHECK(encode_all(f, f->importance, y) >= 0);
    double got = error_of(f, y, f->importance);
    CHECK_MSG(got <= reference * SLACK, "error %.4g, the reference's is %.4g", got, reference);
}

static void print_format(const struct fixture *f, const char *name, float *y) {
    double n = (double)(f->rows * f->cols), bits = 8.0 * f->format->block_size / f->format->block_len;
    double spent = encode_all(f, f->importance, y), got = error_of(f, y, f->importance);
    double reference = error_of(f, f->dequantized, f->importance);
    double plain_spent = encode_all(f, NULL, y), plain = error_of(f, y, NULL);
    printf("%-8s %7.4f  %10.4e %10.4e %7.4f  %10.4e  %8.2f %8.2f  %8.1f\n", name, bits, got, reference,
           reference > 0 ? got / reference : 1, plain, n / spent * 1e-6, n / plain_spent * 1e-6, decode_speed(f, y));
}

// The codebooks as their source lists them: a heading each, then one point a line.
static const struct {
    const char *heading;
    const uint16_t *points;
    size_t n;
    int len, bits;
    const uint8_t *values; // NULL: index - 1
} books[] = {
    {"# IQ2_XXS:", grid_iq2_xxs, 256, 8, 2, grid_values_iq2},
    {"# IQ2_XS:", grid_iq2_xs, 512, 8, 2, grid_values_iq2},
    {"# IQ2_S:", grid_iq2_s, 1024, 8, 2, grid_values_iq2},
    {"# IQ3_XXS:", grid_iq3_xxs, 256, 4, 3, grid_values_iq3_xxs},
    {"# IQ3_S:", grid_iq3_s, 512, 4, 3, grid_values_iq3_s},
    {"# IQ1_S:", grid_iq1, 2048, 8, 2, NULL},
};

static bool seek_heading(FILE *file, const char *heading) {
    char line[1024];
    rewind(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, heading, strlen(heading)) == 0)
            return true;
    return CHECK_MSG(false, "no heading %s", heading);
}

static bool same_numbers(FILE *file, const int8_t *want, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int v;
        if (!CHECK_MSG(fscanf(file, "%d", &v) == 1 && v == want[i], "number %zu is not %d", i, want[i]))
            return false;
    }
    return true;
}

static void check_book(FILE *file, size_t b) {
    test_case("codebook.%.*s", (int)strcspn(books[b].heading + 2, ":"), books[b].heading + 2);
    if (!seek_heading(file, books[b].heading))
        return;
    for (size_t i = 0; i < books[b].n; i++) {
        int8_t values[8];
        for (int j = 0; j < books[b].len; j++) {
            int index = books[b].points[i] >> j * books[b].bits & ((1 << books[b].bits) - 1);
            values[j] = books[b].values ? (int8_t)books[b].values[index] : (int8_t)(index - 1);
        }
        if (!same_numbers(file, values, (size_t)books[b].len))
            return;
    }
}

static void check_books(const char *folder) {
    char path[640];
    snprintf(path, sizeof path, "%s/formats/codebooks.txt", folder);
    FILE *file = fopen(path, "r");
    test_case("codebooks");
    if (!CHECK_MSG(file, "%s: cannot be read", path))
        return;
    if (seek_heading(file, "# IQ4_NL"))
        same_numbers(file, grid_nonlinear, 16);
    if (seek_heading(file, "# MXFP4"))
        same_numbers(file, grid_e2m1, 16);
    if (seek_heading(file, "# sign patterns"))
        for (unsigned i = 0, v; i < 128; i++)
            CHECK(fscanf(file, "%u", &v) == 1 && v == grid_signs(i));
    for (size_t b = 0; b < ARRAY_LEN(books); b++)
        check_book(file, b);
    fclose(file);
}

int main(int argc, char **argv) {
    bool table = argc > 1 && strcmp(argv[1], "--table") == 0;
    char folder[512];
    size_t n;
    const struct quant_format *all = quant_all(&n);
    if (!find_data(folder)) {
        test_case("quants");
        test_skip("no reference data (../shared/conformance/unpack)");
        return test_end();
    }
    if (table)
        printf("format      bits       error  reference   ratio   unweighted  Mw/s enc    plain   Mw/s dec\n");
    else
        check_books(folder);
    for (size_t i = 0; i < n; i++) {
        struct fixture f = {0};
        if (!quant_can_encode(&all[i]))
            continue;
        if (!table)
            test_case("%s.open", all[i].name);
        if (argc > 2 && !strstr(all[i].name, argv[2]))
            continue;
        float *y = open_fixture(&f, folder, all[i].name) ? malloc(f.rows * f.cols * sizeof *y) : NULL;
        if (y)
            (table ? print_format : check_format)(&f, all[i].name, y);
        free(y);
        gguf_close(f.g);
    }
    return table ? 0 : test_end();
}
