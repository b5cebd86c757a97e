package letter

import (
	"crypto/sha256"
	"crypto/subtle"

	"hearth/wire"
)

// Tree is what every joiner of one commit needs and a Welcome is too small for:
// one blob, the same for all of them (protocol §6).
type Tree struct {
	_       struct{} `cbor:",toarray"`
	Version uint8
	// Ratchet is the ratchet tree after the commit, RFC 9420 §7.8.
	Ratchet []byte
	// Chains are the chains of all members, whole.
	Chains [][][]byte
	// Places may stand here where they are too many for the wrapper.
	Places []Place
}

// TreeRef names a tree blob and opens it.
type TreeRef struct {
	_    struct{}    `cbor:",toarray"`
	Blob wire.BlobID // set once it is uploaded
	Key  wire.Secret
	// Hash is the SHA-256 of the blob's bytes.
	Hash [sha256.Size]byte
}

// TreeVersion is the version of tree blobs.
const TreeVersion = 1

// SealTree seals a tree under a fresh key. The blob is padded to steps of an
// eighth of its size, 4 KiB at least. It fails with full beyond wire.MaxWhole.
func SealTree(t Tree) (blob []byte, ref TreeRef, err error) {
	t.Version = TreeVersion
	b := wire.Encode(t)
	size := treeSize(len(b) + sealAdds + sealLength)
	if size > wire.MaxWhole {
		return nil, TreeRef{}, tooLong("the group's tree")
	}
	ref.Key = wire.NewSecret()
	blob = seal(ref.Key, purposeTree, nil, b, size)
	ref.Hash = sha256.Sum256(blob)
	return blob, ref, nil
}

// OpenTree opens a blob and checks that it is the one that ref names.
func OpenTree(ref TreeRef, blob []byte) (Tree, error) {
	if h := sha256.Sum256(blob); subtle.ConstantTimeCompare(h[:], ref.Hash[:]) != 1 {
		return Tree{}, refuse("open a tree", errSeal)
	}
	b, err := open(ref.Key, purposeTree, nil, blob)
	if err != nil {
		return Tree{}, refuse("open a tree", err)
	}
	t, err := parseTree(b)
	if err != nil {
		return Tree{}, refuse("read a tree", err)
	}
	return t, nil
}

func parseTree(b []byte) (Tree, error) {
	var t Tree
	if err := wire.Decode(b, &t); err != nil {
		return Tree{}, err
	}
	if t.Version != TreeVersion || len(t.Ratchet) == 0 {
		return Tree{}, errForm
	}
	if len(t.Chains) > wire.MaxSeats || len(t.Places) > maxPlaces {
		return Tree{}, errLong
	}
	for _, p := range t.Places {
		if err := p.check(); err != nil {
			return Tree{}, err
		}
	}
	return t, nil
}

func treeSize(n int) int {
	step := 4 << 10
	for step*16 <= n {
		step *= 2
	}
	return (n + step - 1) / step * step
}
