/*
 * capabilities: the answer to GetCACaps (RFC 8894 section 3.5.2). Only what is served stands there.
 */
#ifndef CHANCERY_SCEP_CAPABILITIES_H
#define CHANCERY_SCEP_CAPABILITIES_H

/* Keywords, one a line, each line ended with LF. Sent as text/plain without a charset (interop Q19). */
const char *capabilities_text(void);

#endif
