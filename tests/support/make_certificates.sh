#!/bin/sh
# Makes the certificates that the TLS tests use, in the folder given: make_certificates.sh DIR
#
# Keys are made anew and thrown away with the build, so none is committed. All are good for a hundred years,
# but for the one that has expired.
set -eu
mkdir -p "$1"
cd "$1"
export RANDFILE=/dev/null
log=openssl.log
: >"$log"

key() { # name
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key" 2>>"$log"
}

root() { # name subject
  key "$1"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 36500 -out "$1.pem" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" 2>>"$log"
}

# issued NAME SUBJECT ISSUER DAYS EXTENSIONS; the key exists or is made
issued() {
  [ -f "$1.key" ] || key "$1"
  printf '%s\n' "$5" >"$1.ext"
  openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr" 2>>"$log"
  openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -set_serial "0x$(openssl rand -hex 8)" \
    -days "$4" -extfile "$1.ext" -out "$1.pem" 2>>"$log"
}

for_servers='extendedKeyUsage=serverAuth'
for_clients='extendedKeyUsage=clientAuth'
names_a='subjectAltName=DNS:a.test,DNS:localhost,IP:127.0.0.1,IP:::1'

root ca 'escapement test root'
root other_ca 'another test root'

issued a a.test ca 36500 "$names_a
$for_servers"
openssl genrsa -out b.key 2048 2>>"$log"
issued b b.test ca 36500 "subjectAltName=DNS:b.test,DNS:exact.wild.test
$for_servers"
issued wild wild.test ca 36500 "subjectAltName=DNS:*.wild.test
$for_servers"
issued expired a.test ca -1 "$names_a
$for_servers"
issued foreign a.test other_ca 36500 "$names_a
$for_servers"
issued not_for_servers a.test ca 36500 "$names_a
$for_clients"

# One that is reached through another.
issued middle 'escapement test intermediate' ca 36500 "basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign"
issued leaf a.test middle 36500 "$names_a
$for_servers"
cat leaf.pem middle.pem >chain.pem

key self_signed
openssl req -x509 -new -key self_signed.key -subj /CN=a.test -days 36500 -addext "$names_a" \
  -addext basicConstraints=critical,CA:FALSE -out self_signed.pem 2>>"$log"

issued alice alice ca 36500 "$for_clients"
issued mallory mallory other_ca 36500 "$for_clients"

# The SHA-256 of their public keys, in base64.
for name in a b; do
  openssl x509 -in $name.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary |
    openssl base64 >$name.pin
done

rm -f ./*.csr ./*.ext
touch made
