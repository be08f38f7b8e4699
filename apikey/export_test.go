package apikey

// Reads is how often all keys were read from SQL.
func (s *Store) Reads() int64 { return s.reads.Load() }

// For tests of what is remembered.
const (
	MemoryTime = memoryTime
	ReadPause  = readPause
)

// Parse is parse.
func Parse(presented string) (id string, ok bool) { return parse(presented) }
