// Made from the Go types by go generate ./rpc; not to be edited.

export interface AccountDeleteParams {
	confirm: string;
}

export interface AccountSettings {
	receipts: boolean;
	retention: string;
}

export interface AckParams {
	subscription: string | number;
	number: number;
}

export interface Answered {
	id: string;
	room?: string;
	state: string;
}

export interface ArrangeParams {
	to: string;
	nickname?: string;
	muted?: boolean;
	pinned?: boolean;
	archived?: boolean;
	notify?: string;
	retention?: string;
}

export interface Arranged {
	room: string;
	account?: string;
	handle?: string;
	nickname?: string;
	muted: boolean;
	pinned: boolean;
	archived: boolean;
	notify: string;
	retention?: string;
}

export interface Backup {
	items: number;
	to: string;
	phrase?: string;
	made: string;
	changed: number;
	segments: number;
}

export interface BackupCreateParams {
	to?: string;
}

export interface BackupReadParams {
	from?: string;
	server?: string;
	words?: string;
	recovery?: string;
	older?: boolean;
	revoke_others?: boolean;
}

export interface Blocking {
	account: string;
	state: string;
}

export interface CancelParams {
	id: string | number;
}

export interface Changed {
	room: string;
	changed: string[];
	skipped: Skipped[];
	epoch: number;
}

export interface Contact {
	account: string;
	handle?: string;
	nickname?: string;
	verified: boolean;
	blocked?: boolean;
}

export interface ContactAddParams {
	link: string;
}

export interface ContactList {
	items: Contact[];
	fresh: boolean;
}

export interface ContactShareParams {
	to: string;
	who?: string;
	link?: string;
	name?: string;
}

export interface CredentialParams {
	passphrase?: string;
	key?: string;
}

export interface DeleteParams {
	room: string;
	id: string;
}

export interface Deleted {
	account: string;
	state: string;
	left: number;
	rooms: number;
}

export interface Details {
	message: Event;
	waiting?: Mark[];
}

export interface DetailsParams {
	room: string;
	id: string;
}

export interface Device {
	device: string;
	name?: string;
	added?: string;
	current?: boolean;
}

export interface DeviceJoinParams {
	code: string;
	name?: string;
}

export interface DeviceList {
	items: Device[];
	fresh: boolean;
}

export interface DeviceProgressParams {
	last?: LinkStatus;
}

export interface Draft {
	room: string;
	text?: string;
	edited?: string;
	expires?: string;
}

export interface DraftParams {
	to: string;
	text?: string;
}

export interface EditParams {
	room: string;
	id: string;
	text: string;
	format?: boolean;
}

export interface Error {
	code: number;
	message: string;
	data?: ErrorData;
}

export interface ErrorData {
	code: string;
	message: string;
	next: string;
}

export interface Event {
	type: string;
	room: string;
	from?: string;
	account?: string;
	sent: string;
	nickname?: string;
	muted?: boolean;
	id?: string;
	text?: string;
	reply?: string;
	expires?: string | null;
	after_reading?: number;
	kind?: string;
	runs?: Run[];
	mentioned?: boolean;
	name?: string;
	who?: string;
	by?: string;
	by_nickname?: string;
	state?: string;
	device?: string;
	code?: string;
	receipts?: Mark[];
	file?: FileInfo;
	poll?: ShownPoll;
	place?: ShownPlace;
	contact?: ShownContact;
	forwarded?: boolean;
	of?: string;
	edited?: string;
	deleted?: boolean;
	reactions?: Reacted[];
}

export interface EventList {
	items: Event[];
	fresh: boolean;
}

export interface EventParams {
	subscription: string | number;
	number: number;
	event: Event;
}

export interface ExportParams {
	to: string;
}

export interface Exported {
	items: number;
	rooms: number;
	to: string;
}

export interface FileInfo {
	name: string;
	type: string;
	size: number;
	state: string;
	done?: number;
	thumbnail?: boolean;
	width?: number;
	height?: number;
	seconds?: number;
	voice?: boolean;
	once?: boolean;
}

export interface ForwardParams {
	room: string;
	id: string;
	to: string;
}

export interface Group {
	room: string;
	name: string;
	members: Member[];
	skipped: Skipped[];
}

export interface GroupChangeParams {
	room: string;
	who: string[];
}

export interface GroupJoinParams {
	link: string;
	text?: string;
}

export interface GroupLinkParams {
	room: string;
	uses?: number;
	expire?: string;
	approve?: boolean;
}

export interface GroupMemberParams {
	room: string;
	who: string;
}

export interface GroupMoveParams {
	room: string;
	server: string;
}

export interface GroupNewParams {
	name: string;
	who: string[];
}

export interface GroupRoleParams {
	room: string;
	who: string;
	role: string;
}

export interface GroupSetParams {
	room: string;
	retention?: string;
	limit?: number;
	name?: string;
	traced?: boolean;
}

export interface HistoryParams {
	room: string;
	limit?: number;
}

export interface IDParams {
	id: string;
}

export interface Identity {
	handle?: string;
	account?: string;
	device?: string;
	server?: string;
	locked: boolean;
}

export interface Invitation {
	link: string;
	uses?: number;
	expires?: string;
}

export interface InviteParams {
	uses?: number;
	expire?: string;
}

export interface Joined {
	room?: string;
	name?: string;
	state: string;
}

export interface Left {
	room: string;
	state: string;
}

export interface LinkCode {
	code: string;
	expires: string;
}

export interface LinkParams {
	link: string;
}

export interface LinkPending {
	account: string;
	device: string;
	number: string;
}

export interface LinkRequest {
	id: string;
	name?: string;
	number: string;
	grants: string;
}

export interface LinkStatus {
	handle?: string;
	account?: string;
	device?: string;
	state: string;
	rooms: number;
	of: number;
	items: number;
}

export interface LockAfterParams {
	after: string;
}

export interface LockStatus {
	locked: boolean;
	protection: string;
	after?: string;
	key_file?: string;
}

export interface Mark {
	account: string;
	handle?: string;
	nickname?: string;
	state: string;
	at?: string;
}

export interface Member {
	account: string;
	handle?: string;
	nickname?: string;
	role: string;
	state: string;
}

export interface Moved {
	room: string;
	server: string;
	state: string;
}

export interface None {
}

export interface PassphraseParams {
	passphrase?: string;
	key?: string;
	key_file?: string;
	current_passphrase?: string;
	current_key?: string;
}

export interface PlaceParams {
	to: string;
	lat: number;
	lon: number;
	accuracy?: number;
	label?: string;
	expire?: string;
}

export interface PollParams {
	to: string;
	question: string;
	options: string[];
	multi?: boolean;
	expire?: string;
}

export interface ReactParams {
	room: string;
	id: string;
	reaction: string;
	remove?: boolean;
}

export interface Reacted {
	id: string;
	reaction: string;
	account: string;
	handle?: string;
	nickname?: string;
}

export interface ReceiveParams {
	wait?: string;
	follow?: boolean;
}

export interface Received {
	count: number;
	fresh: boolean;
}

export interface RegisterParams {
	name?: string;
	server: string;
	invite?: string;
}

export interface Registered {
	handle?: string;
	account: string;
	device: string;
	recovery: string;
}

export interface Request {
	id: string;
	kind: string;
	from: string;
	account: string;
	nickname?: string;
	room: string;
	name?: string;
	text?: string;
	sent: string;
	expires?: string;
}

export interface RequestList {
	items: Request[];
	fresh: boolean;
}

export interface Restored {
	items: number;
	account: string;
	handle?: string;
	device?: string;
	made: string;
	ended?: number;
	newest: string;
}

export interface Room {
	room: string;
	kind: string;
	name?: string;
	nickname?: string;
	pinned?: boolean;
	muted?: boolean;
	archived?: boolean;
	draft?: string;
	members: Member[];
	role: string;
	retention: string;
	own_retention?: string;
	unread: number;
	mentions?: number;
	typing?: Writer[];
	notify?: string;
	epoch: number;
	state: string;
}

export interface RoomList {
	items: Room[];
	fresh: boolean;
}

export interface RoomParams {
	room: string;
}

export interface RoomsParams {
	subscription: string | number;
	snapshot?: boolean;
	rooms: Room[];
	order: string[];
}

export interface Run {
	text: string;
	style?: string[];
	mention?: string;
	handle?: string;
	nickname?: string;
}

export interface Safety {
	safety: string;
	account: string;
	handle?: string;
	nickname?: string;
	verified: boolean;
}

export interface SaveParams {
	room: string;
	id: string;
	to?: string;
	folder?: string;
}

export interface Saved {
	room: string;
	id: string;
	to: string;
	size: number;
}

export interface SearchParams {
	words: string;
	room?: string;
	limit?: number;
}

export interface SendParams {
	to: string;
	text: string;
	expire?: string;
	from_reading?: boolean;
	reply?: string;
	format?: boolean;
	wait?: string;
	file?: string;
	once?: boolean;
	as_is?: boolean;
	seconds?: number;
	voice?: boolean;
}

export interface Sent {
	room: string;
	id: string;
	sent: string;
	state: string;
}

export interface Settings {
	room: string;
	retention: string;
	limit: number;
	traced?: boolean;
}

export interface SettingsParams {
	receipts?: boolean;
	retention?: string;
}

export interface ShownContact {
	account: string;
	name: string;
	handle?: string;
	link?: string;
	known?: boolean;
}

export interface ShownOption {
	text: string;
	voters?: Voter[];
}

export interface ShownPlace {
	lat: number;
	lon: number;
	accuracy?: number;
	label?: string;
}

export interface ShownPoll {
	question: string;
	options: ShownOption[];
	multi?: boolean;
	closed?: boolean;
	own?: number[];
}

export interface Skipped {
	handle: string;
	code: string;
	retry?: boolean;
}

export interface Thumbnail {
	type: string;
	data: string;
}

export interface ThumbnailParams {
	room: string;
	id: string;
}

export interface Told {
	room: string;
	told: boolean;
}

export interface TypingParams {
	room: string;
	stopped?: boolean;
}

export interface VoteParams {
	room: string;
	id: string;
	choices?: number[];
	close?: boolean;
}

export interface Voter {
	account: string;
	handle?: string;
	nickname?: string;
}

export interface WhoParams {
	who: string;
}

export interface Writer {
	account: string;
	handle?: string;
	nickname?: string;
	until: string;
}

/** Methods, with what they take and answer. */
export interface Methods {
	"accept": { params: IDParams; result: Answered };
	"account.delete": { params: AccountDeleteParams; result: Deleted };
	"arrange": { params: ArrangeParams; result: Arranged };
	"backup.create": { params: BackupCreateParams; result: Backup };
	"backup.restore": { params: BackupReadParams; result: Restored };
	"backup.verify": { params: BackupReadParams; result: Restored };
	"block": { params: WhoParams; result: Blocking };
	"catch_up": { params: None; result: None };
	"contact.add": { params: ContactAddParams; result: Contact };
	"contact.share": { params: ContactShareParams; result: Sent };
	"contacts": { params: None; result: ContactList };
	"decline": { params: IDParams; result: Answered };
	"delete": { params: DeleteParams; result: Sent };
	"details": { params: DetailsParams; result: Details };
	"device.alone": { params: None; result: Device[] };
	"device.asked": { params: None; result: LinkRequest };
	"device.confirm": { params: IDParams; result: Device };
	"device.finish": { params: IDParams; result: Device };
	"device.join": { params: DeviceJoinParams; result: LinkPending };
	"device.link": { params: None; result: LinkCode };
	"device.list": { params: None; result: DeviceList };
	"device.progress": { params: DeviceProgressParams; result: LinkStatus };
	"device.refuse": { params: IDParams; result: None };
	"device.revoke": { params: IDParams; result: Device };
	"draft": { params: DraftParams; result: Draft };
	"edit": { params: EditParams; result: Sent };
	"export": { params: ExportParams; result: Exported };
	"forward": { params: ForwardParams; result: Sent };
	"group.add": { params: GroupChangeParams; result: Changed };
	"group.join": { params: GroupJoinParams; result: Joined };
	"group.leave": { params: RoomParams; result: Left };
	"group.link": { params: GroupLinkParams; result: Invitation };
	"group.move": { params: GroupMoveParams; result: Moved };
	"group.new": { params: GroupNewParams; result: Group };
	"group.remove": { params: GroupChangeParams; result: Changed };
	"group.role": { params: GroupRoleParams; result: Member };
	"group.set": { params: GroupSetParams; result: Settings };
	"group.transfer": { params: GroupMemberParams; result: Member };
	"history": { params: HistoryParams; result: EventList };
	"invite": { params: InviteParams; result: Invitation };
	"invite.revoke": { params: LinkParams; result: Invitation };
	"lock": { params: None; result: LockStatus };
	"lock.after": { params: LockAfterParams; result: LockStatus };
	"lock.status": { params: None; result: LockStatus };
	"passphrase.remove": { params: CredentialParams; result: LockStatus };
	"passphrase.set": { params: PassphraseParams; result: LockStatus };
	"place": { params: PlaceParams; result: Sent };
	"poll": { params: PollParams; result: Sent };
	"react": { params: ReactParams; result: Sent };
	"recv": { params: ReceiveParams; result: Received };
	"register": { params: RegisterParams; result: Registered };
	"requests": { params: None; result: RequestList };
	"rooms": { params: None; result: RoomList };
	"rooms.watch": { params: None; result: None };
	"safety": { params: WhoParams; result: Safety };
	"save": { params: SaveParams; result: Saved };
	"search": { params: SearchParams; result: EventList };
	"send": { params: SendParams; result: Sent };
	"settings": { params: SettingsParams; result: AccountSettings };
	"thumbnail": { params: ThumbnailParams; result: Thumbnail };
	"typing": { params: TypingParams; result: Told };
	"unblock": { params: WhoParams; result: Blocking };
	"unlock": { params: CredentialParams; result: LockStatus };
	"vote": { params: VoteParams; result: Sent };
	"whoami": { params: None; result: Identity };
}

/** Notifications, with what they say. */
export interface Notifications {
	"ack": AckParams;
	"cancel": CancelParams;
	"event": EventParams;
	"left": None;
	"lock": LockStatus;
	"rooms": RoomsParams;
}
