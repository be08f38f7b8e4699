// Command service is the external service of the calls that are measured: it answers every request
// that comes with a bearer token at once, with the same body of -bytes.
package main

import (
	"bytes"
	"flag"
	"log"
	"net/http"
	"strconv"
	"strings"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	size := flag.Int("bytes", 1<<10, "`size` of an answer's body")
	flag.Parse()

	body := bytes.Repeat([]byte("x"), *size)
	length := strconv.Itoa(*size)
	log.Fatal(http.ListenAndServe(*addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(body) // who has gone away needs no answer
	})))
}
