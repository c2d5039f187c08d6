#include "lib/policy/expansion.h"

#include <string.h>

#include "lib/base/text.h"

#define IDENTIFIER "OnPremisesSecurityIdentifier"
#define IDENTIFIER_PREFIX "tag:microsoft.com,2022-09-14:sid:"      /* reference 3.51 */
#define DEVICE_IDENTIFIER "device.security_identifier"
#define USER_IDENTIFIER "user.security_identifier"

const struct variable variables[] = {
    {"DeviceName", "device.name", false},
    {"SerialNumber", "device.serial_number", false},
    {"Device_Serial", "device.serial_number", false},
    {"IMEI", "device.imei", false},
    {"IMEINumber", "device.imei", false},
    {"Device_IMEI", "device.imei", false},
    {"MEID", "device.meid", false},
    {"WiFiMacAddress", "device.wifi_mac", false},
    {"AAD_Device_ID", "device.directory_id", false},
    {"AzureADDeviceId", "device.directory_id", false},
    {"DeviceId", "device.mdm_id", false},
    {"FullyQualifiedDomainName", "device.fqdn", false},
    {IDENTIFIER, DEVICE_IDENTIFIER, false},
    {"UserName", "user.user_name", true},
    {"UserPrincipalName", "user.upn", true},
    {"EmailAddress", "user.email", true},
    {"OnPrem_Distinguished_Name", "user.on_premises_dn", true},
    {"OnPremisesSamAccountName", "user.sam_account", true},
    {"GivenName", "user.given_name", true},
    {"SurName", "user.surname", true},
    {"Department", "user.department", true},
    {NULL, NULL, false},
};

#define VARIABLE_SIZE 64        /* longest name of a variable, with its NUL */

void expansion_start(struct expansion *e)
{
    e->n = 0;
    e->variables = 0;
    e->after_device = e->has_identifier = false;
}

enum result expansion_refuse(struct expansion *e, const char *found, const char *wanted)
{
    return verdict_refuse(e->verdict, e->arena, R_BAD_INPUT, e->field, found, wanted);
}

static enum result variable_refuse(struct expansion *e, const char *name, const char *wanted)
{
    return verdict_refuse(e->verdict, e->arena, R_BAD_INPUT, "variable", name, wanted);
}

enum result expansion_append(struct expansion *e, const char *p, size_t n)
{
    if (n > sizeof e->text - e->n)
        return expansion_refuse(e, arena_text(e->arena, e->text, e->n), "a shorter value");
    if (n > 0)
        memcpy(e->text + e->n, p, n);
    e->n += n;
    return R_OK;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/* The name between the braces at *format, which moves behind them. */
static enum result variable_read(struct expansion *e, const char **format, char name[VARIABLE_SIZE])
{
    const char *start = *format + 2;
    size_t n = 0;
    if (strncmp(*format, "{{", 2) != 0)
        return expansion_refuse(e, *format, "variables in two braces on both sides, as {{DeviceName}}");
    while (is_name_character(start[n]))
        n++;
    if (strncmp(start + n, "}}", 2) != 0)
        return expansion_refuse(e, *format, "variables in two braces on both sides, as {{DeviceName}}");
    if (n >= VARIABLE_SIZE)
        return variable_refuse(e, arena_text(e->arena, start, n), "a known variable");
    memcpy(name, start, n);
    name[n] = '\0';
    *format = start + n + 2;
    return R_OK;
}

/* "device.x" and "user.x" stand for the attributes of that name. */
static bool variable_is_free(const char *name, struct variable *out)
{
    static const struct { const char *prefix; bool user; } owners[] = {{"device.", false}, {"user.", true}};
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
        size_t n = strlen(owners[i].prefix);
        char start[8];
        if (strlen(name) <= n)
            continue;
        memcpy(start, name, n);
        start[n] = '\0';
        if (text_equal_nocase(start, owners[i].prefix)) {
            *out = (struct variable){name, name, owners[i].user};
            return true;
        }
    }
    return false;
}

/* The row of the table, or *own filled for a free attribute, or NULL. */
static const struct variable *variable_find(const char *name, struct variable *own)
{
    for (const struct variable *v = variables; v->name; v++)
        if (text_equal_nocase(v->name, name))
            return v;
    return variable_is_free(name, own) ? own : NULL;
}

static const char *attribute_value(const struct attributes *values, const char *name)
{
    for (uint32_t i = 0; i < values->count; i++)
        if (text_equal_nocase(values->items[i].name, name))
            return values->items[i].value;
    return NULL;
}

/* S-1-5-21-…: a value that is none must not become a tag that a domain controller maps to an account. */
static bool is_security_identifier(const char *s)
{
    if (strncmp(s, "S-1-", 4) != 0)
        return false;
    for (s += 4;; s++) {
        size_t digits = strspn(s, "0123456789");
        if (digits == 0)
            return false;
        s += digits;
        if (*s == '\0')
            return true;
        if (*s != '-')
            return false;
    }
}

static enum result identifier_append(struct expansion *e, const char *name, const char *value)
{
    if (!is_security_identifier(value))
        return variable_refuse(e, name, "a security identifier as value, S-1-…");
    enum result r = expansion_append(e, IDENTIFIER_PREFIX, strlen(IDENTIFIER_PREFIX));
    return r == R_OK ? expansion_append(e, value, strlen(value)) : r;
}

enum result expansion_variable(struct expansion *e, const char **format)
{
    char name[VARIABLE_SIZE];
    struct variable own;
    enum result r = variable_read(e, format, name);
    if (r != R_OK)
        return r;
    const struct variable *known = variable_find(name, &own);
    if (!known)
        return variable_refuse(e, name, "a known variable");
    if (known->user && !e->for_user)
        return variable_refuse(e, name, "a device variable: the certificate is not for a user");
    bool identifier = strcmp(known->name, IDENTIFIER) == 0;
    if (identifier && !e->takes_identifier)
        return variable_refuse(e, name, "this variable in a URI only");
    e->variables++;
    e->after_device = e->after_device || !known->user;
    e->has_identifier = e->has_identifier || identifier;
    if (!e->values)
        return R_OK;
    const char *attribute = identifier && e->for_user ? USER_IDENTIFIER : known->attribute;
    const char *value = attribute_value(e->values, attribute);
    if (!value || *value == '\0')
        return variable_refuse(e, name, arena_printf(e->arena, "a value of %s", attribute));
    return identifier ? identifier_append(e, name, value) : expansion_append(e, value, strlen(value));
}

static bool is_blank(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] == ' ')
        i++;
    return i == n;
}

enum result expansion_finish(struct expansion *e, const char **out)
{
    bool known = e->values || e->variables == 0;
    *out = NULL;
    if (!text_is_printable(e->text, e->n))
        return expansion_refuse(e, arena_text(e->arena, e->text, e->n), "UTF-8 text without control characters");
    if (!known)
        return R_OK;
    if (is_blank(e->text, e->n))
        return expansion_refuse(e, "", "a value");
    *out = arena_text(e->arena, e->text, e->n);
    return *out ? R_OK : R_NO_MEMORY;
}
