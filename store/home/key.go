package home

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// KeyFile is a small file of the home, mode 0600, that is replaced whole: the
// vault's keys (sealed or not: vault.Guard decides), and the settings of the
// lock. It is a vault.KeyFile. Who may read it there is said in docs/threats.md.
type KeyFile struct{ path string }

// Load returns what was stored last, or nil if nothing ever was.
func (k *KeyFile) Load() ([]byte, error) {
	if err := k.clear(); err != nil {
		return nil, fileError("clear the home's key", err)
	}
	b, err := os.ReadFile(k.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileError("read the home's key", err)
	}
	return b, nil
}

// Store replaces the content, all or nothing, and is durable when it returns.
// The old content is overwritten and freed; whether the medium keeps a copy of
// the blocks elsewhere, as flash does, no program can say.
func (k *KeyFile) Store(content []byte) error {
	fresh, old := k.path+".new", k.path+".old"
	if err := k.clear(); err != nil {
		return fileError("clear the home's key", err)
	}
	if err := writeSynced(fresh, content); err != nil {
		os.Remove(fresh)
		return fileError("write the home's key", err)
	}
	// A second name for the old content, so that it can be found and
	// overwritten even if we die between the rename and that.
	if err := os.Link(k.path, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fileError("write the home's key", err)
	}
	if err := os.Rename(fresh, k.path); err != nil {
		return fileError("write the home's key", err)
	}
	if err := syncDir(filepath.Dir(k.path)); err != nil {
		return fileError("write the home's key", err)
	}
	if err := erase(old); err != nil {
		return fileError("clear the home's old key", err)
	}
	return nil
}

// clear removes what a store left behind that died: before its rename a file
// that never counted, after it the content that no longer does.
func (k *KeyFile) clear() error {
	if err := erase(k.path + ".new"); err != nil {
		return err
	}
	now, err := os.Stat(k.path)
	old, oldErr := os.Stat(k.path + ".old")
	if err == nil && oldErr == nil && os.SameFile(now, old) {
		// Died between link and rename: this is the present key under a
		// second name. Overwriting it would lose the home.
		return os.Remove(k.path + ".old")
	}
	return erase(k.path + ".old")
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// erase overwrites a file and removes it. An absent one is no error.
func erase(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, info.Size()))
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
