/*
 * guess.c - what a mistyped word was probably meant to be: the closest name by typing slips
 * (letters typed, dropped, changed, or two swapped).
 */
#include <string.h>

#include "cli/command.h"

enum {
    GUESS_MOST_LETTERS = 32,
    GUESS_MOST_SLIPS = 2,
};

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t command_distance(const char *a, const char *b, size_t most)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > GUESS_MOST_LETTERS || m > GUESS_MOST_LETTERS)
        return most + 1;
    size_t d[GUESS_MOST_LETTERS + 1][GUESS_MOST_LETTERS + 1];
    for (size_t i = 0; i <= n; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        for (size_t j = 1; j <= m; j++) {
            d[i][j] = least_of(d[i - 1][j] + 1, d[i][j - 1] + 1);
            d[i][j] = least_of(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[n][m];
}

const char *command_guess(const char *word)
{
    size_t n, least = GUESS_MOST_SLIPS + 1;
    const struct command *table = command_table(&n);
    const char *best = NULL;
    for (size_t i = 0; i < n; i++) {
        char first[GUESS_MOST_LETTERS + 1];
        size_t len = strcspn(table[i].name, " ");
        if (len >= sizeof first)
            continue;
        memcpy(first, table[i].name, len);
        first[len] = '\0';
        /* Two slips in a word of three letters leave nothing of it. */
        size_t d = command_distance(word, first, GUESS_MOST_SLIPS);
        if (d < least && d * 2 <= len) {
            least = d;
            best = table[i].name;
        }
    }
    return best;
}
