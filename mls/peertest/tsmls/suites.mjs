// The cipher suites of ts-mls as package mls numbers them.

import { defaultCryptoProvider, getCiphersuiteFromName, nobleCryptoProvider } from "ts-mls"
import { XWing } from "@hpke/hybridkem-x-wing"
import { p256, p384, p521 } from "@noble/curves/nist.js"
import { shake256 } from "@noble/hashes/sha3.js"

const names = {
  1: "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
  2: "MLS_128_DHKEMP256_AES128GCM_SHA256_P256",
  3: "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
  5: "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
  7: "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
}

// The two hybrid suites. ts-mls decodes a suite number it has no name for to
// that number in decimal, so this is their name there.
const hybrid = { 0xf001: "CHACHA20POLY1305", 0xf002: "AES128GCM" }

// ts-mls has two providers: one on WebCrypto, its default, and one on the noble
// packages. The second is as independent of Go and needs no thread pool.
const providers = { webcrypto: defaultCryptoProvider, noble: nobleCryptoProvider }

const resolved = new Map()

/** The crypto implementation of a suite number. */
export async function suite(number, provider = "noble") {
  const key = `${number} ${provider}`
  if (!resolved.has(key)) resolved.set(key, await resolve(number, providers[provider]))
  return resolved.get(key)
}

async function resolve(number, provider) {
  if (names[number]) {
    const impl = await provider.getCiphersuiteImpl(getCiphersuiteFromName(names[number]))
    return { ...impl, signature: uncompressed(number, impl.signature) }
  }
  const aead = hybrid[number]
  if (!aead) throw new Error("unknown cipher suite")
  const impl = await provider.getCiphersuiteImpl({
    hash: "SHA-256",
    hpke: { kem: "X-Wing", kdf: "HKDF-SHA256", aead },
    signature: "Ed25519",
    name: String(number),
  })
  return { ...impl, hpke: { ...impl.hpke, deriveKeyPair: deriveXWing } }
}

// RFC 9420 §5.1.1: an ECDSA public key is an uncompressed point. ts-mls verifies
// with either form and makes compressed ones.
function uncompressed(number, signature) {
  const curve = { 2: p256, 5: p521, 7: p384 }[number]
  if (!curve) return signature
  return {
    ...signature,
    async keygen() {
      const signKey = curve.utils.randomSecretKey()
      return { signKey, publicKey: curve.getPublicKey(signKey, false) }
    },
  }
}

// KEM 0x647A has had two DeriveKeyPair functions. The library follows the older
// draft-connolly-cfrg-xwing-kem, SHAKE256(ikm); draft-ietf-hpke-pq, which
// crypto/hpke implements, labels its input as RFC 9180 does. Key generation
// from the 32-byte seed, encapsulation and combiner are the same in both.
async function deriveXWing(ikm) {
  const label = new TextEncoder().encode("DeriveKeyPair")
  const seed = shake256
    .create({ dkLen: 32 })
    .update(ikm)
    .update(new TextEncoder().encode("HPKE-v1KEM"))
    .update(new Uint8Array([0x64, 0x7a, 0, label.length]))
    .update(label)
    .update(new Uint8Array([0, 32]))
    .digest()
  return new XWing().generateKeyPairDerand(seed)
}

/** What every ts-mls client here says it can do. */
export const capabilities = {
  versions: ["mls10"],
  ciphersuites: [...Object.values(names), ...Object.keys(hybrid)],
  extensions: [0xf0a1, 0xf0a2],
  proposals: [0xf0b1],
  credentials: ["basic"],
}
