package call

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"

	"linkgate/linkedaccount"
)

// exchange is one call: a request, as often as it is sent, and its answer.
type exchange struct {
	connection *connection
	tokens     tokens
	log        *slog.Logger
	path       path
	account    *linkedaccount.Opened // with the credential that the last attempt was sent with

	proxy    httputil.ReverseProxy
	incoming *http.Request
	headless http.Request            // incoming without a header, where that says nothing of the hop
	client   http.ResponseController // of the client's connection
	upload   *upload                 // nil: the request has no body
	form     []byte                  // the body, where the credential signs it; nil: it does not
	answer   answer
	served   http.Header // of the service's answer, kept from ReverseProxy where it says nothing of the hop
	own      http.Header // of the answer, before the service's comes to it
	query    string      // of the request, without what is not for the service
	patience *patience   // nil: the request has no body
	began    time.Time
	repeated int           // times, because the service asked for it
	waited   time.Duration // before those
	renewed  bool          // another credential has been asked for
	err      error         // why there is no answer
}

// serve runs the exchange on a copy of proxy. An error means that nothing has been written to w.
func (e *exchange) serve(proxy httputil.ReverseProxy, w http.ResponseWriter, r *http.Request) error {
	e.client = *http.NewResponseController(w)
	e.began = time.Now()
	if len(w.Header()) > 0 {
		e.own = maps.Clone(w.Header())
	}
	e.answer = answer{
		ResponseWriter: w, exchange: e,
		deadline: deadline{stall: e.connection.stall},
	}
	var err error
	if e.form, err = e.connection.readForm(r); err != nil {
		return err
	}
	if r.ContentLength != 0 {
		ctx, cancel := context.WithCancelCause(r.Context())
		defer cancel(nil)
		r = r.WithContext(ctx)
		e.upload = newUpload(e.source(r), &e.client, e.connection.stall)
		defer e.upload.end()
		e.patience = &patience{limit: e.connection.patience, cancel: cancel, upload: e.upload}
	}
	e.incoming = r
	e.proxy = proxy
	e.proxy.Rewrite = e.rewrite
	e.proxy.Transport = e
	e.proxy.ModifyResponse = e.modify
	e.proxy.ErrorHandler = e.fail
	e.proxy.ServeHTTP(&e.answer, e.request(r))
	e.answer.arm() // for what the server has still to write
	return e.err
}

// request is what ReverseProxy gets to see: nothing of a header in which it would find nothing to do,
// and would copy it to do so.
func (e *exchange) request(r *http.Request) *http.Request {
	if !isOfNoHop(r.Header) {
		return withoutForeignUpgrade(r)
	}
	e.headless = *r
	e.headless.Header = nil
	return &e.headless
}

// withoutForeignUpgrade lets no request switch to another protocol than WebSocket: through a
// connection that speaks HTTP/2 by then (h2c), requests could be sent that no rule allows.
func withoutForeignUpgrade(r *http.Request) *http.Request {
	protocols := r.Header["Upgrade"]
	if len(protocols) == 0 {
		return r
	}
	if len(protocols) == 1 && strings.EqualFold(protocols[0], "websocket") && r.Method == http.MethodGet && r.ContentLength == 0 {
		return r
	}
	changed := *r
	changed.Header = r.Header.Clone()
	changed.Header.Del("Upgrade")
	return &changed
}

// rewrite makes the service's request of the client's. The hop-by-hop headers are gone by now.
func (e *exchange) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	if pr.In == &e.headless {
		passRequest(out.Header, e.incoming.Header, e.connection.credentialHeader)
	} else {
		stripRequest(out.Header, e.connection.credentialHeader)
	}
	// Out's query has been encoded anew where it can be read in two ways; which of the two the service
	// reads is no matter here, as the rules know nothing of queries.
	e.query = cleanQuery(pr.In.URL.RawQuery, e.connection.settings)
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "linkgate")
	}
	if e.upload != nil {
		e.rewriteBody(out)
	}
	e.err = e.aim(out)
}

func (e *exchange) rewriteBody(out *http.Request) {
	out.Body, _ = e.upload.again() // for the first time it can be had
	out.GetBody = e.upload.getBody
	// A connection that is kept gets the body even when the service has refused it.
	out.Close = out.Header.Get("Expect") != ""
	if len(out.Trailer) == 0 {
		return
	}
	stripRequest(out.Trailer, e.connection.credentialHeader)
	e.connection.headers.drop(out.Trailer)
	e.upload.trailer = func() {
		for name := range out.Trailer {
			out.Trailer[name] = e.incoming.Trailer[name]
		}
	}
}

// aim points a request at the service, and puts the connection's headers and the credential in.
func (e *exchange) aim(out *http.Request) error {
	target, err := e.connection.base.target(e.path, e.query, &e.account.Account)
	if err != nil {
		return err
	}
	if err := e.connection.headers.put(out.Header, &e.account.Account); err != nil {
		return err
	}
	*out.URL, out.Host = target, ""
	e.authorize(out)
	return nil
}

// modify makes the client's answer of the service's. The hop-by-hop headers are gone by now, but
// for those of a switch of protocols.
func (e *exchange) modify(res *http.Response) error {
	if res.StatusCode == http.StatusSwitchingProtocols {
		e.modifySwitch(res.Header)
		return nil
	}
	h := e.answer.Header()
	h["Content-Type"] = nil // without one the server would guess
	passAnswer(h, e.served, e.account.Credential.AccessToken)
	maps.Copy(h, e.own) // interim answers have taken it away
	res.Header = nil    // ReverseProxy would copy it
	e.clean(res.Trailer)
	if len(res.Trailer) > 0 { // announced; it comes after the body
		h.Del("Content-Length") // with which HTTP/1.1 has no trailers, but HTTP/2 has
	}
	if res.ContentLength < 0 || res.ProtoMajor != 1 { // else there is no trailer (RFC 9112 §6.3)
		res.Body = &answerBody{ReadCloser: res.Body, ended: func() { e.clean(res.Trailer) }}
	}
	if isEventStream(e.served) {
		e.proxy.FlushInterval = -1
	} else if res.ContentLength >= 0 && res.ContentLength <= maxWhole {
		e.proxy.FlushInterval = 0
		e.answer.deadline.armed = e.began // the server's own limit, which began with the request, does for it
	}
	e.answerEarly()
	return nil
}

// modifySwitch is modify for the header of a switch of protocols.
func (e *exchange) modifySwitch(h http.Header) {
	e.clean(h)
	for name, values := range e.own {
		delete(h, name)
		e.answer.Header()[name] = values
	}
}

// answerEarly lets the answer go out before the whole body has come in. With this header the server
// neither reads the rest away before, nor takes it for another request after.
func (e *exchange) answerEarly() {
	if e.upload != nil && !e.upload.whole() {
		e.answer.Header().Set("Connection", "close")
	}
}

// clean takes out of an interim answer's header, or a trailer, what a service must not tell the
// client.
func (e *exchange) clean(h http.Header) {
	stripAnswer(h, e.account.Credential.AccessToken)
}

// fail notes that there is no answer, or breaks one off. Why, RoundTrip has noted; the rest are
// switches of protocols gone wrong.
func (e *exchange) fail(http.ResponseWriter, *http.Request, error) {
	if e.answer.hijacked {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(e.answer.Header(), e.own)
	e.answerEarly()
	if e.err == nil {
		e.err = ErrBroken
	}
}
