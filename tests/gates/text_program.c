/* text_program.c - what a stranger's program looks like: test_install.sh builds it against what
 * `make install` put down, and nothing else of this tree. */
#include <rapport/text.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    struct rapport_text *t;
    struct rapport_text_id hers = {(const uint8_t *)"anna", 4, 0};
    struct rapport_text_run his = {
        .id = {(const uint8_t *)"bert", 4, 0},
        .kind = RAPPORT_TEXT_INSERT,
        .n_events = 5,
        .text = "world",
        .text_len = 5,
    };
    char *text;
    size_t len;
    if (rapport_text_create(&t) || rapport_text_insert(t, hers, 0, "hello ", 6) ||
        rapport_text_add(t, &his) || rapport_text_merge(t) ||
        rapport_text_copy(t, 0, SIZE_MAX, &text, &len))
        return 1;
    puts(text);
    int differs = strcmp(text, "hello world") != 0;
    free(text);
    rapport_text_destroy(t);
    return differs;
}
