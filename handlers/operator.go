package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

const readyDeadline = 2 * time.Second

// health tells that the process serves. It asks nobody: a restart would not mend anybody else.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	writeOperator(w, http.StatusOK, readiness{Ready: true, Problems: []readyProblem{}})
}

// ready tells whether requests should be sent here.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyDeadline)
	defer cancel()
	answer := readiness{Problems: s.problems(ctx)}
	answer.Ready = len(answer.Problems) == 0
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	writeOperator(w, status, answer)
}

// readiness is the answer of /healthz and /readyz.
type readiness struct {
	Ready    bool           `json:"ready"`
	Problems []readyProblem `json:"problems"`
}

type readyProblem struct {
	Check string `json:"check"`
	Error string `json:"error"`
}

// problems runs all checks at once and waits for none longer than ctx lasts.
func (s *Server) problems(ctx context.Context) []readyProblem {
	found := []readyProblem{}
	if s.draining.Load() {
		found = append(found, readyProblem{"process", "shutting down"})
	}
	results := make([]chan error, len(s.Ready))
	for i, check := range s.Ready {
		results[i] = make(chan error, 1) // so that a late answer holds nobody
		go func() { results[i] <- check.Run(ctx) }()
	}
	for i, check := range s.Ready {
		if err := await(ctx, results[i]); err != nil {
			found = append(found, readyProblem{check.Name, err.Error()})
		}
	}
	return found
}

var errNoAnswer = errors.New("no answer in time")

func await(ctx context.Context, result <-chan error) error {
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return errNoAnswer
	}
}

func writeOperator(w http.ResponseWriter, status int, answer readiness) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // an operator's probe that hung up
}
