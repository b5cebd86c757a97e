package mls

// ExternalSender is one entry of the external_senders extension, RFC 9420
// §12.1.8.1: somebody outside the group who may propose.
type ExternalSender struct {
	SignatureKey []byte
	Credential   Credential
}

// ExternalSendersExtension makes the GroupContext extension.
func ExternalSendersExtension(senders []ExternalSender) Extension {
	var e encoder
	e.list(func(e *encoder) {
		for i := range senders {
			e.vec(senders[i].SignatureKey)
			senders[i].Credential.encode(e)
		}
	})
	return Extension{Type: ExtensionExternalSenders, Data: e.b}
}

type externalSenderList []ExternalSender

func (l *externalSenderList) decode(d *decoder) {
	d.list(func(d *decoder) {
		var s ExternalSender
		s.SignatureKey = d.vec()
		s.Credential.decode(d)
		*l = append(*l, s)
	})
}

func externalSenders(exts []Extension) ([]ExternalSender, error) {
	data, ok := findExtension(exts, ExtensionExternalSenders)
	if !ok {
		return nil, nil
	}
	var l externalSenderList
	err := unmarshal(data, &l)
	return l, err
}
