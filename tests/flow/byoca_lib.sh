# byoca_lib: external CAs for the tests of bring-your-own CAs, made by openssl and GnuTLS. To be sourced after scep_lib.sh.
#
#   ext_key KIND                           $w/ext.KIND.key, once: ec p384 p224 k1 ed25519 rsa rsa1024 e3
#   ext_ca NAME WORD=VALUE ...             an external CA in $w/NAME.pem, $w/NAME.der and $w/NAME.key; without parent=NAME a root
#   ext_sign CA REQUEST OUT WORD=VALUE ... a certificate of a request, by that CA: $w/OUT.pem and $w/OUT.der
#   certtool_ca NAME [PARENT]              the same as ext_ca by certtool
#   certtool_sign CA REQUEST OUT           and as ext_sign
#   pem_file OUT NAME ...                  their PEM in one file;  p7b_file OUT NAME ... PKCS#7 in DER;  ber_file OUT NAME ... with indefinite lengths
#   byoca NAME WORD ...                    chancery ca create-byoca; the request is in $w/NAME.req; its name has to be
#                                          in flow_authorities, and flow_limit set, for it to be ended with the script
#   upload NAME CERTIFICATE CHAIN ...      chancery ca upload; sets $said ("STATUS TEXT")
#
# Words: key (default ec; the name of another CA: its key), parent, cn, subj, hash; days, or start and end (YYYYMMDDHHMMSSZ); extensions bc ku eku nc
# (nameConstraints) pc (policyConstraints) pol (certificatePolicies) aia ski aki, where "-" leaves one out, and ext, any line; "~" is a space.
# shellcheck shell=bash

ext_key() {
    local file=$w/ext.$1.key
    if [[ -f $file ]]; then return; fi
    case $1 in
    ec) openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$file" ;;
    p384) openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$file" ;;
    p224) openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-224 -out "$file" ;;
    k1) openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out "$file" ;;
    ed25519) openssl genpkey -quiet -algorithm ED25519 -out "$file" ;;
    rsa) openssl genrsa -out "$file" 2048 2> /dev/null ;;
    rsa1024) openssl genrsa -out "$file" 1024 2> /dev/null ;;
    e3) openssl genrsa -3 -out "$file" 2048 2> /dev/null ;;
    esac
}

# ext_words WORD=VALUE ...: fills e.
ext_words() {
    local word
    declare -gA e=([key]=ec [hash]=sha256 [bc]=critical,CA:TRUE [ku]=critical,keyCertSign,cRLSign [eku]=- [nc]=- [pc]=- [pol]=- [aia]=- [ext]=- [ski]=hash [aki]=keyid)
    for word in "$@"; do e[${word%%=*}]=${word#*=}; done
}

ext_extensions() {
    local pair
    # openssl ca puts key identifiers in by itself where it is not told otherwise.
    if [[ ${e[ski]} == - ]]; then e[ski]=none; fi
    if [[ ${e[aki]} == - ]]; then e[aki]=none; fi
    printf '[extensions]\n'
    for pair in bc:basicConstraints ku:keyUsage eku:extendedKeyUsage nc:nameConstraints pc:policyConstraints pol:certificatePolicies aia:authorityInfoAccess \
        ski:subjectKeyIdentifier aki:authorityKeyIdentifier; do
        if [[ ${e[${pair%%:*}]} != - ]]; then printf '%s = %s\n' "${pair#*:}" "${e[${pair%%:*}]//\~/ }"; fi
    done
    if [[ ${e[ext]} != - ]]; then printf '%s\n' "${e[ext]//\~/ }"; fi
    printf '%s\n' '[permitted_o]' 'O = Permitted'
}

# The CA's own words are in e.
ext_issue() {
    local issuer=$1 request=$2 out=$3 words=(-days "${e[days]:-400}") key=$w/$1.key
    if [[ -v e[start] ]]; then words=(-startdate "${e[start]}" -enddate "${e[end]:-20491231235959Z}"); fi
    if [[ -v e[subj] ]]; then words+=(-subj "${e[subj]//\~/ }" -multivalue-rdn); fi
    if [[ $issuer == self ]]; then words+=(-selfsign) key=$w/$out.key; else words+=(-cert "$w/$issuer.pem"); fi
    {
        printf '[ca]\ndefault_ca = x\n[x]\ndatabase = %s\nnew_certs_dir = %s\nrand_serial = yes\nunique_subject = no\npolicy = any\nemail_in_dn = yes\n' \
            "$w/ext.index" "$w/ext.new"
        printf 'string_mask = utf8only\nx509_extensions = extensions\n[any]\n'
        printf '%s = optional\n' commonName organizationName organizationalUnitName localityName stateOrProvinceName countryName title serialNumber emailAddress \
            domainComponent streetAddress givenName initials postalCode dnQualifier userId surname
        ext_extensions
    } > "$w/$out.cnf"
    mkdir -p "$w/ext.new"
    : > "$w/ext.index"
    openssl ca -batch -notext -preserveDN -config "$w/$out.cnf" -keyfile "$key" -md "${e[hash]}" -in "$request" -out "$w/$out.pem" "${words[@]}" 2> "$w/$out.err" &&
        openssl x509 -in "$w/$out.pem" -outform DER -out "$w/$out.der"
}

ext_ca() {
    local name=$1 issuer
    shift
    ext_words "$@"
    issuer=${e[parent]:-self}
    if [[ -f $w/${e[key]}.key ]]; then
        cp "$w/${e[key]}.key" "$w/$name.key"
    else
        # A key of its own for each CA, but of the dear kinds one is enough.
        if [[ ${e[key]} == ec ]]; then rm -f "$w/ext.ec.key"; fi
        ext_key "${e[key]}"
        cp "$w/ext.${e[key]}.key" "$w/$name.key"
    fi
    openssl req -new -config /dev/null -key "$w/$name.key" -subj "/O=Flow/CN=${e[cn]:-$name}" -out "$w/$name.csr" 2> /dev/null
    if [[ $issuer == self && ${e[key]} == ed25519 ]]; then e[hash]=null; fi
    ext_issue "$issuer" "$w/$name.csr" "$name"
}

ext_sign() {
    local ca=$1 request=$2 out=$3
    shift 3
    ext_words "$@"
    ext_issue "$ca" "$request" "$out"
}

certtool_ca() {
    local name=$1 parent=${2:-}
    certtool --generate-privkey --key-type=rsa --bits=2048 --outfile "$w/$name.key" 2> /dev/null
    printf 'cn = "%s"\norganization = "Flow"\nca\ncert_signing_key\ncrl_signing_key\nexpiration_days = 400\n' "$name" > "$w/$name.tmpl"
    if [[ -z $parent ]]; then
        certtool --generate-self-signed --load-privkey "$w/$name.key" --template "$w/$name.tmpl" --outfile "$w/$name.pem" 2> "$w/$name.err"
    else
        certtool --generate-certificate --load-privkey "$w/$name.key" --load-ca-privkey "$w/$parent.key" --load-ca-certificate "$w/$parent.pem" \
            --template "$w/$name.tmpl" --outfile "$w/$name.pem" 2> "$w/$name.err"
    fi && openssl x509 -in "$w/$name.pem" -outform DER -out "$w/$name.der"
}

certtool_sign() {
    printf 'ca\ncert_signing_key\ncrl_signing_key\npath_len = 0\nexpiration_days = 300\ntls_www_client\n' > "$w/$3.tmpl"
    certtool --generate-certificate --load-request "$2" --load-ca-privkey "$w/$1.key" --load-ca-certificate "$w/$1.pem" --template "$w/$3.tmpl" \
        --outfile "$w/$3.pem" 2> "$w/$3.err" && openssl x509 -in "$w/$3.pem" -outform DER -out "$w/$3.der"
}

pem_file() {
    local out=$1
    shift
    cat "${@/%/.pem}" > "$out"
}
p7b_file() {
    local out=$1 name words=()
    shift
    for name in "$@"; do words+=(-certfile "$name.pem"); done
    openssl crl2pkcs7 -nocrl "${words[@]}" -outform DER -out "$out"
}
# SignedData with every length indefinite, as BouncyCastle writes it.
ber_file() {
    local out=$1
    shift
    {
        printf '\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\x00\x00\xa0\x80'
        cat "${@/%/.der}"
        printf '\x00\x00\x31\x00\x00\x00\x00\x00\x00\x00'
    } > "$out"
}

byoca() {
    local name=$1
    shift
    flow_room
    chancery ca create-byoca --name "$name" --cn "$name" --key RSA-2048 --eku 'Client auth' "$@" > /dev/null && chancery ca csr "$name" --out "$w"
}

upload() {
    local name=$1 certificate=$2 file words=()
    shift 2
    for file in "$@"; do words+=(--chain "$file"); done
    said=$(chancery ca upload "$name" --certificate "$certificate" "${words[@]}" 2>&1)
    said="$? $said"
}
