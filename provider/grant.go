package provider

import "encoding/json"

// grantForm is a Grant in the open.
type grantForm struct {
	Credential []byte   `json:"c"`
	Scopes     []string `json:"s,omitempty"`
	Missing    []string `json:"m,omitempty"`
	Identity   Identity `json:"i"`
}

// Marshal writes the grant with its secrets revealed: for sealing only.
func (g Grant) Marshal() ([]byte, error) {
	credential, err := g.Credential.Marshal()
	if err != nil {
		return nil, err
	}
	return json.Marshal(grantForm{credential, g.Scopes, g.Missing, g.Identity})
}

// UnmarshalGrant reads what Grant.Marshal wrote.
func UnmarshalGrant(data []byte) (Grant, error) {
	var form *grantForm
	if err := json.Unmarshal(data, &form); err != nil || form == nil {
		return Grant{}, errSealedForm
	}
	credential, err := UnmarshalCredential(form.Credential)
	if err != nil {
		return Grant{}, err
	}
	return Grant{credential, form.Scopes, form.Missing, form.Identity}, nil
}
