package core

import (
	"cmp"
	"context"
	"time"

	"hearth/content"
	"hearth/core/letter"
	"hearth/wire"
)

// Contact cards and places.

// NewPlace is a place to show, in degrees; Accuracy in metres, 0: not known.
type NewPlace struct {
	Lat, Lon float64
	Accuracy uint32
	Label    string
}

// ShownPlace is one that was sent.
type ShownPlace struct {
	Lat      float64 `json:"lat"`
	Lon      float64 `json:"lon"`
	Accuracy uint32  `json:"accuracy,omitempty"` // metres around it
	Label    string  `json:"label,omitempty"`
}

// ShownContact is a person whom somebody introduces. All of it is the sender's word
// but for the link, which leads to the account.
type ShownContact struct {
	Account string `json:"account"`
	Name    string `json:"name"`
	Handle  string `json:"handle,omitempty"`
	Link    string `json:"link,omitempty"`
	// Known: the account is among this one's contacts.
	Known bool `json:"known,omitempty"`
}

// introduced is how long a link lasts that goes with one's own card, and how often
// it can be used.
const (
	introduced     = 7 * 24 * time.Hour
	introducedUses = 1
)

// Introduce sends somebody the card of a person: of Who, who has a handle or a link
// that they gave for this, or of this account itself, with a new link.
func (c *Client) Introduce(ctx context.Context, o IntroduceOptions) (Sent, error) {
	opts, err := c.options(o.SendOptions)
	if err != nil {
		return Sent{}, err
	}
	card, err := c.card(ctx, o)
	if err != nil {
		return Sent{}, err
	}
	m, err := content.NewContact(card, opts)
	if err != nil {
		return Sent{}, err
	}
	return c.tellTo(ctx, o.To, m, opts.Sent)
}

// IntroduceOptions are the parameters of Introduce.
type IntroduceOptions struct {
	SendOptions
	Who  string // handle, bare name, account id; "": this account
	Link string // an invitation link of theirs
	Name string // what they are called; "": the handle
}

func (c *Client) card(ctx context.Context, o IntroduceOptions) (card content.Card, err error) {
	me, err := c.self(ctx)
	if err != nil {
		return card, err
	}
	if o.Who == "" || me.ownName(o.Who) {
		inv, err := c.Invite(ctx, introducedUses, introduced)
		if err != nil {
			return card, err
		}
		return content.Card{Account: me.ID, Name: cmp.Or(o.Name, me.Name, "me"), Handle: me.Handle(), Link: inv.Link}, nil
	}
	p, err := c.find(ctx, o.Who)
	if err != nil {
		return card, err
	}
	card = content.Card{Account: p.Account, Handle: p.Handle, Name: cmp.Or(o.Name, p.Handle, "somebody"), Link: o.Link}
	if card.Link == "" && card.Handle == "" {
		return card, wire.Errorf(wire.BadInput, "nobody could reach that person by the card").WithNext("ask them for an invitation link, and give it with --link")
	}
	if card.Link != "" && !leadsTo(card.Link, card.Account) {
		return card, wire.Errorf(wire.BadInput, "that link does not lead to that person").WithNext("ask them for another")
	}
	return card, nil
}

// leadsTo reports whether an invitation link leads to an account.
func leadsTo(link string, account wire.AccountID) bool {
	l, err := letter.ParseInvitation(link)
	return err == nil && !l.Group && l.Account == account
}

// showTyped writes into an event what a message holds beside words.
func (s *step) showTyped(id convID, h *happening, m *content.Message, e *Event) error {
	switch k := m.Kind(); {
	case h.Type == EventVote:
		return s.showVote(id, h, m, e)
	case h.Type != EventMessage:
		return nil
	case k == content.Poll:
		e.Kind = k.String()
		return s.showPoll(id, h, e)
	case k == content.Place:
		p, _ := m.Place()
		e.Kind, e.Place = k.String(), &ShownPlace{Lat: p.Latitude(), Lon: p.Longitude(), Accuracy: p.Accuracy, Label: p.Label}
	case k == content.Contact:
		c, _ := m.Contact()
		e.Kind = k.String()
		if c.Link != "" && !leadsTo(c.Link, c.Account) {
			e.Text = "A contact card whose link leads to somebody else. It was not taken in."
			return nil
		}
		p, err := s.person(c.Account)
		if err != nil {
			return err
		}
		e.Contact = &ShownContact{Account: c.Account.String(), Name: c.Name, Handle: c.Handle, Link: c.Link, Known: p.Contact}
	}
	return nil
}
