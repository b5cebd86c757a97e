package mls

// welcome is RFC 9420 §12.4.3.1.
type welcome struct {
	suite   Suite
	secrets []encryptedGroupSecrets
	info    []byte // encrypted_group_info
}

// encryptedGroupSecrets carries one joiner's secrets, by KeyPackageRef.
type encryptedGroupSecrets struct {
	newMember  []byte
	kemOutput  []byte
	ciphertext []byte
}

func (w *welcome) encode(e *encoder) {
	e.u16(uint16(w.suite))
	e.list(func(e *encoder) {
		for i := range w.secrets {
			e.vec(w.secrets[i].newMember)
			e.vec(w.secrets[i].kemOutput)
			e.vec(w.secrets[i].ciphertext)
		}
	})
	e.vec(w.info)
}

func (w *welcome) decode(d *decoder) {
	w.suite = Suite(d.u16())
	d.list(func(d *decoder) {
		w.secrets = append(w.secrets, encryptedGroupSecrets{d.vec(), d.vec(), d.vec()})
	})
	w.info = d.vec()
}

// groupSecrets is RFC 9420 §12.4.3.1.
type groupSecrets struct {
	joiner     []byte
	pathSecret []byte // nil where the commit had no path
	psks       []PSKID
}

func (s *groupSecrets) encode(e *encoder) {
	e.vec(s.joiner)
	e.opt(s.pathSecret != nil, func(e *encoder) { e.vec(s.pathSecret) })
	e.list(func(e *encoder) {
		for i := range s.psks {
			s.psks[i].encode(e)
		}
	})
}

func (s *groupSecrets) decode(d *decoder) {
	s.joiner = d.vec()
	d.opt(func(d *decoder) { s.pathSecret = d.vec() })
	d.list(func(d *decoder) {
		var id PSKID
		id.decode(d)
		s.psks = append(s.psks, id)
	})
}

func (s *groupSecrets) wipe() {
	clear(s.joiner)
	clear(s.pathSecret)
}

// sealInfo encrypts a GroupInfo for the joiners, RFC 9420 §12.4.3.1.
func sealInfo(p *suiteParams, welcomeSecret []byte, info *GroupInfo) []byte {
	key, nonce := welcomeKey(p, welcomeSecret)
	defer clear(key)
	return p.seal(key, nonce, nil, marshal(info))
}

func openInfo(p *suiteParams, welcomeSecret, ciphertext []byte) (*GroupInfo, error) {
	key, nonce := welcomeKey(p, welcomeSecret)
	defer clear(key)
	pt, err := p.open(key, nonce, nil, ciphertext)
	if err != nil {
		return nil, ErrDecrypt
	}
	info := new(GroupInfo)
	if err := unmarshal(pt, info); err != nil {
		return nil, errGroupInfoForm
	}
	return info, nil
}

func welcomeKey(p *suiteParams, secret []byte) (key, nonce []byte) {
	return p.expandWithLabel(secret, "key", nil, p.nk), p.expandWithLabel(secret, "nonce", nil, p.nn)
}

// sealSecrets encrypts one joiner's secrets to the init key of its KeyPackage;
// the encrypted GroupInfo is the context, so the two cannot be recombined.
func sealSecrets(p *suiteParams, kp *KeyPackage, encryptedInfo []byte, s *groupSecrets) (encryptedGroupSecrets, error) {
	pt := marshal(s)
	defer clear(pt)
	kem, ct, err := p.encryptWithLabel(kp.InitKey, "Welcome", encryptedInfo, pt)
	if err != nil {
		return encryptedGroupSecrets{}, err
	}
	return encryptedGroupSecrets{kp.Ref(), kem, ct}, nil
}

func openSecrets(p *suiteParams, initKey, encryptedInfo []byte, s *encryptedGroupSecrets) (*groupSecrets, error) {
	pt, err := p.decryptWithLabel(initKey, "Welcome", encryptedInfo, s.kemOutput, s.ciphertext)
	if err != nil {
		return nil, ErrDecrypt
	}
	defer clear(pt)
	out := new(groupSecrets)
	if err := unmarshal(pt, out); err != nil {
		return nil, errGroupSecretsForm
	}
	return out, nil
}
