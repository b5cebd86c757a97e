// What ts-mls 1.6.4 gets wrong in a way that no test can step around, put right
// while the module is loaded; its files stay as they were installed. Run as
//
//	node --import ./fixes.mjs peer.mjs
//
// Each fix must find its text as often as it says, so that a newer ts-mls, with
// the fault mended or moved, fails at the start rather than quietly.

import { register } from "node:module"
import { isMainThread } from "node:worker_threads"

const fixes = [
  {
    // RFC 9420 §12.4.3.1: an unmerged leaf of a parent must be in the lists of
    // the non-blank nodes between the leaf and that parent. ts-mls compares whole
    // lists all the way to the root and so refuses most trees in which somebody
    // was added since the last update of a subtree.
    file: "/ts-mls/dist/src/clientState.js",
    from: "if (!arraysEqual(dpNode.parent.unmergedLeaves, n.parent.unmergedLeaves))",
    to: "if (parentIdx === i) break; if (!dpNode.parent.unmergedLeaves.includes(unmergedLeaf))",
  },
  {
    // RFC 9420 §12.4.2: somebody removed stays removed if an Add in the same
    // commit takes over the leaf. ts-mls looks whether the leaf is blank
    // afterwards, and then fails to find a key for the path.
    file: "/ts-mls/dist/src/clientState.js",
    from: "const selfRemoved = mutatedTree[leafToNodeIndex(toLeafIndex(state.privatePath.leafIndex))] === undefined;",
    to: "const selfRemoved = grouped.remove.some((r) => r.proposal.remove.removed === state.privatePath.leafIndex);",
  },
  {
    // RFC 9420 §12.4.1: the commit secret follows from the last path secret of the
    // UpdatePath. Where the root stays blank, half of the tree being empty, ts-mls
    // derives once more on the way to the root.
    file: "/ts-mls/dist/src/pathSecrets.js",
    from: 'const nextSecret = await deriveSecret(pathSecrets[currentIndex], "path", kdf);',
    to: 'const last = pathSecrets[currentIndex]; const nextSecret = tree[nextIndex] === undefined ? last : await deriveSecret(last, "path", kdf);',
  },
  // RFC 9420 §12.4.3.2: the extension external_pub holds an HPKEPublicKey, which
  // is opaque<V>. ts-mls writes and reads the bare key, without its length.
  {
    file: "/ts-mls/dist/src/createCommit.js",
    from: 'import { encode } from "./codec/tlsEncoder.js";',
    to: 'import { encode } from "./codec/tlsEncoder.js"; import { decodeVarLenData, varLenDataEncoder } from "./codec/variableLength.js";',
  },
  {
    file: "/ts-mls/dist/src/createCommit.js",
    from: "const externalPub = await cs.hpke.exportPublicKey(externalKeyPair.publicKey);",
    to: "const externalPub = encode(varLenDataEncoder)(await cs.hpke.exportPublicKey(externalKeyPair.publicKey));",
    times: 2,
  },
  {
    file: "/ts-mls/dist/src/createCommit.js",
    from: "await exportSecret(externalPub.extensionData, cs)",
    to: "await exportSecret(decodeVarLenData(externalPub.extensionData, 0)[0], cs)",
  },
]

export async function load(url, context, nextLoad) {
  const wanted = fixes.filter((f) => url.endsWith(f.file))
  const loaded = await nextLoad(url, context)
  if (wanted.length === 0) return loaded
  let source = Buffer.from(loaded.source).toString("utf8")
  for (const { from, to, times = 1 } of wanted) {
    const parts = source.split(from)
    if (parts.length !== times + 1) throw new Error(`ts-mls has changed: ${from}`)
    source = parts.join(to)
  }
  return { ...loaded, source }
}

if (isMainThread) register(import.meta.url)
