//go:build nodemo

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newDemoCommand is all that is left of the demo in a build for deployment: the simulated host and
// service, and the libraries that they alone need, are not part of what faces the network.
func newDemoCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "demo",
		GroupID: groupRun,
		Short:   "See it work (not in this build)",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			return &failure{
				code: exitFailure, err: errors.New("this build is for deployment and has no demo in it"),
				remedy: "Run `go run . demo` in a checkout of the source.",
			}
		},
	}
}
