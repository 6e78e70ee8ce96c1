/*
 * strings.h - small text helpers that this layer shares: trimming, ASCII case, and strings in an
 * arena.
 *
 * Nothing here depends on the locale.
 */
#ifndef PUBLISH_STRINGS_H
#define PUBLISH_STRINGS_H

#include "base/arena.h"
#include "base/buf.h"

static inline bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static inline bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_alpha(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline uint8_t to_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* `s` without blanks at both ends. */
struct slice slice_trim(struct slice s);
/* `s` from byte `from` up to, not with, byte `to` (from <= to <= s.len). */
struct slice slice_part(struct slice s, size_t from, size_t to);
/* Where `what` first stands in `s`, or s.len. An empty `what` stands at 0. */
size_t slice_find(struct slice s, const char *what);
/* True when `s` begins with `prefix`. */
bool slice_starts(struct slice s, const char *prefix);
/* The same without regard to the letter case of ASCII. */
bool slice_starts_nocase(struct slice s, const char *prefix);
/* True for equal texts. */
bool slice_equal_nocase(struct slice a, struct slice b);
/* True when `what` stands anywhere in `s`. */
bool slice_contains_nocase(struct slice s, struct slice what);

/* Appends `s` with each run of blanks as one, none at the ends, controls dropped and bytes that are
 * no UTF-8 as U+FFFD: text for one line. */
void put_one_line(struct buf *b, struct slice s);

/* What put_markdown_plain puts a backslash before. "{" is a mark of site generators. */
#define MARKDOWN_MARKS "\\`*_[]<>&~|#${"

/* Appends text of one line for a place in Markdown where it must not be markup: marks get a
 * backslash. */
void put_markdown_plain(struct buf *b, const char *text);

/* True for C0 (but LF and TAB), DEL, C1, bidirectional controls and U+FEFF: what no text of a post
 * keeps. */
bool is_unwanted(uint32_t cp);

/* Returns a C string in the arena, or NULL when out of memory or when the buffer failed. */
const char *arena_str(struct arena *a, struct slice s);
/* The same for what a buffer holds. */
const char *arena_buf(struct arena *a, const struct buf *b);
/* `str`, or "" for NULL. */
static inline const char *str_or_empty(const char *str)
{
    return str ? str : "";
}

/* A growing list of C strings that it does not own, freed with free(items). Returns 0 or
 * RAPPORT_NOMEM. */
struct str_list {
    const char **items;
    size_t n, cap;
};
/* Adds a string that must outlive the list. Returns 0 or RAPPORT_NOMEM. */
int str_list_add(struct str_list *l, const char *str);
/* Frees the list, not the strings. */
void str_list_clear(struct str_list *l);
/* Copies the list into the arena as an array; *out is NULL for an empty list. Returns 0 or
 * RAPPORT_NOMEM. */
int str_list_save(const struct str_list *l, struct arena *a, const char ***out);
/* True when the list of C strings holds `str`. */
bool str_list_has(const struct str_list *l, const char *str);
/* Sorts a list of C strings bytewise. */
void sort_strings(const char **strings, size_t n);

#endif
