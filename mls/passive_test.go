package mls

import (
	"testing"
)

// passiveCase is one member who only listens.
type passiveCase struct {
	Suite Suite `json:"cipher_suite"`
	PSKs  []struct {
		ID  hexBytes `json:"psk_id"`
		PSK hexBytes `json:"psk"`
	} `json:"external_psks"`
	KeyPackage    hexBytes `json:"key_package"`
	SignaturePriv hexBytes `json:"signature_priv"`
	LeafPriv      hexBytes `json:"encryption_priv"`
	InitPriv      hexBytes `json:"init_priv"`
	Welcome       hexBytes `json:"welcome"`
	RatchetTree   hexBytes `json:"ratchet_tree"`
	Authenticator hexBytes `json:"initial_epoch_authenticator"`
	Epochs        []struct {
		Proposals     []hexBytes `json:"proposals"`
		Commit        hexBytes   `json:"commit"`
		Authenticator hexBytes   `json:"epoch_authenticator"`
	} `json:"epochs"`
}

func (c *passiveCase) follow(t *testing.T, n int) {
	t.Helper()
	m := new(message)
	if err := unmarshal(c.KeyPackage, m); err != nil || m.keyPackage == nil {
		t.Fatalf("case %d: key package: %v", n, err)
	}
	sig, err := NewSignatureKey(c.Suite, fullScalar(c.Suite, c.SignaturePriv))
	if err != nil {
		t.Fatal(err)
	}
	secrets := &KeyPackageSecrets{suite: c.Suite, signature: sig,
		initKey: newSecret(fullScalar(c.Suite, c.InitPriv)), leafKey: newSecret(fullScalar(c.Suite, c.LeafPriv))}
	var psks []PSK
	for _, k := range c.PSKs {
		psks = append(psks, NewPSK(PSKID{Type: PSKExternal, ID: k.ID}, k.PSK))
	}
	g, _, err := Join(c.Welcome, m.keyPackage, secrets, JoinOptions{RatchetTree: c.RatchetTree, PSKs: psks,
		Limits: Limits{AllowExternalCommits: true, AllowExternalProposals: true, AllowProposalsByReference: true, KeepEpochs: 100}})
	if err != nil {
		t.Fatalf("case %d: join: %v", n, err)
	}
	wantBytes(t, "initial_epoch_authenticator", g.EpochAuthenticator(), c.Authenticator)
	for i, e := range c.Epochs {
		for _, raw := range e.Proposals {
			s, err := g.Process(raw, WithPSKs(psks...))
			if err != nil {
				t.Fatalf("case %d, epoch %d: proposal: %v", n, i, err)
			}
			g = s.Apply()
		}
		s, err := g.Process(e.Commit, WithPSKs(psks...))
		if err != nil {
			t.Fatalf("case %d, epoch %d: commit: %v", n, i, err)
		}
		g = s.Apply()
		wantBytes(t, "epoch_authenticator", g.EpochAuthenticator(), e.Authenticator)
	}
}

func testPassive(t *testing.T, file string, ran, skipped int) {
	var cases []passiveCase
	loadVectors(t, file, &cases)
	count := countVectors(file)
	for i := range cases {
		if _, ok := count.params(t, cases[i].Suite); ok {
			cases[i].follow(t, i)
		}
	}
	count.done(t, ran, skipped)
}

func TestVectorsPassiveClientWelcome(t *testing.T) {
	testPassive(t, "passive-client-welcome.json", 40, 16)
}

func TestVectorsPassiveClientHandlingCommit(t *testing.T) {
	testPassive(t, "passive-client-handling-commit.json", 65, 26)
}

func TestVectorsPassiveClientRandom(t *testing.T) {
	testPassive(t, "passive-client-random.json", 1, 0)
}

func TestVectorsWelcome(t *testing.T) {
	var cases []struct {
		Suite      Suite    `json:"cipher_suite"`
		InitPriv   hexBytes `json:"init_priv"`
		KeyPackage hexBytes `json:"key_package"`
		SignerPub  hexBytes `json:"signer_pub"`
		Welcome    hexBytes `json:"welcome"`
	}
	loadVectors(t, "welcome.json", &cases)
	count := countVectors("welcome.json")
	for _, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		m, k := new(message), new(message)
		if err := unmarshal(c.Welcome, m); err != nil {
			t.Fatal(err)
		}
		if err := unmarshal(c.KeyPackage, k); err != nil {
			t.Fatal(err)
		}
		secrets := &KeyPackageSecrets{initKey: newSecret(fullScalar(c.Suite, c.InitPriv))}
		gs, info, j, err := openWelcome(p, m.welcome, k.keyPackage, secrets, &JoinOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := info.verify(p, c.SignerPub); err != nil {
			t.Fatal(err)
		}
		keys, _ := newEpochKeys(p, gs.joiner, j.psk, marshal(&info.context))
		wantBytes(t, "confirmation_tag", info.confirmationTag, keys.confirmationTag(p, info.context.confirmedTranscriptHash))
	}
	count.done(t, 5, 2)
}
