import java.io.FileInputStream;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.PKIXCertPathBuilderResult;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/*
 * Judge ROOT CERTIFICATE...: what Java's PKIX says of each certificate, given the root as trust anchor and that certificate alone.
 * The issuers between are fetched by AIA, the CRL of every certificate by its CDP: java has to be started with
 * com.sun.security.enableAIAcaIssuers and com.sun.security.enableCRLDP. CRLs alone are asked, and a status that cannot be had is a
 * refusal. Prints a line for each: "NAME accepted, path of N" or "NAME refused: WHY", where WHY is "revoked REASON [DATE]" for a
 * revoked one.
 */
final class Judge {
    private static X509Certificate read(String file) throws Exception {
        try (var in = new FileInputStream(file)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    /* The innermost reason that has a name. */
    private static String why(Throwable t) {
        String found = t.getMessage();
        for (; t != null; t = t.getCause()) {
            if (t instanceof CertificateRevokedException revoked) {
                String date = revoked.getInvalidityDate() == null ? "" : " " + revoked.getInvalidityDate().toInstant();
                return "revoked " + revoked.getRevocationReason() + date;
            }
            if (t instanceof CertPathValidatorException invalid) {
                found = invalid.getReason() + " " + invalid.getMessage();
            }
        }
        return found;
    }

    private static String judge(X509Certificate root, X509Certificate certificate) throws Exception {
        var target = new X509CertSelector();
        target.setCertificate(certificate);
        var parameters = new PKIXBuilderParameters(Set.of(new TrustAnchor(root, null)), target);
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(List.of(certificate))));
        var builder = CertPathBuilder.getInstance("PKIX");
        var checker = (PKIXRevocationChecker) builder.getRevocationChecker();
        checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.PREFER_CRLS, PKIXRevocationChecker.Option.NO_FALLBACK));
        parameters.addCertPathChecker(checker);
        try {
            var result = (PKIXCertPathBuilderResult) builder.build(parameters);
            return "accepted, path of " + result.getCertPath().getCertificates().size();
        } catch (CertPathBuilderException e) {
            return "refused: " + why(e);
        }
    }

    public static void main(String[] arguments) throws Exception {
        X509Certificate root = read(arguments[0]);
        for (String file : List.of(arguments).subList(1, arguments.length)) {
            String name = file.substring(file.lastIndexOf('/') + 1).replaceFirst("\\.pem$", "");
            System.out.println(name + " " + judge(root, read(file)));
        }
    }
}
