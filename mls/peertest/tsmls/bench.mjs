// Times of ts-mls itself, taken inside this process so that no pipe or JSON is
// in them. The Go side measures package mls in the same order of operations.
//
// What is measured is processor time, of all threads of the process: unlike the
// time on the wall it means something on a busy machine, too.

import {
  createApplicationMessage, createCommit, createGroup, decodeMlsMessage, encodeMlsMessage, generateKeyPackage,
  joinGroup, processPrivateMessage, emptyPskIndex,
} from "ts-mls"
import { capabilities } from "./suites.mjs"

const lifetime = { notBefore: 0n, notAfter: 2n ** 63n - 1n }

/**
 * One group of the given size. Returns the mean over the rounds, in milliseconds,
 * of each operation; every message passes through its bytes.
 */
export async function bench(cs, members, rounds) {
  const times = {}
  const timed = async (name, f) => {
    const start = process.cpuUsage()
    const result = await f()
    const { user, system } = process.cpuUsage(start)
    ;(times[name] ??= []).push((user + system) / 1000)
    return result
  }
  const newcomer = (i) => {
    const credential = { credentialType: "basic", identity: new TextEncoder().encode(`member ${i}`) }
    return generateKeyPackage(credential, capabilities, lifetime, [], cs)
  }
  const kps = []
  for (let i = 0; i < members; i++) kps.push(await newcomer(i))

  let alice, bob
  for (let round = 0; round < Math.min(rounds, members > 100 ? 3 : rounds); round++) {
    let made
    ;[alice, made] = await timed("add all", async () => {
      const state = await createGroup(new Uint8Array(16), kps[0].publicPackage, kps[0].privatePackage, [], cs)
      const extraProposals = kps.slice(1).map((kp) => ({ proposalType: "add", add: { keyPackage: kp.publicPackage } }))
      const made = await createCommit({ state, cipherSuite: cs }, { extraProposals, ratchetTreeExtension: true })
      encodeMlsMessage(made.commit)
      return [made.newState, encodeMlsMessage({ version: "mls10", wireformat: "mls_welcome", welcome: made.welcome })]
    })
    bob = await timed("join", () => {
      const { welcome } = decodeMlsMessage(made, 0)[0]
      return joinGroup(welcome, kps[1].publicPackage, kps[1].privatePackage, emptyPskIndex, cs)
    })
  }

  // The tree of a group in which everybody has committed once is the usual one;
  // this one starts without any parent node and fills only alice's and bob's paths.
  for (let round = 0; round < rounds; round++) {
    const [from, to] = round % 2 ? [bob, alice] : [alice, bob]
    const [next, commit] = await timed("update commit", async () => {
      const made = await createCommit({ state: from, cipherSuite: cs }, {})
      return [made.newState, encodeMlsMessage(made.commit)]
    })
    const processed = await timed("process", async () => {
      const { privateMessage } = decodeMlsMessage(commit, 0)[0]
      return (await processPrivateMessage(to, privateMessage, emptyPskIndex, cs)).newState
    })
    ;[alice, bob] = round % 2 ? [processed, next] : [next, processed]
  }

  const kibibyte = new Uint8Array(1024)
  for (let round = 0; round < 5 * rounds; round++) {
    const message = await timed("encrypt 1 KiB", async () => {
      const made = await createApplicationMessage(alice, kibibyte, cs)
      alice = made.newState
      return encodeMlsMessage({ version: "mls10", wireformat: "mls_private_message", privateMessage: made.privateMessage })
    })
    bob = await timed("decrypt 1 KiB", async () => {
      const { privateMessage } = decodeMlsMessage(message, 0)[0]
      return (await processPrivateMessage(bob, privateMessage, emptyPskIndex, cs)).newState
    })
  }

  const mean = (list) => list.reduce((sum, t) => sum + t, 0) / list.length
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, mean(list)]))
}
