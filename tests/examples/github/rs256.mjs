// The JavaScript half of rs256_web_crypto.cpp.

import { operate } from "../../../wasm_glue/host_operation.mjs";

// A DER element: tag, length, content.
function element(tag, content) {
  const digits = [];
  for (let rest = content.length; rest > 0; rest >>>= 8) digits.unshift(rest & 255);
  const length = content.length < 128 ? [content.length] : [128 | digits.length, ...digits];
  return Uint8Array.from([tag, ...length, ...content]);
}

const ofRsa = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]; // rsaEncryption, without parameters

// The key as PKCS #8, which alone WebCrypto reads: PKCS #1 inside of an envelope (RFC 5958).
function pkcs8(pem) {
  const found = /-----BEGIN (RSA )?PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/.exec(pem);
  if (!found) throw new Error("no private key");
  const der = Uint8Array.from(atob(found[2].replace(/\s/g, "")), (c) => c.charCodeAt(0));
  return found[1] ? element(0x30, [2, 1, 0, ...ofRsa, ...element(4, der)]) : der;
}

async function sign(pem, bytes) {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  let key;
  try {
    key = await crypto.subtle.importKey("pkcs8", pkcs8(pem), algorithm, false, ["sign"]);
  } catch (error) {
    throw Object.assign(new Error("the key of the App is not an RSA key in PEM"), { code: "invalid_argument", cause: error });
  }
  return crypto.subtle.sign(algorithm, key, bytes);
}

export const rs256 = {
  module: "escapement_rs256",
  imports: {
    sign(id, at, length, bytesAt, bytesLength) {
      const pem = this.text(at, length);
      const bytes = this.bytes(bytesAt, bytesLength).slice();
      operate(this, id, () => sign(pem, bytes));
    },
  },
};
