// A driver that makes ts-mls a peer of package mls: one JSON object a line on
// standard input, one answer a line on standard output, in order. Bytes are
// base64. One process holds any number of clients, each in one group.

import { createInterface } from "node:readline"
import { readFileSync } from "node:fs"
import {
  createApplicationMessage, createCommit, createGroup, createGroupInfoWithExternalPub,
  createGroupInfoWithExternalPubAndRatchetTree, createProposal, decodeMlsMessage, encodeMlsMessage,
  generateKeyPackage, joinGroup, joinGroupExternal, mlsExporter, processPrivateMessage, processPublicMessage,
} from "ts-mls"
import { defaultClientConfig } from "ts-mls/clientConfig.js"
import { decodeRatchetTree, encodeRatchetTree } from "ts-mls/ratchetTree.js"
import { encodeLeafNodeTBS } from "ts-mls/leafNode.js"
import { signWithLabel } from "ts-mls/crypto/signature.js"
import { capabilities, suite } from "./suites.mjs"
import { bench } from "./bench.mjs"

const clients = new Map()

const clientConfig = {
  ...defaultClientConfig,
  keyRetentionConfig: { retainKeysForGenerations: 1000, retainKeysForEpochs: 1, maximumForwardRatchetSteps: 8192 },
}

const b64 = (bytes) => Buffer.from(bytes).toString("base64")
const bytes = (text) => new Uint8Array(Buffer.from(text ?? "", "base64"))

function client(r) {
  const c = clients.get(r.client)
  if (!c) throw new Error("no such client")
  return c
}

function decode(text, wireformat) {
  const raw = bytes(text)
  const decoded = decodeMlsMessage(raw, 0)
  if (!decoded || decoded[1] !== raw.length) throw new Error("not one MLSMessage")
  if (wireformat && decoded[0].wireformat !== wireformat) throw new Error(`not a ${wireformat}`)
  return decoded[0]
}

const encode = (wireformat, body) => b64(encodeMlsMessage({ version: "mls10", wireformat, ...body }))

const extensions = (list) =>
  (list ?? []).map((e) => ({ extensionType: e.type === 3 ? "required_capabilities" : e.type, extensionData: bytes(e.data) }))

// Tests hold pre-shared keys by id; a resumption PSK is of the current epoch.
const psks = (c, given) => ({
  findPsk: (id) => (id.psktype === "external" ? bytes(given?.[b64(id.pskId)]) : c.state?.keySchedule.resumptionPsk),
})

const leafNode = (state, index = state.privatePath.leafIndex) => state.ratchetTree[2 * index]?.leaf

const proposal = {
  add: (c, p) => ({ proposalType: "add", add: { keyPackage: decode(p.keyPackage, "mls_key_package").keyPackage } }),
  remove: (c, p) => ({ proposalType: "remove", remove: { removed: p.index } }),
  custom: (c, p) => ({ proposalType: p.type, proposalData: bytes(p.data) }),
  psk: (c, p) => ({
    proposalType: "psk",
    psk: { preSharedKeyId: { psktype: "external", pskId: bytes(p.id), pskNonce: c.cs.rng.randomBytes(c.cs.kdf.size) } },
  }),
  resumption: (c) => ({
    proposalType: "psk",
    psk: {
      preSharedKeyId: {
        psktype: "resumption",
        usage: "application",
        pskGroupId: c.state.groupContext.groupId,
        pskEpoch: c.state.groupContext.epoch,
        pskNonce: c.cs.rng.randomBytes(c.cs.kdf.size),
      },
    },
  }),
  extensions: (c, p) => ({
    proposalType: "group_context_extensions",
    groupContextExtensions: { extensions: extensions(p.extensions) },
  }),
  async update(c) {
    const keys = await c.cs.hpke.generateKeyPair()
    const own = leafNode(c.state)
    const tbs = {
      hpkePublicKey: await c.cs.hpke.exportPublicKey(keys.publicKey),
      signaturePublicKey: own.signaturePublicKey,
      credential: own.credential,
      capabilities: own.capabilities,
      leafNodeSource: "update",
      extensions: own.extensions,
      groupId: c.state.groupContext.groupId,
      leafIndex: c.state.privatePath.leafIndex,
    }
    c.updateKey = await c.cs.hpke.exportPrivateKey(keys.privateKey)
    const signature = await signWithLabel(c.state.signaturePrivateKey, "LeafNodeTBS", encodeLeafNodeTBS(tbs), c.cs.signature)
    return { proposalType: "update", update: { leafNode: { ...tbs, signature } } }
  },
}

const ops = {
  hello() {
    const manifest = new URL("node_modules/ts-mls/package.json", import.meta.url)
    return { version: JSON.parse(readFileSync(manifest, "utf8")).version }
  },

  async keyPackage(r) {
    const cs = await suite(r.suite)
    const credential = { credentialType: "basic", identity: bytes(r.identity) }
    const lifetime = { notBefore: 0n, notAfter: 2n ** 63n - 1n }
    const kp = await generateKeyPackage(credential, capabilities, lifetime, [], cs, extensions(r.leafExtensions))
    clients.set(r.client, { cs, kp })
    return { keyPackage: encode("mls_key_package", { keyPackage: kp.publicPackage }) }
  },

  async create(r) {
    const c = client(r)
    const groupExtensions = extensions(r.extensions)
    c.state = await createGroup(bytes(r.groupId), c.kp.publicPackage, c.kp.privatePackage, groupExtensions, c.cs, clientConfig)
    return {}
  },

  // The commit is kept until "apply" or "drop": the log decides whose commit wins.
  async commit(r) {
    const c = client(r)
    const extraProposals = []
    for (const p of r.proposals ?? []) extraProposals.push(await proposal[p.kind](c, p))
    const made = await createCommit(
      { state: c.state, cipherSuite: c.cs, pskIndex: psks(c, r.psks) },
      { extraProposals, ratchetTreeExtension: !!r.inlineTree, wireAsPublicMessage: !!r.public },
    )
    c.pending = made.newState
    return {
      message: b64(encodeMlsMessage(made.commit)),
      welcome: made.welcome ? encode("mls_welcome", { welcome: made.welcome }) : "",
      tree: b64(encodeRatchetTree(made.newState.ratchetTree)),
    }
  },

  apply(r) {
    const c = client(r)
    if (!c.pending) throw new Error("no commit is pending")
    c.state = c.pending
    delete c.pending
    delete c.updateKey
    return {}
  },

  drop(r) {
    delete client(r).pending
    return {}
  },

  async propose(r) {
    const c = client(r)
    const made = await createProposal(c.state, !!r.public, await proposal[r.proposal.kind](c, r.proposal), c.cs)
    c.state = made.newState
    return { message: b64(encodeMlsMessage(made.message)) }
  },

  async process(r) {
    const c = client(r)
    const message = decode(r.message)
    // An own Update proposal that this commit applies brings its key into use
    // before the path is decrypted. The callback runs between the two.
    const keys = { ...c.state.privatePath.privateKeys }
    const state = { ...c.state, privatePath: { ...c.state.privatePath, privateKeys: keys } }
    const own = state.privatePath.leafIndex
    const seen = (incoming) => {
      if (incoming.kind !== "commit") return "accept"
      if (incoming.proposals.some((p) => p.proposal.proposalType === "update" && p.senderLeafIndex === own)) keys[2 * own] = c.updateKey
      return "accept"
    }
    const find = psks(c, r.psks)
    const result =
      message.wireformat === "mls_public_message"
        ? { kind: "newState", ...(await processPublicMessage(state, message.publicMessage, find, c.cs, seen)) }
        : await processPrivateMessage(state, message.privateMessage, find, c.cs, seen)
    const epoch = c.state.groupContext.epoch
    c.state = result.newState
    if (result.kind === "applicationMessage") return { kind: "application", data: b64(result.message) }
    const removed = c.state.groupActiveState.kind === "removedFromGroup"
    if (!removed && c.state.groupContext.epoch === epoch) return { kind: "proposal" }
    delete c.pending
    delete c.updateKey
    return { kind: "commit", removed }
  },

  async join(r) {
    const c = client(r)
    const { welcome } = decode(r.welcome, "mls_welcome")
    const tree = r.tree ? decodeRatchetTree(bytes(r.tree), 0)[0] : undefined
    const { publicPackage, privatePackage } = c.kp
    c.state = await joinGroup(welcome, publicPackage, privatePackage, psks(c, r.psks), c.cs, tree, undefined, clientConfig)
    return {}
  },

  async groupInfo(r) {
    const { state, cs } = client(r)
    const make = r.inlineTree ? createGroupInfoWithExternalPubAndRatchetTree : createGroupInfoWithExternalPub
    return { message: encode("mls_group_info", { groupInfo: await make(state, [], cs) }) }
  },

  async joinExternally(r) {
    const c = client(r)
    const { groupInfo } = decode(r.groupInfo, "mls_group_info")
    const tree = r.tree ? decodeRatchetTree(bytes(r.tree), 0)[0] : undefined
    const { publicPackage, privatePackage } = c.kp
    const made = await joinGroupExternal(groupInfo, publicPackage, privatePackage, false, c.cs, tree, clientConfig)
    c.pending = made.newState
    return { message: encode("mls_public_message", { publicMessage: made.publicMessage }) }
  },

  async encrypt(r) {
    const c = client(r)
    const made = await createApplicationMessage(c.state, bytes(r.data), c.cs)
    c.state = made.newState
    return { message: encode("mls_private_message", { privateMessage: made.privateMessage }) }
  },

  async status(r) {
    const { state, cs } = client(r)
    const exported = await mlsExporter(state.keySchedule.exporterSecret, r.label, bytes(r.context), 32, cs)
    const members = []
    for (let i = 0; 2 * i < state.ratchetTree.length; i++) {
      const leaf = leafNode(state, i)
      if (leaf) members.push({ index: i, identity: b64(leaf.credential.identity) })
    }
    return {
      epoch: Number(state.groupContext.epoch),
      authenticator: b64(state.keySchedule.epochAuthenticator),
      exported: b64(exported),
      treeHash: b64(state.groupContext.treeHash),
      transcript: b64(state.groupContext.confirmedTranscriptHash),
      ownIndex: state.privatePath.leafIndex,
      members: r.members ? members : undefined,
    }
  },

  tree: (r) => ({ tree: b64(encodeRatchetTree(client(r).state.ratchetTree)) }),

  forget(r) {
    clients.delete(r.client)
    return {}
  },

  // The bare KEM and HPKE of a suite, to compare with crypto/hpke by themselves.
  async deriveKeyPair(r) {
    const { hpke } = await suite(r.suite)
    const keys = await hpke.deriveKeyPair(bytes(r.data))
    return { privateKey: b64(await hpke.exportPrivateKey(keys.privateKey)), publicKey: b64(await hpke.exportPublicKey(keys.publicKey)) }
  },

  async seal(r) {
    const { hpke } = await suite(r.suite)
    const sealed = await hpke.seal(await hpke.importPublicKey(bytes(r.publicKey)), bytes(r.data), bytes(r.info))
    return { kemOutput: b64(sealed.enc), ciphertext: b64(sealed.ct) }
  },

  async open(r) {
    const { hpke } = await suite(r.suite)
    const key = await hpke.importPrivateKey(bytes(r.privateKey))
    return { data: b64(await hpke.open(key, bytes(r.kemOutput), bytes(r.ciphertext), bytes(r.info))) }
  },

  bench: async (r) => ({ milliseconds: await bench(await suite(r.suite, r.provider), r.members, r.rounds) }),
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  let answer
  try {
    const request = JSON.parse(line)
    if (!ops[request.op]) throw new Error(`no operation ${request.op}`)
    answer = await ops[request.op](request)
  } catch (e) {
    answer = { error: `${e?.name}: ${e?.message}` }
  }
  process.stdout.write(JSON.stringify(answer) + "\n")
}
