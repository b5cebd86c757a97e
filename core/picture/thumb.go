package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
)

const (
	// side is the longest side of a thumbnail, pixels.
	side = 320
	// maxSide is the longest that is taken from others.
	maxSide = 512
	// maxMemory bounds what decoding a picture takes, bytes.
	maxMemory = 160 << 20
)

// Seen is what is seen of a picture: its size as it is looked at, and a small JPEG of
// it; none where it is too large, or of a sort that is not decoded.
type Seen struct {
	Width, Height int
	Thumbnail     []byte
}

// See looks at a picture and makes a thumbnail of at most some bytes.
func (p *Picture) See(most int) Seen {
	var out Seen
	cfg, _, err := p.decode(true)
	if err != nil || cfg.Width <= 0 || cfg.Height <= 0 {
		return out
	}
	out.Width, out.Height = cfg.Width, cfg.Height
	if p.turn >= 5 {
		out.Width, out.Height = out.Height, out.Width
	}
	if !p.affordable(cfg) {
		return out
	}
	_, m, err := p.decode(false)
	if err != nil {
		return out
	}
	for _, try := range []struct{ side, quality int }{{side, 75}, {side, 55}, {side * 3 / 4, 50}, {side / 2, 40}, {side / 4, 30}} {
		var b bytes.Buffer
		if jpeg.Encode(&b, shrink(m, p.turn, try.side), &jpeg.Options{Quality: try.quality}) == nil && b.Len() <= most {
			out.Thumbnail = b.Bytes()
			break
		}
	}
	return out
}

// affordable reports whether a picture may be decoded, by what it says of its size.
func (p *Picture) affordable(cfg image.Config) bool {
	each := int64(3)
	switch {
	case p.progressive:
		each = 16 // its coefficients are kept until the end
	case cfg.ColorModel == color.RGBA64Model, cfg.ColorModel == color.NRGBA64Model:
		each = 8
	case p.Type == PNG, cfg.ColorModel == color.CMYKModel:
		each = 4
	}
	w, h := int64(cfg.Width), int64(cfg.Height)
	return w < 1<<20 && h < 1<<20 && w*h*each <= maxMemory
}

// decode reads a picture, or only how large it is.
func (p *Picture) decode(size bool) (cfg image.Config, m image.Image, err error) {
	r := p.Reader()
	switch {
	case p.Type == JPEG && size:
		cfg, err = jpeg.DecodeConfig(r)
	case p.Type == JPEG:
		m, err = jpeg.Decode(r)
	case p.Type == PNG && size:
		cfg, err = png.DecodeConfig(r)
	case p.Type == PNG:
		m, err = png.Decode(r)
	case p.Type == GIF && size:
		cfg, err = gif.DecodeConfig(r)
	case p.Type == GIF:
		m, err = gif.Decode(r) // the first one
	default:
		err = ErrForeign
	}
	return cfg, m, err
}

// shrink makes a picture small, the right way up and on white.
func shrink(m image.Image, turn, side int) image.Image {
	b := m.Bounds()
	w, h := b.Dx(), b.Dy()
	if turn >= 5 {
		w, h = h, w
	}
	tw, th := w, h
	if most := max(w, h); most > side {
		tw, th = max(1, w*side/most), max(1, h*side/most)
	}
	out := image.NewRGBA(image.Rect(0, 0, tw, th))
	const grid = 3 // samples each way
	for y := range th {
		for x := range tw {
			var sum [3]uint32
			for sy := range grid {
				for sx := range grid {
					// The sample's place in the upright picture, then in the stored one.
					u, v := (x*grid+sx)*w/(tw*grid), (y*grid+sy)*h/(th*grid)
					u, v = stored(u, v, w, h, turn)
					r, g, bl, a := m.At(b.Min.X+u, b.Min.Y+v).RGBA()
					white := 0xffff - a
					sum[0], sum[1], sum[2] = sum[0]+(r+white)>>8, sum[1]+(g+white)>>8, sum[2]+(bl+white)>>8
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / (grid * grid)), uint8(sum[1] / (grid * grid)), uint8(sum[2] / (grid * grid)), 255})
		}
	}
	return out
}

// stored returns where a pixel of an upright picture of w by h lies in the stored
// one (EXIF, orientation).
func stored(x, y, w, h, turn int) (int, int) {
	switch turn {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return y, w - 1 - x
	case 7:
		return h - 1 - y, w - 1 - x
	case 8:
		return h - 1 - y, x
	}
	return x, y
}

// Recode reads a thumbnail that somebody else has made and writes it anew, so that
// whatever shows it decodes bytes of ours.
func Recode(b []byte) ([]byte, error) {
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(b))
	if err != nil || cfg.Width > maxSide || cfg.Height > maxSide {
		return nil, form(err)
	}
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, m, &jpeg.Options{Quality: 85})
	return out.Bytes(), err
}
