// The page of a host, as far as it concerns Linkgate: click Connect, have Linkgate's window
// opened, hear from it, look at the list again; and have a card's button call the service.

const linkgateOrigin = document.body.dataset.linkgateOrigin;
const cards = document.getElementById("cards");
const status = document.getElementById("status");
const opened = new Map(); // window → the card's app
let latest = null; // the app of a window that is not ours to know (opened by a link)
let listed = cards.innerHTML.trim(); // as the host wrote it, without answers
const answers = new Map(); // account id → what the service said
const signIns = new Map(); // account id → { url, until }: a sign-in that Linkgate has begun

function say(...nodes) {
  status.replaceChildren(...nodes);
}

function appOf(element) {
  const card = element.closest("[data-auth]");
  return { service: card.dataset.service, auth: card.dataset.auth, me: card.dataset.me, name: card.querySelector("h2").textContent };
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
    const url = linkgates(data.authorization_url);
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

// linkgates is an address of Linkgate's; no other is ever opened.
function linkgates(address) {
  const url = new URL(address);
  if (url.origin !== linkgateOrigin) throw new Error("an address elsewhere");
  return url;
}

// reconnect opens the sign-in that came with an answer, or begins another when it is old.
function reconnect(app, id) {
  const signIn = signIns.get(id);
  signIns.delete(id); // it is for one window
  if (!signIn || signIn.until < Date.now()) {
    connect(app);
    return;
  }
  latest = app;
  const win = window.open(signIn.url.href, "_blank", "popup,width=520,height=760");
  if (!win) {
    offerLink(app, signIn.url);
    return;
  }
  opened.set(win, app);
  say(`Go on in the window of ${app.name}.`);
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
    forgetProblems();
    say("Connected.");
  } catch {
    say(`${app.name} was not connected.`);
  }
  await refresh();
}

// whoAmI is a card's button: it calls the service's API in the user's name.
async function whoAmI(app, id) {
  show(id, "", element("p", "when", `Asking ${app.name}…`));
  const path = `/call/${encodeURIComponent(app.auth)}${app.me}?linked_account_id=${encodeURIComponent(id)}`;
  let answer, text;
  try {
    answer = await fetch(`/connector/${app.service}${path}`);
    text = await answer.text();
  } catch {
    show(id, "problem", element("p", "", "The host does not answer. Try again in a moment."));
    return;
  }
  const body = parsed(text);
  const who = body?.account?.display_name ?? body?.app?.subdomain;
  if (answer.ok && who) {
    show(id, "", element("p", "who", who),
      element("p", "when", `So says ${app.name}, at ${new Date().toLocaleTimeString()}.`),
      element("pre", "", JSON.stringify(body, null, 2)));
    say(`${app.name}: you are ${who}.`);
  } else {
    explain(app, id, answer.status, body, text);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// explain tells of an error: Linkgate's has a code and a message, the service's own has neither.
function explain(app, id, status, body, text) {
  const ours = typeof body?.code === "string" && typeof body.message === "string";
  const again = element("button", "urgent", "Connect again");
  again.dataset.reconnect = id;
  if (ours && body.code === "REAUTH_REQUIRED") {
    begun(id, body.data?.authorization_url);
    show(id, "problem", element("p", "", `${app.name} wants you to sign in again.`), again);
  } else if (ours && body.code === "NOT_CONNECTED") {
    show(id, "problem", element("p", "", `Linkgate has no account at ${app.name} for this any more.`), again);
  } else if (ours) {
    show(id, "problem", element("p", "", body.message), element("p", "when", `${body.code}, status ${status}`));
  } else {
    show(id, "problem", element("p", "", `${app.name} answered with status ${status}.`), element("pre", "", text.slice(0, 1000)));
  }
  say(answers.get(id).firstChild.textContent);
}

// begun keeps a sign-in for as long as it may wait to be opened: two minutes, less some seconds.
function begun(id, address) {
  try {
    signIns.set(id, { url: linkgates(address), until: Date.now() + 100_000 });
  } catch {
    signIns.delete(id); // the button begins one
  }
}

function element(tag, className, text) {
  const e = document.createElement(tag);
  e.className = className;
  e.textContent = text;
  e.dir = "auto";
  return e;
}

// show puts an answer below its account.
function show(id, kind, ...nodes) {
  const box = element("div", `answer ${kind}`, "");
  box.append(...nodes);
  answers.get(id)?.remove();
  answers.set(id, box);
  place();
}

// place puts every answer where its account is now; those of accounts that are gone go, too.
function place() {
  for (const [id, box] of answers) {
    const account = cards.querySelector(`[data-account="${CSS.escape(id)}"]`);
    if (!account) answers.delete(id);
    else if (box.parentNode !== account) account.append(box);
  }
}

// forgetProblems is for when an account has been connected: what was wrong before, need not be now.
function forgetProblems() {
  for (const [id, box] of answers) {
    if (!box.classList.contains("problem")) continue;
    box.remove();
    answers.delete(id);
  }
}

// refresh leaves the page alone unless something changed, so that it never takes the focus away.
async function refresh() {
  try {
    const answer = await fetch("/apps");
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const list = page.body.innerHTML.trim();
    if (list === listed) return;
    listed = list;
    cards.replaceChildren(...page.body.childNodes);
    place();
  } catch {
    // the host is away; the next round may find it
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("connect" in button.dataset) connect(appOf(button));
  if ("reconnect" in button.dataset) reconnect(appOf(button), button.dataset.reconnect);
  if ("whoami" in button.dataset) whoAmI(appOf(button), button.dataset.whoami);
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
  if (outcome === "success") forgetProblems();
  say(outcome === "success" ? `${app.name} is connected.` : `${app.name} was not connected.`);
  refresh();
});

// Late links appear by themselves.
setInterval(() => {
  if (!document.hidden) refresh();
}, 3000);
