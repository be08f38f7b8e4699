// Command bare is what Linkgate's POST /auth is measured against: an Echo handler without any
// middleware or checks, which writes one value of the same size to the same Redis and answers with
// the same JSON. Less can't be done with these libraries.
package main

import (
	"crypto/rand"
	"flag"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/redis/go-redis/v9"
)

type answer struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Data    data   `json:"data"`
}

type data struct {
	AuthorizationURL string `json:"authorization_url"`
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	url := flag.String("redis", "", "`URL` of the Redis")
	size := flag.Int("bytes", 256, "`size` of a value")
	life := flag.Duration("life", 2*time.Minute, "life of a value")
	flag.Parse()

	options, err := redis.ParseURL(*url)
	if err != nil {
		log.Fatalf("reading -redis: %v", err)
	}
	options.ContextTimeoutEnabled = true // as in Linkgate: it costs system calls
	client := redis.NewClient(options)
	value := strings.Repeat("x", *size)

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.POST("/auth/:auth_id", func(c echo.Context) error {
		ticket := rand.Text()
		set := redis.SetArgs{Mode: "NX", TTL: *life}
		if err := client.SetArgs(c.Request().Context(), "linkgate:session:"+ticket, value, set).Err(); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, answer{"OK", "OK", data{"https://connect.example.com/connect/" + ticket}})
	})
	log.Fatal(e.Start(*addr))
}
