#!/bin/sh
# Makes the stores that the tests read, by Java's keytool and by openssl. They last for a hundred years.
set -e
cd "$(dirname "$0")"
rm -f ./*.jks ./*.p12
store() { # file, type, alias, key algorithm, more
  file=$1 type=$2 alias=$3 algorithm=$4
  shift 4
  keytool -genkeypair -keystore "$file" -storetype "$type" -storepass changeit -alias "$alias" -keyalg "$algorithm" \
    -validity 36500 "$@" < /dev/null
}
store ca.jks JKS ca RSA -dname CN=authority -ext bc:c
store server.jks JKS rsa RSA -dname CN=server
# Signed by the authority, whose certificate goes into the chain.
keytool -certreq -keystore server.jks -storepass changeit -alias rsa |
  keytool -gencert -keystore ca.jks -storepass changeit -alias ca -validity 36500 -rfc > signed.pem
keytool -exportcert -keystore ca.jks -storepass changeit -alias ca -rfc > ca.pem
cat ca.pem >> signed.pem
keytool -importcert -noprompt -keystore server.jks -storepass changeit -alias rsa -file signed.pem
store server.jks JKS ec EC -dname CN=elliptic
keytool -importcert -noprompt -keystore server.jks -storepass changeit -alias trusted -file ca.pem
# The same as PKCS #12: as keytool writes it now, as it did until Java 16, and under the name of the other form.
for form in default legacy; do
  options=$([ $form = legacy ] && echo -J-Dkeystore.pkcs12.legacy || true)
  keytool $options -importkeystore -noprompt -srckeystore server.jks -srcstorepass changeit -destkeystore $form.p12 \
    -deststoretype PKCS12 -deststorepass changeit
done
cp default.p12 misnamed.jks
for form in JKS PKCS12; do
  keytool -importcert -noprompt -keystore trust.$form -storetype $form -storepass changeit -alias ca -file ca.pem
done
mv trust.JKS trust.jks
mv trust.PKCS12 trust.p12
keytool -J-Dkeystore.pkcs12.macAlgorithm=NONE -J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE -importcert -noprompt \
  -keystore open.p12 -storetype PKCS12 -storepass changeit -alias ca -file ca.pem
openssl pkcs12 -export -nokeys -in ca.pem -passout pass:changeit -out openssl-trust.p12
keytool -importkeystore -noprompt -srckeystore server.jks -srcstorepass changeit -srcalias ec -destkeystore other.jks \
  -deststoretype JKS -deststorepass changeit -destkeypass different
keytool -genseckey -keystore jceks.jks -storetype JCEKS -storepass changeit -alias secret -keyalg AES -keysize 128
