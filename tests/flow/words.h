/*
 * words: NAME=VALUE words, by which the rows of the tables say what a message is like.
 */
#ifndef CHANCERY_TESTS_FLOW_WORDS_H
#define CHANCERY_TESTS_FLOW_WORDS_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MOST 64

struct words { struct { const char *name, *value; } items[WORDS_MOST]; int count; };

/* Takes the words of a text apart, which is changed and must stay. A word without a value says "yes". */
static inline void words_add(struct words *w, char *text)
{
    char *rest;
    for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        char *equals = strchr(word, '=');
        if (w->count == WORDS_MOST) {
            fprintf(stderr, "too many words\n");
            exit(2);
        }
        if (equals)
            *equals = '\0';
        w->items[w->count].name = word;
        w->items[w->count++].value = equals ? equals + 1 : "yes";
    }
}

/* The n-th value of a word; NULL where there is none. */
static inline const char *word_at(const struct words *w, const char *name, int n)
{
    for (int i = 0; i < w->count; i++)
        if (strcmp(w->items[i].name, name) == 0 && n-- == 0)
            return w->items[i].value;
    return NULL;
}

static inline const char *word(const struct words *w, const char *name, const char *initial)
{
    const char *value = word_at(w, name, 0);
    return value ? value : initial;
}

/* Whether one of the word's values is this one. */
static inline bool says(const struct words *w, const char *name, const char *value)
{
    const char *found;
    for (int i = 0; (found = word_at(w, name, i)) != NULL; i++)
        if (strcmp(found, value) == 0)
            return true;
    return false;
}

#endif
