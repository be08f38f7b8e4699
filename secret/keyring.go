package secret

// Place is where a sealed value lives. It is bound to the ciphertext as associated data, so a
// ciphertext that is moved to another row, user, connection or column does not open.
type Place struct {
	Table      string
	Account    string
	HostUser   string
	Connection string
	Field      string
}

// Keyring seals and opens with a Tink keyset.
type Keyring struct{}

// OpenKeyring reads a keyset as `linkgate keys new` prints it.
func OpenKeyring(keyset Text) (*Keyring, error) { panic("unwritten") }

// Seal encrypts plain for at, with the primary key.
func (k *Keyring) Seal(plain []byte, at Place) ([]byte, error) { panic("unwritten") }

// Open decrypts what Seal made for the same place, with any enabled key.
func (k *Keyring) Open(sealed []byte, at Place) ([]byte, error) { panic("unwritten") }
