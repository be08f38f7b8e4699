package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// What --yes is for where nobody can be asked.
const (
	yesIfWanted = "Add --yes if that is what you want."
	yesIfMended = "Add --yes once what made them fail is mended."
)

// confirm goes on when the person at the terminal says yes to the question; where there is none, it refuses.
// what is a sentence's beginning: "the account … would be disconnected". remedy says when to use --yes.
func confirm(cmd *cobra.Command, question, what, remedy string) error {
	if !isTerminal(cmd.InOrStdin()) {
		return misuse(remedy, "%s, and nobody can be asked here", what)
	}
	cmd.PrintErrf("%s [y/N] ", question)
	var answer string
	if _, err := fmt.Fscanln(cmd.InOrStdin(), &answer); err != nil || !strings.EqualFold(answer[:1], "y") {
		return &failure{code: exitFailure, err: errors.New("nothing was changed")}
	}
	return nil
}
