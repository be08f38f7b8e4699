package call

import (
	"bytes"
	"io"
	"net/http"

	"linkgate/provider"
)

const maxForm = maxKept // bytes of a form that is signed: it waits here until all of it has come

// readForm reads a form whose parameters the credential signs (RFC 5849 §3.4.1.3.1). A signature goes
// before the body, so such a form can't stream; every other body does, and is nil here.
func (c *connection) readForm(r *http.Request) ([]byte, error) {
	signer, signs := c.applier.(provider.FormSigner)
	if !signs || r.ContentLength == 0 || !signer.SignsBody(r.Header) {
		return nil, nil
	}
	if r.ContentLength > maxForm {
		return nil, ErrFormTooLong
	}
	form, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	switch {
	case err != nil:
		return nil, ErrBadBody
	case len(form) > maxForm:
		return nil, ErrFormTooLong
	}
	return form, nil
}

// source is what is sent of a body: the form, when there is one, or what comes of the client's.
func (e *exchange) source(r *http.Request) io.Reader {
	if e.form != nil {
		return bytes.NewReader(e.form)
	}
	return r.Body
}

// authorize puts the credential in. The form is lent to it apart from the body that is sent.
func (e *exchange) authorize(out *http.Request) {
	if e.form != nil {
		defer func(own func() (io.ReadCloser, error)) { out.GetBody = own }(out.GetBody)
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(e.form)), nil }
	}
	e.connection.applier.Apply(out, e.account.Credential)
}
