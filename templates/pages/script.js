
// Tells the window that opened this one how it ended, and closes this one; where nobody has opened it,
// goes on to where the page says. Everything works without: the page says what happened, links, and a
// window can be closed by hand. Sends the form on that a page names; without it, its button does.
(function () {
  "use strict";
  var told = document.currentScript.dataset;
  if (told.submit) document.getElementById(told.submit).submit();
  var opener = window.opener;
  if (!opener) if (told.go) setTimeout(function () { location.replace(told.return); }, Number(told.go));
  if (!opener) if (!told.window) return;
  var button = document.getElementById("close");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", function () { window.close(); });
  }
  if (told.leave) setTimeout(function () { window.close(); }, Number(told.leave));
  if (opener) if (told.message) if (told.origin) opener.postMessage(told.message, told.origin);
})();
