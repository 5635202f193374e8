#!/bin/sh
# Makes chains of certificates, good ones and bad ones, each with OpenSSL's verdict: make_chains.sh DIR
#
# For each chain there is NAME.chain.pem with the key NAME.key, the roots to trust NAME.roots.pem, and a line in
# `chains`: NAME ROLE HOST VERDICT, the role "server" or "client", the verdict "good" or "bad".
set -eu
mkdir -p "$1"
cd "$1"
export RANDFILE=/dev/null
log=openssl.log
: >"$log"
: >chains
days=36500
digest=sha256

# issue NAME SUBJECT ISSUER EXTENSIONS: by the issuer's key, or its own where that is `self`. No extensions make a
# certificate of version 1.
issue() {
  [ -f "$1.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>>"$log"
  openssl req -new -key "$1.key" -subj "$2" -out request 2>>"$log"
  printf '%s\n' "$4" >extensions
  set -- "$@" -req -in request -days "$days" -set_serial "0x$(openssl rand -hex 8)" -out "$1.pem"
  name=$1 issuer=$3 given=$4
  shift 4
  set -- "$@" "-$digest"
  if [ "$issuer" = self ]; then set -- "$@" -signkey "$name.key"; else set -- "$@" -CA "$issuer.pem" -CAkey "$issuer.key"; fi
  if [ -n "$given" ]; then set -- "$@" -extfile extensions; fi
  openssl x509 "$@" 2>>"$log"
}

# chain NAME ROLE HOST ROOTS CERTIFICATES, the own one first
chain() {
  name=$1 role=$2 asked=$3 roots=$4
  shift 4
  cp "$1.key" "$name.key"
  for file in $roots; do cat "$file.pem"; done >"$name.roots.pem"
  for file in "$@"; do cat "$file.pem"; done >"$name.chain.pem"
  case $asked in
    -) wanted= ;;
    *:* | [0-9]*) wanted="-verify_ip $asked" ;;
    *) wanted="-verify_hostname $asked" ;;
  esac
  # shellcheck disable=SC2086  # two words, or none
  if openssl verify -no-CApath -no-CAstore -CAfile "$name.roots.pem" -untrusted "$name.chain.pem" \
    -purpose "ssl$role" $wanted "$1.pem" >>"$log" 2>&1; then verdict=good; else verdict=bad; fi
  echo "$name $role $asked $verdict" >>chains
}

ca='basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign'
host=good.example.test
san="subjectAltName=DNS:$host"
nothing='basicConstraints=CA:FALSE'

# A chain of three, with what the issuer in the middle and the own certificate have besides.
through() { # name middle-extensions own-extensions [host]
  issue "$1-middle" "/CN=middle of $1" root "$ca
$2"
  cp own.key "$1-own.key"
  issue "$1-own" "/O=Example/CN=$host" "$1-middle" "$3"
  chain "$1" server "${4:-$host}" root "$1-own" "$1-middle"
}

openssl ecparam -name prime256v1 -genkey -noout -out own.key 2>>"$log"
issue root '/CN=chain root' self "$ca"
issue other_root '/CN=other chain root' self "$ca"

through plain '' "$san"

# --- Name constraints
through dns-holds 'nameConstraints=critical,permitted;DNS:example.test' "$san"
through dns-holds-not-critical 'nameConstraints=permitted;DNS:example.test' "$san"
through dns-itself 'nameConstraints=critical,permitted;DNS:good.example.test' "$san"
through dns-other 'nameConstraints=permitted;DNS:other.test' "$san"
through dns-other-critical 'nameConstraints=critical,permitted;DNS:other.test' "$san"
through dns-other-case 'nameConstraints=critical,permitted;DNS:EXAMPLE.test' "$san"
through dns-dot 'nameConstraints=critical,permitted;DNS:.example.test' "$san"
through dns-dot-itself 'nameConstraints=critical,permitted;DNS:.good.example.test' "$san"
through dns-half-a-label 'nameConstraints=permitted;DNS:ample.test' "$san"
through dns-excluded 'nameConstraints=excluded;DNS:example.test' "$san"
through dns-excluded-critical 'nameConstraints=critical,excluded;DNS:good.example.test' "$san"
through dns-excludes-others 'nameConstraints=critical,excluded;DNS:other.test' "$san"
through dns-both 'nameConstraints=critical,permitted;DNS:example.test,excluded;DNS:good.example.test' "$san"
through dns-second-name 'nameConstraints=permitted;DNS:example.test' "$san,DNS:else.test"
through dns-wildcard-excluded 'nameConstraints=critical,excluded;DNS:good.example.test' 'subjectAltName=DNS:*.example.test'
through dns-wildcard-holds 'nameConstraints=critical,permitted;DNS:example.test' 'subjectAltName=DNS:*.example.test'
through dns-only-address 'nameConstraints=critical,permitted;DNS:example.test' 'subjectAltName=IP:10.1.2.3' 10.1.2.3
through address-holds 'nameConstraints=critical,permitted;IP:10.0.0.0/255.0.0.0' 'subjectAltName=IP:10.1.2.3' 10.1.2.3
through address-other 'nameConstraints=permitted;IP:10.2.0.0/255.255.0.0' 'subjectAltName=IP:10.1.2.3' 10.1.2.3
through address-excluded 'nameConstraints=excluded;IP:10.1.0.0/255.255.0.0' 'subjectAltName=IP:10.1.2.3' 10.1.2.3
through address6-holds 'nameConstraints=critical,permitted;IP:fd00:0:0:0:0:0:0:0/ff00:0:0:0:0:0:0:0' 'subjectAltName=IP:fd00::1' fd00::1
through address6-other 'nameConstraints=permitted;IP:fd01:0:0:0:0:0:0:0/ffff:0:0:0:0:0:0:0' 'subjectAltName=IP:fd00::1' fd00::1
through address6-only-4 'nameConstraints=permitted;IP:10.0.0.0/255.0.0.0' 'subjectAltName=IP:fd00::1' fd00::1
through directory-holds 'nameConstraints=critical,permitted;dirName:dn
[dn]
O=example' "$san"
through directory-other 'nameConstraints=permitted;dirName:dn
[dn]
O=Elsewhere' "$san"
through directory-excluded 'nameConstraints=excluded;dirName:dn
[dn]
O=Example' "$san"
through email-holds 'nameConstraints=critical,permitted;email:example.test' "$san,email:a@example.test"
through email-other 'nameConstraints=permitted;email:other.test' "$san,email:a@example.test"
through email-not-there 'nameConstraints=critical,permitted;email:other.test' "$san"
through uri-holds 'nameConstraints=critical,permitted;URI:.example.test' "$san,URI:spiffe://a.example.test/x"
through uri-other 'nameConstraints=permitted;URI:.other.test' "$san,URI:spiffe://a.example.test/x"
through uri-port 'nameConstraints=critical,permitted;URI:.example.test' "$san,URI:spiffe://a.example.test:8080/x"
through email-no-mailbox 'nameConstraints=excluded;email:other.test' "$san,email:nohost"
# Encoded by hand: a minimum, and an IPv4 network of five bytes.
through subtree-minimum 'nameConstraints=DER:3015a0133011820c6578616d706c652e74657374800101' "$san"
through address-mask-size 'nameConstraints=DER:300ba109300787050a01000000' 'subjectAltName=IP:10.1.2.3' 10.1.2.3
# Two of the extension, which openssl does not write: the second is made of another one, and signed once more.
byte() { printf "\\$(printf %03o "$1")"; }
through constraints-twice 'nameConstraints=permitted;DNS:other.test
2.5.29.98=DER:3012a010300e820c6578616d706c652e74657374' "$san"
openssl asn1parse -in constraints-twice-middle.pem -strparse 4 -noout -out tbs
LC_ALL=C sed 's/\x55\x1d\x62/\x55\x1d\x1e/' tbs >signed
openssl dgst -sha256 -sign root.key -out signature signed
{
  printf '0\012\006\010\052\206\110\316\075\004\003\002\003' # ecdsa-with-SHA256, then a bit string
  byte $(($(wc -c <signature) + 1))
  printf '\0'
  cat signature
} >after
size=$(($(wc -c <signed) + $(wc -c <after)))
{
  printf '0\202'
  byte $((size / 256))
  byte $((size % 256))
  cat signed after
} | openssl x509 -inform DER -out constraints-twice-middle.pem
rm -f tbs signed signature after
chain constraints-two server $host root constraints-twice-own constraints-twice-middle

of_subject() { # name constraints: of an email address in the subject
  issue "$1-middle" "/CN=middle of $1" root "$ca
nameConstraints=$2"
  cp own.key "$1-own.key"
  issue "$1-own" "/O=Example/CN=$host/emailAddress=a@example.test" "$1-middle" "$san"
  chain "$1" server $host root "$1-own" "$1-middle"
}
of_subject subject-email-holds 'critical,permitted;email:example.test'
of_subject subject-email-other 'permitted;email:other.test'
of_subject subject-email-excluded 'excluded;email:a@example.test'

# More names, each beside each constraint, than are compared.
names_up_to() { # prefix count separator
  seq -s "$3" -f "$1%03g" 1 "$2"
}
few=$(names_up_to 'excluded;DNS:x' 250 ,)
through comparisons-many "nameConstraints=$few" "$san,$(names_up_to DNS:y 390 ,)"
through comparisons-too-many "nameConstraints=$few" "$san,$(names_up_to DNS:y 410 ,)"

issue renewed '/CN=renewed' root "$ca
nameConstraints=critical,permitted;dirName:dn
[dn]
O=Example"
issue renewed_again '/CN=renewed' renewed "$ca"
issue of_renewed "/O=Example/CN=$host" renewed_again "$san"
chain constraints-self-issued server $host root of_renewed renewed_again renewed

issue narrow_root '/CN=narrow root' self "$ca
nameConstraints=permitted;DNS:other.test"
issue narrow '/CN=narrow' narrow_root "$san"
chain dns-of-the-root server $host narrow_root narrow

issue upper '/CN=upper' root "$ca
nameConstraints=permitted;DNS:other.test"
issue lower '/CN=lower' upper "$ca"
issue below '/CN=below' lower "$san"
chain dns-two-above server $host root below lower upper

# --- Usages
through usage-server 'extendedKeyUsage=serverAuth' "$san
extendedKeyUsage=serverAuth"
through usage-middle-client 'extendedKeyUsage=clientAuth' "$san"
through usage-middle-both 'extendedKeyUsage=clientAuth,serverAuth' "$san"
through usage-middle-any 'extendedKeyUsage=anyExtendedKeyUsage' "$san"
through usage-own-client '' "$san
extendedKeyUsage=clientAuth"
through usage-own-none '' "$san"
through usage-netscape '' "$san
nsCertType=client"
issue client_root '/CN=client root' self "$ca
extendedKeyUsage=clientAuth"
issue of_client_root '/CN=of client root' client_root "$san"
chain usage-root-client server $host client_root of_client_root

through usage-for-clients 'extendedKeyUsage=clientAuth' "$san"
chain client-usage client - root usage-for-clients-own usage-for-clients-middle
through usage-for-servers 'extendedKeyUsage=serverAuth' "$san"
chain client-usage-middle-server client - root usage-for-servers-own usage-for-servers-middle
chain client-constraints client - root email-other-own email-other-middle
chain client-constraints-hold client - root email-holds-own email-holds-middle

# --- Names
through name-common-only '' "$nothing"
through name-common-beside-address '' 'subjectAltName=IP:10.1.2.3'
through name-case '' 'subjectAltName=DNS:GOOD.Example.Test'
through name-wildcard '' 'subjectAltName=DNS:*.example.test'
through name-wildcard-two-labels '' 'subjectAltName=DNS:*.test'
through name-wildcard-of-a-suffix '' 'subjectAltName=DNS:*.test' example.test
through name-wildcard-middle '' 'subjectAltName=DNS:good.*.test'
through name-wildcard-part '' 'subjectAltName=DNS:g*.example.test'
through name-wildcard-alone '' 'subjectAltName=DNS:*'
through name-uri-only '' "subjectAltName=URI:$host"
through name-address-as-dns '' 'subjectAltName=DNS:10.1.2.3' 10.1.2.3

# --- Extensions
through policies-critical 'certificatePolicies=critical,1.2.3.4' "$san
certificatePolicies=critical,1.2.3.4"
through policy-constraints 'policyConstraints=critical,requireExplicitPolicy:3' "$san"
through unknown-own '' "$san
1.2.3.4=critical,ASN1:NULL"
through unknown-own-not-critical '' "$san
1.2.3.4=ASN1:NULL"
through unknown-middle '1.2.3.4=critical,ASN1:NULL' "$san"
through subject-key-critical '' "$san
subjectKeyIdentifier=critical,hash"
through authority-key-critical 'subjectKeyIdentifier=hash' "$san
authorityKeyIdentifier=critical,keyid:always"
through middle-subject-key-critical 'subjectKeyIdentifier=critical,hash' "$san"
chain unrelated-unknown server $host root plain-own plain-middle unknown-middle-middle
chain unrelated-unknown-first server $host root plain-own unknown-middle-middle plain-middle

# --- Versions
issue old_own "/CN=$host" root ''
chain old-own server $host root old_own
chain client-old-own client - root old_own
issue old_middle '/CN=old middle' root ''
issue of_old_middle '/CN=of old middle' old_middle "$san"
chain old-middle server $host root of_old_middle old_middle
issue old_root '/CN=old root' self ''
issue of_old_root '/CN=of old root' old_root "$san"
chain old-root server $host old_root of_old_root

# --- Issuers
issue no_ca '/CN=no ca' root 'basicConstraints=critical,CA:FALSE'
issue of_no_ca '/CN=of no ca' no_ca "$san"
chain issuer-no-ca server $host root of_no_ca no_ca
issue no_signer '/CN=no signer' root 'basicConstraints=critical,CA:TRUE
keyUsage=critical,digitalSignature'
issue of_no_signer '/CN=of no signer' no_signer "$san"
chain issuer-may-not-sign server $host root of_no_signer no_signer
issue short '/CN=short' root 'basicConstraints=critical,CA:TRUE,pathlen:0'
issue of_short '/CN=of short' short "$san"
chain length-holds server $host root of_short short
issue under_short '/CN=under short' short "$ca"
issue of_under_short '/CN=of under short' under_short "$san"
chain length-exceeded server $host root of_under_short under_short short
issue short_again '/CN=short' short 'basicConstraints=critical,CA:TRUE,pathlen:0'
issue of_short_again '/CN=of short again' short_again "$san"
chain length-self-issued server $host root of_short_again short_again short
issue short_root '/CN=short root' self 'basicConstraints=critical,CA:TRUE,pathlen:0'
issue of_short_root '/CN=of short root' short_root "$san"
chain length-root server $host short_root of_short_root
issue under_short_root '/CN=under short root' short_root "$ca"
issue of_under_short_root '/CN=of under short root' under_short_root "$san"
chain length-root-exceeded server $host short_root of_under_short_root under_short_root

# --- What is trusted itself
issue root_as_own "/CN=$host" self "basicConstraints=critical,CA:TRUE
$san"
chain root-as-own server $host root_as_own root_as_own
issue root_as_own_signs "/CN=$host" self "basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,digitalSignature
$san"
chain root-as-own-signs server $host root_as_own_signs root_as_own_signs
issue root_as_own_short "/CN=$host" self "basicConstraints=critical,CA:TRUE,pathlen:0
$san"
chain root-as-own-short server $host root_as_own_short root_as_own_short
issue self_signed "/CN=$host" self "basicConstraints=critical,CA:FALSE
$san"
chain self-signed-trusted server $host self_signed self_signed
chain self-signed server $host root self_signed

# --- Times, and other paths
days=-1
issue old_times '/CN=plain times' root "$ca"
days=36500
cp old_times.key new_times.key
issue new_times '/CN=plain times' root "$ca"
issue of_times '/CN=of times' new_times "$san"
chain expired-middle server $host root of_times old_times
chain path-past-expired server $host root of_times old_times new_times
chain path-before-expired server $host root of_times new_times old_times
for kind in narrow for_clients unknown plain; do
  [ $kind = narrow ] || cp two_narrow.key two_$kind.key
  case $kind in
    narrow) extra='nameConstraints=critical,permitted;DNS:other.test' ;;
    for_clients) extra='extendedKeyUsage=clientAuth' ;;
    unknown) extra='1.2.3.4=critical,ASN1:NULL' ;;
    plain) extra= ;;
  esac
  issue two_$kind '/CN=two' root "$ca
$extra"
done
issue of_two '/CN=of two' two_plain "$san"
chain path-past-constraints server $host root of_two two_narrow two_plain
chain path-past-usage server $host root of_two two_for_clients two_plain
chain path-past-unknown server $host root of_two two_unknown two_plain
chain path-before-constraints server $host root of_two two_plain two_narrow
chain path-none server $host root of_two two_narrow two_for_clients two_unknown
# The one that would do stands behind more of its name than are looked at.
others=
for i in $(seq 24); do
  issue "two_other_$i" '/CN=two' root "$ca"
  others="$others two_other_$i"
done
# shellcheck disable=SC2086  # a word for each
chain path-too-many server $host root of_two two_narrow $others two_plain
cp root.key root_narrow.key
issue root_narrow '/CN=chain root' self "$ca
nameConstraints=permitted;DNS:other.test"
chain path-past-root server $host 'root_narrow root' plain-own plain-middle
issue root_again '/CN=chain root' self "$ca"
chain path-past-other-key server $host 'root_again root' plain-own plain-middle
cp plain-middle.key cross.key
issue cross '/CN=middle of plain' other_root "$ca"
chain cross-signed server $host other_root plain-own plain-middle cross
chain cross-signed-first server $host root plain-own cross plain-middle
chain with-root server $host root plain-own plain-middle root
issue wide '/CN=wide' root "$ca"
issue wider '/CN=wider' wide "$ca"
issue of_wider '/CN=of wider' wider "$san"
chain two-between server $host root of_wider wider wide
chain wrong-order server $host root of_wider wide wider
chain untrusted server $host other_root plain-own plain-middle
chain middle-missing server $host root plain-own

# --- Weak keys and signatures
openssl genrsa -out weak-key-own.key 1024 2>>"$log"
cp weak-key-own.key own.key
through weak-key '' "$san"
openssl ecparam -name prime256v1 -genkey -noout -out own.key 2>>"$log"
digest=sha1
through weak-hash '' "$san"
digest=sha256

# --- A time to come, which only `openssl ca` can write
issue to_come "/CN=$host" root "$san"
openssl req -new -key to_come.key -subj "/CN=$host" -out request 2>>"$log"
printf '%s\n' '[ca]' 'default_ca=d' '[d]' 'database=index' 'new_certs_dir=issued' 'rand_serial=yes' 'default_md=sha256' \
  'policy=p' 'x509_extensions=x' '[p]' 'commonName=supplied' '[x]' "$san" >config
: >index
mkdir -p issued
openssl ca -batch -notext -config config -cert root.pem -keyfile root.key -in request -out to_come.pem \
  -startdate 20990101000000Z -enddate 21990101000000Z >>"$log" 2>&1
chain to-come server $host root to_come

rm -rf request extensions config index index.* issued
touch made
