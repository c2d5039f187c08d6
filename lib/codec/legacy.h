/*
 * legacy: MD5 and single DES, for old clients' messages (interop Q39), in an OpenSSL library context of their own.
 *
 * The context has the default and the legacy provider and is made at first use, so that a process which meets no such client
 * never loads it; the legacy provider is never in the default context. It stays until the process ends. Where that provider (a
 * module beside libcrypto) cannot be loaded, this is logged once and all functions give NULL from then on, for MD5 too: callers
 * treat the algorithm as one they do not know.
 *
 * Whether an old algorithm is allowed is never decided here: that is the profile's word. Only the signatures of messages and of
 * certification requests are ever checked with MD5, only messages' contents are ever encrypted with DES. For the files of this
 * folder. Not for several threads.
 */
#ifndef CHANCERY_CODEC_LEGACY_H
#define CHANCERY_CODEC_LEGACY_H

#include <openssl/evp.h>

OSSL_LIB_CTX *legacy_context(void);
const EVP_MD *legacy_md5(void);
const EVP_CIPHER *legacy_des_cbc(void);

#endif
