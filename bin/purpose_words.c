#include "bin/purpose_words.h"

#include <string.h>

#include "lib/base/text.h"
#include "lib/policy/purposes.h"

/* A purpose without a name gets the empty one: whether it needs one is not decided here. */
static enum result word_read(struct cli *c, const char *option, const char *word, bool new_names, const char **oid,
                             const char **name)
{
    const char *sign = new_names ? strrchr(word, '=') : NULL;
    *oid = sign != NULL ? sign + 1 : purpose_oid(word);
    if (*oid == NULL || !text_is_oid(*oid) || sign == word)
        return cli_refuse(c, R_BAD_INPUT, "--%s: found \"%s\", wanted a purpose's name or OID%s.", option, word,
                          new_names ? ", or Name=OID" : "");
    *name = sign != NULL ? arena_text(&c->arena, word, (size_t)(sign - word)) : purpose_name(*oid);
    if (*name == NULL && sign != NULL)
        return R_NO_MEMORY;
    if (*name == NULL)
        *name = "";
    return R_OK;
}

enum result purpose_words(struct cli *c, const char *option, bool new_names, struct oids *oids, struct oids *names)
{
    uint32_t count;
    const char **words = cli_texts(c, option, &count);
    const char **labels = arena_array(&c->arena, count, sizeof *labels);
    enum result r = words != NULL && labels != NULL ? R_OK : R_NO_MEMORY;
    for (uint32_t i = 0; r == R_OK && i < count; i++)
        r = word_read(c, option, words[i], new_names, &words[i], &labels[i]);
    if (r != R_OK)
        return r;
    *oids = (struct oids){words, count};
    if (names != NULL)
        *names = (struct oids){labels, count};
    return R_OK;
}
