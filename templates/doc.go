// Package templates renders the pages that a user sees in the window that the host opened.
//
// A page is one of the typed values Ticket, Result and Problem; Pages.Render writes it in a Locale,
// which Pages.Locale picks from Accept-Language. Words are in messages/, one file per language with
// the same keys; markup is in the .templ files, from which go generate makes Go; the style and the
// script that are put into every page are in pages/.
//
// Everything a page needs is in its one answer: no request goes anywhere else, so that neither the
// ticket in the address nor the visit itself is told to anybody (RFC 9700 §4.2.4). Style and script
// never change, which is why a content security policy can name them by hash; what the script
// needs to know is in data attributes, where it is escaped like any other attribute.
//
// Names come from services and hosts and are not trusted: see displayName.
package templates
