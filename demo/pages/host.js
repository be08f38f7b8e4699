// The page of a host, as far as it concerns Linkgate: click Connect, have Linkgate's window
// opened, hear from it, look at the list again.

const linkgateOrigin = document.body.dataset.linkgateOrigin;
const cards = document.getElementById("cards");
const status = document.getElementById("status");
const opened = new Map(); // window → the card's app
let latest = null; // the app of a window that is not ours to know (opened by a link)

function say(...nodes) {
  status.replaceChildren(...nodes);
}

function appOf(element) {
  const card = element.closest("[data-auth]");
  return { service: card.dataset.service, auth: card.dataset.auth, name: card.querySelector("h2").textContent };
}

// call sends a click through the host's proxy and returns the envelope's data.
async function call(app, method, path, body) {
  const answer = await fetch(`/connector/${app.service}${path}`, {
    method,
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return (await answer.json()).data;
}

async function connect(app) {
  // Inside the click, or the browser takes it for an unwanted pop-up; the address comes later.
  const win = window.open("", "_blank", "popup,width=520,height=760");
  say("Opening the sign-in window…");
  latest = app;
  try {
    const data = await call(app, "POST", `/auth/${encodeURIComponent(app.auth)}`);
    const url = new URL(data.authorization_url);
    if (url.origin !== linkgateOrigin) throw new Error("an address elsewhere");
    if (win && !win.closed) {
      opened.set(win, app);
      win.location = url.href;
      say(`Go on in the window of ${app.name}.`);
    } else {
      offerLink(app, url);
    }
  } catch {
    if (win) win.close();
    say(`${app.name} can't be connected just now. Try again in a moment.`);
  }
}

// offerLink is for browsers that block the window: a link the user clicks is never blocked.
function offerLink(app, url) {
  const link = document.createElement("a");
  link.href = url.href;
  link.target = "_blank";
  link.rel = "opener"; // the window must be able to answer us
  link.textContent = `Continue connecting ${app.name}`;
  say("Your browser blocked the window. ", link);
  link.focus();
}

async function disconnect(app, id) {
  say("Disconnecting…");
  try {
    await call(app, "DELETE", `/linked-accounts/${encodeURIComponent(id)}`);
    say("Disconnected.");
  } catch {
    say(`${app.name} can't be disconnected just now. Try again in a moment.`);
  }
  await refresh();
}

async function finish(app, token) {
  say("Finishing…");
  try {
    await call(app, "POST", `/auth/${encodeURIComponent(app.auth)}/finish`, { finish_token: token });
    say("Connected.");
  } catch {
    say(`${app.name} was not connected.`);
  }
  await refresh();
}

// refresh leaves the page alone unless something changed, so that it never takes the focus away.
async function refresh() {
  try {
    const answer = await fetch("/apps");
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (page.body.innerHTML.trim() === cards.innerHTML.trim()) return;
    cards.replaceChildren(...page.body.childNodes);
  } catch {
    // the host is away; the next round may find it
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("connect" in button.dataset) connect(appOf(button));
  if ("disconnect" in button.dataset) disconnect(appOf(button), button.dataset.disconnect);
});

window.addEventListener("message", (event) => {
  if (event.origin !== linkgateOrigin || typeof event.data !== "string") return;
  const [, outcome, rest] = event.data.match(/^linkgate\.auth\.(success|failure|finish)\.(.+)$/) ?? [];
  const app = opened.get(event.source) ?? latest;
  if (!outcome || !app) return;
  if (outcome === "finish") {
    finish(app, rest);
    return;
  }
  say(outcome === "success" ? `${app.name} is connected.` : `${app.name} was not connected.`);
  refresh();
});

// Late links appear by themselves.
setInterval(() => {
  if (!document.hidden) refresh();
}, 3000);
