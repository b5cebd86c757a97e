package mls

import "testing"

func TestVectorsKeySchedule(t *testing.T) {
	type epoch struct {
		TreeHash                hexBytes `json:"tree_hash"`
		CommitSecret            hexBytes `json:"commit_secret"`
		PSKSecret               hexBytes `json:"psk_secret"`
		ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`
		GroupContext            hexBytes `json:"group_context"`
		JoinerSecret            hexBytes `json:"joiner_secret"`
		WelcomeSecret           hexBytes `json:"welcome_secret"`
		InitSecret              hexBytes `json:"init_secret"`
		SenderDataSecret        hexBytes `json:"sender_data_secret"`
		EncryptionSecret        hexBytes `json:"encryption_secret"`
		ExporterSecret          hexBytes `json:"exporter_secret"`
		EpochAuthenticator      hexBytes `json:"epoch_authenticator"`
		ExternalSecret          hexBytes `json:"external_secret"`
		ConfirmationKey         hexBytes `json:"confirmation_key"`
		MembershipKey           hexBytes `json:"membership_key"`
		ResumptionPSK           hexBytes `json:"resumption_psk"`
		ExternalPub             hexBytes `json:"external_pub"`
		Exporter                struct {
			Label   string   `json:"label"`
			Context hexBytes `json:"context"`
			Length  int      `json:"length"`
			Secret  hexBytes `json:"secret"`
		} `json:"exporter"`
	}
	var cases []struct {
		Suite             Suite    `json:"cipher_suite"`
		GroupID           hexBytes `json:"group_id"`
		InitialInitSecret hexBytes `json:"initial_init_secret"`
		Epochs            []epoch  `json:"epochs"`
	}
	loadVectors(t, "key-schedule.json", &cases)
	count := countVectors("key-schedule.json")
	for _, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		initSecret := []byte(c.InitialInitSecret)
		for i, v := range c.Epochs {
			ctx := &groupContext{suite: c.Suite, groupID: c.GroupID, epoch: uint64(i),
				treeHash: v.TreeHash, confirmedTranscriptHash: v.ConfirmedTranscriptHash}
			enc := marshal(ctx)
			wantBytes(t, "group_context", enc, v.GroupContext)
			joiner := joinerSecret(p, initSecret, v.CommitSecret, enc)
			wantBytes(t, "joiner_secret", joiner, v.JoinerSecret)
			wantBytes(t, "welcome_secret", welcomeSecret(p, joiner, v.PSKSecret), v.WelcomeSecret)
			keys, encryption := newEpochKeys(p, joiner, v.PSKSecret, enc)
			wantBytes(t, "init_secret", keys.init, v.InitSecret)
			wantBytes(t, "sender_data_secret", keys.senderData, v.SenderDataSecret)
			wantBytes(t, "encryption_secret", encryption, v.EncryptionSecret)
			wantBytes(t, "exporter_secret", keys.exporter, v.ExporterSecret)
			wantBytes(t, "epoch_authenticator", keys.authenticator, v.EpochAuthenticator)
			wantBytes(t, "external_secret", keys.external, v.ExternalSecret)
			wantBytes(t, "confirmation_key", keys.confirmation, v.ConfirmationKey)
			wantBytes(t, "membership_key", keys.membership, v.MembershipKey)
			wantBytes(t, "resumption_psk", keys.resumption, v.ResumptionPSK)
			_, pub, err := p.deriveKeyPair(keys.external)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "external_pub", pub, v.ExternalPub)
			out, err := exportSecret(p, keys.exporter, v.Exporter.Label, v.Exporter.Context, v.Exporter.Length)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "exporter", out, v.Exporter.Secret)
			initSecret = keys.init
		}
	}
	count.done(t, 5, 2)
}

func TestVectorsPSKSecret(t *testing.T) {
	var cases []struct {
		Suite Suite `json:"cipher_suite"`
		PSKs  []struct {
			ID    hexBytes `json:"psk_id"`
			Nonce hexBytes `json:"psk_nonce"`
			PSK   hexBytes `json:"psk"`
		} `json:"psks"`
		PSKSecret hexBytes `json:"psk_secret"`
	}
	loadVectors(t, "psk_secret.json", &cases)
	count := countVectors("psk_secret.json")
	for _, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		var ids []PSKID
		var psks []PSK
		for _, k := range c.PSKs {
			id := PSKID{Type: PSKExternal, ID: k.ID, Nonce: k.Nonce}
			ids = append(ids, id)
			psks = append(psks, NewPSK(id, k.PSK))
		}
		got, err := pskSecret(p, ids, newPSKTable(psks))
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "psk_secret", got, c.PSKSecret)
	}
	count.done(t, 55, 22)
}

func TestVectorsTranscriptHashes(t *testing.T) {
	var cases []struct {
		Suite           Suite    `json:"cipher_suite"`
		ConfirmationKey hexBytes `json:"confirmation_key"`
		Content         hexBytes `json:"authenticated_content"`
		InterimBefore   hexBytes `json:"interim_transcript_hash_before"`
		ConfirmedAfter  hexBytes `json:"confirmed_transcript_hash_after"`
		InterimAfter    hexBytes `json:"interim_transcript_hash_after"`
	}
	loadVectors(t, "transcript-hashes.json", &cases)
	count := countVectors("transcript-hashes.json")
	for _, c := range cases {
		p, ok := count.params(t, c.Suite)
		if !ok {
			continue
		}
		var a authenticatedContent
		if err := unmarshal(c.Content, &a); err != nil {
			t.Fatal(err)
		}
		confirmed := confirmedHash(p, c.InterimBefore, &a)
		wantBytes(t, "confirmed_transcript_hash_after", confirmed, c.ConfirmedAfter)
		keys := &epochKeys{confirmation: c.ConfirmationKey}
		wantBytes(t, "confirmation_tag", a.auth.confirmationTag, keys.confirmationTag(p, confirmed))
		wantBytes(t, "interim_transcript_hash_after", interimHash(p, confirmed, a.auth.confirmationTag), c.InterimAfter)
	}
	count.done(t, 5, 2)
}
