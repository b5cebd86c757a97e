package mls

import "testing"

func TestVectorsSecretTree(t *testing.T) {
	var cases []struct {
		Suite      Suite `json:"cipher_suite"`
		SenderData struct {
			SenderDataSecret hexBytes `json:"sender_data_secret"`
			Ciphertext       hexBytes `json:"ciphertext"`
			Key              hexBytes `json:"key"`
			Nonce            hexBytes `json:"nonce"`
		} `json:"sender_data"`
		EncryptionSecret hexBytes `json:"encryption_secret"`
		Leaves           [][]struct {
			Generation       uint32   `json:"generation"`
			HandshakeKey     hexBytes `json:"handshake_key"`
			HandshakeNonce   hexBytes `json:"handshake_nonce"`
			ApplicationKey   hexBytes `json:"application_key"`
			ApplicationNonce hexBytes `json:"application_nonce"`
		} `json:"leaves"`
	}
	loadVectors(t, "secret-tree.json", &cases)
	count := countVectors("secret-tree.json")
	for _, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		key, nonce := senderDataKey(p, c.SenderData.SenderDataSecret, c.SenderData.Ciphertext)
		wantBytes(t, "sender data key", key, c.SenderData.Key)
		wantBytes(t, "sender data nonce", nonce, c.SenderData.Nonce)
		tree := newSecretTree(p, uint32(len(c.Leaves)), clone(c.EncryptionSecret), Limits{})
		for leaf, rows := range c.Leaves {
			for _, row := range rows {
				for _, kind := range []struct {
					content    ContentType
					key, nonce hexBytes
				}{
					{ContentProposal, row.HandshakeKey, row.HandshakeNonce},
					{ContentApplication, row.ApplicationKey, row.ApplicationNonce},
				} {
					k, err := tree.peek(uint32(leaf), kind.content, row.Generation)
					if err != nil {
						t.Fatal(err)
					}
					wantBytes(t, "key", k.key, kind.key)
					wantBytes(t, "nonce", k.nonce, kind.nonce)
					tree.consume(uint32(leaf), kind.content, row.Generation)
					if _, err := tree.peek(uint32(leaf), kind.content, row.Generation); err != ErrGenerationUsed {
						t.Fatalf("second use of a generation: got %v, want ErrGenerationUsed", err)
					}
				}
			}
		}
	}
	count.done(t, 15, 6)
}
