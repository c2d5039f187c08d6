/* Every fuzz target: X(name, greatest input in bytes, dictionary or "", what it decodes); the dictionary d is tests/fuzz/d.dict.
 * tests/fuzz/run reads these lines, too. */
#define FUZZ_TARGETS(X) \
    X(audit_head, 4096, "", "a kept audit head") \
    X(bundle, 32768, "pem", "the files of an upload, and the chain in them") \
    X(certificate, 16384, "der", "a certificate") \
    X(challenge, 1024, "", "a challenge") \
    X(conf, 8192, "conf", "chancery.conf and a secrets file") \
    X(crl, 16384, "der", "a CRL") \
    X(csr, 16384, "der", "a certification request and its signature") \
    X(csv, 8192, "", "a file to import") \
    X(envelope, 16384, "der", "a message's inner layer, opened with a key") \
    X(frame, 32768, "", "a frame on the signer's socket") \
    X(issuer_serial, 16384, "der", "what GetCert and GetCRL carry") \
    X(message, 32768, "der", "a SCEP message's outer layer and its signature") \
    X(name, 8200, "der", "a distinguished name") \
    X(sans, 16384, "der", "subject alternative names") \
    X(subject, 4096, "subject", "a profile's formats of subject and alternative names") \
    X(url, 40960, "url", "a SCEP client's request URI and the message in it") \
    X(wire, 32768, "", "what the programs say to the signer, and its answers")
