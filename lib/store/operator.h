/*
 * operator: the database's functions for the operator's command line (sql/0004-operator.sql, role chancery_operator).
 *
 * One row of the table below is one function: its arguments behind the tenant and the login, which every call begins with,
 * and what comes back:
 *
 *   LIST   rows for people: read with operator_names, operator_cells and operator_json
 *   ROWS   typed rows for the program, in the order given: read with the accessors of db.h; no arrow: nothing
 *
 * Names of objects (CA, device, user, group, profile) may be ids as well. A refusal's particulars are db_detail. What is
 * audited is so by the functions, as "operator:" and the login. Who may call them is decided by the database role alone.
 */
#ifndef CHANCERY_STORE_OPERATOR_H
#define CHANCERY_STORE_OPERATOR_H

#include "lib/store/db.h"

enum operator_shape { OPERATOR_LIST, OPERATOR_ROWS };

/* X(identifier, SQL function, shape, number of arguments)      arguments → result */
#define OPERATOR_TABLE(X) \
    X(CA_LIST, "op_ca_list", LIST, 0) \
    X(CA_SHOW, "op_ca_show", LIST, 1)                          /* ca */ \
    X(CA_CERTIFICATE, "op_ca_certificate", ROWS, 2)            /* ca, version or NULL → certificate, chain */ \
    X(CA_CSR, "op_ca_csr", ROWS, 1)                            /* ca → name, certification request */ \
    X(CA_EXTERNAL, "op_ca_external", ROWS, 1)                  /* ca → certificate of a bring-your-own CA; no row: no such one */ \
    X(CA_ACTIVATE, "op_ca_activate", ROWS, 3)                  /* ca, expected, days it has to last → number int */ \
    X(CA_VERSIONS, "op_ca_versions", LIST, 1)                  /* ca */ \
    X(CA_CHANGE, "op_ca_change", ROWS, 4)                      /* ca, action (pause resume revoke delete), reason int or NULL,
                                                                  expected int or NULL */ \
    X(DEVICE_ADD, "op_device_add", ROWS, 15)                   /* names platforms serials imeis meids wifi_macs directory_ids
                                                                  mdm_ids fqdns sids owners: text arrays of the same length,
                                                                  "" for none; attributes: int8 array of rows from 1, names,
                                                                  values; group or NULL
                                                                  → row int, device or NULL, problem or NULL */ \
    X(DEVICE_LIST, "op_device_list", LIST, 3)                  /* group or NULL, after int8, limit int (0: all) */ \
    X(DEVICE_SHOW, "op_device_show", LIST, 1)                  /* device */ \
    X(DEVICE_STATE, "op_device_state", ROWS, 3)                /* device, state, expected */ \
    X(USER_ADD, "op_user_add", ROWS, 11)                       /* upn user_name given_name surname email sam dn sid department,
                                                                  attribute names, values → id */ \
    X(USER_LIST, "op_user_list", LIST, 2)                      /* after int8, limit int */ \
    X(USER_SHOW, "op_user_show", LIST, 1)                      /* user */ \
    X(USER_STATE, "op_user_state", ROWS, 3)                    /* user, state (active disabled), expected */ \
    X(GROUP_ADD, "op_group_add", ROWS, 2)                      /* name, kind → id */ \
    X(GROUP_LIST, "op_group_list", LIST, 0) \
    X(GROUP_MEMBERS, "op_group_members", LIST, 3)              /* group, after int8, limit int */ \
    X(GROUP_CHANGE, "op_group_change", ROWS, 5)                /* group, add bool, devices, users, all devices bool → how many */ \
    X(GROUP_DELETE, "op_group_delete", ROWS, 1)                /* group */ \
    X(PROFILE_CA, "op_profile_ca", ROWS, 1)                    /* ca → id, name, certificate, chain */ \
    X(PROFILE_ADD, "op_profile_add", ROWS, 19)                 /* name, platform, ca, then the settings: for_user bool, subject
                                                                  format, SAN types, SAN formats, validity int, unit, key usage
                                                                  int, key size int, EKU OIDs, strict bool, renewal threshold
                                                                  int, challenge seconds int, algorithms, renewal bool,
                                                                  approval, variant → id */ \
    X(PROFILE_READ, "op_profile_read", ROWS, 1)                /* profile → id, name, platform, ca, row version, settings */ \
    X(PROFILE_REVISE, "op_profile_revise", ROWS, 19)           /* profile id int8, expected, ca, settings → revision int */ \
    X(PROFILE_LIST, "op_profile_list", LIST, 0) \
    X(PROFILE_SHOW, "op_profile_show", LIST, 1)                /* profile */ \
    X(PROFILE_DELETE, "op_profile_delete", ROWS, 2)            /* profile, expected */ \
    X(ASSIGNMENT_CHANGE, "op_assignment_change", ROWS, 4)      /* profile, group, add bool, exclude bool */ \
    X(ASSIGNMENT_LIST, "op_assignment_list", LIST, 1)          /* profile or NULL */ \
    X(CERTIFICATE_LIST, "op_certificate_list", LIST, 8)        /* ca, device, name prefix, status, serial bytea: each or NULL;
                                                                  kind, limit int, before int8 or NULL */ \
    X(CERTIFICATE_SHOW, "op_certificate_show", LIST, 2)        /* serial bytea, ca or NULL */ \
    X(CERTIFICATE_GET, "op_certificate_get", ROWS, 2)          /* serial, ca or NULL → DER */ \
    X(CERTIFICATE_REVOKE, "op_certificate_revoke", ROWS, 4)    /* serial, ca or NULL, reason int, invalidity date or NULL */ \
    X(CERTIFICATE_RELEASE, "op_certificate_release", ROWS, 2)  /* serial, ca or NULL */ \
    X(REQUEST_LIST, "op_request_list", LIST, 3)                /* state or NULL, limit int, before int8 or NULL */ \
    X(REQUEST_SHOW, "op_request_show", LIST, 1)                /* request int8 */ \
    X(REQUEST_DECIDE, "op_request_decide", ROWS, 4)            /* request int8, approve bool, content in hex or NULL, expected */ \
    X(CRL_LIST, "op_crl_list", LIST, 0) \
    X(CRL_GET, "op_crl_get", ROWS, 2)                          /* ca, shard int → piece, data */ \
    X(AUDIT_LIST, "op_audit_list", LIST, 4)                    /* activity or NULL, actor or NULL, before int8 or NULL, limit */ \
    X(AUDIT_BATCHES, "op_audit_batches", ROWS, 2)              /* after int8, limit int → batch, first, last, head, sealed at,
                                                                  key, signature */ \
    X(AUDIT_ENTRIES, "op_audit_entries", ROWS, 3)              /* after number int8, last int8, limit int → number, hash, audit
                                                                  id, at in µs, tenant, actor, activity, object id, object
                                                                  name, details, present bool */ \
    X(AUDIT_LOOSE, "op_audit_loose", ROWS, 1)                  /* seconds int → what ("entry" "number"), id, at or NULL */ \
    X(AUDIT_KEYS, "op_audit_keys", ROWS, 0)                    /* → key, generation, SubjectPublicKeyInfo */ \
    X(AUDIT_HEAD, "op_audit_head", ROWS, 0)                    /* → batch, head, signature */ \
    X(KEY_LIST, "op_key_list", LIST, 0) \
    X(CLOCK_SHOW, "op_clock_show", LIST, 0) \
    X(CLOCK_CONFIRM, "op_clock_confirm", ROWS, 0) \
    X(STATUS, "op_status", LIST, 0)

#define OPERATOR_ENUM(id, function, shape, arguments) OPERATOR_##id,
enum operator_function { OPERATOR_TABLE(OPERATOR_ENUM) OPERATOR_FUNCTIONS };
#undef OPERATOR_ENUM

struct operator {
    struct db *db;                /* connected as chancery_operator */
    uint32_t tenant;
    const char *login;            /* 1 to 64 of A-Z a-z 0-9 . _ @ - */
};

/* count: of the arguments given; another number than the table's is R_INTERNAL. *rows (may be NULL) is freed by db_rows_free. */
enum result operator_call(const struct operator *o, enum operator_function f, const struct db_param *arguments, int count,
                          int timeout_ms, struct db_rows **rows);

/* Of a LIST: the columns' names (row 0 must be there), a row's values as text, "" for none, and a row as a JSON object. */
enum result operator_names(const struct db_rows *rows, struct arena *a, const char ***names, uint32_t *count);
enum result operator_cells(const struct db_rows *rows, int row, struct arena *a, const char ***cells, uint32_t *count);
const char *operator_json(const struct db_rows *rows, int row);

#endif
