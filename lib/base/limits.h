/*
 * limits: every limit on input from outside a program, with its unit and reason.
 *
 * The web servers' configuration is filled from the LIMIT_HTTP_ lines (nginx/Makefile rules read this file), so a line
 * of them must stay "#define NAME number" with an optional comment.
 */
#ifndef CHANCERY_BASE_LIMITS_H
#define CHANCERY_BASE_LIMITS_H

/* HTTP */
#define LIMIT_HTTP_BODY 262144          /* bytes of a POST body: a SCEP message with many SANs is below 64 kB */
#define LIMIT_HTTP_URI 40960            /* bytes of a request URI: PKIOperation by GET (interop Q1, reference 3.72) */
#define LIMIT_HTTP_HEADER_BUFFER 61440  /* bytes of a header line or the request line: above LIMIT_HTTP_URI, and with the other
                                         * parameters below the 65,535 bytes of a FastCGI record, where nginx answers 500 */
#define LIMIT_HTTP_APACHE_LINE 16368    /* bytes of the request line behind Apache: mod_proxy_fcgi leaves out a variable that has,
                                         * with name and lengths, more than 16,384 bytes; REQUEST_URI may have this many */
#define LIMIT_HTTP_READ_SECONDS 10      /* for a whole request body */

/* SCEP (RFC 8894) */
#define LIMIT_SCEP_TRANSACTION_ID 255   /* bytes, opaque */
#define LIMIT_SCEP_NONCE 64             /* bytes; 16 is usual, 8 is sent by old clients */
#define LIMIT_SCEP_RECIPIENTS 8         /* recipient infos of an envelope */
#define LIMIT_SCEP_ATTRIBUTES 32        /* signed attributes of the signer */
#define LIMIT_SCEP_CERTIFICATES 8       /* certificates in a signed message */
#define LIMIT_SCEP_CRL 1048576          /* bytes of a CRL that a SCEP message carries; a larger one is fetched by HTTP */
#define LIMIT_REQUEST_DAYS 30           /* that a request waits for approval */
#define LIMIT_CHALLENGE 255             /* characters (RFC 2985 section 5.4.1) */
#define LIMIT_CHALLENGE_FIELD 16384     /* bytes of a challengePassword attribute that is read at all */

/* names and extensions */
#define LIMIT_NAME_ATTRIBUTES 32        /* attributes of a distinguished name */
#define LIMIT_NAME_VALUE 1024           /* bytes of UTF-8 of one attribute or SAN value */
#define LIMIT_NAME_DER 8192             /* bytes of an encoded Name */
#define LIMIT_SANS 500                  /* names in a SAN extension (reference 3.07) */
#define LIMIT_EKUS 500                  /* key purposes (reference 3.16) */
#define LIMIT_OID 64                    /* characters of an OID in dotted form */
#define LIMIT_EXTENSIONS 64             /* extensions of a certificate or a request, and attributes of a request */
#define LIMIT_SERIAL 20                 /* octets (RFC 5280 section 4.1.2.2) */

/* keys */
#define LIMIT_RSA_BITS_MIN 2048
#define LIMIT_RSA_BITS_MAX 4096
#define LIMIT_SPKI 1024                 /* bytes of SubjectPublicKeyInfo: RSA-4096 has 550 */
#define LIMIT_PKCS8 8192                /* bytes of an encrypted private key */

/* certificates, chains, CRLs */
#define LIMIT_CERTIFICATE 65536         /* bytes of DER: 500 SANs fit */
#define LIMIT_CHAIN 16                  /* certificates above a CA */
#define LIMIT_UPLOAD 458752             /* bytes of all files of one upload: with their names below LIMIT_FRAME */
#define LIMIT_UPLOAD_FILES 64
#define LIMIT_UPLOAD_CERTIFICATES 64    /* in all files of one upload: a chain and as much again that does not belong to it */
#define LIMIT_FILE_NAME 255             /* bytes of a file's name */
#define LIMIT_CRL_PIECE 262144          /* bytes of one stored piece of a CRL */
#define LIMIT_CRL_FILE 1073741824       /* bytes of a CRL file: 25 million entries */
#define LIMIT_CRL_SHARDS 1024

/* CAs, people, devices, profiles */
#define LIMIT_DISPLAY_NAME 128          /* characters of a name of a CA, device, user, group, profile */
#define LIMIT_DESCRIPTION 1024
#define LIMIT_SUBJECT_FIELD 64          /* characters of CN, O, OU, L, ST of a CA (RFC 5280 appendix A.1, ub-common-name) */
#define LIMIT_CA_YEARS 100
#define LIMIT_SUBJECT_FORMAT 2048       /* bytes of a profile's subject name format */
#define LIMIT_ATTRIBUTE 256             /* bytes of a device's or user's attribute */

/* between our own programs */
#define LIMIT_FRAME 524288              /* bytes of a signer message */
#define LIMIT_DETAIL 1024               /* bytes of a refusal's detail text */
#define LIMIT_FRAME_READ_MS 2000        /* for a whole request frame to arrive at the signer */
#define LIMIT_SIGNER_MS 8000            /* for the signer's answer, as the responders wait for it */
#define LIMIT_SIGNER_ADMIN_MS 120000    /* the same for key generation */
#define LIMIT_DB_MS 5000                /* for one database call in the path of a request */
#define LIMIT_DB_BULK_MS 600000         /* for a CRL, a migration, a bulk change */
#define LIMIT_SIGNER_PENDING 64         /* connections a signer worker keeps whose frame is not complete */
#define LIMIT_CHALLENGE_BATCH 500       /* challenges made by one call */
#define LIMIT_CLOCK_SECONDS 60          /* difference of this host's clock and PostgreSQL's */

/* configuration and logs */
#define LIMIT_CONF_LINE 4096
#define LIMIT_CONF_FILE 65536
#define LIMIT_SECRETS_FILE 4096
#define LIMIT_LOG_VALUE 512             /* bytes of one value in a log line, after which it is cut */
#define LIMIT_LOG_LINE 4096

/* memory of one request: what an arena may hold */
#define LIMIT_ARENA_REQUEST 8388608

#endif
