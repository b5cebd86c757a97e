package rpc

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lines reads messages line by line, none longer than most. Empty lines are
// skipped; a last line may lack its newline.
type lines struct {
	r    *bufio.Reader
	most int
}

func newLines(r io.Reader, most int) *lines { return &lines{bufio.NewReaderSize(r, 4096), most} }

// next returns the next line, valid until the following call, or io.EOF. A line
// that is too long is read past and answered with errLineTooLong; the one after
// it can be read.
func (l *lines) next() ([]byte, error) {
	var line []byte
	tooLong := false
	for {
		part, err := l.r.ReadSlice('\n')
		if len(line)+len(part) > l.most+1 {
			tooLong, line = true, nil
		} else if !tooLong {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if tooLong && (err == nil || errors.Is(err, io.EOF)) {
			return nil, errLineTooLong
		}
		if got := bytes.TrimSpace(line); len(got) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			return got, nil
		}
		if err != nil {
			return nil, err
		}
		line = line[:0]
	}
}
