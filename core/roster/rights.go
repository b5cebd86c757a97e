package roster

import (
	"hearth/wire"
)

// judgeRights asks of each thing that the commit does whether its committer may,
// by role or by evidence. Evidence on which nothing rests is refused.
func (v *verdict) judgeRights() error {
	m, _ := v.before.state.Member(v.committer.Account)
	for _, check := range []func(Role) error{v.judgeRemoved, v.judgeAdded, v.judgeSettings, v.judgeRoles} {
		if err := check(m.Role); err != nil {
			return err
		}
	}
	for _, used := range v.used {
		if !used {
			return refuse("evidence that is spent, or proves nothing in this commit")
		}
	}
	return nil
}

// judgeRemoved judges leaves and accounts that go.
func (v *verdict) judgeRemoved(role Role) error {
	left := map[wire.AccountID]bool{} // accounts whose signed leave the commit carries out
	for i, e := range v.evidence {
		if e.Kind == EvidenceLeave && v.carriesOut(e) {
			if _, stays := v.after.state.Member(e.account); stays && v.before.state.Kind == Group {
				return refuse("a leave after which the account stays in the roster")
			}
			left[e.account] = true
			v.used[i] = true
		}
	}
	for _, l := range v.removed {
		if _, stays := v.after.state.Member(l.Account); !stays {
			continue // judged with its account, below
		}
		c := v.after.chains[l.Account]
		if d, ok := c.Device(l.Device); !ok || !d.Live {
			continue // revoked, or the account closed: the chain is the evidence
		}
		if left[l.Account] && v.before.state.Kind == Direct {
			continue
		}
		if !v.refreshed(l) {
			return refuse("the removal of a leaf without its account, without evidence that names it")
		}
	}
	for _, m := range v.before.state.Members {
		if _, stays := v.after.state.Member(m.Account); stays {
			continue
		}
		switch {
		case v.after.chains[m.Account].Closed(), left[m.Account]:
		case role == RoleOwner:
		case role == RoleAdmin && m.Role == RoleMember:
		default:
			return refuse("the removal of an account that the committer's role does not allow")
		}
	}
	return nil
}

// carriesOut reports whether the commit does what a signed leave says: it named
// every leaf that the account had, there was one, and none is left.
func (v *verdict) carriesOut(e signed) bool {
	had := v.before.LeavesOf(e.account)
	for _, l := range had {
		if !e.names(l.Hash) {
			return false
		}
	}
	return len(had) > 0 && len(v.after.LeavesOf(e.account)) == 0
}

// refreshed reports whether a rejoin request of the leaf's own device names it,
// and the commit adds the leaf that the request asks for.
func (v *verdict) refreshed(l Leaf) bool {
	for i, e := range v.evidence {
		if e.Kind == EvidenceRejoin && e.account == l.Account && e.device == l.Device && e.names(l.Hash) && v.adds(e) {
			v.used[i] = true
			return true
		}
	}
	return false
}

// adds reports whether the commit adds the leaf that a rejoin request asks for.
func (v *verdict) adds(e signed) bool {
	for _, l := range v.added {
		if l.Account == e.account && l.Device == e.device && l.Hash == e.added {
			return true
		}
	}
	return false
}

// judgeAdded judges leaves and accounts that come.
func (v *verdict) judgeAdded(role Role) error {
	comes := map[wire.AccountID]bool{}
	for _, l := range v.added {
		comes[l.Account] = true
		// A request on which the Add rests counts as used, whoever commits.
		asked := false
		for i, e := range v.evidence {
			if e.Kind == EvidenceRejoin && e.account == l.Account && e.device == l.Device && e.added == l.Hash {
				asked, v.used[i] = true, true
			}
		}
		_, was := v.before.state.Member(l.Account)
		switch {
		case !was: // judged with its account, below
		case l.Account == v.committer.Account, v.before.state.Kind == Direct, role >= RoleAdmin, asked, v.founds():
		default:
			return refuse("a device added by a member of another account, without its request")
		}
	}
	for _, m := range v.after.state.Members {
		if _, was := v.before.state.Member(m.Account); was {
			continue
		}
		switch {
		case !comes[m.Account]:
			return refuse("an account added without a leaf")
		case role < RoleAdmin:
			return refuse("an account added by one who is neither owner nor admin")
		case m.Role != RoleMember && role != RoleOwner:
			return refuse("an account added with a role by one who is not owner")
		}
	}
	return nil
}

// founds reports whether the commit is a successor's first, by its founder, who
// is alone in the tree: it brings in devices of those whom the base names, as
// every joiner checks (JudgeSuccessor). There is nobody else yet.
func (v *verdict) founds() bool {
	return v.before.state.Generation > 0 && len(v.before.leaves) == 1
}

// judgeSettings judges name, timer, limit and tracing.
func (v *verdict) judgeSettings(role Role) error {
	a, b := v.before.state, v.after.state
	if a.Name == b.Name && a.Limit == b.Limit && a.Retention == b.Retention && a.Traced == b.Traced {
		return nil
	}
	if v.before.state.Kind == Group && role < RoleAdmin {
		return refuse("a setting changed by one who is neither owner nor admin")
	}
	return nil
}

// judgeRoles judges the roles of those who stay. If the last owner goes, the
// next in rank is owner in the same commit, whoever makes it (protocol §4).
func (v *verdict) judgeRoles(role Role) error {
	heir, inherits := v.before.heir(v.after.state)
	if m, _ := v.after.state.Member(heir); inherits && m.Role != RoleOwner {
		return refuse("the last owner goes and the next in rank is not made owner")
	}
	for _, m := range v.after.state.Members {
		was, ok := v.before.state.Member(m.Account)
		if !ok {
			continue
		}
		want := was.Role
		if inherits && m.Account == heir {
			want = RoleOwner
		}
		stepsDown := m.Account == v.committer.Account && m.Role < want
		if m.Role != want && role != RoleOwner && !stepsDown {
			return refuse("a role changed by one who is not owner")
		}
	}
	return nil
}
