/*
 * conf_value: the kinds of values in a configuration file, and what each must look like.
 */
#ifndef CHANCERY_BASE_CONF_VALUE_H
#define CHANCERY_BASE_CONF_VALUE_H

#define CONF_PATH_MOST 4095     /* bytes, PATH_MAX of Linux without the NUL */
#define CONF_WORKERS_MOST 256   /* processes of one program */

enum conf_kind {
    CONF_KIND_PATH, CONF_KIND_SOCKET, CONF_KIND_USER, CONF_KIND_NAME, CONF_KIND_WORKERS, CONF_KIND_SWITCH, CONF_KIND_HOST,
    CONF_KIND_DATABASE, CONF_KIND_LEVEL, CONF_KIND_PROGRAM, CONF_KIND_SECRET,
};

/* The kind's name in the manual. */
const char *conf_kind_name(enum conf_kind kind);
/* NULL where v is a good value of the kind, else the rest of the sentence "KEY ...": "must be on or off". Of a program only
 * the form is checked, not its name and user, which are kinds of their own. */
const char *conf_value_fault(enum conf_kind kind, const char *v);

#endif
