package mls

import "errors"

// What Process, Join and the other readers answer. Callers use errors.Is.
var (
	// ErrWrongGroup: the message belongs to another group.
	ErrWrongGroup = errors.New("mls: message is for another group")
	// ErrWrongEpoch: the message belongs to another epoch of this group.
	// Earlier: drop it, its keys are gone. Later: read the commits between first.
	ErrWrongEpoch = errors.New("mls: message is for another epoch")
	// ErrGenerationUsed: the key of this message was used or dropped before: a
	// repetition, or too late. Drop it silently.
	ErrGenerationUsed = errors.New("mls: message key was already used")
	// ErrTooFarAhead: the sender's generation lies more than Limits.MaxForward
	// beyond the last one read.
	ErrTooFarAhead = errors.New("mls: message key lies too far ahead")
	// ErrGenerationsSpent: our own ratchet has no generation left; commit first.
	ErrGenerationsSpent = errors.New("mls: no generations left in this epoch, commit first")
	// ErrDecrypt: the message does not open or its signature or MAC is wrong.
	// One error for all of these, so that a sender learns nothing from which.
	ErrDecrypt = errors.New("mls: message does not open")
	// ErrOwnMessage: the message came from this leaf itself; its keys are gone
	// since it was sealed.
	ErrOwnMessage = errors.New("mls: message is our own")
	// ErrOwnCommit: the commit came from this leaf itself; apply the saved
	// PendingCommit instead.
	ErrOwnCommit = errors.New("mls: commit is our own, apply the pending one")
	// ErrTwin: the message bears our own leaf's signature and a generation that
	// we have not used: somebody runs a copy of this state. Leave the leaf.
	ErrTwin = errors.New("mls: a copy of this group state is sending")
	// ErrNotAllowed: the message is well formed, but its kind (external commit,
	// external proposal, proposal by reference) is off in Limits.
	ErrNotAllowed = errors.New("mls: kind of message is off for this group")
	// ErrPSKUnknown: a pre-shared key named by the message was not handed in.
	ErrPSKUnknown = errors.New("mls: a pre-shared key is missing, hand it in and retry")
	// ErrProposalUnknown: a commit refers to a proposal that was not seen.
	ErrProposalUnknown = errors.New("mls: a committed proposal was not seen")
	// ErrReInitialised: a ReInit was committed; this group takes no more (RFC
	// 9420 §11.2). Create the new group with it.
	ErrReInitialised = errors.New("mls: group was re-initialised and takes no more messages")
	// ErrNotForUs: a Welcome has no secrets for the KeyPackage at hand.
	ErrNotForUs = errors.New("mls: welcome has nothing for this key package")
	// ErrRemoved: this member is no longer in the group.
	ErrRemoved = errors.New("mls: no longer a member of this group")
	// ErrState: saved state is damaged or of another version.
	ErrState = errors.New("mls: saved group state is damaged or of another version")
	// ErrUsage: the caller asked for something that no valid message can say.
	ErrUsage = errors.New("mls: request is not possible in this group")
)

var (
	errExportLength = errors.New("mls: exported secret is longer than the suite allows")
	errState        = ErrState
	errLeafIndex    = invalid("§7.2", "leaf index lies outside the tree")

	errPSKType  = invalid("§8.4", "kind of pre-shared key is not known")
	errPSKUsage = invalid("§8.4", "use of resumption pre-shared key is not known")

	errWireFormat      = invalid("§6", "wire format is not known")
	errProtocolVersion = invalid("§6", "protocol version is not mls10")
	errContentType     = invalid("§6", "content type is not known")
	errSenderType      = invalid("§6", "sender type is not known")
	errNotForGroup     = invalid("§6", "this kind of message does not go to a running group")
	errSenderBlank     = invalid("§6.1", "sender's leaf is blank or outside the tree")
	errSenderContent   = invalid("§6", "this sender may not send this kind of content")
	errPublicAppData   = invalid("§6.2", "application data in a PublicMessage")
	errPadding         = invalid("§6.3.1", "padding is not all zero")
	errPrivateContent  = invalid("§6.3.1", "content of a PrivateMessage is malformed")
	errSenderData      = invalid("§6.3.2", "sender data of a PrivateMessage is malformed")
	errConfirmationTag = invalid("§12.4.2", "confirmation tag does not match")
)

var (
	errProposalType  = invalid("§12.1", "proposal type 0 is reserved")
	errProposalOrRef = invalid("§12.4", "neither a proposal nor a reference to one")

	errGroupInfoForm      = invalid("§12.4.3", "a GroupInfo is malformed")
	errGroupInfoSignature = invalid("§12.4.3", "a GroupInfo's signature does not verify")
	errGroupSecretsForm   = invalid("§12.4.3.1", "group secrets in a Welcome are malformed")

	errAddSuite         = invalid("§12.1.1", "an added key package is of another suite or version")
	errUpdateSender     = invalid("§12.1.2", "an Update that is not from a member for its own leaf")
	errUpdateSameKey    = invalid("§12.1.2", "an Update keeps the old encryption key")
	errRemoveBlank      = invalid("§12.1.3", "a Remove of a leaf that is blank or outside the tree")
	errPSKNonce         = invalid("§12.1.4", "a pre-shared key's nonce is not of the hash length")
	errPSKUsageHere     = invalid("§12.1.4", "a re-init or branch key in a commit of the running group")
	errReInitVersion    = invalid("§12.1.5", "a ReInit to an older protocol version")
	errExternalInitHere = invalid("§12.1.6", "an ExternalInit outside an external commit")
	errExternalProposal = invalid("§12.1.8", "this kind of proposal may not come from outside")
	errExternalSender   = invalid("§12.1.8.1", "sender is not among the group's external senders")

	errCommitOwnUpdate     = invalid("§12.2", "a commit may not hold its sender's own Update")
	errCommitRemovesSelf   = invalid("§12.2", "a commit may not remove its own sender")
	errCommitSameLeaf      = invalid("§12.2", "two Updates or Removes of one leaf in a commit")
	errCommitSameClient    = invalid("§12.2", "two Adds of one client in a commit")
	errCommitClientPresent = invalid("§12.2", "an Add of a client that is already in the group")
	errCommitSamePSK       = invalid("§12.2", "one pre-shared key identifier twice in a commit")
	errCommitTwoExtensions = invalid("§12.2", "two GroupContextExtensions in a commit")
	errCommitReInitAlone   = invalid("§12.2", "a ReInit together with another proposal")
	errCustomSupport       = invalid("§12.2", "a custom proposal that not every member supports")
	errCommitNoPath        = invalid("§12.4", "a commit that needs a path has none")
	errCommitSameProposal  = invalid("§12.4", "one proposal twice in a commit")

	errExternalInitCount = invalid("§12.2", "an external commit needs exactly one ExternalInit")
	errExternalRemoves   = invalid("§12.2", "an external commit with more than one Remove")
	errExternalRemove    = invalid("§12.2", "an external commit removes another client than its own")
	errExternalKind      = invalid("§12.2", "a kind of proposal that an external commit may not hold")
	errExternalReference = invalid("§12.4.3.2", "an external commit refers to a proposal")
	errExternalPath      = invalid("§12.4.3.2", "an external commit without a path")
	errExternalPub       = invalid("§12.4.3.2", "a GroupInfo without a usable external public key")

	errWelcomeSuite     = invalid("§12.4.3.1", "a Welcome's suite is not that of the key package or GroupInfo")
	errWelcomePSKs      = invalid("§12.4.3.1", "a re-init or branch key beside another one in a Welcome")
	errWelcomePSKNonce  = invalid("§8.4", "a pre-shared key's nonce in a Welcome is not of the hash length")
	errWelcomeSamePSK   = invalid("§12.4.3.1", "one pre-shared key identifier twice in a Welcome")
	errWelcomeTree      = invalid("§12.4.3.1", "no ratchet tree in the Welcome or beside it")
	errWelcomeTreeHash  = invalid("§12.4.3.1", "the ratchet tree is not the one that the GroupInfo names")
	errWelcomeOwnLeaf   = invalid("§12.4.3.1", "the ratchet tree has no leaf of the key package")
	errWelcomeSigner    = invalid("§12.4.3.1", "the GroupInfo's signer is not a member")
	errWelcomeTag       = invalid("§12.4.3.1", "the confirmation tag of a Welcome does not match")
	errWelcomeTwice     = invalid("§12.4.3.1", "two entries for one key package in a Welcome")
	errSuccessorEpoch   = invalid("§11.2", "a re-init or branch Welcome is not for epoch 1")
	errReInitParameters = invalid("§11.2", "the new group is not the one that the ReInit names")
	errReInitUsage      = invalid("§11.2", "a re-init key without the re-initialised group at hand")
	errBranchParameters = invalid("§11.3", "a branch has another version or suite than its group")
	errBranchMember     = invalid("§11.3", "a branch has a member who is not in its group")
	errBranchUsage      = invalid("§11.3", "a branch key without the group it branches from")
)

var errExtensionsForm = invalid("§12.1.8.1", "the list of external senders is malformed")

var errLeafSource = invalid("§7.3", "a leaf's source does not fit where it stands")

// ErrTooManyMembers: a commit or Welcome leads to more members than
// Limits.MaxMembers.
var ErrTooManyMembers = errors.New("mls: more members than the limit")
