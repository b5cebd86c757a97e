package mls

import "slices"

// check makes the checks of RFC 9420 §7.2 and §7.3 that need nothing but the
// leaf itself and the suite: not the signature, and nothing about other members.
func (l *LeafNode) check(p *suiteParams) error {
	if err := p.checkPublicKey(l.EncryptionKey); err != nil {
		return err
	}
	if !p.sig.check(l.SignatureKey) {
		return errSignatureKey
	}
	c := &l.Capabilities
	if !c.SupportsCredential(l.Credential.Type) {
		return invalid("§7.2", "a leaf's capabilities lack the type of its own credential")
	}
	for _, x := range l.Extensions {
		if !c.SupportsExtension(x.Type) {
			return invalid("§7.3", "a leaf carries an extension that its capabilities lack")
		}
	}
	return nil
}

// checkSuite is RFC 9420 §11.1: at the least, a member supports the version and
// the cipher suite in use.
func (l *LeafNode) checkSuite(s Suite) error {
	if !l.Capabilities.supportsVersion(versionMLS10) {
		return invalid("§11.1", "a leaf's capabilities lack the version mls10")
	}
	if !l.Capabilities.SupportsSuite(s) {
		return invalid("§11.1", "a leaf's capabilities lack the cipher suite it is used with")
	}
	return nil
}

// checkContext is the part of RFC 9420 §7.3, §11.1 and §13.4 about one leaf and
// the extensions of a GroupContext: the leaf supports what the group requires
// and every extension that the context has.
func (l *LeafNode) checkContext(exts []Extension, required *RequiredCapabilities) error {
	if !l.Capabilities.meets(required) {
		return invalid("§11.1", "a leaf lacks a capability that the group requires")
	}
	for _, x := range exts {
		if !l.Capabilities.SupportsExtension(x.Type) {
			return invalid("§13.4", "a leaf does not support an extension of the GroupContext")
		}
	}
	return nil
}

// checkMembers checks what leaves owe each other and the group, RFC 9420 §7.3,
// §11.1 and §13.4, after a commit's proposals and path are in the tree. changed
// are the leaves that are new or replaced; exts are the extensions of the new
// GroupContext. If those changed too, name every leaf as changed: allMembers.
// The work grows with the number of members only where a credential type is new.
func (t *ratchetTree) checkMembers(changed []LeafIndex, exts []Extension) error {
	if len(changed) == 0 {
		return nil
	}
	required, err := requiredOf(exts)
	if err != nil {
		return err
	}
	var used []uint16 // credential types in use: at most the two that can be read
	for _, l := range t.leaves {
		if l != nil && !slices.Contains(used, l.Credential.Type) {
			used = append(used, l.Credential.Type)
		}
	}
	var brought []uint16 // by a changed leaf
	for _, i := range changed {
		l := t.leaf(i)
		if l == nil {
			continue // changed by one proposal and removed by another
		}
		if err := l.checkSuite(t.p.suite); err != nil {
			return err
		}
		if err := l.checkContext(exts, required); err != nil {
			return err
		}
		for _, c := range used {
			if !l.Capabilities.SupportsCredential(c) {
				return invalid("§7.3", "a leaf does not support a credential type that other members use")
			}
		}
		if !slices.Contains(brought, l.Credential.Type) {
			brought = append(brought, l.Credential.Type)
		}
	}
	for _, l := range t.leaves {
		if l == nil {
			continue
		}
		for _, c := range brought {
			if !l.Capabilities.SupportsCredential(c) {
				return invalid("§7.3", "a leaf has a credential type that another member does not support")
			}
		}
	}
	return nil
}

// allMembers lists the leaves that aren't blank.
func (t *ratchetTree) allMembers() []LeafIndex {
	var all []LeafIndex
	for i, l := range t.leaves {
		if l != nil {
			all = append(all, LeafIndex(i))
		}
	}
	return all
}

// verify makes every check of a whole tree that RFC 9420 §12.4.3.1 asks of a
// joiner, but for the comparison of the tree hash: unmerged leaves, keys that
// are keys and unique, parent hashes, and each leaf with its signature. The
// credentials are the caller's to judge.
func (t *ratchetTree) verify(groupID []byte, exts []Extension) error {
	if err := t.checkUnmerged(); err != nil {
		return err
	}
	if err := t.checkUnique(); err != nil {
		return err
	}
	for _, p := range t.parents {
		if p == nil {
			continue
		}
		if err := t.p.checkPublicKey(p.encryptionKey); err != nil {
			return err
		}
	}
	for i, l := range t.leaves {
		if l == nil {
			continue
		}
		if err := l.check(t.p); err != nil {
			return err
		}
		if err := l.verifySignature(t.p, groupID, LeafIndex(i)); err != nil {
			return err
		}
	}
	if err := t.checkMembers(t.allMembers(), exts); err != nil {
		return err
	}
	return t.verifyParentHashes()
}

// checkUnmerged is RFC 9420 §12.4.3.1: where a node lists an unmerged leaf, so
// does every node between the two that isn't blank. That the leaf is a member
// below the node was seen when the tree was read.
func (t *ratchetTree) checkUnmerged() error {
	for i, p := range t.parents {
		if p == nil {
			continue
		}
		for _, u := range p.unmerged {
			for x := u.node().up(); x != nodeIndex(2*i+1); x = x.up() {
				q := t.parent(x)
				if q == nil {
					continue
				}
				if _, found := slices.BinarySearch(q.unmerged, u); !found {
					return invalid("§12.4.3.1", "a node below lacks an unmerged leaf that a node above lists")
				}
			}
		}
	}
	return nil
}
