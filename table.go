package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// writeTable prints a list for people, a line of cells for each under the heads, which have tabs between them; or none,
// where the list is empty.
func writeTable[T any](w io.Writer, list []T, none, heads string, cells func(T) []any) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, none)
		return err
	}
	table := newTable(w)
	fmt.Fprintln(table, heads)
	for _, one := range list {
		for i, cell := range cells(one) {
			if i > 0 {
				fmt.Fprint(table, "\t")
			}
			fmt.Fprint(table, cell)
		}
		fmt.Fprintln(table)
	}
	return flushed(table)
}

// newTable lines up what has tabs between, once it is flushed.
func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

func flushed(table *tabwriter.Writer) error {
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	return nil
}
