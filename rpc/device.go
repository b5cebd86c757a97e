package rpc

import (
	"context"

	"hearth/core"
)

func deviceList(ctx context.Context, c Core, _ None) (List[core.Device], error) {
	return list(ctx, c, c.Devices)
}

func deviceLink(ctx context.Context, c Core, _ None) (core.LinkCode, error) { return c.LinkDevice(ctx) }

// deviceAsked answers once a device has asked with the code; cancel it to stop
// waiting.
func deviceAsked(ctx context.Context, c Core, _ None) (core.LinkRequest, error) {
	return c.LinkAsked(ctx)
}

func deviceConfirm(ctx context.Context, c Core, p IDParams) (core.Device, error) {
	if err := need("id", p.ID); err != nil {
		return core.Device{}, err
	}
	return c.LinkConfirm(ctx, p.ID)
}

func deviceRefuse(ctx context.Context, c Core, p IDParams) (None, error) {
	if err := need("id", p.ID); err != nil {
		return None{}, err
	}
	return None{}, c.LinkRefuse(ctx, p.ID)
}

// deviceFinish answers once the device that was confirmed has everything.
func deviceFinish(ctx context.Context, c Core, p IDParams) (core.Device, error) {
	if err := need("id", p.ID); err != nil {
		return core.Device{}, err
	}
	return c.LinkFinish(ctx, p.ID)
}

// DeviceJoinParams are those of device.join.
type DeviceJoinParams struct {
	Code string `json:"code"`
	Name string `json:"name,omitempty"` // what the person calls this device
}

func deviceJoin(ctx context.Context, c Core, p DeviceJoinParams) (core.LinkPending, error) {
	if err := need("code", p.Code); err != nil {
		return core.LinkPending{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, registerWait)
	defer cancel()
	return c.LinkJoin(ctx, p.Code, p.Name)
}

// DeviceProgressParams are those of device.progress.
type DeviceProgressParams struct {
	// Last is the answer before; absent: answer at once.
	Last *core.LinkStatus `json:"last,omitempty"`
}

// deviceProgress answers when a device that is being linked has got further.
func deviceProgress(ctx context.Context, c Core, p DeviceProgressParams) (core.LinkStatus, error) {
	if p.Last == nil {
		p.Last = new(core.LinkStatus)
	}
	return c.LinkProgress(ctx, *p.Last)
}

func deviceRevoke(ctx context.Context, c Core, p IDParams) (core.Device, error) {
	if err := need("id", p.ID); err != nil {
		return core.Device{}, err
	}
	return c.RevokeDevice(ctx, p.ID)
}

// deviceAlone takes all devices but this one out of the account.
func deviceAlone(ctx context.Context, c Core, _ None) ([]core.Device, error) {
	out, err := c.RevokeOthers(ctx)
	if out == nil {
		out = []core.Device{}
	}
	return out, err
}
